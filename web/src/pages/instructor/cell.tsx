import { useState } from "preact/hooks";
import { part, send } from "../../api/client";
import type { Verdict } from "../../api/model";
import { useGet } from "../../api/use";
import { Dialog, useAct, Wrong } from "../../parts/form";
import { Notice, Tag } from "../../parts/panel";
import { Pairs } from "../../parts/table";
import { ago, plural, span } from "../../parts/words";
import { inWords, STATUSES, type Cell, type ClassChallenge, type ClassStudent } from "./data";
import { Mark } from "./board";

const CHECKS = { pass: { mood: "good", words: "● right" }, fail: { mood: "bad", words: "■ not right" }, skip: { mood: "", words: "- not looked at" } } as const;

const VERDICTS = {
  pass: { mood: "good", words: "● solved" }, partial: { mood: "warn", words: "◐ partly right" }, fail: { mood: "bad", words: "■ not right" }, error: { mood: "warn", words: "▲ nothing to judge" },
} as const;

function LastVerdict({ path }: { path: string }) {
  const { data, problem, loading } = useGet<Verdict>(path, 10_000);
  if (!data) {
    if (loading) return null;
    return problem?.status === 404 ? <p class="quiet">Nothing has been checked yet.</p> : <Wrong problem={problem} />;
  }
  return (
    <div class="stack tight">
      <p class="break">
        <Tag mood={VERDICTS[data.status].mood}>{VERDICTS[data.status].words}</Tag>{" "}
        {data.message} <span class="quiet small">{ago(data.at_ms)}, attempt {data.attempt}</span>
      </p>
      {data.matched_mistake && <Notice mood="warn"><strong class="break">{data.matched_mistake.title ?? data.matched_mistake.id}</strong> {data.matched_mistake.message && <span class="break">{data.matched_mistake.message}</span>}</Notice>}
      {data.fix && <p class="break quiet">{data.fix}</p>}
      {data.checks.length > 0 && (
        <ul class="plain-list">
          {data.checks.map((check) => <li key={check.id} class="break"><Tag mood={CHECKS[check.status]?.mood}>{CHECKS[check.status]?.words ?? check.status}</Tag> {check.message}</li>)}
        </ul>
      )}
    </div>
  );
}

function HintsGiven({ path }: { path: string }) {
  const { data, problem } = useGet<{ n: number; of: number; hint: string }[]>(path);
  if (!data) return <Wrong problem={problem} />;
  if (data.length === 0) return <p class="quiet">None was asked for.</p>;
  return <ol class="break">{data.map((hint) => <li key={hint.n}>{hint.hint}</li>)}</ol>;
}

interface CellProps { student: ClassStudent; challenge: ClassChallenge; onClose: () => void; onChanged: () => void; onStudent: () => void }

const RULINGS = [
  { status: "none", label: "As the checks say" },
  { status: "granted", label: "Grant" },
  { status: "skipped", label: "Skip" },
];

export function CellDialog({ student, challenge, onClose, onChanged, onStudent }: CellProps) {
  const { busy, problem, act } = useAct();
  const [told, tell] = useState("");
  const cell: Cell | undefined = student.challenges[challenge.id];
  const status = cell?.status ?? "open";
  const of = `${part(challenge.id)}?student=${part(student.id)}`;
  const now = cell?.ruling ?? (status === "granted" || status === "skipped" ? status : "none");
  const rule = (ruling: string) => act(async () => {
    await send("PUT", `/api/class/${part(student.id)}/${part(challenge.id)}`, { status: ruling });
    tell(ruling === "none" ? "The ruling is taken back." : ruling === "granted" ? `Granted: ${challenge.points} points.` : "Skipped: it need not be solved.");
    onChanged();
  });
  const helped = () => act(async () => {
    await send("POST", `/api/stuck/${of}`, { stuck: false });
    tell("Off the queue.");
    onChanged();
  });
  return (
    <Dialog title={`${student.name}: ${inWords(challenge.id)} ${challenge.title}`} onClose={onClose}>
      <div class="row">
        <span class={`work wide ${status}`}><Mark status={status} /> {STATUSES[status].name}</span>
        <button type="button" onClick={onStudent}>All of this student</button>
        <a class="button" href={`/challenges/${part(challenge.id)}`}>The challenge</a>
        <a class="button" href={`/api/report?student=${part(student.id)}&format=html&rubric=on`} download={`report-${student.id}.html`}>Report as a file</a>
      </div>
      {cell?.stuck && (
        <Notice mood="warn">
          <div class="stack tight">
            <span class="break"><strong>Waits for help.</strong> {cell.note}</span>
            <div><button type="button" disabled={busy} onClick={helped}>Done: off the queue</button></div>
          </div>
        </Notice>
      )}
      {cell?.unread && <Notice mood="warn">The broker saw none of this student's clients read the records of the last answer. It may be a copied one, or another machine did the reading: ask how it was made.</Notice>}
      <Pairs pairs={[
        ["Attempts", cell?.attempts ?? 0],
        ["Points", `${cell?.score ?? 0} of ${challenge.points}`],
        ["Took", cell?.first_pass_ms == null ? "-" : `${span(cell.first_pass_ms / 1000)} from the first ticket to the first pass`],
        ["Stars", cell?.stars.length ? cell.stars.join(", ") : "-"],
      ]} />
      <section class="stack tight">
        <h3>Your ruling</h3>
        <div class="row" role="group" aria-label="Your ruling">
          {RULINGS.map((ruling) => (
            <button key={ruling.status} type="button" aria-pressed={now === ruling.status} disabled={busy} onClick={() => rule(ruling.status)}>{ruling.label}</button>
          ))}
        </div>
        <p class="quiet small">Grant counts as solved with {plural(challenge.points, "point")}. Skip means it need not be solved, and gives none. What a check passed stays passed.</p>
        <Wrong problem={problem} />
        <span class="small" role="status">{told}</span>
      </section>
      <section class="stack tight"><h3>The last verdict</h3><LastVerdict path={`/api/verdict/${of}`} /></section>
      <section class="stack tight"><h3>Hints taken</h3><HintsGiven path={`/api/hint/${of}`} /></section>
    </Dialog>
  );
}
