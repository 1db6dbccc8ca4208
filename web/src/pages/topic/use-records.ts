import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { get, part, Problem, withQuery } from "../../api/client";
import type { LogRecord, RecordPage } from "../../api/model";
import { placeOf } from "../../parts/content";
import { connected } from "../../state/live";
import { every, paused } from "../../state/prefs";

export type From = "live" | "newest" | "oldest" | "offset" | "time";

/** What is looked at; all of it stands in the address of the page. */
export interface View {
  topic: string;
  from: From;
  partition?: string;
  offset?: string;
  time_ms?: string;
  filter?: string;
}

export interface Rows {
  records: LogRecord[];
  scanned: number;
  matched: number;
  took_ms: number;
  ended: RecordPage["ended"] | null;
  problem: Problem | null;
  loading: boolean;
}

const PAGE = 50;
const MOST = 2000;
const NOTHING: Rows = { records: [], scanned: 0, matched: 0, took_ms: 0, ended: null, problem: null, loading: true };

export function queryOf(view: View): Record<string, string | undefined> {
  const { from, partition, offset, time_ms, filter } = view;
  return { from: from === "live" ? "newest" : from, partition, filter, offset: from === "offset" ? (offset ?? "0") : undefined, time_ms: from === "time" ? time_ms : undefined };
}

const pathOf = (view: View, more: Record<string, string | number | null | undefined>): string =>
  withQuery(`/api/topics/${part(view.topic)}/records`, { ...queryOf(view), ...more });

const keyOf = (view: View): string => pathOf(view, {});

export interface Browsed extends Rows {
  /** Goes on where the last page ended. */
  further: () => void;
  /** So many rows at the beginning were let go. */
  dropped: number;
}

/** A page of records, and the next ones as they are asked for. */
export function useBrowse(view: View | null): Browsed {
  const [rows, setRows] = useState<Rows>(NOTHING);
  const [dropped, setDropped] = useState(0);
  const cursor = useRef<string | null>(null);
  const turn = useRef(0);
  const key = view && keyOf(view);
  const load = useCallback(
    async (first: boolean) => {
      if (!view) return;
      const mine = first ? ++turn.current : turn.current;
      setRows((old) => (first ? { ...NOTHING, records: old.records } : { ...old, loading: true, problem: null }));
      const where = view.from === "newest" ? "before" : "after";
      try {
        const page = await get<RecordPage>(pathOf(view, { limit: PAGE, ...(first ? {} : { [where]: cursor.current }) }));
        if (mine !== turn.current) return;
        cursor.current = page[where];
        setRows((old) => {
          const base = first ? NOTHING : old;
          const all = [...(first ? [] : old.records), ...page.records];
          if (all.length > MOST) setDropped((n) => n + all.length - MOST);
          const { scanned, matched, took_ms } = page;
          const ended = page[where] === null ? "end" : page.ended;
          return { records: all.slice(-MOST), scanned: base.scanned + scanned, matched: base.matched + matched, took_ms: base.took_ms + took_ms, ended, problem: null, loading: false };
        });
      } catch (error) {
        if (mine === turn.current) setRows((old) => ({ ...old, records: first ? [] : old.records, loading: false, problem: Problem.of(error) }));
      }
    },
    [key],
  );
  useEffect(() => {
    setDropped(0);
    void load(true);
    return () => {
      turn.current += 1;
    };
  }, [load]);
  // The broker is back.
  const there = connected.value;
  useEffect(() => {
    if (there && rows.problem?.status === 0) void load(rows.records.length === 0);
  }, [there]);
  return { ...rows, further: () => void load(false), dropped };
}

const SHOWN = 500;
const AT_ONCE = 500;
const ROUNDS = 3;

export interface Tail extends Rows {
  /** What came while the list was held, and is not shown yet. */
  waiting: number;
  /** More came than a page can show; some of it was left out. */
  skipped: boolean;
}

const newestFirst = (a: LogRecord, b: LogRecord): number => b.timestamp_ms - a.timestamp_ms || b.partition - a.partition || b.offset - a.offset;

/** The newest records, and what is written from now on. While it is `held`, what is shown stays as it is and the rest is counted. */
export function useTail(view: View | null, held: boolean): Tail {
  const [tail, setTail] = useState<Tail>({ ...NOTHING, waiting: 0, skipped: false });
  const buffer = useRef<LogRecord[]>([]);
  const hold = useRef(held);
  hold.current = held;
  const key = view && keyOf(view);
  const release = useCallback(() => {
    const came = buffer.current;
    if (came.length === 0) return;
    buffer.current = [];
    setTail((old) => ({ ...old, records: [...came, ...old.records].slice(0, SHOWN), waiting: 0 }));
  }, []);
  useEffect(() => {
    if (!held) release();
  }, [held]);
  useEffect(() => {
    if (!view) return;
    const stop = new AbortController();
    let timer: number | undefined;
    let cursor: string | null = null;
    let known = new Set<string>();
    buffer.current = [];
    setTail({ ...NOTHING, waiting: 0, skipped: false });
    const begin = async (skipped: boolean) => {
      const page = await get<RecordPage>(pathOf(view, { limit: PAGE }), stop.signal);
      cursor = page.after;
      known = new Set(page.records.map(placeOf));
      const { records, scanned, matched, took_ms, ended } = page;
      buffer.current = [];
      setTail({ records: records.sort(newestFirst), scanned, matched, took_ms, ended, problem: null, loading: false, waiting: 0, skipped });
    };
    const goOn = async () => {
      let came: LogRecord[] = [];
      let scanned = 0;
      let ended: RecordPage["ended"] = "limit";
      for (let round = 0; round < ROUNDS && ended !== "end"; round += 1) {
        const page: RecordPage = await get<RecordPage>(pathOf(view, { limit: AT_ONCE, after: cursor }), stop.signal);
        cursor = page.after ?? cursor;
        ended = page.ended;
        scanned += page.scanned;
        came = came.concat(page.records.filter((record) => !known.has(placeOf(record))));
      }
      // Whoever writes is faster than a page can read: the newest again, unless somebody is reading.
      if (ended === "limit" && !hold.current) return begin(true);
      came.sort(newestFirst);
      if (hold.current) buffer.current = [...came, ...buffer.current].slice(0, SHOWN);
      const waiting = hold.current ? came.length : 0;
      setTail((old) => ({
        ...old,
        records: waiting === 0 && came.length > 0 ? [...came, ...old.records].slice(0, SHOWN) : old.records,
        scanned: old.scanned + scanned,
        matched: old.matched + came.length,
        waiting: old.waiting + waiting,
        problem: null,
      }));
    };
    const once = async () => {
      let pause_ms = every.value * 1000;
      try {
        if (cursor === null) await begin(false);
        else if (!paused.value && !document.hidden) await goOn();
      } catch (error) {
        const problem = Problem.of(error);
        // A whole class looks at once: who was turned away comes again later, each at another moment.
        if (problem.status === 503 || problem.status === 429) pause_ms += 2000 + Math.random() * 6000;
        if (!stop.signal.aborted) setTail((old) => ({ ...old, loading: false, problem }));
      }
      if (!stop.signal.aborted) timer = window.setTimeout(once, pause_ms);
    };
    void once();
    return () => {
      stop.abort();
      window.clearTimeout(timer);
    };
  }, [key]);
  return tail;
}
