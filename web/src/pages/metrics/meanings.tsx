import { Panel } from "../../parts/panel";

/** What somebody should know before reading the charts. */
export function Meanings() {
  return (
    <Panel title="What these mean" roomy>
      <div class="columns">
        <section class="stack tight">
          <h3>Rate</h3>
          <p>Messages per second are the records that producers wrote in the last second; bytes per second are what travelled for it, compressed as the client sent it. One message of 10 kB and a hundred of 100 bytes are the same bytes, but not the same work: a hundred records have to be parsed. Larger batches (<code>linger.ms</code>, <code>batch.size</code>) carry more records with fewer requests.</p>
        </section>
        <section class="stack tight">
          <h3>Lag</h3>
          <p>Lag is the end of a partition minus what a group has committed there: records that wait. A lag that goes up and down again is normal; one that only goes up says that the group commits more slowly than producers write. <a href="/groups">Groups</a> shows it for each partition, with the time until it is gone.</p>
        </section>
        <section class="stack tight">
          <h3>Backpressure</h3>
          <p>Somebody slow holds up those before them. In Kafka the broker keeps the records, so a slow consumer does not slow down a producer: its lag grows instead, until retention deletes what it has not read. A producer feels pressure of its own when its buffer is full, and <code>send</code> waits or fails.</p>
        </section>
        <section class="stack tight">
          <h3>More bytes out than in</h3>
          <p>A record is written once and read by every group that wants it: three groups make three times the bytes. Whoever starts at the beginning also reads what was written long ago. So out is above in most of the time, and below it only where hardly anybody reads.</p>
        </section>
      </div>
    </Panel>
  );
}
