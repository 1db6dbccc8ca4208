import { useMemo, useState } from "preact/hooks";
import { part, withQuery } from "../api/client";
import type { TopicRow } from "../api/model";
import { useGet } from "../api/use";
import { Wrong } from "../parts/form";
import { Notice, PageHead, Panel, Tag } from "../parts/panel";
import { usePlace } from "../parts/place";
import { Spark } from "../parts/spark";
import { Table, type Column } from "../parts/table";
import { ago, bytes, count, plural, rate } from "../parts/words";
import { topics as live } from "../state/live";
import { isInstructor, isSingle, me } from "../state/session";
import { lagWords, mostLag } from "./group/words";
import { Create } from "./topics/create";
import { KIND, ORDER } from "./topics/kind";

const most = (row: TopicRow): number | null => mostLag(row.lag);

const COLUMNS: Column<TopicRow>[] = [
  {
    head: "Topic",
    by: (row) => row.name,
    cell: (row) => (
      <div class="topic-name">
        <span><a href={`/topics/${part(row.name)}`}>{row.name}</a> {row.kind !== "stream" && <Tag mood={row.kind === "mine" ? "accent" : ""}>{KIND[row.kind]}</Tag>}</span>
        {row.about && <span class="quiet small">{row.about}</span>}
      </div>
    ),
  },
  { head: "Messages/s", number: true, by: (row) => row.messages_per_s, cell: (row) => rate(row.messages_per_s) },
  { head: "Last 5 min", cell: (row) => <Spark values={row.spark} label={trend(row.spark)} /> },
  { head: "Records", number: true, by: (row) => row.records, cell: (row) => count(row.records) },
  { head: "Size", number: true, by: (row) => row.size_bytes ?? -1, cell: (row) => bytes(row.size_bytes) },
  { head: "Partitions", number: true, by: (row) => row.partitions, cell: (row) => count(row.partitions) },
  { head: "Last write", number: true, by: (row) => row.last_write_ms ?? 0, cell: (row) => ago(row.last_write_ms) },
  { head: "Most lag", number: true, by: (row) => most(row) ?? -1, cell: (row) => <Lag row={row} /> },
];

function trend(values: number[]): string {
  if (values.length === 0) return "no rates yet";
  return `messages per second over the last minutes: between ${rate(Math.min(...values))} and ${rate(Math.max(...values))}`;
}

function Lag({ row }: { row: TopicRow }) {
  if (row.lag.length === 0) return <span class="quiet">no group</span>;
  const words = row.lag.slice(0, 20).map((one) => `${one.group}: ${lagWords(one.lag)}`).join("\n");
  return <span title={words}>{lagWords(most(row))} <span class="quiet small">of {plural(row.lag.length, "group")}</span></span>;
}

export default function Topics() {
  const { query, go } = usePlace();
  const internal = query.internal === "true";
  const answer = useGet<{ topics: TopicRow[] }>(withQuery("/api/topics", { internal: internal || undefined }), 5000);
  const [creating, setCreating] = useState(false);
  const find = (query.q ?? "").trim().toLowerCase();
  const all = answer.data?.topics;
  const now = live.value;
  const rows = useMemo(() => {
    const ticks = new Map(now.map((tick) => [tick.name, tick]));
    return (all ?? [])
      .filter((row) => row.name.toLowerCase().includes(find))
      .map((row) => ({ ...row, ...ticks.get(row.name) }))
      .sort((a, b) => ORDER[a.kind] - ORDER[b.kind] || a.name.localeCompare(b.name));
  }, [all, now, find]);
  const prefix = me.value?.prefix;
  const own = all?.some((row) => row.kind === "mine");
  return (
    <>
      <PageHead title="Topics">
        <input type="search" aria-label="Filter topics by name" placeholder="Filter by name" value={query.q ?? ""} onInput={(event) => go({ q: event.currentTarget.value })} />
        {isInstructor() && <label class="row nowrap"><input type="checkbox" checked={internal} onChange={(event) => go({ internal: event.currentTarget.checked ? "true" : null })} /> Internal ones</label>}
        <button type="button" class="main" onClick={() => setCreating(true)}>Create topic</button>
      </PageHead>
      {creating && <Create onClose={() => setCreating(false)} />}
      {!all && <Wrong problem={answer.problem} />}
      {all && (
        <Panel>
          <Table
            caption="Topics"
            columns={COLUMNS}
            rows={rows}
            id={(row) => row.name}
            empty={find ? `No topic has ${JSON.stringify(query.q)} in its name.` : "No topics yet. The streams appear when they start; a topic also comes to be when a program first writes to it."}
          />
        </Panel>
      )}
      {all && !own && prefix && !isSingle() && !find && (
        <Notice>You have no topic of your own yet. Names that begin with <code class="break">{prefix}</code> are yours: create one here, or let a program write to it.</Notice>
      )}
    </>
  );
}
