import { useEffect, useState } from "preact/hooks";
import { part, withQuery } from "../../api/client";
import type { LogRecord, TopicPage } from "../../api/model";
import { useGet } from "../../api/use";
import { placeOf } from "../../parts/content";
import { Field, Wrong } from "../../parts/form";
import { Empty, Notice, Panel } from "../../parts/panel";
import type { Place } from "../../parts/place";
import { RecordView } from "../../parts/record";
import { count, plural, stamp } from "../../parts/words";
import { paused } from "../../state/prefs";
import { FilterBar, narrowed } from "./filter";
import { RecordRows } from "./rows";
import { queryOf, useBrowse, useTail, type From, type Rows, type View } from "./use-records";

const FROMS: [From, string][] = [
  ["live", "Live, as they arrive"],
  ["newest", "Newest first"],
  ["oldest", "Oldest first"],
  ["offset", "From an offset"],
  ["time", "From a time"],
];
const BEFORE = 10;
const DAY_MS = 86_400_000;

/** What `<input type="datetime-local">` shows, on this machine's clock. */
const forInput = (ms: number): string => stamp(ms).replace(" ", "T").slice(0, 19);

export function Records({ topic, place }: { topic: TopicPage; place: Place }) {
  const { query, go } = place;
  const from = FROMS.find(([name]) => name === query.from)?.[0] ?? (query.record ? "newest" : "live");
  const view: View = { topic: topic.name, from, partition: query.partition, offset: query.offset, time_ms: query.time, filter: query.filter };
  const [open, setOpen] = useState<string | null>(null);
  const [paused_, setPaused] = useState(false);
  const live = from === "live";
  // Whoever reads a record keeps it where it is.
  const held = live && (paused_ || open !== null || paused.value);
  const tail = useTail(live ? view : null, held);
  const browsed = useBrowse(live ? null : view);
  const rows: Rows = live ? tail : browsed;
  useEffect(() => {
    setOpen(null);
    setPaused(false);
  }, [topic.name, from, query.partition, query.offset, query.time, query.filter]);

  const filter = (words: string) => go({ filter: words, record: null }, true);
  const shown = (record: LogRecord) => (
    <RecordView
      topic={topic.name}
      record={record}
      onFilter={(path, value) => filter(narrowed(query.filter ?? "", path, value))}
      around={place.link({ from: "offset", partition: record.partition, offset: Math.max(0, record.offset - BEFORE), record: placeOf(record), filter: null, time: null })}
      permalink={place.link({ record: placeOf(record), from: null, partition: null, offset: null, time: null, filter: null, tab: null })}
      resend={place.link({ tab: "produce", copy: placeOf(record) })}
      resendTo={topic.may_write ? "Edit and resend" : "Send a copy to a topic of yours"}
    />
  );
  const goOn = () => {
    setPaused(false);
    setOpen(null);
  };
  return (
    <div class="stack">
      {query.record && !query.from && <Pinned topic={topic.name} where={query.record} view={shown} onClose={() => go({ record: null })} />}
      <Panel>
        <div class="row record-tools">
          <Field label="Show">
            <select value={from} onChange={(event) => go({ from: event.currentTarget.value, record: null, time: event.currentTarget.value === "time" ? Date.now() - 15 * 60_000 : null, offset: event.currentTarget.value === "offset" ? 0 : null }, true)}>
              {FROMS.map(([name, words]) => <option key={name} value={name}>{words}</option>)}
            </select>
          </Field>
          {from === "offset" && <OffsetField offset={query.offset ?? "0"} onOffset={(offset) => go({ offset, record: null })} />}
          {from === "time" && (
            <Field label="Since (your clock)">
              <input type="datetime-local" step={1} value={forInput(Number(query.time ?? Date.now() - DAY_MS))} onChange={(event) => { const at = new Date(event.currentTarget.value).getTime(); if (!Number.isNaN(at)) go({ time: at }); }} />
            </Field>
          )}
          <Field label="Partition">
            <select value={query.partition ?? ""} onChange={(event) => go({ partition: event.currentTarget.value, record: null }, true)}>
              <option value="">all {topic.partitions}</option>
              {topic.partition_list.map(({ partition }) => <option key={partition} value={partition}>{partition}</option>)}
            </select>
          </Field>
          <span class="grow" />
          <Download topic={topic.name} view={view} />
        </div>
        <FilterBar filter={query.filter ?? ""} fields={topic.fields} onFilter={filter} />
        <Wrong problem={rows.problem} />
        <div class="row apart status-line">
          <Counted rows={rows} filtered={Boolean(query.filter)} live={live} />
          {live && (
            <div class="row">
              {held && (
                <span class="quiet">
                  {paused.value ? "The whole page is paused. " : open && !paused_ ? "Held while you read. " : ""}
                  {tail.waiting > 0 ? `${count(tail.waiting)} came meanwhile` : "nothing new so far"}
                </span>
              )}
              {!paused.value && <button type="button" aria-pressed={held} onClick={held ? goOn : () => setPaused(true)}>{held ? `Go on${tail.waiting > 0 ? `, show ${tail.waiting > 500 ? "the newest 500" : count(tail.waiting)}` : ""}` : "Pause"}</button>}
            </div>
          )}
        </div>
        {live && tail.skipped && <Notice>More is written than a page can show. Some records were left out here; a filter or one partition shows all of what it keeps.</Notice>}
        {!live && browsed.dropped > 0 && <p class="quiet small">The first {count(browsed.dropped)} rows were let go, to keep the page quick.</p>}
        {rows.records.length > 0 ? (
          <RecordRows records={rows.records} open={open} onOpen={setOpen} marked={query.record} fresh={live} view={shown} />
        ) : (
          !rows.loading && !rows.problem && <None rows={rows} topic={topic} filtered={Boolean(query.filter)} onAll={() => go({ filter: null, partition: null, from: "newest" }, true)} />
        )}
        {live ? rows.records.length > 0 && <p class="quiet small">The list keeps the newest 500. <a href={place.link({ from: "newest" })}>Browse further back</a></p> : <Further rows={browsed} newest={from === "newest"} onFurther={browsed.further} />}
      </Panel>
    </div>
  );
}

