import { useState } from "preact/hooks";
import { part, send } from "../../api/client";
import type { ChallengePage, Check, ProgressRow, Verdict } from "../../api/model";
import { docPath } from "../../parts/docs";
import { Field, useAct, Wrong } from "../../parts/form";
import { MarkdownLine } from "../../parts/markdown";
import { Notice, Panel, Tag, type Mood } from "../../parts/panel";
import { StandingTag } from "../../parts/standing";
import { ago, count, plural, span } from "../../parts/words";

const STATES: Record<Verdict["status"], { mark: string; words: string; mood: Mood }> = {
  pass: { mark: "✓", words: "Solved", mood: "good" },
  partial: { mark: "◑", words: "Partly right", mood: "warn" },
  fail: { mark: "✗", words: "Not right yet", mood: "bad" },
  error: { mark: "○", words: "Nothing to judge", mood: "" },
};

const MARKS: Record<Check["status"], { mark: string; words: string; mood: Mood }> = {
  pass: { mark: "✓", words: "right", mood: "good" },
  fail: { mark: "✗", words: "wrong", mood: "bad" },
  skip: { mark: "–", words: "not looked at", mood: "" },
};

function DocLink({ href }: { href: string | null | undefined }) {
  const path = href ? docPath(href) : null;
  const about = path?.split("#")[1]?.replaceAll("-", " ");
  return path ? <span><a href={path}>Read about it</a>{about && <span class="quiet small">: {about}</span>}</span> : null;
}

function OneCheck({ check }: { check: Check }) {
  const look = MARKS[check.status] ?? MARKS.skip;
  const isWrong = check.status === "fail";
  return (
    <li class="check">
      <div class="row">
        <Tag mood={look.mood}><span aria-hidden="true">{look.mark}</span> {look.words}</Tag>
        <code>{check.id}</code>
      </div>
      <p class="break">{check.message}</p>
      {isWrong && (check.got != null || check.expected != null) && (
        <dl class="pairs">
          {check.got != null && <><dt>You handed in</dt><dd class="mono">{check.got}</dd></>}
          {check.expected != null && <><dt>Right would be</dt><dd class="mono">{check.expected}</dd></>}
        </dl>
      )}
      {isWrong && check.hint && <p class="quiet break"><MarkdownLine text={check.hint} link={docPath} /></p>}
      {isWrong && <DocLink href={check.doc} />}
    </li>
  );
}

function Judged({ verdict, challenge }: { verdict: Verdict; challenge: ChallengePage }) {
  const look = STATES[verdict.status] ?? STATES.error;
  const right = verdict.checks.filter((check) => check.status === "pass").length;
  const stars = (verdict.stars ?? []).map((id) => challenge.stars.find((star) => star.id === id)?.title ?? id);
  const mistake = verdict.matched_mistake;
  const order = { fail: 0, skip: 1, pass: 2 };
  const checks = [...verdict.checks].sort((a, b) => order[a.status] - order[b.status]);
  return (
    <div class="stack arrive" key={verdict.at_ms}>
      <div class="row">
        <strong class={`outcome ${look.mood}`}><span aria-hidden="true">{look.mark}</span> {look.words}</strong>
        <span class="quiet">
          {verdict.checks.length > 0 && `${right} of ${plural(verdict.checks.length, "check")} right, `}
          {verdict.status !== "error" && `${count(verdict.score)} of ${count(challenge.points)} points, attempt ${verdict.attempt}, `}{ago(verdict.at_ms)}
        </span>
      </div>
      <p class="break">{sentence(verdict.message)}</p>
      {mistake && (
        <Notice mood="warn">
          <div class="stack tight">
            <strong>A mistake that is known here: {mistake.title}</strong>
            <p class="break"><MarkdownLine text={mistake.message} link={docPath} /></p>
            <DocLink href={mistake.doc} />
          </div>
        </Notice>
      )}
      {verdict.fix && <Notice mood="accent"><strong>Next:</strong> <span class="break">{verdict.fix}</span></Notice>}
      {verdict.status === "pass" && <p>Now <strong>Explain it</strong>, one question on this page, then <a href="/challenges">what is next</a>. Something worth telling? Put it into the <a href="/report">report</a>.</p>}
      {stars.length > 0 && <p class="row">{stars.map((title) => <Tag key={title} mood="good">★ {title}</Tag>)}</p>}
      {checks.length > 0 && <ul class="judged">{checks.map((check) => <OneCheck key={check.id} check={check} />)}</ul>}
      {(verdict.evidence?.length ?? 0) > 0 && (
        <details>
          <summary>What the broker saw of your programs</summary>
          <ul class="plain">{verdict.evidence!.map((line) => <li key={line} class="break">{line}</li>)}</ul>
        </details>
      )}
      {verdict.ticket && <p class="small quiet">About ticket <code>{verdict.ticket.slice(0, 8)}</code>, checked in {count(verdict.took_ms)} ms.</p>}
    </div>
  );
}

