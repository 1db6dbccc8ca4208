import { useMemo, useState } from "preact/hooks";
import { useAct, Wrong } from "../../parts/form";
import { count, span } from "../../parts/words";
import { eventTime, read } from "./play";
import type { Scene } from "./scene";

interface Arrival { event_ms: number; partition: number }

/** Events that come after their watermark: the largest event time so far less the delay. */
export function dropped(arrivals: Arrival[], delay_s: number): number {
  let largest = -Infinity;
  let late = 0;
  for (const { event_ms } of arrivals) {
    if (event_ms < largest - delay_s * 1000) late += 1;
    largest = Math.max(largest, event_ms);
  }
  return late;
}

const DELAYS = [0, 1, 5, 10, 30, 60, 120, 300, 600, 900, 1200];

function Run({ onRun }: { onRun: () => void }) {
  const [arrivals, setArrivals] = useState<Arrival[] | null>(null);
  const [step, setStep] = useState(0);
  const { busy, problem, act } = useAct();
  const begin = () => act(async () => {
    const pages = await Promise.all([0, 1, 2].map((partition) => read("ecommerce-events", { from: "newest", partition, limit: 500 })));
    const all = pages.flatMap((page) => page.records).sort((a, b) => a.timestamp_ms - b.timestamp_ms);
    setArrivals(all.flatMap((record) => {
      const event_ms = eventTime(record);
      return event_ms === null ? [] : [{ event_ms, partition: record.partition }];
    }));
  });
  const delay = DELAYS[step]!;
  const lost = useMemo(() => dropped(arrivals ?? [], delay), [arrivals, delay]);
  const choose = (value: number) => {
    setStep(value);
    if (value >= 5) onRun();
  };
  return (
    <div class="stack">
      <p>The last events of the shop, in the order they arrived. A watermark follows the largest event time at the distance you choose; what is older than it when it arrives is dropped.</p>
      {!arrivals && <div class="row"><button type="button" class="main" disabled={busy} onClick={begin}>Fetch the events</button></div>}
      <Wrong problem={problem} />
      {arrivals && (
        <>
          <label class="row">Wait for late events
            <input type="range" min={0} max={DELAYS.length - 1} value={step} onInput={(event) => choose(Number(event.currentTarget.value))} aria-valuetext={span(delay)} />
            <strong>{span(delay)}</strong>
          </label>
          <div class="columns narrow">
            <div class="figure"><strong>{count(lost)}</strong><span>of {count(arrivals.length)} events are dropped</span></div>
            <div class="figure"><strong>{span(delay)}</strong><span>until a window's result is final</span></div>
          </div>
          <p class="quiet small">Move it to one minute and more.</p>
        </>
      )}
    </div>
  );
}

export const watermarks: Scene = {
  id: "watermarks",
  title: "How long to wait: the watermark",
  about: "A window cannot stay open for ever. The watermark says: nothing older than this is expected any more.",
  predict: {
    ask: "You wait one minute instead of not at all. What do you gain, and what does it cost?",
    choices: ["Fewer events are dropped; results come a minute later and need more memory", "Nothing is dropped any more, at no cost", "Results come sooner"],
    right: 0,
    why: "A watermark trades completeness against delay and state. No distance catches everything: the last late events come very late. Choose it from the lateness that you measured, and keep what was dropped somewhere.",
  },
  Run,
  prompt: "In Spark Structured Streaming, withWatermark('timestamp', '10 minutes') and a window of 5 minutes in append mode: when exactly does the result of the window 10:00 to 10:05 appear, and what happens to an event of 10:02 that arrives when the largest event time seen is 10:13?",
  quiz: {
    ask: "No events come for an hour at night. What does the watermark do?",
    choices: ["It follows the clock", "It stands still: it moves only when events come", "It falls back"],
    right: 1,
    why: "It is made from the event times that were seen. So the last windows of a quiet stream stay open until the next event comes.",
  },
};
