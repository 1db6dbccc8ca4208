import { ErrorBoundary, lazy, LocationProvider, Route, Router, useLocation } from "preact-iso";
import { useEffect } from "preact/hooks";
import { connected, room, tick } from "./state/live";
import { every, paused, theme, type Theme } from "./state/prefs";
import { isInstructor, isSingle, logout, me, problem, server } from "./state/session";
import { Notice, PageHead, Tag } from "./parts/panel";
import { rate } from "./parts/words";
import { Timer } from "./parts/timer";
import Start from "./pages/start";

const pages = {
  topics: lazy(() => import("./pages/topics")),
  topic: lazy(() => import("./pages/topic")),
  groups: lazy(() => import("./pages/groups")),
  group: lazy(() => import("./pages/group")),
  metrics: lazy(() => import("./pages/metrics")),
  requests: lazy(() => import("./pages/requests")),
  challenges: lazy(() => import("./pages/challenges")),
  challenge: lazy(() => import("./pages/challenge")),
  report: lazy(() => import("./pages/report")),
  leaderboard: lazy(() => import("./pages/leaderboard")),
  tutorial: lazy(() => import("./pages/tutorial")),
  console: lazy(() => import("./pages/console")),
  instructor: lazy(() => import("./pages/instructor")),
  help: lazy(() => import("./pages/help")),
};

interface Place { path: string; name: string; when?: () => boolean }

const PLACES: { name: string; places: Place[] }[] = [
  {
    name: "Learn",
    places: [
      { path: "/", name: "Start here" },
      { path: "/tutorial", name: "Tutorial" },
      { path: "/challenges", name: "Challenges" },
      { path: "/report", name: "Report" },
      { path: "/leaderboard", name: "Leaderboard", when: () => room.value?.leaderboard === true || isInstructor() },
      { path: "/help", name: "Docs and prompts" },
    ],
  },
  {
    name: "Look",
    places: [
      { path: "/topics", name: "Topics" },
      { path: "/groups", name: "Groups" },
      { path: "/charts", name: "Metrics" },
      { path: "/requests", name: "Your requests" },
      { path: "/console", name: "Console" },
    ],
  },
  { name: "Run the room", places: [{ path: "/instructor", name: "Instructor", when: isInstructor }] },
];

function Navigation() {
  const { path } = useLocation();
  // On a phone the list is wider than the screen.
  useEffect(() => document.querySelector(".side nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" }), [path]);
  const here = (place: string) => (place === "/" ? path === "/" : path === place || path.startsWith(place + "/"));
  const shown = PLACES.map(({ name, places }) => ({ name, places: places.filter((place) => place.when?.() ?? true) }));
  return (
    <nav aria-label="Pages">
      {shown.filter(({ places }) => places.length > 0).map(({ name, places }) => (
        <div key={name} role="group" aria-label={name}>
          <span class="label">{name}</span>
          {places.map((place) => <a key={place.path} href={place.path} aria-current={here(place.path) ? "page" : undefined}>{place.name}</a>)}
        </div>
      ))}
    </nav>
  );
}

function State() {
  const now = tick.value;
  if (me.value?.role === "nobody") return <Tag>not logged in</Tag>;
  if (paused.value) return <Tag mood="warn">❚❚ paused</Tag>;
  if (!connected.value) return <Tag mood={problem.value ? "bad" : ""}>{problem.value ? "▲ the broker does not answer" : "connecting"}</Tag>;
  if (now && !now.healthy) return <Tag mood="bad" title={now.problem ?? ""}>▲ {now.problem}</Tag>;
  if (now?.warning) return <Tag mood="warn" title={now.warning}>▲ warning</Tag>;
  return <Tag mood="good">● running</Tag>;
}

