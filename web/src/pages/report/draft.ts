// What somebody writes: in this browser at every letter, with the broker two seconds after the last one.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { Problem, send } from "../../api/client";
import type { ReportForm } from "../../api/model";
import { keep } from "../../state/prefs";

export type Answers = Record<string, string>;

const QUIET_MS = 2_000;
const AGAIN_MS = 5_000;

/** What the broker has not got yet. */
function unsaved(place: string): Answers {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(place) ?? "{}");
    if (typeof kept !== "object" || kept === null) return {};
    return Object.fromEntries(Object.entries(kept).filter((entry): entry is [string, string] => typeof entry[1] === "string"));
  } catch {
    return {};
  }
}

export interface Draft {
  answers: Answers;
  write: (id: string, text: string) => void;
  /** What went wrong; null: what was written is with the broker. */
  save: () => Promise<Problem | null>;
  dirty: boolean;
  saving: boolean;
  saved_ms: number | null;
  problem: Problem | null;
  /** It was saved too often: when it is saved next, by itself. */
  waits_until_ms: number | null;
  /** Some of it came from an earlier visit that could not save it. */
  recovered: boolean;
}

export function useDraft(form: ReportForm, who: string): Draft {
  const place = `headwater-report-${who}`;
  const [first] = useState(() => {
    const known = new Map(form.questions.map((question) => [question.id, question.answer]));
    return Object.fromEntries(Object.entries(unsaved(place)).filter(([id, text]) => known.has(id) && known.get(id) !== text));
  });
  const waiting = useRef<Answers>({ ...first });
  const [answers, setAnswers] = useState<Answers>(() => ({ ...Object.fromEntries(form.questions.map((question) => [question.id, question.answer])), ...first }));
  const [dirty, setDirty] = useState(Object.keys(first).length > 0);
  const [saving, setSaving] = useState(false);
  const [saved_ms, setSaved] = useState(form.saved_ms);
  const [waits_until_ms, setWaits] = useState<number | null>(null);
  const notBefore = useRef(0);
  const [problem, setProblem] = useState<Problem | null>(null);
  const timer = useRef<number | undefined>(undefined);
  const under = useRef<Promise<Problem | null> | null>(null);
  const gone = useRef(false);

  const once = useCallback(async (): Promise<Problem | null> => {
    const sent = { ...waiting.current };
    if (Object.keys(sent).length === 0) return null;
    setSaving(true);
    try {
      const told = await send<{ saved_ms: number | null }>("PUT", "/api/report", { answers: sent });
      for (const [id, text] of Object.entries(sent)) if (waiting.current[id] === text) delete waiting.current[id];
      keep(place, JSON.stringify(waiting.current));
      setSaved(told.saved_ms ?? Date.now());
      setProblem(null);
      setWaits(null);
      const isMore = Object.keys(waiting.current).length > 0;
      setDirty(isMore);
      if (isMore && !gone.current) later(QUIET_MS);
      return null;
    } catch (error) {
      const wrong = Problem.of(error);
      setProblem(wrong);
      const tooOften = wrong.status === 429;
      if (tooOften) notBefore.current = Date.now() + (wrong.retry_s ?? AGAIN_MS / 1000) * 1000;
      setWaits(tooOften ? notBefore.current : null);
      if (!gone.current) later(AGAIN_MS);
      return wrong;
    } finally {
      setSaving(false);
    }
  }, [place]);

  const save = useCallback(async (): Promise<Problem | null> => {
    window.clearTimeout(timer.current);
    // One after the other: an older text must not come last.
    while (under.current) await under.current;
    under.current = once();
    try {
      return await under.current;
    } finally {
      under.current = null;
    }
  }, [once]);

  function later(ms: number): void {
    window.clearTimeout(timer.current);
    timer.current = window.setTimeout(() => void save(), Math.max(ms, notBefore.current - Date.now()));
  }

  const write = (id: string, text: string) => {
    waiting.current[id] = text;
    keep(place, JSON.stringify(waiting.current));
    setAnswers((before) => ({ ...before, [id]: text }));
    setDirty(true);
    later(QUIET_MS);
  };

  useEffect(() => {
    gone.current = false;
    if (Object.keys(waiting.current).length > 0) later(0);
    const hidden = () => {
      if (document.hidden) void save();
    };
    document.addEventListener("visibilitychange", hidden);
    return () => {
      gone.current = true;
      document.removeEventListener("visibilitychange", hidden);
      void save();
    };
  }, [save]);

  return { answers, write, save, dirty, saving, saved_ms, problem, waits_until_ms, recovered: Object.keys(first).length > 0 };
}
