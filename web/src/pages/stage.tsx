import { useEffect, useLayoutEffect, useState } from "preact/hooks";
import { useGet } from "../api/use";
import type { History, Room } from "../api/model";
import { left, useBrokerTime } from "../parts/timer";
import { count, rate } from "../parts/words";
import { connected, room, tick, topics, trend } from "../state/live";
import { isSingle, me, problem } from "../state/session";
import { inWords, tally, type ClassBoard, type JoinCode, type Leaderboard, type Seen } from "./instructor/data";
import { isLocal } from "./instructor/addresses";

/** Always light, and no pointer in the picture once it rests. */
function useProjector(): boolean {
  const [still, setStill] = useState(false);
  useLayoutEffect(() => {
    const root = document.documentElement;
    const before = root.dataset.theme;
    root.dataset.theme = "light";
    root.classList.add("projected");
    document.title = "Projector - Headwater";
    return () => {
      root.classList.remove("projected");
      if (before) root.dataset.theme = before;
      else delete root.dataset.theme;
    };
  }, []);
  useEffect(() => {
    let timer = window.setTimeout(() => setStill(true), 3000);
    const moved = () => {
      setStill(false);
      window.clearTimeout(timer);
      timer = window.setTimeout(() => setStill(true), 3000);
    };
    window.addEventListener("pointermove", moved);
    return () => {
      window.clearTimeout(timer);
      window.removeEventListener("pointermove", moved);
    };
  }, []);
  return still;
}

