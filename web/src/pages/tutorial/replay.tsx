import { useState } from "preact/hooks";
import { useAct, Wrong } from "../../parts/form";
import { count, stamp } from "../../parts/words";
import { about, read } from "./play";
import type { Scene } from "./scene";

const TOPIC = "ecommerce-events";

interface Seen { first: number; oldest_ms: number; end: number; same: boolean }

function Run({ onRun }: { onRun: () => void }) {
  const [seen, setSeen] = useState<Seen | null>(null);
  const { busy, problem, act } = useAct();
  const begin = () => act(async () => {
    const before = (await about(TOPIC)).partition_list[0]!;
    const first = await read(TOPIC, { from: "oldest", partition: 0, limit: 20 });
    const second = await read(TOPIC, { from: "oldest", partition: 0, limit: 20 });
    const offsets = (page: typeof first) => page.records.map((record) => record.offset).join();
    setSeen({ first: first.records[0]?.offset ?? 0, oldest_ms: first.records[0]?.timestamp_ms ?? 0, end: before.end_offset, same: offsets(first) === offsets(second) });
    onRun();
  });
  return (
    <div class="stack">
      <p>The oldest twenty records of <code>{TOPIC}</code>, partition 0, are read twice: once as one group would, once as another.</p>
      <div class="row"><button type="button" class="main" disabled={busy} onClick={begin}>Read the oldest, twice</button></div>
      <Wrong problem={problem} />
      {seen && (
        <p role="status">
          Both readings began at offset <strong>{count(seen.first)}</strong>, from {stamp(seen.oldest_ms)}, and {seen.same ? "saw the same records" : "differ, because the oldest were deleted in between"}.
          The log goes on to offset {count(seen.end)}. {seen.first > 0 ? `What was before ${count(seen.first)} has been deleted by retention.` : "Nothing has been deleted yet: retention takes the oldest segments when the topic grows over its limit."}
        </p>
      )}
    </div>
  );
}

export const replay: Scene = {
  id: "replay",
  title: "Retention and replay",
  about: "Records stay until retention deletes them, by age or by size, read or not. So any reader can begin again.",
  predict: {
    ask: "A group has read a topic to its end. A new group begins with auto.offset.reset=earliest. What does it get?",
    choices: ["Nothing: the records were consumed", "Everything that retention has left", "Only what comes from now on"],
    right: 1,
    why: "Groups do not know of each other. Each begins where it wants and sees all that is still there. With latest it would see only what comes from now on.",
  },
  Run,
  prompt: "Compare retention by time, by size and log compaction in Kafka. For each, name a topic of a web shop for which it is right, and what a consumer sees that was stopped for a month.",
  quiz: {
    ask: "A consumer was stopped for so long that retention deleted the records at its committed offset. It starts again. What decides where it goes on?",
    choices: ["auto.offset.reset", "The broker starts it at the committed offset anyway", "It fails for good"],
    right: 0,
    why: "The offset is out of range. earliest jumps to the oldest that is left, latest to the end: either way, records are missing. none raises an error, and a program can notice.",
  },
};
