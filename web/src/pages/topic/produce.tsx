import { useEffect, useState } from "preact/hooks";
import { useLocation } from "preact-iso";
import { part, Problem, send } from "../../api/client";
import type { Content, LogRecord, Template, TopicPage } from "../../api/model";
import { useGet } from "../../api/use";
import { Field, useAct, Wrong } from "../../parts/form";
import { parse, pretty } from "../../parts/json";
import { Empty, Notice, Panel } from "../../parts/panel";
import type { Place } from "../../parts/place";
import { count, plural } from "../../parts/words";
import { me } from "../../state/session";

interface Header {
  name: string;
  value: string | null;
}
interface Draft {
  key: string | null;
  value: string | null;
  keyEncoding: "text" | "base64";
  valueEncoding: "text" | "base64";
  headers: Header[];
}
interface Written {
  partition: number;
  offset: number;
  count: number;
  timestamp_ms: number;
}

const EMPTY: Draft = { key: null, value: "", keyEncoding: "text", valueEncoding: "text", headers: [] };
const MOST = 1000;

/** Over lines, as people edit it; what is no JSON stays as it is. */
function laidOut(value: string | null): string | null {
  const json = value === null ? null : parse(value);
  return json ? pretty(json) : value;
}

const fromTemplate = (template: Template): Draft => ({ ...EMPTY, key: template.key, value: laidOut(template.value), headers: template.headers });

function fromRecord(record: LogRecord): Draft {
  const encoding = (content: Content | null) => (content?.kind === "binary" ? "base64" : "text");
  return {
    key: record.key?.text ?? null,
    value: record.value?.text ?? null,
    keyEncoding: encoding(record.key),
    valueEncoding: encoding(record.value),
    headers: record.headers.map((header) => ({ name: header.name, value: header.value?.text ?? null })),
  };
}

/** Where a copy of something comes from: `PARTITION:OFFSET` of this topic, or of the one in `of`. */
function useCopied(topic: string, place: Place) {
  const found = /^(\d+):(\d+)$/.exec(place.query.copy ?? "");
  const of = place.query.of ?? topic;
  return useGet<LogRecord>(found && `/api/topics/${part(of)}/records/${found[1]}/${found[2]}`);
}

export function Produce({ topic, place }: { topic: TopicPage; place: Place }) {
  if (!topic.may_write) return <NotYours topic={topic} place={place} />;
  return <Form topic={topic} place={place} />;
}

/** Says why, and offers a topic in which everything is allowed. */
function NotYours({ topic, place }: { topic: TopicPage; place: Place }) {
  const { route } = useLocation();
  const { busy, problem, act } = useAct();
  const prefix = me.value?.prefix;
  if (topic.kind === "internal") return <Panel title="Produce"><Empty>This topic is the broker's own: what it keeps here has a form of its own, and nobody writes to it by hand.</Empty></Panel>;
  if (!prefix) return <Panel title="Produce"><Empty>You may not write to this topic.</Empty></Panel>;
  const play = `${prefix}play`;
  const begin = async () => {
    try {
      await send("POST", "/api/topics", { name: play, partitions: 3 });
    } catch (error) {
      // It is there already: so much the better.
      if (Problem.of(error).status !== 409) throw error;
    }
    const query = new URLSearchParams({ tab: "produce", of: topic.name, ...(place.query.copy ? { copy: place.query.copy } : {}) });
    route(`/topics/${part(play)}?${query}`);
  };
  return (
    <Panel title="Produce">
      <p class="lead">
        {topic.kind === "stream"
          ? "Everybody in the room reads this stream, so only the town writes to it. In a topic of your own you may do everything."
          : "This topic belongs to somebody else."}
      </p>
      <p>Yours are those that begin with <code class="break">{prefix}</code> and go on as you like. {place.query.copy ? "The record you chose will be filled in there, ready to be changed." : topic.kind === "stream" ? "Records like those of this stream will be offered there as templates." : ""}</p>
      <Wrong problem={problem} />
      <div class="row"><button type="button" class="main long" disabled={busy} onClick={() => void act(begin)}>Create {play} and write there</button></div>
    </Panel>
  );
}

