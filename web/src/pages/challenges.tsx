import { useEffect } from "preact/hooks";
import { part } from "../api/client";
import type { ChallengeRow, Medallion, Progress as Points, ProgressRow } from "../api/model";
import { useGet, type Loaded } from "../api/use";
import { Wrong } from "../parts/form";
import { Empty, Notice, PageHead, Panel, Tag } from "../parts/panel";
import { isDone, Progress, StandingTag } from "../parts/standing";
import { ago, count, plural } from "../parts/words";
import { verdict } from "../state/live";
import { me } from "../state/session";

const TRACKS: Record<string, string> = { python: "Python", spark: "Spark" };

/** Asks again when a verdict came in. */
function useFresh<T>(path: string | null, everyMs: number): Loaded<T> {
  const loaded = useGet<T>(path, everyMs);
  const at = verdict.value?.at_ms;
  const { reload } = loaded;
  useEffect(() => {
    if (at) reload();
  }, [at, reload]);
  return loaded;
}

function Row({ one, own, isNext }: { one: ChallengeRow; own: ProgressRow | undefined; isNext: boolean }) {
  const path = `/challenges/${part(one.id)}`;
  const status = own?.status ?? one.status ?? "open";
  return (
    <li class={isNext ? "challenge next" : "challenge"}>
      <span class="which mono" aria-hidden="true">{one.id.toUpperCase()}</span>
      <div class="stack tight grow">
        <div class="row">
          <h2><a href={path}><span class="only-read">{one.id.toUpperCase()} </span>{one.title}</a></h2>
          {isNext && <Tag mood="accent">next for you</Tag>}
        </div>
        <p class="quiet">{one.summary}</p>
        <div class="row small">
          <Tag>{TRACKS[one.track] ?? one.track}</Tag>
          <Tag>{one.core ? "core" : "extra"}</Tag>
          <span class="quiet">{one.minutes} min for two</span>
          <span class="quiet break">reads {one.topics.map((topic, n) => <>{n > 0 && ", "}<a href={`/topics/${part(topic)}`}>{topic}</a></>)}</span>
        </div>
      </div>
      <div class="standing">
        {one.status || own ? <StandingTag status={status} /> : null}
        <span class="small quiet nowrap">{own && (own.score > 0 || isDone(status)) ? `${count(own.score)} of ${count(one.points)} points` : `${count(one.points)} points`}</span>
        {own && own.attempts > 0 && !isDone(status) && <span class="small quiet nowrap">{plural(own.attempts, "attempt")}</span>}
        {isNext && <a class="button main" href={path}>{status === "open" ? "Begin" : "Go on"}</a>}
      </div>
    </li>
  );
}

function Summary({ list, points }: { list: ChallengeRow[]; points: Points }) {
  const own = new Map(points.challenges.map((one) => [one.id, one]));
  const core = list.filter((one) => one.core);
  const done = (some: ChallengeRow[]) => some.filter((one) => isDone(own.get(one.id)?.status)).length;
  const all = list.reduce((sum, one) => sum + one.points, 0);
  return (
    <Panel>
      <div class="row apart">
        <p class="lead"><strong>{done(core)} of {core.length}</strong> core challenges done, <strong>{done(list)} of {list.length}</strong> in all.</p>
        <p><strong>{count(points.points)}</strong> <span class="quiet">of {count(all)} points, and stars on top</span></p>
      </div>
      <Progress value={done(list)} of={list.length} label="Challenges done" />
      <p class="small quiet">The core is what everybody does. The rest is for those who are fast: take it in any order.</p>
    </Panel>
  );
}

const LAYERS = [
  { layer: "bronze", name: "Bronze", about: "every event, as it came" },
  { layer: "silver", name: "Silver", about: "valid events, flat and typed" },
  { layer: "gold", name: "Gold", about: "answers that somebody asked for" },
] as const;

function Layers({ medallion, list }: { medallion: Medallion; list: ChallengeRow[] }) {
  const title = (id: string) => list.find((one) => one.id === id)?.title;
  const any = medallion.layers.some((layer) => layer.rows !== null);
  return (
    <Panel title="Your medallion">
      <ol class="medallion">
        {LAYERS.map(({ layer, name, about }) => (
          <li key={layer} class={layer}>
            <h3><span class="coin" aria-hidden="true" />{name}</h3>
            <p class="small quiet">{about}</p>
            {medallion.layers.filter((one) => one.layer === layer).map((one) => (
              <div key={one.from} class="layer">
                <strong class="amount">{one.rows === null ? "no rows yet" : plural(one.rows, "row")}</strong>
                {one.rejected !== null && <span class="small">{count(one.rejected)} kept apart</span>}
                <span class="small break"><a href={`/challenges/${part(one.from)}`}>{one.from.toUpperCase()}{title(one.from) ? ` ${title(one.from)}` : ""}</a></span>
                {one.note && <span class="small quiet break">{one.note}{one.at_ms !== null && `, ${ago(one.at_ms)}`}</span>}
              </div>
            ))}
          </li>
        ))}
      </ol>
      {!any && <p class="small quiet">The tables of the Spark track stand here with your own row counts, as soon as a receipt of one has been handed in.</p>}
    </Panel>
  );
}

export default function Challenges() {
  const isSomebody = me.value?.role !== "nobody";
  const { data: list, problem, reload } = useFresh<ChallengeRow[]>("/api/challenges", 30_000);
  const { data: points } = useFresh<Points>(isSomebody ? "/api/progress" : null, 15_000);
  const { data: medallion } = useFresh<Medallion>(isSomebody ? "/api/medallion" : null, 30_000);
  const own = new Map(points?.challenges.map((one) => [one.id, one]));
  const left = isSomebody ? list?.filter((one) => !isDone(own.get(one.id)?.status ?? one.status)) : undefined;
  const next = left?.find((one) => one.core) ?? left?.[0];
  return (
    <>
      <PageHead title="Challenges"><a href="/help?tab=prompts">AI prompts</a><a href="/report">Report</a></PageHead>
      {!isSomebody && <Notice mood="accent">You can read everything here. To take tickets and have answers checked, <a href="/">join first</a>.</Notice>}
      {!list && problem && <><Wrong problem={problem} /><div><button type="button" onClick={reload}>Try again</button></div></>}
      {list && points && list.length > 0 && <Summary list={list} points={points} />}
      {list && isSomebody && points && !next && list.length > 0 && <Notice mood="good"><strong>✓ All done.</strong> What is left is the <a href="/report">report</a>, and the stars.</Notice>}
      {list && (list.length === 0
        ? <Empty>This broker has no challenges. They come with <code>headwater serve</code>, or from a folder with <code>--challenges FOLDER</code>.</Empty>
        : <ol class="challenges">{list.map((one) => <Row key={one.id} one={one} own={own.get(one.id)} isNext={one.id === next?.id} />)}</ol>)}
      {list && medallion && medallion.layers.length > 0 && <Layers medallion={medallion} list={list} />}
    </>
  );
}
