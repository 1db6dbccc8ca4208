// What the instructor's pages are told, and what they share.
import type { components } from "../../api/types";
import { usePlace, type Change, type Place } from "../../parts/place";

type Schemas = components["schemas"];
export type Status = Schemas["Standing"];
export type Cell = Schemas["ClassStanding"];
export type ClassStudent = Schemas["StudentRow"];
export type ClassChallenge = Schemas["Column"];
export type Mistake = Schemas["MistakeCount"];
export type Waiting = Schemas["Waits"];
export type ClassBoard = Schemas["ClassBoard"];
export type RosterStudent = Schemas["Student"];
export type Roster = Schemas["Students"];
export type Trouble = Schemas["Trouble"];
export type Sighting = Schemas["Sighting"];
export type Seen = Schemas["Seen"];
export type StreamState = Schemas["Stream"];
export type IncidentState = Schemas["IncidentStatus"];
export type Generators = Schemas["Generators"];
export type IncidentKind = Schemas["KindStatus"];
export type Doomed = Schemas["ResetTold"];
export type Erased = Schemas["ResetDone"];
export type Leaderboard = Schemas["Leaderboard"];
export type JoinCode = Schemas["JoinCode"];
export type HandedIn = Schemas["HandedIn"];

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
