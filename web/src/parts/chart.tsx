import { useEffect, useMemo, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { theme } from "../state/prefs";
import { clock } from "./words";

export interface Series {
  name: string;
  values: (number | null)[];
}

interface ChartProps {
  title: string;
  /** Seconds or milliseconds do not mix: milliseconds since 1970. */
  at_ms: number[];
  series: Series[];
  /** How a value is written, with its unit. */
  format: (value: number) => string;
  /** There is nothing between two whole numbers. */
  whole?: boolean;
  /** A few peaks do not make everything else flat: they are cut off, and the chart says so. */
  cut?: boolean;
}

const COLOURS = ["--series-1", "--series-2", "--series-3", "--series-4", "--quiet"];
const DASHES = [[], [6, 4], [2, 3], [10, 3, 2, 3], [1, 5]];
const MINUTE_S = 60;
/** So many times the usual is a peak. */
const FAR = 8;
const WHOLE_STEPS = Array.from({ length: 12 }, (_, n) => [1, 2, 5].map((first) => first * 10 ** n)).flat();

/** A label that says what the one before it says is left out. */
const once = (labels: string[]): string[] => labels.map((label, n) => (label === labels[n - 1] ? "" : label));

const token = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** Resolves `light-dark()` too: the browser computes it for a property, not for a token. */
function colour(name: string): string {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const computed = getComputedStyle(probe).color;
  probe.remove();
  return computed || token(name);
}

/** Where the lines are cut off, if few of the values are far above all others. */
function ceiling(series: Series[]): number | null {
  const values = series.flatMap((one) => one.values).filter((value) => value !== null).sort((a, b) => a - b);
  const usual = values[Math.floor(values.length * 0.9)] ?? 0;
  const most = values.at(-1) ?? 0;
  return usual > 0 && most > usual * FAR ? usual * 2 : null;
}

/** Lines over time, with the same figures as a table, and one sentence for who cannot see the lines. */
export function Chart({ title, at_ms, series, format, whole, cut }: ChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const names = series.map((one) => one.name).join("\n");
  const top = useMemo(() => (cut ? ceiling(series) : null), [series, cut]);
  const highest = useRef<number | null>(null);
  highest.current = top;
  useEffect(() => {
    const element = place.current;
    if (!element) return;
    const times = (_: uPlot, ticks: number[], __: number, ___: number, step: number) => once(ticks.map((tick) => clock(tick * 1000).slice(0, step < MINUTE_S ? 8 : 5)));
    const now = (chart: uPlot) => {
      // Without a cursor the legend tells the last values.
      if (chart.cursor.idx == null && chart.data[0].length > 0) chart.setLegend({ idx: chart.data[0].length - 1 }, false);
    };
    const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
    const width = () => Math.max(element.clientWidth, 120);
    const options: uPlot.Options = {
      width: width(),
      height: 190,
      cursor: { drag: { x: false, y: false } },
      legend: { live: true },
      scales: { x: { range: (_, first, last) => (first == null ? [Date.now() / 1000 - MINUTE_S, Date.now() / 1000] : [first === last ? first - MINUTE_S : first, last]) }, y: { range: (_, low, high) => [Math.min(0, low), highest.current ?? (high > 0 ? high * 1.08 : 1)] } },
      hooks: { setCursor: [now], setData: [now] },
      axes: [{ ...axis, size: 32, space: 90, values: times }, { ...axis, size: 70, ...(whole && { incrs: WHOLE_STEPS }), values: (_, ticks) => once(ticks.map((tick) => format(tick))) }],
      series: [
        { value: (_, at) => (at == null ? "" : clock(at * 1000)), label: "Time" },
        ...series.map((one, n) => ({
          label: one.name,
          stroke: colour(COLOURS[n % COLOURS.length]!),
          dash: DASHES[n % DASHES.length],
          width: 1.75,
          spanGaps: false,
          points: { show: false },
          value: (_: uPlot, value: number | null) => (value == null ? "-" : format(value)),
        })),
      ],
    };
    const made = new uPlot(options, [[], ...series.map(() => [])] as unknown as uPlot.AlignedData, element);
    plot.current = made;
    const resized = new ResizeObserver(() => made.setSize({ width: width(), height: 190 }));
    resized.observe(element);
    return () => {
      resized.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [names, theme.value]);
  useEffect(() => {
    plot.current?.setData([at_ms.map((ms) => ms / 1000), ...series.map((one) => one.values)] as uPlot.AlignedData);
  }, [at_ms, series, theme.value]);
  const rows = at_ms.map((ms, n) => ({ ms, values: series.map((one) => one.values[n] ?? null) })).slice(-30).reverse();
  const last = (one: Series) => [...one.values].reverse().find((value) => value !== null);
  const summary = series.map((one) => `${one.name} ${last(one) === undefined ? "unknown" : format(last(one)!)}`).join(", ");
  return (
    <figure class="chart" aria-label={`${title}. Now: ${summary}`}>
      <div ref={place} aria-hidden="true" />
      {top !== null && <p class="quiet small">Peaks up to {format(Math.max(...series.flatMap((one) => one.values.map((value) => value ?? 0))))} go on above the chart.</p>}
      <details class="small">
        <summary class="quiet">The same as a table</summary>
        <div class="scroll" tabIndex={0} role="region" aria-label={`${title}, the last values`}>
          <table>
            <thead><tr><th scope="col">Time</th>{series.map((one) => <th key={one.name} scope="col" class="number">{one.name}</th>)}</tr></thead>
            <tbody>
              {rows.map((row) => (
                <tr key={row.ms}><td>{clock(row.ms)}</td>{row.values.map((value, n) => <td key={n} class="number">{value === null ? "-" : format(value)}</td>)}</tr>
              ))}
            </tbody>
          </table>
        </div>
      </details>
    </figure>
  );
}
