import { useState } from "preact/hooks";
import { part, send } from "../../api/client";
import type { GroupPage, ResetPlan } from "../../api/model";
import { Field, useAct, Wrong } from "../../parts/form";
import { Notice, Panel } from "../../parts/panel";
import { Table, type Column } from "../../parts/table";
import { count, plural } from "../../parts/words";
import { changeWords, offset } from "./words";

type To = "earliest" | "latest" | "back" | "time" | "offset";
type Change = ResetPlan["changes"][number];

const WAYS: { to: To; name: string; means: string }[] = [
  { to: "earliest", name: "Earliest", means: "Everything that is still kept is read again." },
  { to: "latest", name: "Latest", means: "All that waits is skipped; only what comes from now on is read." },
  { to: "back", name: "Minutes back", means: "To the first record of the last minutes, by the timestamps of the records." },
  { to: "time", name: "A time", means: "To the first record at or after a time on this machine's clock." },
  { to: "offset", name: "An offset", means: "To one offset in each chosen partition; kept within what the partition holds." },
];

const COLUMNS: Column<Change>[] = [
  { head: "Topic", cell: (row) => <span class="named" title={row.topic}>{row.topic}</span>, by: (row) => row.topic },
  { head: "Partition", number: true, cell: (row) => row.partition, by: (row) => row.partition },
  { head: "From", number: true, cell: (row) => offset(row.from) },
  { head: "To", number: true, cell: (row) => <strong>{count(row.to)}</strong> },
  { head: "What it means", cell: (row) => changeWords(row.from, row.to) },
  { head: "Lag after", number: true, cell: (row) => count(row.lag_after), by: (row) => row.lag_after },
];

/** `0-2, 5` as numbers; null where that is not what it says. */
export function parsePartitions(words: string): number[] | null {
  const numbers = new Set<number>();
  for (const word of words.split(/[\s,]+/).filter(Boolean)) {
    const match = /^(\d{1,6})(?:-(\d{1,6}))?$/.exec(word);
    if (!match) return null;
    const [first, last] = [Number(match[1]), Number(match[2] ?? match[1])];
    if (last < first || last - first > 10_000) return null;
    for (let n = first; n <= last; n += 1) numbers.add(n);
  }
  return [...numbers];
}

/** The local time of a moment in the form that `datetime-local` wants. */
const localTime = (ms: number): string => new Date(ms - new Date(ms).getTimezoneOffset() * 60_000).toISOString().slice(0, 19);

export function HowToStop() {
  return (
    <>
      <p>While members read, they commit their own place over yours within seconds. So:</p>
      <ul>
        <li>in a terminal press Ctrl+C; the consumer leaves when it calls <code>close()</code>;</li>
        <li>in a notebook interrupt the cell and run <code>consumer.close()</code>, or restart the kernel;</li>
        <li>a client that was killed stays a member until its <code>session.timeout.ms</code> is over, often 45 s.</li>
      </ul>
      <p>This page notices when the last one is out.</p>
    </>
  );
}