function OffsetField({ offset, onOffset }: { offset: string; onOffset: (offset: string) => void }) {
  const [text, setText] = useState(offset);
  useEffect(() => setText(offset), [offset]);
  const done = () => /^\d+$/.test(text) && text !== offset && onOffset(text);
  return (
    <Field label="Offset">
      <input class="number short" inputMode="numeric" pattern="\d+" value={text} onInput={(event) => setText(event.currentTarget.value)} onBlur={done} onKeyDown={(event) => event.key === "Enter" && done()} />
    </Field>
  );
}

function Counted({ rows, filtered, live }: { rows: Rows; filtered: boolean; live: boolean }) {
  const words = filtered
    ? `${count(rows.matched)} of ${count(rows.scanned)} scanned ${rows.scanned === 1 ? "record" : "records"} match`
    : live ? `${plural(rows.records.length, "record")} shown` : `${plural(rows.records.length, "record")} shown, ${count(rows.scanned)} read`;
  const took = !live && !rows.loading ? `, in ${count(rows.took_ms)} ms` : "";
  return <span class="small quiet" role={live ? undefined : "status"}>{rows.loading && rows.records.length === 0 ? "Reading" : words + took}{rows.ended === "budget" && " (not the whole topic yet)"}</span>;
}

function Further({ rows, newest, onFurther }: { rows: Rows; newest: boolean; onFurther: () => void }) {
  if (rows.problem || (rows.records.length === 0 && rows.ended !== "budget")) return null;
  if (rows.ended === "end") return <p class="quiet small">{newest ? "This is the beginning: there is nothing older." : "This is the end: what comes next has yet to be written."}</p>;
  return (
    <div class="row">
      <button type="button" disabled={rows.loading} onClick={onFurther}>{rows.ended === "budget" ? "Scan further" : newest ? "Show older ones" : "Show more"}</button>
      {rows.ended === "budget" && <span class="quiet small">One request looks at a part of a long topic only. So far {count(rows.scanned)} records.</span>}
    </div>
  );
}

function None({ rows, topic, filtered, onAll }: { rows: Rows; topic: TopicPage; filtered: boolean; onAll: () => void }) {
  if (rows.ended === "budget") return <Empty>Nothing in the first {count(rows.scanned)} records. There are more.</Empty>;
  if (filtered && topic.records > 0) return <Empty>No record matches. <button type="button" onClick={onAll}>Show all records</button></Empty>;
  if (topic.records > 0) return <Empty>Nothing here: the other partitions, or earlier ones, have records. <button type="button" onClick={onAll}>Show all records</button></Empty>;
  return <Empty>Nothing has been written yet. {topic.may_write ? "The tab Produce writes a first record; a program of yours does too. It appears here by itself." : "What is written appears here by itself."}</Empty>;
}

function Download({ topic, view }: { topic: string; view: View }) {
  const to = (format: string) => withQuery(`/api/topics/${part(topic)}/download`, { ...queryOf(view), format });
  return (
    <div class="row download">
      <span class="small quiet" title="10,000 records at most, from where the list begins">Download what is filtered:</span>
      <a class="button" href={to("csv")} download={`${topic}.csv`}>CSV</a>
      <a class="button" href={to("json")} download={`${topic}.json`}>JSON</a>
      <a class="button" href={to("ndjson")} download={`${topic}.ndjson`}>Lines of JSON</a>
    </div>
  );
}

/** The one record that a link names. */
function Pinned({ topic, where, view, onClose }: { topic: string; where: string; view: (record: LogRecord) => preact.ComponentChildren; onClose: () => void }) {
  const found = /^(\d+):(\d+)$/.exec(where);
  const answer = useGet<LogRecord>(found && `/api/topics/${part(topic)}/records/${found[1]}/${found[2]}`);
  return (
    <Panel title={<>Record <span class="mono">{where}</span></>} tools={<button type="button" onClick={onClose}>Close</button>}>
      {!found && <Notice mood="warn">This is no place of a record. It is written PARTITION:OFFSET, for example 0:123.</Notice>}
      <Wrong problem={answer.problem} />
      {answer.data && view(answer.data)}
    </Panel>
  );
}
