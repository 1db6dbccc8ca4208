// What the scenes do on the broker: topics of one's own, records in and out, committed offsets.
import { get, part, Problem, send, withQuery } from "../../api/client";
import type { LogRecord, RecordPage, TopicPage } from "../../api/model";
import { me } from "../../state/session";

/** A name that its owner may write to. */
export const own = (name: string): string => `${me.value?.prefix ?? ""}${name}`;
export function ownGroup(name: string): string {
  const mine = me.value?.group_prefix;
  return mine ? `${mine.replace(/-$/, "")}-${name}` : name;
}

/** Makes the topic anew, so that a scene always begins with an empty log. */
export async function fresh(name: string, partitions: number): Promise<void> {
  const path = `/api/topics/${part(name)}`;
  await send("DELETE", path).catch((error: unknown) => {
    if (Problem.of(error).status !== 404) throw error;
  });
  await send("POST", "/api/topics", { name, partitions });
}

export interface Sent {
  partition: number;
  offset: number;
}

export const produce = (topic: string, key: string | null, value: string, partition?: number): Promise<Sent> =>
  send<Sent>("POST", `/api/topics/${part(topic)}/records`, { key, value, ...(partition === undefined ? {} : { partition }) });

export const read = (topic: string, query: Record<string, string | number | undefined>): Promise<RecordPage> =>
  get<RecordPage>(withQuery(`/api/topics/${part(topic)}/records`, query));

export const about = (topic: string): Promise<TopicPage> => get<TopicPage>(`/api/topics/${part(topic)}`);

/** A value as JSON; what is none, or cut, is null. */
export function parsed(record: LogRecord): Record<string, unknown> | null {
  if (!record.value || record.value.cut || record.value.kind !== "json") return null;
  try {
    const value: unknown = JSON.parse(record.value.text);
    return value && typeof value === "object" && !Array.isArray(value) ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

/** When it happened, by its own word. */
export function eventTime(record: LogRecord): number | null {
  const said = parsed(record)?.timestamp;
  const ms = typeof said === "string" ? Date.parse(said) : typeof said === "number" ? said : Number.NaN;
  return Number.isFinite(ms) ? ms : null;
}