function Join() {
  const { data } = useGet<JoinCode>("/api/join-code", 60_000);
  if (!data) return <section class="join" aria-label="Join" />;
  const [address] = data.url.split("#");
  const nowhere = isLocal(window.location.hostname);
  return (
    <section class="join" aria-label="Join">
      <img class="qr" src="/api/join-code?format=svg" alt={`QR code of ${data.url}`} />
      <div class="address">{(address ?? "").replace(/^http:\/\//, "").replace(/\/$/, "")}</div>
      <div class="code-word">{data.code}</div>
      {nowhere && <div class="frozen">▲ Works on this machine only: open this view by the machine's own name.</div>}
    </section>
  );
}

function BigTimer({ timer }: { timer: NonNullable<Room["timer"]> }) {
  const now = useBrokerTime();
  const up = timer.ends_ms <= now;
  return (
    <div class={`timer ${up ? "up" : ""}`} role="timer" aria-label={timer.label || "Timer"}>
      <span class="time">{left(timer.ends_ms, now)}</span>
      <span class="for">{timer.label}{up && (timer.label ? ": time is up" : "Time is up")}</span>
    </div>
  );
}

/** Where the chart ends: hours of history that are written at the start must not press all else to the ground. */
function topOf(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const most = sorted[Math.floor(sorted.length * 0.9)] ?? 0;
  return Math.max(Math.min(sorted.at(-1) ?? 0, most * 2), values.at(-1) ?? 0, 1e-9);
}

/** The last quarter of an hour; what this page saw itself until the broker has told it. */
function Flow() {
  const { data } = useGet<History>("/api/history?minutes=15", 5000);
  const now = tick.value;
  const values = (data?.messages_in_per_s ?? trend.value.messages).map((value) => value ?? 0);
  const width = Math.max(values.length, 30);
  const top = topOf(values);
  const points = values.map((value, n) => `${width - values.length + n},${(39 - 37 * Math.min(value / top, 1)).toFixed(2)}`).join(" ");
  return (
    <section class="flow" aria-label="Messages per second">
      <div class="big"><strong>{now ? rate(now.messages_in_per_s) : "-"}</strong> <span>messages/s</span></div>
      <svg viewBox={`0 0 ${width - 1} 40`} preserveAspectRatio="none" role="img" aria-label={`Messages per second lately, now ${now ? rate(now.messages_in_per_s) : "unknown"}`}>
        <polyline points={points} />
      </svg>
    </section>
  );
}

interface Bar { name: string; title: string; value: number; words: string }

function Bars({ title, bars, of }: { title: string; bars: Bar[]; of: number }) {
  return (
    <section class="bars" aria-label={title}>
      <h2>{title}</h2>
      <ol>
        {bars.map((bar) => (
          <li key={bar.name}>
            <span class="name">{bar.name} <span>{bar.title}</span></span>
            <span class="rail" aria-hidden="true"><i style={{ width: `${(100 * bar.value) / Math.max(of, 1)}%` }} /></span>
            <strong>{bar.words}</strong>
          </li>
        ))}
      </ol>
    </section>
  );
}

const PLACES_SHOWN = 8;

function Places() {
  const { data } = useGet<Leaderboard>("/api/leaderboard", 5000);
  if (!data?.on) return null;
  return (
    <section class="places" aria-label="Leaderboard">
      <h2>Leaderboard{data.frozen !== null && ", frozen"}</h2>
      <ol>
        {data.rows.slice(0, PLACES_SHOWN).map((row) => (
          <li key={row.student}><span>{row.points > 0 ? row.rank : "-"}</span> <span class="cut">{row.name}</span> <strong>{count(row.points)}</strong></li>
        ))}
      </ol>
    </section>
  );
}

function Joined({ board }: { board: ClassBoard | null }) {
  const seen = useGet<Seen>("/api/seen", 10_000);
  const online = seen.data?.users.filter((user) => user.connections > 0 && user.user !== "instructor").length;
  return (
    <div class="heads">
      <div><strong>{board ? count(board.students.length) : "-"}</strong> joined</div>
      <div><strong>{online === undefined ? "-" : count(online)}</strong> connected</div>
    </div>
  );
}

function solvedBars(board: ClassBoard | null): Bar[] {
  return (board?.challenges ?? []).map((challenge) => {
    const { solved } = tally(board!.students, challenge.id);
    return { name: inWords(challenge.id), title: challenge.title, value: solved, words: count(solved) };
  });
}

function StreamsView() {
  const streams = topics.value.filter((topic) => topic.messages_per_s > 0 || topic.records > 0).slice(0, 9);
  const top = Math.max(...streams.map((one) => one.messages_per_s), 1);
  return <Bars title="Messages per second" of={top} bars={streams.map((one) => ({ name: one.name, title: "", value: one.messages_per_s, words: rate(one.messages_per_s) }))} />;
}

/** For the wall: large, light, and nothing on it that somebody would have to click. */
export function Stage() {
  const still = useProjector();
  const asked = useGet<Room>(me.value?.role === "instructor" && !room.value ? "/api/room" : null, 10_000);
  if (!me.value) return <main class="stage message"><h1>{problem.value ? "The broker does not answer" : "Headwater"}</h1>{problem.value && <p>This page goes on as soon as it does.</p>}</main>;
  if (me.value.role !== "instructor") {
    return (
      <main class="stage message">
        <h1>The projector view is the instructor's</h1>
        <p><a href="/instructor">Log in as the instructor</a> in this browser, then open it again.</p>
      </main>
    );
  }
  return <Wall still={still} now={room.value ?? asked.data} />;
}

const LONG = 80;
const LONGEST = 240;

function Wall({ still, now }: { still: boolean; now: Room | null }) {
  const alone = isSingle();
  const board = useGet<ClassBoard>(alone ? null : "/api/class", 5000);
  const said = now?.announcement?.text ?? "";
  // The longer it is, the more of the wall it takes: a row of its own, then the place of the chart.
  const [long, longest] = [said.length > LONG, said.length > LONGEST];
  const lost = problem.value !== null && !connected.value;
  return (
    <main class={`stage ${alone ? "alone" : ""} ${still ? "still" : ""}`}>
      <h1 class="only-read">Projector view</h1>
      {!alone && <div class="left"><Join /><Joined board={board.data} /></div>}
      <div class="right">
        {(now?.timer || now?.frozen || (said && !long) || lost) && (
          <header>
            {now?.timer && <BigTimer timer={now.timer} />}
            <div class="said">
              {now?.frozen && <p class="frozen">■ The room is frozen. Please listen.</p>}
              {lost && <p class="frozen">▲ The broker does not answer. These figures are old.</p>}
              {said && !long && <p class="announcement">{said}</p>}
            </div>
          </header>
        )}
        {long && <p class={`announcement long ${longest ? "longest" : ""}`}>{said}</p>}
        <div class="facts">
          <div class="flows">
            {!longest && <Flow />}
            {alone ? <StreamsView /> : <Bars title="Solved" bars={solvedBars(board.data)} of={board.data?.students.length ?? 0} />}
          </div>
          {!alone && now?.leaderboard && <Places />}
        </div>
      </div>
    </main>
  );
}
