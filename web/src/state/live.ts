// What the broker says once a second, for all parts of the page.
import { computed, effect, signal } from "@preact/signals";
import type { GroupTick, Mine, Room, Tick, TopicTick, Verdict } from "../api/model";
import { every, paused } from "./prefs";
import { me, refresh } from "./session";

export const tick = signal<Tick | null>(null);
export const mine = signal<Mine | null>(null);
export const room = signal<Room | null>(null);
/** The newest verdict on one's own work, whoever asked for it. */
export const verdict = signal<Verdict | null>(null);
/** Whether the broker speaks to us. */
export const connected = signal(false);

/** Rates of the last two minutes, as this page saw them. */
export const trend = signal<{ at_ms: number[]; messages: number[]; bytes_in: (number | null)[]; bytes_out: (number | null)[] }>({ at_ms: [], messages: [], bytes_in: [], bytes_out: [] });

const merge = <T extends { name?: string; id?: string }>(all: T[] = [], own: T[] = []): T[] => [...all, ...own];
export const topics = computed<TopicTick[]>(() => merge(tick.value?.topics, mine.value?.topics));
export const groups = computed<GroupTick[]>(() => merge(tick.value?.groups, mine.value?.groups));

const KEPT = 120;
/** A tick may be under way for a moment; a clock that is wrong is wrong by more. */
const UNDER_WAY_MS = 2000;
/** By how much the broker's clock is ahead of this machine's. */
let ahead_ms = 0;

/** What the broker's clock says now. */
export const brokerTime = (): number => Date.now() + ahead_ms;

function compare(at_ms: number): void {
  const ahead = at_ms - Date.now();
  if (Math.abs(ahead - ahead_ms) > UNDER_WAY_MS) ahead_ms = Math.abs(ahead) > UNDER_WAY_MS ? ahead : 0;
}

let source: EventSource | null = null;
let again: number | undefined;
let wait = 1000;
let heard = 0;

function took(next: Tick): void {
  tick.value = next;
  compare(next.at_ms);
  const push = <T,>(list: T[], value: T): T[] => [...list, value].slice(-KEPT);
  const old = trend.value;
  trend.value = {
    at_ms: push(old.at_ms, next.at_ms),
    messages: push(old.messages, next.messages_in_per_s),
    bytes_in: push(old.bytes_in, next.bytes_in_per_s),
    bytes_out: push(old.bytes_out, next.bytes_out_per_s),
  };
}

function close(): void {
  source?.close();
  source = null;
  window.clearTimeout(again);
}

function open(): void {
  close();
  heard = Date.now();
  const opened = new EventSource(`/api/live?every=${every.value}`);
  source = opened;
  const on = <T,>(name: string, take: (value: T) => void) =>
    opened.addEventListener(name, (event) => {
      connected.value = true;
      heard = Date.now();
      wait = 1000;
      take(JSON.parse((event as MessageEvent<string>).data) as T);
    });
  on<Tick>("tick", took);
  on<Mine>("mine", (value) => { mine.value = value; });
  on<Room>("room", (value) => { room.value = value; });
  on<Verdict>("verdict", (value) => { verdict.value = value; });
  opened.onerror = () => {
    if (source !== opened) return;
    connected.value = false;
    close();
    // A session may have ended; who is asking decides what comes next.
    again = window.setTimeout(() => void refresh(), wait);
    wait = Math.min(wait * 2, 8000);
  };
}

/** A page that nobody sees holds no connection: a browser has six of them for all tabs. */
function sync(): void {
  const wanted = me.value !== null && me.value.role !== "nobody" && !paused.value && !document.hidden;
  if (wanted) open();
  else close();
}

/** A pulled cable ends no connection: nothing comes any more, that is all. */
function watch(): void {
  if (source === null || Date.now() - heard < 5000 + every.value * 3000) return;
  connected.value = false;
  open();
}

export function start(): void {
  effect(() => {
    void every.value;
    sync();
  });
  window.setInterval(watch, 2000);
  document.addEventListener("visibilitychange", sync);
  window.addEventListener("pagehide", close);
}
