import { useEffect, useState } from "preact/hooks";
import { send } from "../../api/client";
import type { Room } from "../../api/model";
import { useGet } from "../../api/use";
import { CopyButton } from "../../parts/code";
import { Field, useAct, Wrong } from "../../parts/form";
import { Notice, Panel, Tag } from "../../parts/panel";
import { left, useBrokerTime } from "../../parts/timer";
import { clock } from "../../parts/words";
import { room } from "../../state/live";
import { isSingle } from "../../state/session";
import { Addresses, isLocal } from "./addresses";
import type { JoinCode, Leaderboard } from "./data";

/** Everybody's pages hear of it by their live connection; this one need not wait. */
const change = async (wish: object): Promise<void> => {
  room.value = await send<Room>("PUT", "/api/room", wish);
};

function Announcement({ now }: { now: Room }) {
  const [text, setText] = useState(now.announcement?.text ?? "");
  const { busy, problem, act } = useAct();
  const go = (event: Event) => {
    event.preventDefault();
    void act(() => change({ announcement: text }));
  };
  const clear = () => act(async () => {
    await change({ announcement: null });
    setText("");
  });
  return (
    <Panel title="Announcement">
      <p class="quiet">Stands at the top of everybody's page and on the projector until you clear it.</p>
      {now.announcement && <Notice mood="accent"><span class="break">{now.announcement.text}</span> <span class="quiet small">since {clock(now.announcement.at_ms)}</span></Notice>}
      <form class="stack tight" onSubmit={go}>
        <Field label="What to say" hint={`${text.length} of 500 letters`}><textarea rows={3} maxLength={500} value={text} required onInput={(event) => setText(event.currentTarget.value)} /></Field>
        <div class="row">
          <button type="submit" class="main" disabled={busy || !text.trim()}>Announce</button>
          <button type="button" disabled={busy || !now.announcement} onClick={clear}>Clear</button>
        </div>
        <Wrong problem={problem} />
      </form>
    </Panel>
  );
}

function Freeze({ now }: { now: Room }) {
  const { busy, problem, act } = useAct();
  return (
    <Panel title="Freeze" tools={<Tag mood={now.frozen ? "warn" : ""}>{now.frozen ? "■ frozen" : "○ not frozen"}</Tag>}>
      <p>{now.frozen ? "No check counts now, and the leaderboard stands still. Everybody's page says so." : "While the room is frozen no check counts and the leaderboard stands still, so that everybody listens. Clients, topics and the streams go on, and no work is lost."}</p>
      <div><button type="button" disabled={busy} onClick={() => act(() => change({ frozen: !now.frozen }))}>{now.frozen ? "Let the room go on" : "Freeze the room"}</button></div>
      <Wrong problem={problem} />
    </Panel>
  );
}

const LENGTHS = [5, 10, 15, 25, 35, 50];

function TimerPanel({ now }: { now: Room }) {
  const [minutes, setMinutes] = useState(25);
  const [label, setLabel] = useState("");
  const { busy, problem, act } = useAct();
  const at = useBrokerTime();
  const go = (event: Event) => {
    event.preventDefault();
    void act(() => change({ timer: { minutes, label: label.trim() } }));
  };
  const longer = () => act(() => change({ longer: 5 }));
  return (
    <Panel title="Timer">
      {now.timer && (
        <div class="row apart">
          <div class="figure"><strong role="timer">{left(now.timer.ends_ms, at)}</strong><span class="break">{now.timer.label || "no label"}{now.timer.ends_ms <= at && ", time is up"}</span></div>
          <div class="row">
            <button type="button" disabled={busy} onClick={longer}>5 minutes more</button>
            <button type="button" disabled={busy} onClick={() => act(() => change({ timer: null }))}>Take away</button>
          </div>
        </div>
      )}
      <form class="stack tight" onSubmit={go}>
        <div class="row" role="group" aria-label="Minutes">
          {LENGTHS.map((one) => <button key={one} type="button" class="plain" aria-pressed={minutes === one} onClick={() => setMinutes(one)}>{one} min</button>)}
        </div>
        <div class="row ends">
          <Field label="Minutes"><input class="short" type="number" min={1} max={600} required value={minutes} onInput={(event) => setMinutes(event.currentTarget.valueAsNumber)} /></Field>
          <Field label="What for"><input maxLength={60} value={label} placeholder="C1 and C2" onInput={(event) => setLabel(event.currentTarget.value)} /></Field>
          <button type="submit" class={now.timer ? "" : "main"} disabled={busy || !(minutes > 0)}>{now.timer ? "Start over" : "Start"}</button>
        </div>
        <Wrong problem={problem} />
      </form>
    </Panel>
  );
}

