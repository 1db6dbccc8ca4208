import { useState } from "preact/hooks";
import { send } from "../api/client";
import type { Question, ReportForm, ReportRow } from "../api/model";
import { useGet } from "../api/use";
import { Dialog, useAct, Wrong } from "../parts/form";
import { Notice, PageHead, Panel, Tag } from "../parts/panel";
import { Pairs, Table, type Column } from "../parts/table";
import { clock, count, span, stamp } from "../parts/words";
import { me } from "../state/session";
import { useDraft, type Draft } from "./report/draft";

const BYTES_MAX = 20_000;
const size = (text: string) => new TextEncoder().encode(text).length;

const COLUMNS: Column<ReportRow>[] = [
  { head: "Challenge", cell: (row) => <a href={`/challenges/${encodeURIComponent(row.id)}`}>{row.title}</a> },
  { head: "Result", cell: (row) => row.result },
  { head: "Attempts", number: true, cell: (row) => row.attempts },
  { head: "Until solved", number: true, cell: (row) => (row.first_pass_ms === null ? "-" : span(row.first_pass_ms / 1000)) },
  { head: "Hints", number: true, cell: (row) => row.hints },
  { head: "Points", number: true, cell: (row) => `${count(row.points)} of ${count(row.points_of)}` },
];

/** Facts of one name stand together. */
function facts(form: ReportForm) {
  const byName = new Map<string, string[]>();
  for (const { name, value } of form.facts) byName.set(name, [...(byName.get(name) ?? []), value]);
  return [...byName].map(([name, values]): [string, preact.ComponentChildren] => [name, values.length > 1 ? <ul class="plain">{values.map((value) => <li key={value}>{value}</li>)}</ul> : values[0]]);
}

function SavedState({ draft }: { draft: Draft }) {
  const words = draft.saving ? "Saving…" : draft.dirty && draft.waits_until_ms !== null ? "Saved in a moment: kept in this browser" : draft.dirty && draft.problem ? "Not saved: kept in this browser" : draft.dirty ? "Not saved yet" : draft.saved_ms !== null ? `Saved at ${clock(draft.saved_ms)}` : "Nothing written yet";
  return <Tag mood={draft.dirty && draft.problem ? "warn" : !draft.dirty && draft.saved_ms !== null ? "good" : ""}>{!draft.dirty && draft.saved_ms !== null && "✓ "}{words}</Tag>;
}

function Asked({ question, draft }: { question: Question; draft: Draft }) {
  const text = draft.answers[question.id] ?? "";
  const bytes = size(text);
  const id = `answer-${question.id}`;
  return (
    <section class="answer">
      <h2><label for={id}>{question.title}</label></h2>
      <p class="quiet" id={`${id}-ask`}>{question.ask}</p>
      <textarea id={id} class="no-print" rows={question.lines} value={text} aria-describedby={`${id}-ask`} onInput={(event) => draft.write(question.id, event.currentTarget.value)} />
      <div class="printed">{text || " "}</div>
      {bytes > BYTES_MAX * 0.9 && (
        <p class={`small no-print ${bytes > BYTES_MAX ? "notice bad" : "quiet"}`} role="status">
          {bytes > BYTES_MAX ? `Too long by ${count(bytes - BYTES_MAX)} bytes: make it shorter, or it cannot be saved.` : `${count(BYTES_MAX - bytes)} bytes are left.`}
        </p>
      )}
    </section>
  );
}

function Submit({ form, draft }: { form: ReportForm; draft: Draft }) {
  const [asks, setAsks] = useState(false);
  const [submitted, setSubmitted] = useState(form.submitted_ms);
  const { busy, problem, act } = useAct();
  const empty = form.questions.filter((question) => !draft.answers[question.id]?.trim()).length;
  const changed = submitted !== null && (draft.dirty || (draft.saved_ms ?? 0) > submitted);
  const submit = async () => {
    setAsks(false);
    await act(async () => {
      const wrong = await draft.save();
      if (wrong) throw wrong;
      const told = await send<{ submitted_ms: number | null }>("POST", "/api/report");
      setSubmitted(told.submitted_ms ?? Date.now());
    });
  };
  return (
    <Panel class="no-print" title="Hand it in" tools={submitted !== null && <Tag mood={changed ? "warn" : "good"}>{changed ? "▲ changed since" : "✓"} handed in {stamp(submitted).slice(0, 16)}</Tag>}>
      <p role="status">
        {submitted === null ? "The instructor sees nothing of it before you hand it in. You can hand it in again." : changed ? "You changed it after that. Hand it in again: the new one replaces the old one." : "The instructor has it. What you change from now on counts once you hand it in again."}
      </p>
      <div class="row">
        <button type="button" class="main" disabled={busy} onClick={() => (empty > 0 ? setAsks(true) : void submit())}>{submitted === null ? "Hand in" : "Hand in again"}</button>
        <button type="button" onClick={() => window.print()}>Print</button>
        <a class="button" href="/api/report?format=md" download="report.md">Download as Markdown</a>
        <a class="button" href="/api/report?format=html" download="report.html">Download as HTML</a>
      </div>
      {draft.dirty && <p class="small quiet">A download has what is saved.</p>}
      <Wrong problem={problem} />
      {asks && (
        <Dialog title="Some questions have no answer" onClose={() => setAsks(false)}>
          <p>{empty} of {form.questions.length} questions are empty. You can hand it in as it is, and again later.</p>
          <div class="row end"><button type="button" class="main" onClick={() => void submit()}>Hand in as it is</button></div>
        </Dialog>
      )}
    </Panel>
  );
}

function Sheet({ form }: { form: ReportForm }) {
  const draft = useDraft(form, me.value?.id ?? "me");
  return (
    <>
      <div class="report-state no-print"><SavedState draft={draft} /><span class="small quiet">Saved by itself, two seconds after you stop writing.</span></div>
      {draft.recovered && <div class="no-print"><Notice mood="accent">This browser still had a text that the broker had not. It is below, and saved as soon as the broker answers.</Notice></div>}
      {draft.dirty && draft.waits_until_ms !== null && (
        <div class="no-print"><Notice mood="warn">The report was saved often in a short time. What you write is kept in this browser, and saved by itself at {clock(draft.waits_until_ms)}. Write on.</Notice></div>
      )}
      {draft.dirty && draft.problem && draft.waits_until_ms === null && <div class="no-print"><Wrong problem={draft.problem} /></div>}
      <Panel title="What the broker knows">
        {form.name && <p class="printed">{form.name}{form.day && `, ${form.day}`}</p>}
        <Pairs pairs={facts(form)} />
        <Table caption="Challenges" columns={COLUMNS} rows={form.challenges} id={(row) => row.id} empty={<>No challenge has been begun. <a href="/challenges">The first one</a> takes 25 minutes.</>} />
      </Panel>
      <Panel title="What you write" roomy class="writing">
        {form.questions.map((question) => <Asked key={question.id} question={question} draft={draft} />)}
      </Panel>
      <Submit form={form} draft={draft} />
    </>
  );
}

export default function Report() {
  const { data: form, problem, reload } = useGet<ReportForm>("/api/report?format=json");
  return (
    <>
      <PageHead title="Report" />
      <p class="lead no-print">What you take home from the workshop. The facts are filled in; the questions are yours. Checking what an AI tool told you counts most, right results do not count.</p>
      {!form && problem && <><Wrong problem={problem} /><div><button type="button" onClick={reload}>Try again</button></div></>}
      {form && <Sheet form={form} />}
    </>
  );
}
