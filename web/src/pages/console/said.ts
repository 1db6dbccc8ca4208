// What was typed and what came back; it stays while the tab is open, also when another page is looked at.
import { signal } from "@preact/signals";
import { Problem, send } from "../../api/client";
import type { ConsoleAnswer } from "../../api/model";

export type Style = ConsoleAnswer["lines"][number]["style"] | "typed";
export interface Line { id: number; text: string; style: Style }

const LINES_KEPT = 1000;
const TYPED_KEPT = 100;
const LONGEST = 20_000;
const KEY = "headwater-console";

export const lines = signal<Line[]>([]);
/** How many lines were dropped because there were too many. */
export const dropped = signal(0);
export const running = signal(0);
export const typed = signal<string[]>(kept());

let next = 0;
let queue: Promise<void> = Promise.resolve();

function kept(): string[] {
  try {
    const list: unknown = JSON.parse(sessionStorage.getItem(KEY) ?? "[]");
    return Array.isArray(list) ? list.filter((one) => typeof one === "string").slice(-TYPED_KEPT) : [];
  } catch {
    return [];
  }
}

function remember(line: string): void {
  if (typed.value.at(-1) === line) return;
  typed.value = [...typed.value, line].slice(-TYPED_KEPT);
  try {
    sessionStorage.setItem(KEY, JSON.stringify(typed.value));
  } catch {
    // Storage may be full or forbidden; the history lasts as long as the page then.
  }
}

export function say(more: { text: string; style: Style }[]): void {
  const all = [...lines.value, ...more.map((one) => ({ id: next++, style: one.style, text: one.text.length > LONGEST ? one.text.slice(0, LONGEST) + " … (cut)" : one.text }))];
  dropped.value += Math.max(0, all.length - LINES_KEPT);
  lines.value = all.slice(-LINES_KEPT);
}

export function clear(): void {
  lines.value = [];
  dropped.value = 0;
}

async function once(line: string): Promise<void> {
  say([{ text: line, style: "typed" }]);
  try {
    const answer = await send<ConsoleAnswer>("POST", "/api/console", { line });
    say(answer.lines.length > 0 ? answer.lines : [{ text: answer.ok ? "(nothing)" : "It did not work, and the broker does not say why.", style: "dim" }]);
  } catch (error) {
    const problem = Problem.of(error);
    say([{ text: problem.message, style: "error" }, ...(problem.fix ? [{ text: problem.fix, style: "plain" as const }] : [])]);
  } finally {
    running.value -= 1;
  }
}

/** One line after the other, however fast they are typed. */
export function run(text: string): void {
  const line = text.trim();
  if (line === "") return;
  remember(line);
  if (line === "clear") return clear();
  running.value += 1;
  queue = queue.then(() => once(line));
}
