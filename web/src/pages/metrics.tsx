import { useLocation } from "preact-iso";
import { useEffect, useMemo, useState } from "preact/hooks";
import { withQuery } from "../api/client";
import type { History } from "../api/model";
import { useGet } from "../api/use";
import { Chart } from "../parts/chart";
import { Wrong } from "../parts/form";
import { Empty, Figure, Notice, PageHead, Panel } from "../parts/panel";
import { Missing } from "../parts/missing";
import { bytes, clock, count, plural, rate, span } from "../parts/words";
import { connected, groups, tick, topics, trend } from "../state/live";
import { paused } from "../state/prefs";
import { busiest, lastOf } from "./metrics/history";
import { Meanings } from "./metrics/meanings";

const LIVE = 2;
const RANGES = [
  { minutes: LIVE, name: "2 min, live" },
  { minutes: 15, name: "15 min" },
  { minutes: 60, name: "1 h" },
  { minutes: 360, name: "6 h" },
  { minutes: 1440, name: "24 h" },
];
const TELL_EVERY_MS = 15_000;

const perSecond = (value: number): string => `${rate(value)} /s`;
const bytesPerSecond = (value: number | null): string => (value === null ? "-" : `${bytes(value)}/s`);
const percent = (value: number): string => `${value < 9.95 ? value.toFixed(1) : Math.round(value)} %`;

export default function Metrics() {
  const { query, path } = useLocation();
  const minutes = RANGES.find((one) => String(one.minutes) === query.minutes)?.minutes ?? LIVE;
  const asked = minutes === LIVE ? 15 : minutes;
  const { data, problem } = useGet<History>(withQuery("/api/history", { minutes: asked }), asked <= 15 ? 5000 : 30_000);
  const history = useMemo(() => (data && minutes === LIVE ? lastOf(data, (LIVE * 60) / data.step_s) : data), [data, minutes]);
  return (
    <>
      <PageHead title="Metrics" />
      <Now />
      <nav class="tabs" aria-label="How far back">
        {RANGES.map((one) => <a key={one.minutes} href={withQuery(path, { minutes: one.minutes === LIVE ? null : one.minutes })} aria-current={one.minutes === minutes ? "page" : undefined}>{one.name}</a>)}
      </nav>
      <Wrong problem={problem} />
      {history && minutes !== LIVE && <Reach history={history} minutes={minutes} />}
      <div class="columns charts">
        {minutes === LIVE ? <LiveCharts /> : <Rates history={history} />}
        <Course history={history} />
      </div>
      <Meanings />
      <Told />
    </>
  );
}

function Now() {
  const now = tick.value;
  if (!now) return <Panel><Empty>{paused.value ? "Paused before the first figures came. Press “Go on” above." : connected.value ? "The first figures are a second away." : "The figures come as soon as the broker answers."}</Empty></Panel>;
  return (
    <Panel>
      <Missing what="Bytes and connections" />
      <div class="columns figures four">
        <Figure value={rate(now.messages_in_per_s)} label="messages/s in" />
        <Figure value={bytesPerSecond(now.bytes_in_per_s)} label="bytes in" />
        <Figure value={bytesPerSecond(now.bytes_out_per_s)} label="bytes out" />
        <Figure value={count(topics.value.length)} label={<a href="/topics">topics you see</a>} />
        <Figure value={count(groups.value.length)} label={<a href="/groups">groups you see</a>} />
        <Figure value={count(now.connections)} label="connections" />
        <Figure value={percent(now.cpu_percent)} label="CPU of the broker, of one core" />
        <Figure value={bytes(now.memory_bytes)} label="memory of the broker" />
      </div>
    </Panel>
  );
}

/** How far back the figures go, where that is less than was asked for. */
function Reach({ history, minutes }: { history: History; minutes: number }) {
  const first = history.at_ms[0];
  const last = history.at_ms.at(-1);
  if (first === undefined || last === undefined) return <Notice>The first point of these charts is here within {span(history.step_s)} of the broker's start; “15 min” has points already.</Notice>;
  if (last - first > minutes * 60_000 * 0.95) return null;
  return <p class="quiet small">The broker has figures since {clock(first)}; the chart gets longer as it runs. One point is {span(history.step_s)}.</p>;
}

