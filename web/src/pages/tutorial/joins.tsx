import { useState } from "preact/hooks";
import { useAct, Wrong } from "../../parts/form";
import { count } from "../../parts/words";
import { parsed, read } from "./play";
import type { Scene } from "./scene";

interface Joined { purchases: number; payments: number; matched: number; raw: number; clean: number }

function Run({ onRun }: { onRun: () => void }) {
  const [joined, setJoined] = useState<Joined | null>(null);
  const { busy, problem, act } = useAct();
  const begin = () => act(async () => {
    const [shop, bank] = await Promise.all([
      read("ecommerce-events", { from: "newest", limit: 300, filter: "event_type:purchase" }),
      read("financial-transactions", { from: "newest", limit: 500 }),
    ]);
    const orders = (records: typeof shop.records) => records.flatMap((record) => {
      const order = parsed(record)?.order_id;
      return typeof order === "string" ? [order] : [];
    });
    const [bought, paid] = [new Set(orders(shop.records)), new Set(orders(bank.records))];
    setJoined({
      purchases: bought.size,
      payments: paid.size,
      matched: [...bought].filter((order) => paid.has(order)).length,
      raw: shop.records.length + bank.records.length,
      clean: orders(shop.records).length + bank.records.filter((record) => parsed(record) !== null).length,
    });
    onRun();
  });
  return (
    <div class="stack">
      <p>The newest purchases of the shop and the newest payments of the bank are joined by <code>order_id</code>.</p>
      <div class="row"><button type="button" class="main" disabled={busy} onClick={begin}>Join them</button></div>
      <Wrong problem={problem} />
      {joined && (
        <>
          <div class="columns narrow">
            <div class="figure"><strong>{count(joined.raw)}</strong><span>records as they came (bronze)</span></div>
            <div class="figure"><strong>{count(joined.clean)}</strong><span>of them can be read and have what is needed (silver)</span></div>
            <div class="figure"><strong>{count(joined.matched)}</strong><span>orders with purchase and payment (gold)</span></div>
          </div>
          <p role="status">{count(joined.purchases - joined.matched)} of {count(joined.purchases)} purchases have no payment among these {count(joined.payments)}: it has not come yet, lies further back, or never comes.</p>
        </>
      )}
    </div>
  );
}

export const joins: Scene = {
  id: "joins",
  title: "Join two streams: bronze, silver, gold",
  about: "Two streams meet where they name the same thing. Raw records become clean ones, clean ones become answers.",
  predict: {
    ask: "The newest purchases are joined with the newest payments by order_id. Do all purchases find their payment?",
    choices: ["Yes, each purchase is paid", "Most do, some do not (yet)", "None: two topics cannot be joined"],
    right: 1,
    why: "The two sides do not come at the same moment, and both have gaps. A join of streams must say how long each side waits for the other, and what becomes of those who stay alone. Keep the raw records (bronze): with them everything can be made again.",
  },
  Run,
  prompt: "Explain a stream-stream join in Spark with watermarks on both sides and a condition on time. What does Spark keep in its state, when does it forget it, and when does a left outer join give a row without a match?",
  quiz: {
    ask: "A mistake in the cleaning is found a week later. What makes a new silver table possible?",
    choices: ["The gold table", "The bronze table: all records as they came, with partition and offset", "The consumer group"],
    right: 1,
    why: "Bronze is kept unchanged for this. With partition and offset one can also prove that nothing is missing and nothing is there twice.",
  },
};
