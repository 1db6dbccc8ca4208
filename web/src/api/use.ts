import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { paused } from "../state/prefs";
import { get, Problem } from "./client";

export interface Loaded<T> {
  data: T | null;
  problem: Problem | null;
  loading: boolean;
  reload: () => void;
}

/** What a path answers; again every `everyMs` while the page is seen and not paused. What is there stays while something goes wrong. */
export function useGet<T>(path: string | null, everyMs?: number): Loaded<T> {
  const [data, setData] = useState<T | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [loading, setLoading] = useState(path !== null);
  const load = useRef<() => void>(() => {});
  useEffect(() => {
    if (path === null) {
      setData(null);
      setLoading(false);
      return;
    }
    const stop = new AbortController();
    let timer: number | undefined;
    let asking = false;
    const once = async () => {
      if (asking) return;
      asking = true;
      try {
        const answer = await get<T>(path, stop.signal);
        if (!stop.signal.aborted) {
          setData(answer);
          setProblem(null);
        }
      } catch (error) {
        if (!stop.signal.aborted) setProblem(Problem.of(error));
      } finally {
        asking = false;
        if (!stop.signal.aborted) setLoading(false);
      }
    };
    const tick = async () => {
      if (!paused.value && !document.hidden) await once();
      if (!stop.signal.aborted && everyMs) timer = window.setTimeout(tick, everyMs);
    };
    load.current = () => void once();
    setLoading(true);
    void once().then(() => {
      if (!stop.signal.aborted && everyMs) timer = window.setTimeout(tick, everyMs);
    });
    return () => {
      stop.abort();
      window.clearTimeout(timer);
    };
  }, [path, everyMs]);
  useEffect(() => () => setData(null), [path]);
  return { data, problem, loading, reload: useCallback(() => load.current(), []) };
}
