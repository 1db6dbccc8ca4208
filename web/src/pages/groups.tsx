import { useLocation } from "preact-iso";
import { useEffect, useMemo } from "preact/hooks";
import { part, withQuery } from "../api/client";
import type { GroupRow, GroupTick } from "../api/model";
import { useGet } from "../api/use";
import { Wrong } from "../parts/form";
import { PageHead, Panel, Tag } from "../parts/panel";
import { Table, type Column } from "../parts/table";
import { count, plural, rate } from "../parts/words";
import { groups as live } from "../state/live";
import { isSingle } from "../state/session";
import { etaWords, LAG_IS, lagWords, notCounted, stateWords } from "./group/words";

type Row = Omit<GroupRow, "eta_s"> & { eta_s: number | null; known: boolean };

const TOPICS_SHOWN = 3;

/** What was asked for, with the figures that have come in since. */
function merged(asked: GroupRow[], seen: GroupTick[]): Row[] {
  const ticks = new Map(seen.map((one) => [one.id, one]));
  const rows: Row[] = asked.map((one) => {
    const now = ticks.get(one.id);
    ticks.delete(one.id);
    return { ...one, ...(now && { state: now.state, members: now.members, lag: now.lag }), known: true };
  });
  for (const one of ticks.values()) rows.push({ ...one, protocol: "consumer", topics: [], uncounted: 0, mine: false, rate_in: 0, rate_out: 0, eta_s: null, known: false });
  return rows.sort((a, b) => Number(b.mine) - Number(a.mine) || (b.lag ?? -1) - (a.lag ?? -1) || (a.id < b.id ? -1 : 1));
}

function Lag({ row }: { row: Row }) {
  return <><strong>{lagWords(row.lag)}</strong>{row.uncounted > 0 && <div class="quiet small">{notCounted(row.uncounted)}</div>}</>;
}

const COLUMNS: Column<Row>[] = [
  {
    head: "Group",
    by: (row) => row.id,
    cell: (row) => <span class="row"><a class="named" title={row.id} href={`/groups/${part(row.id)}`}>{row.id}</a>{row.mine && !isSingle() && <Tag mood="accent">yours</Tag>}</span>,
  },
  { head: "Lag", number: true, by: (row) => row.lag ?? -1, cell: (row) => <Lag row={row} /> },
  {
    head: "State",
    by: (row) => row.state,
    cell: (row) => {
      const words = stateWords(row.state, row.members);
      return <Tag mood={words.mood} title={words.sentence}>{words.word}</Tag>;
    },
  },
  { head: "Members", number: true, by: (row) => row.members, cell: (row) => count(row.members) },
  { head: "In /s", number: true, by: (row) => row.rate_in, cell: (row) => (row.known ? rate(row.rate_in) : "") },
  { head: "Out /s", number: true, by: (row) => row.rate_out, cell: (row) => (row.known ? rate(row.rate_out) : "") },
  { head: "Lag gone in", by: (row) => row.eta_s ?? Number.MAX_SAFE_INTEGER, cell: (row) => (row.known ? <span class="nowrap">{etaWords(row.lag, row.rate_in, row.rate_out, row.eta_s)}</span> : "") },
  {
    head: "Reads",
    cell: (row) => (
      <span class="group-topics">
        {row.topics.slice(0, TOPICS_SHOWN).map((topic) => <span key={topic.name}><a class="named" title={topic.name} href={`/topics/${part(topic.name)}`}>{topic.name}</a></span>)}
        {row.topics.length > TOPICS_SHOWN && <span class="quiet">and {row.topics.length - TOPICS_SHOWN} more</span>}
      </span>
    ),
  },
];

export default function Groups() {
  const { query, route } = useLocation();
  const find = query.find ?? "";
  const { data, problem, reload } = useGet<{ at_ms: number; groups: GroupRow[] }>("/api/groups", 3000);
  const seen = live.value;
  const rows = useMemo(() => (data ? merged(data.groups, seen) : []), [data, seen]);
  const unknown = rows.some((row) => !row.known);
  useEffect(() => {
    if (unknown) reload();
  }, [unknown]);
  const found = useMemo(() => rows.filter((row) => [row.id, ...row.topics.map((topic) => topic.name)].some((name) => name.toLowerCase().includes(find.toLowerCase()))), [rows, find]);
  const behind = rows.filter((row) => (row.lag ?? 0) > 0).length;
  return (
    <>
      <PageHead title="Groups">
        <label class="row">
          <span class="quiet small">Find</span>
          <input type="search" value={find} placeholder="group or topic" onInput={(event) => route(withQuery("/groups", { find: event.currentTarget.value }), true)} />
        </label>
      </PageHead>
      <p class="lead">A consumer group shares the partitions of its topics among its members and remembers how far it got. {LAG_IS}</p>
      <Wrong problem={problem} />
      <Panel title={data ? `${plural(rows.length, "group")}${behind > 0 ? `, ${count(behind)} with lag` : ""}` : "Groups"}>
        {data && (
          <Table
            caption="Consumer groups with their lag"
            columns={COLUMNS}
            rows={found}
            id={(row) => row.id}
            empty={rows.length > 0
              ? <>No group and no topic has “{find}” in its name. <button type="button" onClick={() => route("/groups", true)}>Show all groups</button></>
              : <>No group yet. A group is here as soon as a consumer with a <code>group.id</code> joins or commits: <a href="/">Start here</a> has one to paste for each client.</>}
          />
        )}
      </Panel>
      <p class="quiet small">In: records per second written to what the group reads. Out: records per second that it commits. Both are of the last seconds. Spark keeps its offsets in its checkpoint and commits none, so its queries are not in this list.</p>
    </>
  );
}
