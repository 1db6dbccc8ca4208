// What the instructor's pages are told, and what they share.
import { usePlace, type Change, type Place } from "../../parts/place";

export type Status = "open" | "begun" | "fail" | "partial" | "pass" | "granted" | "skipped";

export interface Cell {
  status: Status; attempts: number; first_pass_ms: number | null; hints: number; score: number; stars: string[]; stuck: boolean;
  unread?: boolean; ruling?: string | null; note?: string | null; last_ms?: number | null;
}
export interface ClassStudent { id: string; name: string; challenges: Record<string, Cell | undefined>; report_ms?: number | null; active_ms?: number | null }
export interface ClassChallenge { id: string; title: string; points: number }
export interface Mistake { challenge: string; id: string; title: string | null; count: number; students: number }
export interface Waiting { student: string; name: string; challenge: string; since_ms: number; note: string }
export interface ClassBoard { challenges: ClassChallenge[]; students: ClassStudent[]; mistakes: Mistake[]; stuck: Waiting[] }

export interface RosterStudent { id: string; name: string; users: string[]; prefix: string; invite: string | null; joined: number }
export interface Roster { code: string; students: RosterStudent[] }

export interface Trouble { at_ms: number; times: number; from: string; listener: string; what: string; fix: string }
export interface Sighting {
  user: string; connections: number; logins: { at_ms: number; from: string; listener: string; mechanism: string }[];
  clients: { software: string; version: string; client_id: string; listener: string; times: number; at_ms: number }[]; troubles: Trouble[];
}
export interface Seen { users: Sighting[]; strangers: Trouble[] }

export interface StreamState { topic: string; factor: number; events_per_s: number }
export interface IncidentState { id: number; kind: string; target: string | null; from: number; to: number; state: "planned" | "running" | "over" }
export interface Generators {
  phase: string; seed: number; dirt: number; origin: number | null; now: number; trouble: string | null; streams: StreamState[]; incidents: IncidentState[];
}
export interface IncidentKind { kind: string; about: string; lesson: string; minutes: number; minutes_max: number; target: string | null; choices: string[] }

export interface Doomed { confirm: string; what: string; topics: { name: string; partitions: number; records: number }[]; groups: { id: string; members: number }[] }
export interface Erased { topics: string[]; groups: string[]; kept: string[]; took_ms?: number }
export interface Leaderboard { on: boolean; frozen: number | null; rows: { rank: number; student: string; name: string; points: number; solved: number }[] }
export interface JoinCode { url: string; code: string; address?: string }
export interface HandedIn { student: string; name: string; submitted_ms: number; words: number }

interface Meaning { letter: string; name: string }

/** In the order in which the legend shows them. */
export const STATUSES: Record<Status, Meaning> = {
  pass: { letter: "S", name: "solved" },
  partial: { letter: "P", name: "partly right" },
  fail: { letter: "F", name: "failing" },
  begun: { letter: "B", name: "begun" },
  open: { letter: "", name: "not begun" },
  granted: { letter: "G", name: "granted" },
  skipped: { letter: "K", name: "skipped" },
};

/** A challenge's id as people write it. */
export const inWords = (id: string): string => id.toUpperCase();

export const isSolved = (status: Status): boolean => status === "pass" || status === "granted";

export interface Tally { solved: number; begun: number; failing: number; stuck: number }

export function tally(students: ClassStudent[], challenge: string): Tally {
  const sum: Tally = { solved: 0, begun: 0, failing: 0, stuck: 0 };
  for (const student of students) {
    const cell = student.challenges[challenge];
    if (!cell) continue;
    if (isSolved(cell.status)) sum.solved += 1;
    else if (cell.status === "fail" || cell.status === "partial") sum.failing += 1;
    else if (cell.status === "begun") sum.begun += 1;
    if (cell.stuck) sum.stuck += 1;
  }
  return sum;
}

/** What stands in the address, and a way to change it without a step for the browser's Back. */
export function useQuery(): [Place["query"], (changes: Change) => void] {
  const { query, go } = usePlace();
  return [query, (changes) => go(changes)];
}

/** When something of somebody's clients was seen last. */
export function lastSeen(sighting: Sighting | undefined): number {
  return Math.max(0, ...(sighting?.logins ?? []).map((one) => one.at_ms), ...(sighting?.clients ?? []).map((one) => one.at_ms));
}
