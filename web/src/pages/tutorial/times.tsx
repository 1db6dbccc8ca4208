import { useState } from "preact/hooks";
import { useAct, Wrong } from "../../parts/form";
import { count, span } from "../../parts/words";
import { eventTime, read } from "./play";
import type { Scene } from "./scene";

const TOPIC = "ecommerce-events";
const STEPS = [1, 10, 60, 300, 900, Infinity];
const NAMES = ["within 1 s", "1 to 10 s", "10 s to 1 min", "1 to 5 min", "5 to 15 min", "later"];

function Run({ onRun }: { onRun: () => void }) {
  const [late, setLate] = useState<number[] | null>(null);
  const { busy, problem, act } = useAct();
  const begin = () => act(async () => {
    const page = await read(TOPIC, { from: "newest", limit: 500 });
    const waits = page.records.flatMap((record) => {
      const event = eventTime(record);
      return event === null ? [] : [(record.timestamp_ms - event) / 1000];
    });
    setLate(waits);
    onRun();
  });
  const bars = STEPS.map((step, n) => (late ?? []).filter((wait) => wait < step && (n === 0 || wait >= STEPS[n - 1]!)).length);
  const top = Math.max(...bars, 1);
  return (
    <div class="stack">
      <p>The newest 500 records of <code>{TOPIC}</code> are read. Each has two times: when it arrived (the record's timestamp) and when it happened (<code>timestamp</code> in its value).</p>
      <div class="row"><button type="button" class="main" disabled={busy} onClick={begin}>Compare the two times</button></div>
      <Wrong problem={problem} />
      {late && (
        <>
          <table class="bars">
            <caption class="only-read">Records by how late they arrived</caption>
            <tbody>{bars.map((bar, n) => <tr key={n}><th scope="row">{NAMES[n]}</th><td><progress max={top} value={bar} aria-label={NAMES[n]} /></td><td class="number">{count(bar)}</td></tr>)}</tbody>
          </table>
          <p role="status">{count(late.length)} of the records say when they happened. The latest came {span(Math.max(0, ...late))} after it happened.</p>
        </>
      )}
    </div>
  );
}

export const times: Scene = {
  id: "times",
  title: "When it happened, when it arrived",
  about: "Phones lose their network, machines restart: events arrive late and out of order. So there are two times, and they differ.",
  predict: {
    ask: "How many of the newest 500 events of the shop arrive more than ten seconds after they happened?",
    choices: ["None: it is a live stream", "A few", "Most of them"],
    right: 1,
    why: "Most events arrive at once, a few come minutes late. A program that only looks at when they arrived counts them in the wrong minute; one that looks at when they happened must decide how long to wait.",
  },
  Run,
  prompt: "Explain event time, ingestion time and processing time with an example of a payment made in a tunnel. Which of them should I use for revenue per hour, and which to find out whether my pipeline is slow?",
  quiz: {
    ask: "Revenue from 10 to 11 o'clock: by which time do you group?",
    choices: ["By the record's timestamp, the arrival", "By the event's own timestamp", "By the clock of the consumer"],
    right: 1,
    why: "Only the event's own time gives the same result however late it comes and whenever the program runs.",
  },
};
