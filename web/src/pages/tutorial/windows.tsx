import { useState } from "preact/hooks";
import { useAct, Wrong } from "../../parts/form";
import { eventTime, read } from "./play";
import type { Scene } from "./scene";

const SPAN_S = 120;

/** The windows that an event at this second belongs to. */
export function windowsOf(at_s: number, size_s: number, slide_s: number): number[] {
  const starts: number[] = [];
  for (let start = Math.floor(at_s / slide_s) * slide_s; start > at_s - size_s; start -= slide_s) starts.push(start);
  return starts.reverse();
}

function Run({ onRun }: { onRun: () => void }) {
  const [events, setEvents] = useState<number[] | null>(null);
  const [slide, setSlide] = useState(30);
  const size = 30;
  const { busy, problem, act } = useAct();
  const begin = () => act(async () => {
    const page = await read("financial-transactions", { from: "newest", limit: 300 });
    const times = page.records.flatMap((record) => eventTime(record) ?? []).sort((a, b) => b - a);
    const end = Math.ceil((times[0] ?? 0) / 30_000) * 30_000;
    setEvents(times.map((ms) => (ms - end) / 1000 + SPAN_S).filter((s) => s >= 0 && s < SPAN_S));
  });
  const choose = (value: number) => {
    setSlide(value);
    if (value < size) onRun();
  };
  const starts = Array.from({ length: Math.ceil(SPAN_S / slide) }, (_, n) => n * slide);
  const inWindow = (start: number) => (events ?? []).filter((at) => at >= start && at < start + size).length;
  const counted = (events ?? []).reduce((sum, at) => sum + windowsOf(at, size, slide).filter((start) => start >= 0).length, 0);
  return (
    <div class="stack">
      <p>The payments of the last two minutes are put into windows of 30 seconds. Change how often a new window begins.</p>
      {!events && <div class="row"><button type="button" class="main" disabled={busy} onClick={begin}>Fetch the payments</button></div>}
      <Wrong problem={problem} />
      {events && (
        <>
          <label class="row">A new window every
            <select value={slide} onChange={(event) => choose(Number(event.currentTarget.value))}>
              <option value={30}>30 s (tumbling)</option>
              <option value={15}>15 s (sliding)</option>
              <option value={10}>10 s (sliding)</option>
            </select>
          </label>
          <svg class="timeline" viewBox={`0 0 ${SPAN_S} ${starts.length * 4 + 10}`} role="img" aria-label={`${events.length} payments in ${starts.length} windows of 30 seconds`}>
            {events.map((at, n) => <line key={n} x1={at} x2={at} y1={1} y2={6} />)}
            {starts.map((start, n) => <rect key={start} x={start} y={9 + n * 4} width={Math.min(size, SPAN_S - start)} height={3} rx={0.6} />)}
          </svg>
          <div class="scroll"><table><caption class="only-read">Payments by window</caption><thead><tr><th scope="col">Window</th><th scope="col" class="number">Payments</th></tr></thead>
            <tbody>{starts.map((start) => <tr key={start}><td>{start} to {Math.min(start + size, SPAN_S)} s</td><td class="number">{inWindow(start)}</td></tr>)}</tbody></table></div>
          <p role="status">{events.length} payments are counted {counted} times in all.</p>
        </>
      )}
    </div>
  );
}

export const windows: Scene = {
  id: "windows",
  title: "Tumbling and sliding windows",
  about: "A stream has no end, so sums are made by window. Tumbling windows follow each other; sliding ones overlap.",
  predict: {
    ask: "Windows of 30 seconds, and a new one begins every 10 seconds. In how many windows is one payment counted?",
    choices: ["In one", "In three", "In thirty"],
    right: 1,
    why: "Size divided by slide: 30 / 10 = 3. Adding up the windows of a sliding aggregation counts every event three times; only tumbling windows may be added up.",
  },
  Run,
  prompt: "Write window(...) in PySpark for: fraud alerts within any 5 minutes, updated every minute; revenue per day. For each say whether the results may be summed, and how much state Spark has to keep.",
  quiz: {
    ask: "You want to notice five payments within any 60 seconds, wherever they begin. Which window misses some?",
    choices: ["Sliding, 60 s every 10 s", "Tumbling, 60 s", "Both find all"],
    right: 1,
    why: "Five payments around the edge of a tumbling window fall into two of them, three here and two there. A sliding window catches them, unless its step is too coarse.",
  },
};
