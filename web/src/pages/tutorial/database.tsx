import { useState } from "preact/hooks";
import type { Scene } from "./scene";

const CARDS: { words: string; kafka: boolean; why: string }[] = [
  { words: "Five programs want each order, at their own speed", kafka: true, why: "each group reads the same log at its own pace" },
  { words: "What is the present address of customer 17?", kafka: false, why: "a question for one row by its key" },
  { words: "Count clicks of the last minute, every second", kafka: true, why: "a window over a stream" },
  { words: "Change a wrong price in yesterday's order", kafka: false, why: "a log is appended to, not changed" },
  { words: "Keep 20,000 readings a second until somebody has time for them", kafka: true, why: "appending is cheap, readers may lag" },
  { words: "All orders over 500, sorted by customer", kafka: false, why: "a question that no index of a log answers" },
];

function Run({ onRun }: { onRun: () => void }) {
  const [sorted, setSorted] = useState<(boolean | null)[]>(CARDS.map(() => null));
  const put = (card: number, kafka: boolean) => {
    const next = sorted.map((old, n) => (n === card ? kafka : old));
    setSorted(next);
    if (next.every((one) => one !== null)) onRun();
  };
  const all = sorted.every((one) => one !== null);
  const right = sorted.filter((one, n) => one === CARDS[n]!.kafka).length;
  return (
    <div class="stack">
      <p>Put each card where it belongs.</p>
      <ul class="cards">
        {CARDS.map((card, n) => (
          <li key={card.words}>
            <span class="grow">{card.words}{all && <em class="quiet"> {sorted[n] === card.kafka ? "✓" : "✗"} {card.why}</em>}</span>
            <span class="row">
              <button type="button" aria-pressed={sorted[n] === true} onClick={() => put(n, true)}>Kafka</button>
              <button type="button" aria-pressed={sorted[n] === false} onClick={() => put(n, false)}>Database</button>
            </span>
          </li>
        ))}
      </ul>
      {all && <p role="status">{right} of {CARDS.length} are where most engineers would put them.</p>}
    </div>
  );
}

export const database: Scene = {
  id: "database",
  title: "Kafka or a database?",
  about: "A log keeps what happened, in order, for many readers. A database keeps what is, for questions. Most systems have both.",
  predict: {
    ask: "Six needs of a shop are to be sorted. How many of them are better served by a database?",
    choices: ["None: Kafka can do all of it", "About half", "All: Kafka only moves data"],
    right: 1,
    why: "Moving, keeping and replaying events is what a log is for. Looking something up, correcting it and asking in ways that nobody planned is what a database is for. A stream processor fills the one from the other.",
  },
  Run,
  prompt: "I want to store the orders of my web shop only in Kafka and drop my database. Argue against me with three concrete requests of customers or staff that would become hard, and tell me which part of my idea is right.",
  quiz: {
    ask: "What is the price of asking Kafka for one order by its number?",
    choices: ["As cheap as in a database: offsets are an index", "All records may have to be read: there is no index on what is in them"],
    right: 1,
    why: "The only indexes are offset and time. To find something by its content you read, as the filter on the topic pages does and counts for you.",
  },
};