function Form({ topic, place }: { topic: TopicPage; place: Place }) {
  // The newest record is one of them, and changes; what was chosen stays.
  const [templates] = useState(topic.templates);
  const copied = useCopied(topic.name, place);
  const [draft, setDraft] = useState<Draft>(EMPTY);
  const [chosen, setChosen] = useState("");
  const [touched, setTouched] = useState(false);
  const [partition, setPartition] = useState("");
  const [copies, setCopies] = useState("1");
  const [written, setWritten] = useState<Written | null>(null);
  const { busy, problem, act } = useAct();
  const change = (part: Partial<Draft>) => {
    setTouched(true);
    setDraft((old) => ({ ...old, ...part }));
  };
  const take = (name: string) => {
    setChosen(name);
    setTouched(false);
    const found = templates[Number(name)];
    if (name === "copy" && copied.data) setDraft(fromRecord(copied.data));
    else setDraft(found ? fromTemplate(found) : EMPTY);
  };
  useEffect(() => {
    if (copied.data) take("copy");
  }, [copied.data]);
  useEffect(() => {
    const of = place.query.of;
    const fitting = Math.max(0, of ? templates.findIndex((template) => template.name.endsWith(of)) : 0);
    if (!touched && chosen === "" && !place.query.copy && templates.length > 0) take(String(fitting));
  }, [templates.length]);

  const write = () =>
    act(async () => {
      setWritten(null);
      const body = {
        key: draft.key,
        value: draft.value,
        headers: draft.headers.filter((header) => header.name !== ""),
        key_encoding: draft.keyEncoding,
        value_encoding: draft.valueEncoding,
        partition: partition === "" ? null : Number(partition),
        copies: Math.min(MOST, Math.max(1, Math.round(Number(copies) || 1))),
      };
      setWritten(await send<Written>("POST", `/api/topics/${part(topic.name)}/records`, body));
    });
  return (
    <Panel title="Write a record" roomy>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void write();
        }}
        onKeyDown={(event) => {
          if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
            event.preventDefault();
            void write();
          }
        }}
      >
        <Wrong problem={copied.problem} />
        {chosen === "copy" && copied.data && <Lost record={copied.data} />}
        <Field label="Begin with" hint={touched ? "Another choice takes the place of what you have written." : undefined}>
          <select value={chosen} onChange={(event) => take(event.currentTarget.value)}>
            <option value="">an empty record</option>
            {copied.data && <option value="copy">the record {place.query.copy} of {place.query.of ?? topic.name}</option>}
            {templates.map((template, n) => <option key={n} value={String(n)}>{template.name}</option>)}
          </select>
        </Field>
        <Part label="Key" hint="Records with the same key go to the same partition, in order. Without a key they are spread." none="no key" value={draft.key} encoding={draft.keyEncoding} rows={1} onValue={(key) => change({ key })} />
        <Part label="Value" hint={jsonHint(draft)} none="no value: a tombstone" value={draft.value} encoding={draft.valueEncoding} rows={10} onValue={(value) => change({ value })} />
        <Headers headers={draft.headers} onHeaders={(headers) => change({ headers })} />
        <div class="row top">
          <Field label="Partition">
            <select value={partition} onChange={(event) => setPartition(event.currentTarget.value)}>
              <option value="">{draft.key === null ? "any" : "by the key"}</option>
              {topic.partition_list.map((one) => <option key={one.partition} value={one.partition}>{one.partition}</option>)}
            </select>
          </Field>
          <Field label="How many" hint={`At most ${count(MOST)}, all the same`}>
            <input class="number short" type="number" min={1} max={MOST} value={copies} onInput={(event) => setCopies(event.currentTarget.value)} />
          </Field>
        </div>
        <Wrong problem={problem} />
        {written && <Done written={written} place={place} />}
        <div class="row">
          <button type="submit" class="main" disabled={busy}>Write it</button>
          <button type="button" disabled={draft.value === null || draft.valueEncoding === "base64"} onClick={() => change({ value: laidOut(draft.value) })}>Lay it out</button>
          <button type="button" disabled={draft.value === null} onClick={() => change({ value: spoiled(draft.value ?? "") })}>Make it a bad record</button>
          <span class="quiet small">Ctrl+Enter writes too. A bad record is what your own programs have to survive.</span>
        </div>
      </form>
    </Panel>
  );
}

