import type { PartitionInfo, TopicPage } from "../../api/model";
import { Empty, Notice, Panel } from "../../parts/panel";
import type { Place } from "../../parts/place";
import { bytes, count, rate } from "../../parts/words";

const percent = (share: number): string => `${(share * 100).toFixed(share < 0.1 ? 1 : 0)}%`;

/** How the records are spread, in one or two sentences. */
export function spread(list: PartitionInfo[]): { words: string; uneven: boolean } {
  const all = list.reduce((sum, one) => sum + one.records, 0);
  if (list.length === 1) return { words: "One partition: all records are in one order, and one consumer of a group reads them all.", uneven: false };
  if (all === 0) return { words: `${list.length} partitions, all empty.`, uneven: false };
  const most = list.reduce((a, b) => (b.records > a.records ? b : a));
  const fair = 1 / list.length;
  const times = most.share / fair;
  const empty = list.filter((one) => one.records === 0).length;
  const idle = empty > 0 ? ` ${empty === 1 ? "One partition is" : `${empty} partitions are`} empty.` : "";
  if (times < 1.15) return { words: `Evenly spread: each partition holds about ${percent(fair)} of the records.`, uneven: false };
  const words = `Partition ${most.partition} holds ${percent(most.share)} of the records, ${times.toFixed(1)} times its even share of ${percent(fair)}. A key always goes to the same partition, so a busy key, or few keys, make one partition busier than the others.${idle}`;
  return { words, uneven: times >= 1.8 };
}

export function Partitions({ topic, place }: { topic: TopicPage; place: Place }) {
  const list = topic.partition_list;
  if (list.length === 0) return <Panel title="Partitions"><Empty>No partition could be read just now.</Empty></Panel>;
  const { words, uneven } = spread(list);
  const end = Math.max(1, ...list.map((one) => one.end_offset));
  const hot = uneven ? list.reduce((a, b) => (b.records > a.records ? b : a)).partition : -1;
  const gone = list.some((one) => one.start_offset > 0);
  return (
    <Panel title="Partitions">
      {uneven ? <Notice mood="warn">{words}</Notice> : <p>{words}</p>}
      {list.filter((one) => one.damaged?.length).map((one) => (
        <Notice key={one.partition} mood="bad">Damaged: partition {one.partition}, {one.damaged!.map(([from, to]) => (to - from > 1 ? `offsets ${count(from)} to ${count(to - 1)}` : `offset ${count(from)}`)).join(", ")}. The rest is served.</Notice>
      ))}
      <div class="scroll" tabIndex={0} role="region" aria-label={`Partitions of ${topic.name}`}>
        <table class="partitions">
          <thead>
            <tr><th scope="col">Partition</th><th scope="col" class="offsets">Offsets, from the first to the next one</th><th scope="col" class="number">Records</th><th scope="col" class="number">Share</th><th scope="col" class="number">Size</th><th scope="col" class="number">Messages/s</th></tr>
          </thead>
          <tbody>
            {list.map((one) => (
              <tr key={one.partition}>
                <th scope="row"><a href={place.link({ tab: null, partition: one.partition, from: "newest", record: null })}>{one.partition}</a>{one.partition === hot && <span class="tag warn">▲ busiest</span>}</th>
                <td class="offsets">
                  <div class="span-bar" aria-hidden="true">
                    <span class="gone" style={{ width: `${(100 * one.start_offset) / end}%` }} />
                    <span class={`kept ${one.partition === hot ? "hot" : ""}`} style={{ width: `${(100 * (one.end_offset - one.start_offset)) / end}%` }} />
                  </div>
                  <div class="row apart small quiet"><span>{count(one.start_offset)}</span><span>{count(one.end_offset)}</span></div>
                </td>
                <td class="number">{count(one.records)}</td>
                <td class="number">{percent(one.share)}</td>
                <td class="number">{bytes(one.size_bytes)}</td>
                <td class="number">{rate(one.messages_per_s)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p class="quiet small">
        {gone && "Hatched: offsets whose records have gone, by retention or deletion; an offset is never given twice. "}
        Records may be fewer than offsets: compaction takes some out, and each end of a transaction takes one offset.
      </p>
    </Panel>
  );
}
