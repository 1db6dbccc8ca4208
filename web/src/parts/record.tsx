import { useMemo, useState } from "preact/hooks";
import { part } from "../api/client";
import { useGet } from "../api/use";
import type { Content, LogRecord } from "../api/model";
import { CopyButton } from "./code";
import { asJson, octets, placeOf, short } from "./content";
import { Wrong } from "./form";
import { Hex } from "./hex";
import { parse, pretty } from "./json";
import { Tag } from "./panel";
import { Pairs } from "./table";
import { Tabs } from "./tabs";
import { Tree } from "./tree";
import { line, whole } from "./visible";
import { ago, bytes, stamp } from "./words";

const LONGEST = 200_000;

type Form = "tree" | "raw" | "hex";

interface ContentProps {
  content: Content;
  label: string;
  onFilter?: (path: string, value: string) => void;
}

/** One content in three forms. */
export function ContentView({ content, label, onFilter }: ContentProps) {
  const json = useMemo(() => (content.kind === "json" ? parse(content.text) : null), [content]);
  const forms: [Form, string][] = [...(json ? [["tree", "JSON tree"] as [Form, string]] : []), ["raw", "Raw"], ["hex", "Hex"]];
  const [wanted, setWanted] = useState<Form | null>(null);
  const fitting: Form = json ? "tree" : content.kind === "binary" ? "hex" : "raw";
  const form = wanted && forms.some(([one]) => one === wanted) ? wanted : fitting;
  return (
    <div class="stack tight">
      <div class="row apart">
        <Tabs label={`Form of the ${label}`} tabs={forms} chosen={form} onChoose={setWanted} />
        <CopyButton text={() => (form === "tree" && json ? pretty(json) : content.text)} label={content.kind === "binary" ? "Copy as base64" : `Copy ${label}`} />
      </div>
      {form === "tree" && json && <Tree node={json} onFilter={onFilter} />}
      {form === "raw" && <Raw content={content} label={label} />}
      {form === "hex" && <Hex data={octets(content)} />}
    </div>
  );
}

function Raw({ content, label }: { content: Content; label: string }) {
  const [all, setAll] = useState(false);
  const text = useMemo(() => {
    const words = content.kind === "binary" ? new TextDecoder().decode(octets(content)) : content.text;
    return whole(all ? words : words.slice(0, LONGEST));
  }, [content, all]);
  return (
    <>
      <div class="code"><pre class="raw" tabIndex={0} role="region" aria-label={`The ${label} as it is`}><bdi>{text}</bdi></pre></div>
      {!all && content.text.length > LONGEST && <p><button type="button" onClick={() => setAll(true)}>Show all of it</button></p>}
    </>
  );
}

/** A key or a header in few words; nothing at all is not the same as nothing in it. */
export function Small({ content, none }: { content: Content | null; none: string }) {
  if (content === null) return <Tag>{none}</Tag>;
  if (content.bytes === 0) return <span class="quiet">empty</span>;
  return <bdi class="mono break">{short(content, 300)}</bdi>;
}

interface RecordProps {
  topic: string;
  record: LogRecord;
  onFilter?: (path: string, value: string) => void;
  /** Addresses within the page of the topic. */
  around: string;
  permalink: string;
  resend: string;
  resendTo: string;
}

const isCut = (record: LogRecord): boolean =>
  [record.key, record.value, ...record.headers.map((header) => header.value)].some((content) => content?.cut) || (record.headers_left_out ?? 0) > 0;

/** All of a record. What a list had cut is asked for whole. */
export function RecordView({ topic, record, onFilter, around, permalink, resend, resendTo }: RecordProps) {
  const path = `/api/topics/${part(topic)}/records/${record.partition}/${record.offset}`;
  const more = useGet<LogRecord>(isCut(record) ? path : null);
  const all = more.data ?? record;
  const { key, value, headers } = all;
  return (
    <div class="stack record-view">
      <div class="record-grid">
        <div class="stack tight">
          <Value value={value} keyed={key !== null} onFilter={onFilter} />
          {value?.cut && more.data && <p class="quiet small">The value has {bytes(value.bytes)}; the page shows the first of them.</p>}
          {isCut(record) && !more.data && !more.problem && <p class="quiet small" role="status">Only the beginning so far; the rest is on its way.</p>}
          <Wrong problem={more.problem} />
        </div>
        <div class="stack">
          <Pairs
            pairs={[
              ["Place", <span class="mono">{placeOf(all)}</span>],
              ["Time", <>{stamp(all.timestamp_ms)} <span class="quiet small">{ago(all.timestamp_ms)}<br />{isoOf(all.timestamp_ms)}</span></>],
              ["Key", <Small content={key} none="null: no key" />],
              ["Size", bytes(all.size_bytes)],
            ]}
          />
          <Headers of={placeOf(all)} headers={headers} more={all.headers_left_out ?? 0} />
        </div>
      </div>
      <div class="row">
        <a class="button" href={around}>Around this record</a>
        <a class="button" href={resend}>{resendTo}</a>
        <CopyButton text={() => asJson(all)} label="Copy as JSON" />
        <CopyButton text={() => new URL(permalink, location.origin).href} label="Copy link" />
      </div>
    </div>
  );
}

function Value({ value, keyed, onFilter }: { value: Content | null; keyed: boolean; onFilter?: RecordProps["onFilter"] }) {
  if (value === null) return <p><Tag mood="accent">null</Tag> {keyed ? "A tombstone: in a compacted topic it deletes what stood under this key." : "Neither key nor value."}</p>;
  if (value.bytes === 0) return <p class="quiet">The value is empty: no bytes, which is not the same as null.</p>;
  return <ContentView content={value} label="value" onFilter={onFilter} />;
}

function Headers({ of, headers, more }: { of: string; headers: LogRecord["headers"]; more: number }) {
  if (headers.length === 0) return <p class="quiet small">No headers.</p>;
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={`Headers of ${of}`}>
      <table>
        <thead><tr><th scope="col">Header</th><th scope="col">Value</th></tr></thead>
        <tbody>{headers.map((header, n) => <tr key={n}><td class="mono break"><bdi>{line(header.name, 200)}</bdi></td><td><Small content={header.value} none="null" /></td></tr>)}</tbody>
      </table>
      {more > 0 && <p class="quiet small">{more} more are not shown.</p>}
    </div>
  );
}

function isoOf(ms: number): string {
  const at = new Date(ms);
  return Number.isNaN(at.getTime()) ? "no date" : at.toISOString();
}