function sentence(words: string): string {
  const text = words.charAt(0).toUpperCase() + words.slice(1);
  return /[.!?]$/.test(text) ? text : text + ".";
}

function Own({ own, challenge }: { own: ProgressRow; challenge: ChallengePage }) {
  const facts = [
    `${count(own.score)} of ${count(challenge.points)} points`,
    own.attempts > 0 && plural(own.attempts, "attempt"),
    own.hints > 0 && plural(own.hints, "hint"),
    own.first_pass_ms !== null && `solved after ${span(own.first_pass_ms / 1000)}`,
  ].filter(Boolean);
  return <span class="small quiet">{facts.join(", ")}</span>;
}

interface AnswerProps {
  challenge: ChallengePage;
  verdict: Verdict | null;
  own: ProgressRow | undefined;
  mayAct: boolean;
  /** A verdict that this page asked for. */
  onVerdict: (verdict: Verdict) => void;
}

/** What one's answer is worth, and the ways to hand one in. */
export function Answer({ challenge, verdict, own, mayAct, onVerdict }: AnswerProps) {
  const { busy, problem, act } = useAct();
  const [receipt, setReceipt] = useState("");
  const check = async (body: { receipt?: string }) => {
    const told = await act(() => send<Verdict>("POST", `/api/check/${part(challenge.id)}`, body));
    if (!told) return;
    onVerdict(told);
    if (body.receipt && told.status !== "error") setReceipt("");
  };
  const looks = receipt.trim() === "" || /^["'`]?\s*(WS1\.|\{)/.test(receipt.trim());
  const takesReceipt = challenge.submission.to === "receipt";
  const words = verdict ? `${STATES[verdict.status]?.words ?? ""}: ${verdict.message}` : "";
  return (
    <Panel title="Your answer" tools={own && <><Own own={own} challenge={challenge} /><StandingTag status={own.status} /></>}>
      <span class="only-read" role="status">{words}</span>
      {own?.status === "granted" && <Notice mood="good">The instructor granted you this challenge.</Notice>}
      {own?.status === "skipped" && <Notice>The instructor let you skip this challenge. It gives no points, and you can still solve it.</Notice>}
      {verdict ? <Judged verdict={verdict} challenge={challenge} /> : (
        <p class="quiet">
          {mayAct ? "Nothing has been checked yet. Run the script: it takes a ticket, hands in, and the verdict stands here a moment later." : "Here stands what your answer is worth, check by check."}
        </p>
      )}
      {mayAct && (
        <>
          <div class="row">
            <button type="button" class="main" disabled={busy} onClick={() => void check({})}>{busy ? "Checking…" : "Check what is there"}</button>
            <span class="small quiet">Judges the newest answer that you handed in. The same answer again is no new attempt.</span>
          </div>
          <details open={takesReceipt && receipt !== ""}>
            <summary>Hand in a receipt</summary>
            <form class="stack tight" onSubmit={(event) => { event.preventDefault(); void check({ receipt: receipt.trim() }); }}>
              <Field label="Receipt" hint={looks ? "The whole line that begins with WS1., or the JSON object that a notebook printed." : "A receipt begins with WS1. or with {. Copy the whole line."}>
                <textarea rows={3} class="mono" spellcheck={false} autocomplete="off" value={receipt} onInput={(event) => setReceipt(event.currentTarget.value)} />
              </Field>
              <div><button type="submit" disabled={busy || receipt.trim() === "" || !looks}>{busy ? "Checking…" : "Hand in and check"}</button></div>
            </form>
          </details>
          <Wrong problem={problem} />
        </>
      )}
    </Panel>
  );
}
