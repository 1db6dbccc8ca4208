import { useState } from "preact/hooks";
import { send, part } from "../../api/client";
import { useAct, Wrong } from "../../parts/form";
import { fresh, own, ownGroup, produce, read } from "./play";
import type { Scene } from "./scene";

type Step = "new" | "read" | "crashed" | "again";

function Run({ onRun }: { onRun: () => void }) {
  const [topic, group] = [own("tutorial"), ownGroup("tutorial")];
  const [step, setStep] = useState<Step>("new");
  const [log, setLog] = useState<string[]>([]);
  const { busy, problem, act } = useAct();
  const say = (...words: string[]) => setLog((old) => [...old, ...words]);
  const commit = (offset: number) => send("POST", `/api/groups/${part(group)}/offsets`, { topic, partitions: [0], to: "offset", offset, apply: true });
  const begin = () => act(async () => {
    await fresh(topic, 1);
    for (let n = 0; n < 8; n++) await produce(topic, null, `order ${n}`);
    const page = await read(topic, { from: "oldest", limit: 5 });
    await commit(3);
    say(...page.records.map((record) => `processed offset ${record.offset}: ${record.value?.text}${record.offset === 2 ? "   -> committed offset 3" : ""}`));
    setStep("read");
  });
  const crash = () => {
    say("✗ the consumer was killed");
    setStep("crashed");
  };
  const restart = () => act(async () => {
    const there = (await (await fetch(`/api/groups/${part(group)}`)).json()) as { partitions?: { topic: string; committed: number | null }[] };
    const committed = there.partitions?.find((one) => one.topic === topic)?.committed ?? 0;
    say(`started again; the group's committed offset is ${committed}`);
    const page = await read(topic, { from: "offset", offset: committed, partition: 0, limit: 5 });
    say(...page.records.map((record) => `processed offset ${record.offset}: ${record.value?.text}${record.offset < 5 ? "   <- a second time" : ""}`));
    await commit(8);
    setStep("again");
    onRun();
  });
  return (
    <div class="stack">
      <p>Eight orders are in <code>{topic}</code>. A consumer of the group <code>{group}</code> processes five, but commits only after the third. Then it is killed.</p>
      <div class="row">
        <button type="button" class="main" disabled={busy || step !== "new"} onClick={begin}>Process five, commit three</button>
        <button type="button" class="danger" disabled={busy || step !== "read"} onClick={crash}>Kill it</button>
        <button type="button" class="main" disabled={busy || step !== "crashed"} onClick={restart}>Start it again</button>
      </div>
      <Wrong problem={problem} />
      {log.length > 0 && <pre class="steps" role="log" tabIndex={0} aria-label="What the consumer did">{log.join("\n")}</pre>}
    </div>
  );
}

export const commits: Scene = {
  id: "commits",
  title: "Commit, crash, come again",
  about: "A committed offset says where a group goes on. What was processed after it comes again.",
  predict: {
    ask: "Records 0 to 4 were processed, offset 3 was committed, then the consumer was killed. Which record does it process first when it comes back?",
    choices: ["0", "3", "4", "5"],
    right: 1,
    why: "The committed offset is the next record to be read. Records 3 and 4 were processed before the kill, and are processed a second time: at least once. Commit first and process later, and they would be lost instead: at most once.",
  },
  Run,
  prompt: "My Kafka consumer writes each order to a database and then commits its offset. Show me where a crash leads to a duplicate, and two ways to make the result right anyway without transactions in Kafka.",
  quiz: {
    ask: "The client commits by itself every five seconds (enable.auto.commit). What can happen in a crash?",
    choices: ["Nothing, commits are automatic", "Up to five seconds of records are processed again", "The group loses its committed offset"],
    right: 1,
    why: "What was processed since the last commit comes again. If the program hands records to another thread, some may even be committed before they were processed, and are lost.",
  },
};
