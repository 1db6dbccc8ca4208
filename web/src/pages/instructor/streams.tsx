import { useEffect, useRef, useState } from "preact/hooks";
import { part, send } from "../../api/client";
import { useGet } from "../../api/use";
import { Field, useAct, Wrong } from "../../parts/form";
import { Empty, Notice, Panel, Tag } from "../../parts/panel";
import { Table } from "../../parts/table";
import { clock, rate, span } from "../../parts/words";
import type { Generators, IncidentKind, IncidentState, StreamState } from "./data";

const STEPS = [0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 20];
const BUTTONS = [0.5, 1, 2, 5];
const PHASES: Record<string, string> = {
  starting: "They are starting.", backfilling: "They write two hours of history; orders take effect once they have reached the present.",
};

const nearest = (factor: number): number => STEPS.reduce((best, step, n) => (Math.abs(Math.log(step / factor)) < Math.abs(Math.log(STEPS[best]! / factor)) ? n : best), 0);
const times = (factor: number): string => `${Number(factor.toFixed(2))}x`;

/** Every order is kept, so a slider that is drawn along sends only where it stops. */
function Factor({ name, factor, onSet }: { name: string; factor: number; onSet: (factor: number) => void }) {
  const [draft, setDraft] = useState<number | null>(null);
  const timer = useRef<number | undefined>(undefined);
  useEffect(() => () => window.clearTimeout(timer.current), []);
  const slide = (value: number) => {
    setDraft(value);
    window.clearTimeout(timer.current);
    timer.current = window.setTimeout(() => {
      onSet(STEPS[value]!);
      setDraft(null);
    }, 700);
  };
  const at = draft ?? (factor > 0 ? nearest(factor) : 3);
  const shown = draft === null ? factor : STEPS[draft]!;
  const words = shown < 0 ? "mixed" : shown === 0 ? "paused" : `${times(shown)} the usual rate`;
  return (
    <div class="factor">
      <input type="range" min={0} max={STEPS.length - 1} step={1} value={at} aria-label={`Rate of ${name}`} aria-valuetext={words} onInput={(event) => slide(Number(event.currentTarget.value))} />
      <div class="row" role="group" aria-label={`Rate of ${name}`}>
        {BUTTONS.map((step) => <button key={step} type="button" class="plain" aria-pressed={factor === step} onClick={() => onSet(step)}>{times(step)}</button>)}
      </div>
    </div>
  );
}

function Rates({ generators, onChanged }: { generators: Generators; onChanged: () => void }) {
  const { busy, problem, act } = useAct();
  const [told, tell] = useState("");
  const order = (what: string, body: object, words: string) => act(async () => {
    await send("PUT", `/api/generators/${what}`, body);
    tell(`${words} Takes effect within ten seconds.`);
    onChanged();
  });
  const row = (topic: string | undefined, factor: number, name: string) => ({
    set: (to: number) => void order("rate", { ...(topic && { topic }), factor: to }, `${name}: ${times(to)}.`),
    turn: () => void (factor > 0 ? order("pause", topic ? { topic } : {}, `${name}: paused.`) : order("resume", topic ? { topic } : {}, `${name}: goes on.`)),
  });
  const everyPaused = generators.streams.every((one) => one.factor === 0);
  const same = generators.streams.every((one) => one.factor === generators.streams[0]?.factor);
  const all = row(undefined, everyPaused ? 0 : 1, "All streams");
  const total: StreamState = { topic: "", factor: everyPaused ? 0 : same ? generators.streams[0]!.factor : -1, events_per_s: generators.streams.reduce((sum, one) => sum + one.events_per_s, 0) };
  return (
    <Panel title="Streams" tools={<><span class="quiet small">seed {generators.seed}, dirt {generators.dirt}</span><Tag mood={generators.phase === "live" ? "good" : "warn"}>{generators.phase === "live" ? "● live" : generators.phase}</Tag></>}>
      {PHASES[generators.phase] && <Notice mood="warn">{PHASES[generators.phase]}</Notice>}
      {generators.trouble && <Notice mood="bad">{generators.trouble}</Notice>}
      <div class="mid"><Table caption="Streams and their rates" rows={[...generators.streams, total]} id={(one) => one.topic}
        columns={[
          { head: "Stream", cell: (one) => (one.topic ? <a class="nowrap" href={`/topics/${part(one.topic)}`}>{one.topic}</a> : <strong>All of them</strong>) },
          { head: "Events/s", number: true, cell: (one) => rate(one.events_per_s) },
          { head: "Factor", number: true, cell: (one) => (one.factor === 0 ? <Tag mood="warn">❚❚ paused</Tag> : one.factor < 0 ? "mixed" : times(one.factor)) },
          { head: "Usual rate times", cell: (one) => <Factor name={one.topic || "all streams"} factor={one.factor} onSet={one.topic ? row(one.topic, one.factor, one.topic).set : all.set} /> },
          { head: "Actions", cell: (one) => (
            <button type="button" disabled={busy} onClick={one.topic ? row(one.topic, one.factor, one.topic).turn : all.turn}>
              {one.factor === 0 ? "Resume" : "Pause"}<span class="only-read"> {one.topic || "all streams"}</span>
            </button>
          ) },
        ]} /></div>
      <p class="quiet small">The usual rate follows the time of day. Tickets that are open keep their ranges, whatever the rate.</p>
      <Wrong problem={problem} />
      <span class="small" role="status">{told}</span>
    </Panel>
  );
}