function LeaderboardPanel({ frozen }: { frozen: boolean }) {
  const board = useGet<Leaderboard>("/api/leaderboard", 10_000);
  // It freezes with the room.
  useEffect(board.reload, [frozen]);
  const { busy, problem, act } = useAct();
  const set = (wish: object) => act(async () => {
    await send("PUT", "/api/leaderboard", wish);
    board.reload();
  });
  const now = board.data;
  if (!now) return <Panel title="Leaderboard"><Wrong problem={board.problem} /></Panel>;
  const state = !now.on ? "off" : now.frozen === null ? "on" : "frozen";
  return (
    <Panel title="Leaderboard" tools={<Tag mood={state === "on" ? "good" : state === "frozen" ? "warn" : ""}>{state === "on" ? "● on" : state === "frozen" ? "■ frozen" : "○ off"}</Tag>}>
      <p>{state === "off" ? "Only you see it. Switched on, everybody does, and so does the projector." : state === "on" ? "Everybody sees points and places as they come." : `Everybody sees it as it was at ${clock(now.frozen!)}.`}</p>
      <div class="row" role="group" aria-label="Leaderboard">
        <button type="button" aria-pressed={state === "off"} disabled={busy} onClick={() => set({ on: false, frozen: false })}>Off</button>
        <button type="button" aria-pressed={state === "on"} disabled={busy} onClick={() => set({ on: true, frozen: false })}>On</button>
        <button type="button" aria-pressed={state === "frozen"} disabled={busy} onClick={() => set({ on: true, frozen: true })}>Frozen</button>
        <a href="/leaderboard">Look at it</a>
      </div>
      <Wrong problem={board.problem ?? problem} />
    </Panel>
  );
}

function Joining() {
  const code = useGet<JoinCode>("/api/join-code");
  const now = code.data;
  return (
    <Panel title="Join">
      <Wrong problem={code.problem} />
      {isLocal(window.location.hostname) && <Notice mood="warn">You opened this page as <code>{window.location.hostname}</code>, so this code leads only here. Open the page by the name or address of this machine that others can reach, and it leads to that.</Notice>}
      {now && (
        <div class="row join">
          <img class="qr" src="/api/join-code?format=svg" width="180" height="180" alt={`QR code of ${now.url}`} />
          <div class="stack tight">
            <span class="quiet small">Workshop code</span>
            <span class="row"><strong class="code-word">{now.code}</strong><CopyButton text={now.code} /></span>
            <span class="quiet small">Or open this, the code is in it</span>
            <code class="break">{now.url}</code>
            <div><CopyButton text={now.url} label="Copy the link" /></div>
          </div>
        </div>
      )}
    </Panel>
  );
}

const QUIET: Room = { announcement: null, frozen: false, timer: null, leaderboard: false };

export function RoomTab() {
  const asked = useGet<Room>("/api/room", 15_000);
  const now = room.value ?? asked.data ?? QUIET;
  if (isSingle()) return <div class="columns"><TimerPanel now={now} /></div>;
  return (
    <div class="stack">
      {!room.value && <Wrong problem={asked.problem} />}
      <div class="columns">
        <div class="stack">
          <Joining />
          <Announcement now={now} />
        </div>
        <div class="stack">
          <TimerPanel now={now} />
          <Freeze now={now} />
          <LeaderboardPanel frozen={now.frozen} />
        </div>
      </div>
      <Addresses />
    </div>
  );
}