function Bar() {
  const now = tick.value;
  return (
    <header class="bar">
      <State />
      {now && <span class="quiet nowrap">{rate(now.messages_in_per_s)} messages/s</span>}
      {now && now.phase !== "live" && now.phase !== "off" && <Tag mood="warn">filling in the last hours of the streams</Tag>}
      {room.value?.timer && <Timer ends_ms={room.value.timer.ends_ms} label={room.value.timer.label} />}
      <span class="grow" />
      <label class="row nowrap">
        <span class="quiet">Every</span>
        <select value={every.value} onChange={(event) => { every.value = Number(event.currentTarget.value) as 1 | 5 | 15; }}>
          <option value={1}>1 s</option>
          <option value={5}>5 s</option>
          <option value={15}>15 s</option>
        </select>
      </label>
      <button type="button" aria-pressed={paused.value} onClick={() => { paused.value = !paused.value; }}>{paused.value ? "Go on" : "Pause"}</button>
      <select aria-label="Colours" value={theme.value} onChange={(event) => { theme.value = event.currentTarget.value as Theme; }}>
        <option value="auto">Auto</option>
        <option value="light">Light</option>
        <option value="dark">Dark</option>
      </select>
    </header>
  );
}

function Who() {
  const who = me.value;
  return (
    <div class="apart">
      {who && who.role !== "nobody" && !isSingle() && (
        <>
          <span>{who.role === "instructor" ? "Instructor" : <strong>{who.name}</strong>}</span>
          <button type="button" class="plain" onClick={() => void logout()}>Log out</button>
        </>
      )}
      <span>Headwater {server.value?.version}</span>
    </div>
  );
}

function Announcements() {
  const now = room.value;
  const trouble = tick.value?.problem;
  return (
    <>
      {trouble && <Notice mood="bad">{trouble}</Notice>}
      {tick.value?.warning && <Notice mood="warn">{tick.value.warning}</Notice>}
      {now?.frozen && <Notice mood="warn"><strong>The instructor has frozen the room.</strong> Checks do not count for now; your work stays as it is.</Notice>}
      {now?.announcement && <Notice mood="accent"><strong>From the instructor:</strong> {now.announcement.text}</Notice>}
    </>
  );
}

function NotFound() {
  return <><PageHead title="There is no such page" /><p><a href="/">Start here</a> has a way to all the others.</p></>;
}

/** The name of a page is the name of the tab, and where a screen reader goes on. */
function useTitles() {
  const { path } = useLocation();
  useEffect(() => {
    const timer = setTimeout(() => {
      const head = document.querySelector("main h1")?.textContent;
      document.title = head ? `${head} - Headwater` : "Headwater";
    }, 300);
    return () => clearTimeout(timer);
  }, [path]);
}

function Frame() {
  useTitles();
  const known = me.value && (me.value.role !== "nobody");
  return (
    <div class="frame">
      <a class="skip" href="#main">Go to the content</a>
      <aside class="side" aria-label="Headwater">
        <a class="brand" href="/"><img src="/assets/icon.svg" alt="" width="28" height="28" />Headwater</a>
        <Navigation />
        <Who />
      </aside>
      <div class="grow">
        <Bar />
        <main id="main" tabIndex={-1}>
          {problem.value && !me.value && <Notice mood="bad">The broker does not answer. This page goes on as soon as it does.</Notice>}
          <Announcements />
          {me.value && (
            <ErrorBoundary onError={(error) => console.error(error)}>
              <Router>
                <Route path="/" component={Start} />
                <Route path="/topics" component={known ? pages.topics : Start} />
                <Route path="/topics/:name" component={known ? pages.topic : Start} />
                <Route path="/groups" component={known ? pages.groups : Start} />
                <Route path="/groups/:id" component={known ? pages.group : Start} />
                <Route path="/charts" component={known ? pages.metrics : Start} />
                <Route path="/requests" component={known ? pages.requests : Start} />
                <Route path="/challenges" component={pages.challenges} />
                <Route path="/challenges/:id" component={pages.challenge} />
                <Route path="/report" component={known ? pages.report : Start} />
                <Route path="/leaderboard" component={known ? pages.leaderboard : Start} />
                <Route path="/tutorial/:scene?" component={known ? pages.tutorial : Start} />
                <Route path="/console" component={known ? pages.console : Start} />
                <Route path="/help" component={pages.help} />
                <Route path="/instructor" component={pages.instructor} />
                <Route default component={known ? NotFound : Start} />
              </Router>
            </ErrorBoundary>
          )}
        </main>
      </div>
    </div>
  );
}

export function App() {
  return <LocationProvider><Frame /></LocationProvider>;
}
