import { useState } from "preact/hooks";
import { useAct, Wrong } from "../../parts/form";
import { fresh, own, produce } from "./play";
import type { Scene } from "./scene";

const KEYS = ["ada", "bo", "cy", "dee", "ada", "bo", "ada", "cy", "dee", "ada"];

interface Placed { key: string; partition: number; offset: number }

function Run({ onRun }: { onRun: () => void }) {
  const topic = own("tutorial");
  const [placed, setPlaced] = useState<Placed[]>([]);
  const { busy, problem, act } = useAct();
  const begin = () => act(async () => {
    await fresh(topic, 3);
    const all: Placed[] = [];
    for (const [n, key] of KEYS.entries()) {
      all.push({ key, ...(await produce(topic, key, `order ${n}`)) });
      setPlaced([...all]);
    }
    onRun();
  });
  return (
    <div class="stack">
      <p>Ten orders by four people go to <code>{topic}</code>, which has three partitions. The key is the person's name.</p>
      <div class="row"><button type="button" class="main" disabled={busy} onClick={begin}>Append ten records with keys</button></div>
      <Wrong problem={problem} />
      <div class="columns narrow">
        {[0, 1, 2].map((partition) => (
          <div key={partition} class="lane">
            <h3>Partition {partition}</h3>
            <ol class="log-strip small">{placed.filter((one) => one.partition === partition).map((one) => <li key={one.offset}><strong>{one.offset}</strong><span>{one.key}</span></li>)}</ol>
          </div>
        ))}
      </div>
    </div>
  );
}

export const keys: Scene = {
  id: "keys",
  title: "Keys choose the partition",
  about: "A topic has several partitions, so that several readers can share the work. A record's key decides in which of them it goes.",
  predict: {
    ask: "Ten orders are appended, four of them with the key ada. Where do Ada's orders go?",
    choices: ["One after the other to all three partitions", "All to the same partition, in the order they were made", "Wherever there is most room"],
    right: 1,
    why: "The partition is murmur2(key) modulo the number of partitions. The same key always gives the same partition, so Ada's orders stay in order. Between partitions there is no order. Some partition may stay empty, or get more than its share.",
  },
  Run,
  prompt: "My topic has 3 partitions and I use the country of a customer as the key. 70 % of my customers are from one country. What happens to my consumers, how would I notice, and what could I use as the key instead? What would I lose?",
  quiz: {
    ask: "You raise the number of partitions from 3 to 4. What becomes of the key ada?",
    choices: ["Nothing, it stays where it is", "New records may go to another partition than the old ones", "Its old records move to the new partition"],
    right: 1,
    why: "The remainder changes, the records stay where they are: the order of one key is broken across the change. Choose enough partitions at the beginning.",
  },
};