function Begin({ kind, live, onChanged }: { kind: IncidentKind; live: boolean; onChanged: () => void }) {
  const [target, setTarget] = useState("");
  const [minutes, setMinutes] = useState(kind.minutes);
  const [ahead, setAhead] = useState(0);
  const [told, tell] = useState("");
  const { busy, problem, act } = useAct();
  const go = (event: Event) => {
    event.preventDefault();
    void act(async () => {
      await send("POST", "/api/incidents", { kind: kind.kind, minutes, ...(target && { target }), ...(ahead > 0 && { in: ahead }) });
      tell(ahead > 0 ? "Planned." : "Ordered. It begins within ten seconds.");
      onChanged();
    });
  };
  return (
    <form class="incident stack tight" onSubmit={go}>
      <div class="row apart">
        <h3>{kind.kind}</h3>
        <button type="submit" disabled={busy || !live}>Begin<span class="only-read"> {kind.kind}</span></button>
      </div>
      <p>{kind.about}.</p>
      <p class="quiet"><strong>Teaches:</strong> {kind.lesson}.</p>
      <div class="fields">
        {kind.target && (
          <Field label={kind.target.charAt(0).toUpperCase() + kind.target.slice(1)}>
            <select value={target} onChange={(event) => setTarget(event.currentTarget.value)}>
              <option value="">any</option>
              {kind.choices.map((choice) => <option key={choice} value={choice}>{choice}</option>)}
            </select>
          </Field>
        )}
        <Field label="Minutes"><input type="number" min={0.5} max={kind.minutes_max} step={0.5} required value={minutes} onInput={(event) => setMinutes(event.currentTarget.valueAsNumber)} /></Field>
        <Field label="In (minutes)"><input type="number" min={0} max={600} step={1} required value={ahead} onInput={(event) => setAhead(event.currentTarget.valueAsNumber)} /></Field>
      </div>
      <Wrong problem={problem} />
      <span class="small" role="status">{told}</span>
    </form>
  );
}

function Running({ incidents, now, kinds, onChanged }: { incidents: IncidentState[]; now: number; kinds: IncidentKind[]; onChanged: () => void }) {
  const { busy, problem, act } = useAct();
  const lesson = new Map(kinds.map((one) => [one.kind, one.lesson]));
  const end = (id: number) => act(async () => {
    await send("DELETE", `/api/incidents/${id}`);
    onChanged();
  });
  const words = (one: IncidentState): string => {
    if (one.state === "running") return `${span((one.to - now) / 1000)} left`;
    return one.state === "planned" ? (one.from - now < 10_000 ? "begins now" : `begins in ${span((one.from - now) / 1000)}`) : `over since ${clock(one.to)}`;
  };
  return (
    <>
      <Table caption="Incidents that were ordered" rows={incidents} id={(one) => String(one.id)} shown={12}
        empty="Nothing was ordered yet. Begin one below: students see only what it does to the streams."
        columns={[
          { head: "State", cell: (one) => <Tag mood={one.state === "running" ? "warn" : one.state === "planned" ? "accent" : ""}>{one.state === "running" ? "▲ running" : one.state === "planned" ? "◇ planned" : "- over"}</Tag> },
          { head: "Incident", cell: (one) => <><strong>{one.kind}</strong> {one.target && <code>{one.target}</code>}</> },
          { head: "When", cell: (one) => <span class="nowrap">{words(one)}</span> },
          { head: "Teaches", cell: (one) => <span class="quiet">{lesson.get(one.kind)}</span> },
          { head: "Actions", cell: (one) => one.state !== "over" && <button type="button" disabled={busy} onClick={() => end(one.id)}>{one.state === "planned" ? "Take back" : "End"}<span class="only-read"> {one.kind}</span></button> },
        ]} />
      <Wrong problem={problem} />
    </>
  );
}

export function StreamsTab() {
  const generators = useGet<Generators>("/api/generators", 3000);
  const kinds = useGet<{ kinds: IncidentKind[] }>("/api/incidents");
  if (!generators.data) {
    if (generators.problem?.status === 409) return <Empty>The generators are off. Start the broker with <code>--generators on</code>, and the four streams fill by themselves.</Empty>;
    return <Wrong problem={generators.problem} />;
  }
  const all = kinds.data?.kinds ?? [];
  return (
    <div class="stack">
      <Wrong problem={generators.problem} />
      <Rates generators={generators.data} onChanged={generators.reload} />
      <Panel title="Incidents"><Running incidents={generators.data.incidents} now={generators.data.now} kinds={all} onChanged={generators.reload} /></Panel>
      <Panel title="Let something happen">
        <Wrong problem={kinds.problem} />
        <div class="columns incidents">{all.map((kind) => <Begin key={kind.kind} kind={kind} live={generators.data?.phase === "live"} onChanged={generators.reload} />)}</div>
      </Panel>
    </div>
  );
}
