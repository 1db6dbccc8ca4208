import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { useAct, Wrong } from "./form";
import { Notice } from "./panel";

interface TwiceProps {
  /** The first button. */
  label: string;
  /** What would happen. */
  warning: ComponentChildren;
  /** The second button. */
  confirm: string;
  act: () => Promise<unknown>;
}

/** What cannot be taken back: the first click tells what it does, the second does it. */
export function Twice({ label, warning, confirm, act: what }: TwiceProps) {
  const [asked, setAsked] = useState(false);
  const { busy, problem, act, clear } = useAct();
  const first = useRef<HTMLButtonElement>(null);
  const keep = useRef<HTMLButtonElement>(null);
  const was = useRef(false);
  useEffect(() => {
    if (asked) keep.current?.focus();
    else if (was.current) first.current?.focus();
    was.current = asked;
  }, [asked]);
  const close = () => {
    clear();
    setAsked(false);
  };
  const go = () => act(async () => {
    await what();
    setAsked(false);
  });
  if (!asked) return <div><button ref={first} type="button" class="danger" onClick={() => setAsked(true)}>{label}</button></div>;
  return (
    <Notice mood="warn">
      <div class="stack tight" role="group" aria-label={label}>
        <div>{warning}</div>
        <div class="row">
          <button type="button" class="danger main" disabled={busy} onClick={go}>{busy ? "Working" : confirm}</button>
          <button ref={keep} type="button" disabled={busy} onClick={close}>No, keep it</button>
        </div>
        <Wrong problem={problem} />
      </div>
    </Notice>
  );
}
