import { cloneElement, type ComponentChildren, type VNode } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { Problem } from "../api/client";
import { Notice } from "./panel";

/** A control with its name, and what one should know before filling it in. */
export function Field({ label, hint, children }: { label: ComponentChildren; hint?: ComponentChildren; children: VNode<any> }) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {cloneElement(children, { id, "aria-describedby": hint ? `${id}-hint` : undefined })}
      {hint && <span class="hint" id={`${id}-hint`}>{hint}</span>}
    </div>
  );
}

/** Runs one thing at a time and keeps what went wrong with it. */
export function useAct() {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  async function act<T>(what: () => Promise<T>): Promise<T | undefined> {
    setBusy(true);
    setProblem(null);
    try {
      return await what();
    } catch (error) {
      setProblem(Problem.of(error));
      return undefined;
    } finally {
      setBusy(false);
    }
  }
  return { busy, problem, act, clear: () => setProblem(null) };
}

export function Wrong({ problem }: { problem: Problem | null }) {
  if (!problem) return null;
  return <Notice mood="bad"><strong>{sentence(problem.message)}</strong> {problem.fix && <span>{sentence(problem.fix)}</span>}</Notice>;
}

export function sentence(words: string): string {
  const text = words.charAt(0).toUpperCase() + words.slice(1);
  return /[.!?]$/.test(text) ? text : text + ".";
}

interface DialogProps {
  title: string;
  onClose: () => void;
  children: ComponentChildren;
}

/** Opens when it is drawn; the Escape key and the button close it. */
export function Dialog({ title, onClose, children }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    dialog.current?.showModal();
  }, []);
  return (
    <dialog ref={dialog} aria-labelledby={id} onClose={onClose}>
      <div class="stack">
        <div class="row apart">
          <h2 id={id}>{title}</h2>
          <button type="button" class="plain" onClick={() => dialog.current?.close()}>Close</button>
        </div>
        {children}
      </div>
    </dialog>
  );
}