/** What of a record a form cannot hold. */
function Lost({ record }: { record: LogRecord }) {
  const lost = [
    record.value?.cut || record.key?.cut ? "It is longer than a page can show, and only its beginning is here." : "",
    record.headers.some((header) => header.value?.kind === "binary") ? "Headers of bytes stand here as base64 and would be written as that text." : "",
  ].filter(Boolean);
  return lost.length > 0 ? <Notice mood="warn">{lost.join(" ")}</Notice> : null;
}

function Done({ written, place }: { written: Written; place: Place }) {
  const where = `${written.partition}:${written.offset}`;
  return (
    <div role="status">
      <Notice mood="good">
        {written.count === 1 ? "Written: partition " : `${plural(written.count, "record")} written, the first to partition `}
        {written.partition}, offset {count(written.offset)}.{" "}
        <a href={place.link({ tab: null, copy: null, of: null, record: where })}>Look at it</a>
      </Notice>
    </div>
  );
}

function jsonHint({ value, valueEncoding }: Draft): string {
  if (value === null) return "In a compacted topic a tombstone deletes what stood under its key.";
  if (valueEncoding === "base64") return "These are bytes, written as base64.";
  if (value === "") return "Empty: no bytes, which is not the same as no value.";
  try {
    JSON.parse(value);
    return "This is JSON.";
  } catch {
    return "This is not JSON. Kafka takes any bytes; whoever reads has to cope.";
  }
}

/** Cut off in the middle, as by a program that died while it wrote. */
const spoiled = (value: string): string => (value.length > 2 ? value.slice(0, Math.ceil(value.length * 0.6)) : '{"event_id": ');

interface PartProps {
  label: string;
  hint: string;
  none: string;
  value: string | null;
  encoding: "text" | "base64";
  rows: number;
  onValue: (value: string | null) => void;
}

function Part({ label, hint, none, value, encoding, rows, onValue }: PartProps) {
  const [kept, setKept] = useState("");
  const turn = (on: boolean) => {
    if (on) setKept(value ?? "");
    onValue(on ? null : kept);
  };
  return (
    <div class="stack tight">
      <Field label={encoding === "base64" ? `${label} (base64)` : label} hint={hint}>
        <textarea class="mono" rows={rows} spellcheck={false} disabled={value === null} value={value ?? ""} onInput={(event) => onValue(event.currentTarget.value)} />
      </Field>
      <label class="row nowrap small"><input type="checkbox" checked={value === null} onChange={(event) => turn(event.currentTarget.checked)} /> {none}</label>
    </div>
  );
}

function Headers({ headers, onHeaders }: { headers: Header[]; onHeaders: (headers: Header[]) => void }) {
  const set = (at: number, change: Partial<Header>) => onHeaders(headers.map((header, n) => (n === at ? { ...header, ...change } : header)));
  return (
    <fieldset class="headers">
      <legend class="small quiet">Headers</legend>
      {headers.map((header, n) => (
        <div class="row" key={n}>
          <input class="mono" aria-label={`Name of header ${n + 1}`} placeholder="name" value={header.name} onInput={(event) => set(n, { name: event.currentTarget.value })} />
          <input class="mono grow" aria-label={`Value of header ${n + 1}`} placeholder={header.value === null ? "null" : "value"} disabled={header.value === null} value={header.value ?? ""} onInput={(event) => set(n, { value: event.currentTarget.value })} />
          <label class="row nowrap small"><input type="checkbox" checked={header.value === null} onChange={(event) => set(n, { value: event.currentTarget.checked ? null : "" })} /> null</label>
          <button type="button" class="plain" aria-label={`Remove header ${n + 1}`} onClick={() => onHeaders(headers.filter((_, at) => at !== n))}>Remove</button>
        </div>
      ))}
      <button type="button" class="start" onClick={() => onHeaders([...headers, { name: "", value: "" }])}>Add a header</button>
    </fieldset>
  );
}
