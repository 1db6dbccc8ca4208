import { useState } from "preact/hooks";
import { useAct, Wrong } from "../../parts/form";
import { fresh, own, produce, read } from "./play";
import type { Scene } from "./scene";

interface Row { offset: number; value: string }

function Run({ onRun }: { onRun: () => void }) {
  const topic = own("tutorial");
  const [rows, setRows] = useState<Row[] | null>(null);
  const [again, setAgain] = useState<number | null>(null);
  const { busy, problem, act } = useAct();
  const begin = () => act(async () => {
    await fresh(topic, 1);
    const made: Row[] = [];
    for (const value of ["Ada orders tea", "Bo orders coffee", "Ada pays"]) made.push({ offset: (await produce(topic, null, value)).offset, value });
    setRows(made);
  });
  const readTwice = () => act(async () => {
    await read(topic, { from: "oldest", limit: 10 });
    const second = await read(topic, { from: "oldest", limit: 10 });
    setAgain(second.records.length);
    const next = await produce(topic, null, "Cy orders cake");
    setRows([...(rows ?? []), { offset: next.offset, value: "Cy orders cake" }]);
    onRun();
  });
  return (
    <div class="stack">
      <p>The topic <code>{topic}</code> is yours. It is made anew with one partition, and three records are appended.</p>
      <div class="row">
        <button type="button" class="main" disabled={busy || rows !== null} onClick={begin}>Append three records</button>
        <button type="button" class="main" disabled={busy || rows === null || again !== null} onClick={readTwice}>Read all twice, then append one more</button>
      </div>
      <Wrong problem={problem} />
      {rows && <ol class="log-strip" aria-label="The log">{rows.map((row) => <li key={row.offset}><strong>{row.offset}</strong><span>{row.value}</span></li>)}</ol>}
      {again !== null && <p role="status">The second reading found {again} records, as the first did. The next record got offset <strong>{rows?.at(-1)?.offset}</strong>.</p>}
    </div>
  );
}

export const log: Scene = {
  id: "log",
  title: "A log and its offsets",
  about: "A partition is a log: records are appended at its end, and each gets the next number. That number is its offset, and it stays.",
  predict: {
    ask: "Three records are appended to an empty partition and read twice. Then one more is appended. Which offset does it get?",
    choices: ["0, because reading emptied the log", "3", "4", "6, because six records were read"],
    right: 1,
    why: "Offsets begin at 0, so the first three are 0, 1 and 2. Reading takes nothing out and changes nothing: the next record is number 3.",
  },
  Run,
  prompt: "Explain to me how a Kafka partition differs from a queue such as RabbitMQ's. What happens to a record after it has been read? Give one case in which each is the better choice.",
  quiz: {
    ask: "Who remembers how far a reader has come?",
    choices: ["The record, by a mark on it", "The partition, by deleting what was read", "The reader, or its group by committing an offset"],
    right: 2,
    why: "The log knows nothing about its readers. A group commits an offset for each partition; that is all there is.",
  },
};
