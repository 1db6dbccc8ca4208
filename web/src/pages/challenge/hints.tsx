import { useEffect, useRef, useState } from "preact/hooks";
import { part, send } from "../../api/client";
import type { ChallengePage, Hint } from "../../api/model";
import { useGet } from "../../api/use";
import { docPath } from "../../parts/docs";
import { Field, useAct, Wrong } from "../../parts/form";
import { MarkdownLine } from "../../parts/markdown";
import { Notice, Panel } from "../../parts/panel";
import { plural } from "../../parts/words";

/** One at a time, each says more than the one before. */
export function Hints({ challenge, onTaken }: { challenge: ChallengePage; onTaken: () => void }) {
  const { data: given, reload } = useGet<Hint[]>(`/api/hint/${part(challenge.id)}`, 60_000);
  const [fresh, setFresh] = useState<Hint[]>([]);
  const { busy, problem, act } = useAct();
  const known = new Map([...(given ?? []), ...fresh].map((hint) => [hint.n, hint]));
  const hints = [...known.values()].sort((a, b) => a.n - b.n);
  const left = challenge.hints - hints.length;
  const next = async () => {
    const hint = await act(() => send<Hint>("POST", `/api/hint/${part(challenge.id)}`));
    if (!hint) return;
    setFresh((before) => [...before, hint]);
    reload();
    onTaken();
  };
  if (challenge.hints === 0) return null;
  return (
    <Panel title="Hints" tools={<span class="small quiet">{hints.length} of {challenge.hints} taken</span>}>
      <ol class="plain" aria-live="polite">
        {hints.map((hint) => <li key={hint.n} class={fresh.includes(hint) ? "break arrive" : "break"}><MarkdownLine text={hint.hint} link={docPath} /></li>)}
      </ol>
      {left > 0 && given && <div><button type="button" disabled={busy} onClick={() => void next()}>{hints.length === 0 ? "Give me a hint" : "Give me the next one"}</button></div>}
      <p class="small quiet">{left > 0 ? "A hint costs no points. How many you took stands in your report." : `These are all ${plural(challenge.hints, "hint")}. Still stuck? Ask somebody, or queue up below.`}</p>
      <Wrong problem={problem} />
    </Panel>
  );
}

/** Queues up for the instructor. */
export function Stuck({ challenge, isStuck, onChanged }: { challenge: ChallengePage; isStuck: boolean; onChanged: () => void }) {
  const [waits, setWaits] = useState(isStuck);
  const [note, setNote] = useState("");
  const { busy, problem, act } = useAct();
  const told = useRef<HTMLParagraphElement>(null);
  useEffect(() => setWaits(isStuck), [isStuck]);
  const set = async (stuck: boolean) => {
    const done = await act(() => send("POST", `/api/stuck/${part(challenge.id)}`, stuck ? { stuck, note: note.trim() || undefined } : { stuck }));
    if (done === undefined) return;
    setWaits(stuck);
    setNote("");
    onChanged();
    // The button that was pressed is gone now.
    requestAnimationFrame(() => told.current?.focus());
  };
  return (
    <Panel title="Stuck?">
      <p ref={told} tabIndex={-1} class={waits ? "notice accent" : "small quiet"} role="status">
        {waits ? "You are in the queue. The instructor sees it and comes to you." : "Queue up, and the instructor comes to you. Say what you tried: it saves a question."}
      </p>
      {waits ? (
        <div><button type="button" disabled={busy} onClick={() => void set(false)}>I am not stuck any more</button></div>
      ) : (
        <form class="stack tight" onSubmit={(event) => { event.preventDefault(); void set(true); }}>
          <Field label="What I tried" hint="May be left empty.">
            <textarea rows={2} maxLength={500} value={note} onInput={(event) => setNote(event.currentTarget.value)} />
          </Field>
          <div><button type="submit" disabled={busy}>I am stuck</button></div>
        </form>
      )}
      <Wrong problem={problem} />
    </Panel>
  );
}

export function JoinFirst() {
  return <Notice mood="accent">You can read all of this. To take tickets, have answers checked and get hints, <a href="/">join first</a>.</Notice>;
}