export function Reset({ group, onDone }: { group: GroupPage; onDone: () => void }) {
  const topics = [...new Set(group.partitions.map((one) => one.topic))];
  const [topic, setTopic] = useState("");
  const [partitions, setPartitions] = useState("");
  const [to, setTo] = useState<To>("earliest");
  const [minutes, setMinutes] = useState(5);
  const [at, setAt] = useState(() => localTime(Date.now() - 15 * 60_000));
  const [number, setNumber] = useState(0);
  const [plan, setPlan] = useState<ResetPlan | null>(null);
  const { busy, problem, act, clear } = useAct();
  const members = group.members.length;
  if (members > 0 && !plan?.applied) {
    return (
      <Panel title="Move the offsets">
        <Notice mood="warn"><div class="stack tight"><strong>Stop the group first: {members === 1 ? "one member is" : `${count(members)} members are`} still in it.</strong><HowToStop /></div></Notice>
      </Panel>
    );
  }
  if (!group.may_reset) return <Panel title="Move the offsets"><p class="quiet">{group.why_not ?? "This group is not yours to move."}</p></Panel>;
  if (topics.length === 0) return <Panel title="Move the offsets"><p class="quiet">The group has committed nothing yet, so there is nothing to move.</p></Panel>;
  // Partitions are those of one topic.
  const only = topics.length === 1 ? topics[0]! : topic;
  const chosen = only ? parsePartitions(partitions) : [];
  const of = topic || (chosen && chosen.length > 0 ? only : "");
  const change = <T,>(set: (value: T) => void) => (value: T) => {
    set(value);
    setPlan(null);
    clear();
  };
  const ask = (apply: boolean) => act(async () => {
    const answer = await send<ResetPlan>("POST", `/api/groups/${part(group.id)}/offsets`, {
      to,
      apply,
      ...(of && { topic: of }),
      ...(chosen && chosen.length > 0 && { partitions: chosen }),
      ...(to === "back" && { minutes }),
      ...(to === "time" && { time_ms: new Date(at).getTime() }),
      ...(to === "offset" && { offset: number }),
    });
    setPlan(answer);
    if (apply) onDone();
  });
  const wrong = chosen === null || (to === "time" && Number.isNaN(new Date(at).getTime())) || (to === "back" && !(minutes > 0)) || (to === "offset" && !(number >= 0));
  const moved = plan?.changes.filter((one) => one.from !== one.to).length ?? 0;
  return (
    <Panel title="Move the offsets">
      <p>An offset is the group's bookmark in a partition. Move it back and the records in between are read again; move it on and they are skipped. The records themselves stay as they are.</p>
      <form class="stack" onSubmit={(event) => { event.preventDefault(); void ask(false); }}>
        <fieldset class="ways">
          <legend>Where to</legend>
          {WAYS.map((way) => (
            <label key={way.to} class="way">
              <input type="radio" name="to" value={way.to} checked={to === way.to} onChange={() => change(setTo)(way.to)} />
              <span><strong>{way.name}</strong> <span class="quiet">{way.means}</span></span>
            </label>
          ))}
        </fieldset>
        <div class="columns narrow">
          {to === "back" && <Field label="Minutes" hint="5 is what one needs most often"><input type="number" min={1} max={100000} value={minutes} required onInput={(event) => change(setMinutes)(event.currentTarget.valueAsNumber)} /></Field>}
          {to === "time" && <Field label="Time" hint="this machine's clock"><input type="datetime-local" step={1} value={at} required onInput={(event) => change(setAt)(event.currentTarget.value)} /></Field>}
          {to === "offset" && <Field label="Offset"><input type="number" min={0} value={number} required onInput={(event) => change(setNumber)(event.currentTarget.valueAsNumber)} /></Field>}
          <Field label="Topic">
            <select value={topic} onChange={(event) => change(setTopic)(event.currentTarget.value)}>
              {topics.length !== 1 && <option value="">all {topics.length} topics</option>}
              {topics.length === 1 && <option value="">{topics[0]}</option>}
              {topics.length > 1 && topics.map((name) => <option key={name} value={name}>{name}</option>)}
            </select>
          </Field>
          <Field label="Partitions" hint={!only ? "all of them; choose a topic first to name some" : chosen === null ? "numbers like 0, 2 or 4-7" : "empty for all; or 0, 2, 4-7"}><input value={only ? partitions : ""} disabled={!only} aria-invalid={chosen === null} onInput={(event) => change(setPartitions)(event.currentTarget.value)} /></Field>
        </div>
        <div class="row"><button type="submit" class={plan ? "" : "main"} disabled={busy || wrong}>Show what would happen</button></div>
      </form>
      <Wrong problem={problem} />
      <div class="stack" role="status">
        {plan && (
          <>
            <Notice mood={plan.applied ? "good" : "accent"}>{plan.explanation}</Notice>
            <Table caption="What moves" columns={COLUMNS} rows={plan.changes} id={(row) => `${row.topic}/${row.partition}`} empty="No partition fits what you chose." shown={50} />
            {!plan.applied && plan.changes.length > 0 && (
              <div class="row">
                <button type="button" class="main" disabled={busy || moved === 0} onClick={() => void ask(true)}>{moved === 0 ? "All of them are there already" : `Move ${plural(moved, "offset")}`}</button>
                <button type="button" onClick={() => setPlan(null)}>Leave them</button>
              </div>
            )}
          </>
        )}
      </div>
    </Panel>
  );
}
