import { useEffect, useState } from "preact/hooks";
import { part, send } from "../../api/client";
import type { ChallengePage } from "../../api/model";
import { docPath } from "../../parts/docs";
import { useAct, Wrong } from "../../parts/form";
import { MarkdownLine } from "../../parts/markdown";
import { Notice, Panel, Tag } from "../../parts/panel";
import { keep } from "../../state/prefs";

function kept(name: string): string[] {
  try {
    const list: unknown = JSON.parse(localStorage.getItem(name) ?? "[]");
    return Array.isArray(list) ? list.filter((one) => typeof one === "string") : [];
  } catch {
    return [];
  }
}

/** What students look at themselves. Kept in this browser, as it gives no points. */
export function SelfChecks({ challenge, who }: { challenge: ChallengePage; who: string }) {
  const name = `headwater-self-${who}-${challenge.id}`;
  const [done, setDone] = useState<string[]>(() => kept(name));
  useEffect(() => setDone(kept(name)), [name]);
  const turn = (text: string, on: boolean) => {
    const next = on ? [...done, text] : done.filter((one) => one !== text);
    setDone(next);
    keep(name, JSON.stringify(next));
  };
  if (challenge.self_checks.length === 0) return null;
  return (
    <Panel title="Look at it yourself">
      {challenge.self_checks.map((text) => (
        <label key={text} class="choice">
          <input type="checkbox" checked={done.includes(text)} onChange={(event) => turn(text, event.currentTarget.checked)} />
          <span><MarkdownLine text={text} link={docPath} /></span>
        </label>
      ))}
      <p class="small quiet">No machine checks these, and they give no points. Your ticks stay in this browser.</p>
    </Panel>
  );
}

interface Told { choice: number; right: boolean; why: string }

/** One question on one's own result. */
export function Explain({ challenge, explained, mayAct, onAnswered }: { challenge: ChallengePage; explained: boolean | null; mayAct: boolean; onAnswered: () => void }) {
  const [choice, setChoice] = useState<number | null>(null);
  const [told, setTold] = useState<Told | null>(null);
  const { busy, problem, act } = useAct();
  const answer = async () => {
    if (choice === null) return;
    const result = await act(() => send<{ right: boolean; why: string }>("POST", `/api/explain/${part(challenge.id)}`, { choice }));
    if (!result) return;
    setTold({ choice, ...result });
    onAnswered();
  };
  return (
    <Panel title="Explain it" tools={explained === true ? <Tag mood="good">✓ answered</Tag> : explained === false ? <Tag mood="warn">✗ not right yet</Tag> : undefined}>
      <form class="stack tight" onSubmit={(event) => { event.preventDefault(); void answer(); }}>
        <fieldset>
          <legend><MarkdownLine text={challenge.explain.question} /></legend>
          {challenge.explain.choices.map((text, n) => (
            <label key={text} class="choice">
              <input type="radio" name="explain" disabled={!mayAct} checked={choice === n} onChange={() => setChoice(n)} />
              <span><MarkdownLine text={text} /></span>
            </label>
          ))}
        </fieldset>
        {mayAct && <div><button type="submit" disabled={busy || choice === null}>That is my answer</button></div>}
      </form>
      <div role="status">
        {told && told.choice === choice && <Notice mood={told.right ? "good" : "warn"}><strong>{told.right ? "✓ Right." : "✗ Not quite."}</strong> <MarkdownLine text={told.why} /></Notice>}
      </div>
      <p class="small quiet">It gives no points. You may answer as often as you like.</p>
      <Wrong problem={problem} />
    </Panel>
  );
}
