import { part } from "../../api/client";
import type { TopicGroup, TopicPage } from "../../api/model";
import { Empty, Panel, Tag } from "../../parts/panel";
import { Table, type Column } from "../../parts/table";
import { count, plural } from "../../parts/words";
import { lagWords, notCounted, offset } from "../group/words";

type Row = TopicGroup["partitions"][number];

/** With where the partition begins now: what has gone is nothing to catch up with. */
const columns = (starts: Map<number, number>): Column<Row>[] => [
  { head: "Partition", cell: (row) => row.partition, by: (row) => row.partition, number: true },
  { head: "Committed", cell: (row) => offset(row.committed), by: (row) => row.committed ?? -1, number: true },
  { head: "End", cell: (row) => count(row.end_offset), by: (row) => row.end_offset, number: true },
  { head: "Lag", cell: (row) => lagWords(row.lag), by: (row) => row.lag ?? -1, number: true },
  { head: "How far it is", cell: (row) => <Lag row={row} start={starts.get(row.partition) ?? 0} /> },
];

function Lag({ row, start }: { row: Row; start: number }) {
  if (row.committed === null) return null;
  const all = row.end_offset - start;
  const share = all > 0 ? Math.min(1, Math.max(0, row.committed - start) / all) : 1;
  return <div class="span-bar" aria-hidden="true"><span class="kept" style={{ width: `${100 * share}%` }} /><span class="behind" style={{ width: `${100 * (1 - share)}%` }} /></div>;
}

function Behind({ lag }: { lag: number | null }) {
  if (lag === null) return <>lag -</>;
  return lag === 0 ? <>up to date</> : <>behind by <strong>{plural(lag, "record")}</strong></>;
}

/** Who reads this topic, and how far behind. */
export function Groups({ topic }: { topic: TopicPage }) {
  if (topic.groups.length === 0) {
    return (
      <Panel title="Groups that read this topic">
        <Empty>No group reads this topic. One appears as soon as a consumer with a group.id joins or commits; the first programs on Start here commit nothing, so that everybody can run them again, and are gone from here when they end.</Empty>
      </Panel>
    );
  }
  const shown = columns(new Map(topic.partition_list.map((one) => [one.partition, one.start_offset])));
  return (
    <>
      <p class="lead">Lag is how many records a group has not committed yet. It may rise for a moment; what stays high or grows means that the group is slower than the stream.</p>
      {topic.groups.map((group) => (
        <Panel
          key={group.id}
          title={<><a href={`/groups/${part(group.id)}`}><bdi>{group.id}</bdi></a> <Tag mood={/^stable$/i.test(group.state) ? "good" : ""}>{group.state}</Tag></>}
          tools={<span><Behind lag={group.lag} />{group.uncounted > 0 && <span class="quiet small">, {notCounted(group.uncounted)}</span>}</span>}
        >
          <Table caption={`Lag of ${group.id} by partition`} columns={shown} rows={group.partitions} id={(row) => String(row.partition)} empty="Nothing committed." />
        </Panel>
      ))}
    </>
  );
}
