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
import { whole } from "./visible";
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
  const forms: [Form, string][] = [...(json ? [["tree", "JSON"] as [Form, string]] : []), ["raw", "Raw"], ["hex", "Hex"]];
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
  [record.key, record.value, ...record.headers.map((header) => header.value)].some((content) => content?.cut);

/** All of a record. What a list had cut is asked for whole. */
export function RecordView({ topic, record, onFilter, around, permalink, resend, resendTo }: RecordProps) {
  const path = `/api/topics/${part(topic)}/records/${record.partition}/${record.offset}`;
  const more = useGet<LogRecord>(isCut(record) ? path : null);
  const all = more.data ?? record;
  const { key, value, headers } = all;
  return (
    <div class="stack record-view">
      <Pairs
        pairs={[
          ["Partition : offset", <span class="mono">{placeOf(all)}</span>],
          ["Time", <>{stamp(all.timestamp_ms)} <span class="quiet">({ago(all.timestamp_ms)}; {isoOf(all.timestamp_ms)})</span></>],
          ["Key", <Small content={key} none="null: no key" />],
          ["Size", bytes(all.size_bytes)],
        ]}
      />
      {headers.length > 0 && (
        <div class="scroll" tabIndex={0} role="region" aria-label="Headers">
          <table>
            <thead><tr><th scope="col">Header</th><th scope="col">Value</th></tr></thead>
            <tbody>{headers.map((header, n) => <tr key={n}><td class="mono break"><bdi>{short({ kind: "text", text: header.name, bytes: header.name.length, cut: false }, 200)}</bdi></td><td><Small content={header.value} none="null" /></td></tr>)}</tbody>
          </table>
        </div>
      )}
      {isCut(record) && !more.data && !more.problem && <p class="quiet small" role="status">Only the beginning so far; the rest is on its way.</p>}
      <Wrong problem={more.problem} />
      {value === null ? (
        <p><Tag mood="accent">null</Tag> {key === null ? "Neither key nor value." : "A tombstone: in a compacted topic it deletes what stood under this key."}</p>
      ) : value.bytes === 0 ? (
        <p class="quiet">The value is empty: no bytes, which is not the same as null.</p>
      ) : (
        <ContentView content={value} label="value" onFilter={onFilter} />
      )}
      {value?.cut && more.data && <p class="quiet small">The value has {bytes(value.bytes)}; the page shows the first of them.</p>}
      <div class="row">
        <a class="button" href={around}>Around this record</a>
        <a class="button" href={resend}>{resendTo}</a>
        <CopyButton text={() => asJson(all)} label="Copy as JSON" />
        <CopyButton text={() => new URL(permalink, location.origin).href} label="Copy link" />
      </div>
    </div>
  );
}

function isoOf(ms: number): string {
  const at = new Date(ms);
  return Number.isNaN(at.getTime()) ? "no date" : at.toISOString();
}
