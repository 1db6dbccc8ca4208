import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { ChallengeRow, Verb } from "../api/model";
import { useGet } from "../api/use";
import { CopyButton } from "../parts/code";
import { Wrong } from "../parts/form";
import { PageHead, Panel } from "../parts/panel";
import { count } from "../parts/words";
import { groups, topics } from "../state/live";
import { complete, take, type Known } from "./console/complete";
import { clear, dropped, lines, run, running, typed } from "./console/said";

const SHOWN = 40;

/** Lines to click, with a topic that is there. */
function examples(names: string[]): string[] {
  const topic = names.includes("ecommerce-events") ? "ecommerce-events" : names[0];
  return ["help", "topics", ...(topic ? [`describe ${topic}`, `consume ${topic} -n 5`] : []), "groups", "ticket c01", "whoami", "doctor"];
}

export default function Console() {
  const verbs = useGet<{ verbs: Verb[] }>("/api/verbs");
  const challenges = useGet<ChallengeRow[]>("/api/challenges");
  const known = useMemo<Known>(
    () => ({
      topic: topics.value.map((one) => one.name),
      group: groups.value.map((one) => one.id),
      challenge: challenges.data?.map((one) => one.id) ?? [],
    }),
    [topics.value, groups.value, challenges.data],
  );
  return (
    <>
      <PageHead title="Console">
        <CopyButton text={() => lines.peek().map((line) => (line.style === "typed" ? `> ${line.text}` : line.text)).join("\n")} label="Copy all" />
        <button type="button" onClick={clear}>Clear</button>
      </PageHead>
      <p class="lead">This is not a shell: the words below are verbs that the broker itself runs, with your rights and nothing more.</p>
      <Panel class="console">
        <Output />
        <Prompt verbs={verbs.data?.verbs ?? []} known={known} />
      </Panel>
      <Wrong problem={verbs.problem} />
      <Verbs verbs={verbs.data?.verbs ?? []} />
    </>
  );
}

function Output() {
  const place = useRef<HTMLDivElement>(null);
  const stuck = useRef(true);
  const shown = lines.value;
  useEffect(() => {
    const box = place.current;
    if (box && (stuck.current || shown.at(-1)?.style === "typed")) box.scrollTop = box.scrollHeight;
  }, [shown]);
  return (
    <div
      ref={place}
      class="output"
      role="log"
      aria-label="What the broker answered"
      tabIndex={0}
      onScroll={(event) => {
        const box = event.currentTarget;
        stuck.current = box.scrollHeight - box.scrollTop - box.clientHeight < 24;
      }}
    >
      {dropped.value > 0 && <div class="dim">{count(dropped.value)} older lines are gone.</div>}
      {shown.length === 0 && <div class="dim">Type a verb and press Enter, or click one of the examples. “help” lists all of them.</div>}
      {shown.map((line) => <div key={line.id} class={line.style}>{line.style === "typed" && <span aria-hidden="true">&gt; </span>}{line.text || "\u00a0"}</div>)}
    </div>
  );
}

function Prompt({ verbs, known }: { verbs: Verb[]; known: Known }) {
  const [line, setLine] = useState("");
  const [offered, offer] = useState<string[]>([]);
  /** Where in the history the arrow keys are; the end is the line being typed. */
  const [at, setAt] = useState<number | null>(null);
  const draft = useRef("");
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    input.current?.setAttribute("autocorrect", "off");
    if (window.matchMedia("(pointer: fine)").matches) input.current?.focus({ preventScroll: true });
  }, []);
  const write = (words: string) => {
    setLine(words);
    offer([]);
    requestAnimationFrame(() => {
      const field = input.current;
      field?.setSelectionRange(field.value.length, field.value.length);
      if (field) field.scrollLeft = field.scrollWidth;
    });
  };
  const submit = (words: string) => {
    run(words);
    write("");
    setAt(null);
    draft.current = "";
  };
  const past = (step: number) => {
    const all = typed.value;
    const from = at ?? all.length;
    const to = Math.max(0, Math.min(all.length, from + step));
    if (to === from) return;
    if (at === null) draft.current = line;
    setAt(to === all.length ? null : to);
    write(to === all.length ? draft.current : all[to]!);
  };
  const key = (event: KeyboardEvent) => {
    const field = input.current!;
    const plain = !event.ctrlKey && !event.altKey && !event.metaKey;
    if (event.isComposing) return;
    if (event.key === "ArrowUp" && plain) past(-1);
    else if (event.key === "ArrowDown" && plain) past(1);
    else if (event.key === "l" && event.ctrlKey && !event.altKey) clear();
    else if (event.key === "Escape") offer([]);
    else if (event.key === "Tab" && plain && !event.shiftKey && line.trim() !== "" && field.selectionStart === line.length) {
      const found = complete(line, verbs, known);
      // Nothing to add and nothing new to show: the key goes on to the next control, as everywhere.
      if (found.line === line && (found.candidates.length === 0 || offered.length > 0)) return;
      if (found.line !== line) write(found.line);
      offer(found.candidates.length > 1 ? found.candidates : []);
    } else return;
    if (event.key !== "Escape") event.preventDefault();
  };
  return (
    <div class="stack tight">
      <form class="command" onSubmit={(event) => { event.preventDefault(); submit(line); }}>
        <label for="console-line"><span aria-hidden="true">&gt;</span><span class="only-read">Command</span></label>
        <input
          id="console-line"
          ref={input}
          value={line}
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          enterkeyhint="send"
          maxLength={16_000}
          aria-describedby="console-keys"
          onInput={(event) => { setLine(event.currentTarget.value); offer([]); setAt(null); }}
          onKeyDown={key}
        />
        <button type="submit" class="main">{running.value > 0 ? "Running" : "Run"}</button>
      </form>
      <div role="status">
        {offered.length > 0 && (
          <div class="row offered">
            <span class="only-read">{offered.length} ways to go on:</span>
            {offered.slice(0, SHOWN).map((word) => <button key={word} type="button" class="plain mono" onClick={() => { write(take(line, word)); input.current?.focus(); }}>{word}</button>)}
            {offered.length > SHOWN && <span class="quiet small">and {offered.length - SHOWN} more: type on</span>}
          </div>
        )}
      </div>
      <p class="quiet small" id="console-keys">Tab completes, ↑ and ↓ bring back what you typed, Ctrl+L clears. With nothing to complete, Tab goes on to the next control.</p>
      <div class="row" role="group" aria-label="Examples">{examples(known.topic ?? []).map((words) => <button key={words} type="button" class="mono small example" onClick={() => submit(words)}>{words}</button>)}</div>
    </div>
  );
}

function Verbs({ verbs }: { verbs: Verb[] }) {
  if (verbs.length === 0) return null;
  return (
    <Panel title="All verbs">
      <dl class="pairs verbs">{verbs.map((one) => [<dt key={`${one.verb} t`} class="mono">{one.usage}</dt>, <dd key={`${one.verb} d`}>{one.about}</dd>])}</dl>
    </Panel>
  );
}
