// The course of things over minutes and hours, as the charts want it.
import type { History } from "../../api/model";
import type { Series } from "../../parts/chart";

const TOP = 4;

type Values = (number | null)[];

const mean = (values: Values): number => {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? 0 : known.reduce((sum, value) => sum + value, 0) / known.length;
};

const added = (lists: Values[], length: number): Values =>
  Array.from({ length }, (_, n) => {
    const known = lists.map((list) => list[n] ?? null).filter((value) => value !== null);
    return known.length === 0 ? null : known.reduce((sum, value) => sum + value, 0);
  });

/** The busiest topics by name, and all others in one line: where lines change places they keep their colours. */
export function busiest(history: History): Series[] {
  const ranked = history.topics.map((one) => ({ ...one, mean: mean(one.messages_per_s) })).sort((a, b) => b.mean - a.mean || a.name.localeCompare(b.name));
  const top = ranked.slice(0, TOP).sort((a, b) => a.name.localeCompare(b.name));
  const rest = ranked.slice(TOP);
  const series = top.map((one) => ({ name: one.name, values: one.messages_per_s }));
  if (rest.length === 0) return series;
  return [...series, { name: rest.length === 1 ? rest[0]!.name : `${rest.length} others`, values: added(rest.map((one) => one.messages_per_s), history.at_ms.length) }];
}

/** The last points of everything, for the short view. */
export function lastOf(history: History, points: number): History {
  const cut = <T,>(list: T[]): T[] => list.slice(-points);
  return {
    step_s: history.step_s,
    at_ms: cut(history.at_ms),
    messages_in_per_s: cut(history.messages_in_per_s),
    bytes_in_per_s: cut(history.bytes_in_per_s),
    bytes_out_per_s: cut(history.bytes_out_per_s),
    connections: cut(history.connections),
    cpu_percent: cut(history.cpu_percent),
    memory_bytes: cut(history.memory_bytes),
    topics: history.topics.map((one) => ({ name: one.name, messages_per_s: cut(one.messages_per_s) })),
  };
}