function LiveCharts() {
  const seen = trend.value;
  const { at_ms, rates, traffic } = useMemo(() => {
    // Every 5 or 15 seconds there are more minutes in it than two.
    const from = Math.max(0, seen.at_ms.findIndex((at) => at >= (seen.at_ms.at(-1) ?? 0) - LIVE * 60_000));
    const series = (name: string, values: (number | null)[]) => ({ name, values: values.slice(from) });
    return { at_ms: seen.at_ms.slice(from), rates: [series("Messages", seen.messages)], traffic: [series("In", seen.bytes_in), series("Out", seen.bytes_out)] };
  }, [seen]);
  return (
    <>
      <Panel title="Messages written"><Chart title="Messages per second" at_ms={at_ms} series={rates} format={perSecond} cut /></Panel>
      <Panel title="Bytes in and out"><Chart title="Bytes per second" at_ms={at_ms} series={traffic} format={bytesPerSecond} cut /></Panel>
    </>
  );
}

const NONE: number[] = [];

function Rates({ history }: { history: History | null }) {
  const at_ms = history?.at_ms ?? NONE;
  const rates = useMemo(() => [{ name: "Messages", values: history?.messages_in_per_s ?? NONE }], [history]);
  const traffic = useMemo(() => [{ name: "In", values: history?.bytes_in_per_s ?? NONE }, { name: "Out", values: history?.bytes_out_per_s ?? NONE }], [history]);
  return (
    <>
      <Panel title="Messages written"><Chart title="Messages per second" at_ms={at_ms} series={rates} format={perSecond} cut /></Panel>
      <Panel title="Bytes in and out"><Chart title="Bytes per second" at_ms={at_ms} series={traffic} format={bytesPerSecond} cut /></Panel>
    </>
  );
}

function Course({ history }: { history: History | null }) {
  const at_ms = history?.at_ms ?? NONE;
  const topics = useMemo(() => (history ? busiest(history) : []), [history]);
  const cpu = useMemo(() => [{ name: "CPU", values: history?.cpu_percent ?? NONE }], [history]);
  const memory = useMemo(() => [{ name: "Memory", values: history?.memory_bytes ?? NONE }], [history]);
  const connections = useMemo(() => [{ name: "Connections", values: history?.connections ?? NONE }], [history]);
  return (
    <>
      <Panel title="Messages by topic">
        {history && at_ms.length > 0 && topics.length === 0 ? <Empty>No topic has been written to in this time. <a href="/topics">Topics</a> says how to make one.</Empty> : <Chart title="Messages per second by topic" at_ms={at_ms} series={topics} format={perSecond} cut />}
      </Panel>
      <Panel title="Connections"><Chart title="Connections" at_ms={at_ms} series={connections} format={count} whole /></Panel>
      <Panel title="The broker's CPU, of one core"><Chart title="CPU of the broker in percent of one core" at_ms={at_ms} series={cpu} format={percent} /></Panel>
      <Panel title="The broker's memory"><Chart title="Memory of the broker" at_ms={at_ms} series={memory} format={bytes} /></Panel>
    </>
  );
}

/** One sentence for who cannot see the figures change, four times a minute at most. */
function Told() {
  const [words, setWords] = useState("");
  useEffect(() => {
    const timer = setInterval(() => {
      const now = tick.peek();
      if (now && !paused.peek() && !document.hidden) setWords(`${rate(now.messages_in_per_s)} messages per second${now.connections === null ? "" : `, ${bytesPerSecond(now.bytes_in_per_s)} in, ${bytesPerSecond(now.bytes_out_per_s)} out, ${plural(now.connections, "connection")}`}.`);
    }, TELL_EVERY_MS);
    return () => clearInterval(timer);
  }, []);
  return <p class="only-read" aria-live="polite">{words}</p>;
}
