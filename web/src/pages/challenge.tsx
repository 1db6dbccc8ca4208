import { useRoute } from "preact-iso";
import { useEffect, useMemo, useState } from "preact/hooks";
import { part } from "../api/client";
import type { ChallengePage, ChallengeRow, Progress, Verdict } from "../api/model";
import { useGet } from "../api/use";
import { Code } from "../parts/code";
import { docPath, docPicture } from "../parts/docs";
import { Wrong } from "../parts/form";
import { Markdown, MarkdownLine } from "../parts/markdown";
import { Empty, Notice, PageHead, Panel, Tag } from "../parts/panel";
import { Prompts } from "../parts/prompts";
import { count } from "../parts/words";
import { verdict as arrived } from "../state/live";
import { me } from "../state/session";
import { Hints, JoinFirst, Stuck } from "./challenge/hints";
import { Explain, SelfChecks } from "./challenge/learn";
import { Begin } from "./challenge/starter";
import { TicketPanel } from "./challenge/ticket";
import { Answer } from "./challenge/verdict";

/** The newest verdict on a challenge: kept, asked for here, or arrived by itself. */
function useVerdict(id: string, hasOne: boolean): [Verdict | null, (verdict: Verdict) => void] {
  const { data: last } = useGet<Verdict>(hasOne ? `/api/verdict/${part(id)}` : null);
  const [own, setOwn] = useState<Verdict | null>(null);
  useEffect(() => setOwn(null), [id]);
  const all = [last, own, arrived.value].filter((one): one is Verdict => one?.challenge === id);
  return [all.sort((a, b) => b.at_ms - a.at_ms)[0] ?? null, setOwn];
}

/** Without its first heading, which is the page's own, and without the prompts, which have a panel with buttons. */
function parts(readme: string): { instructions: string; besidePrompts: string } {
  const [before, tips = "", after = ""] = readme.replace(/^\s*# .*\n/, "").split(/^## AI tips[ \t]*\n([^]*?)(?=^## |$(?![^]))/m);
  const paragraphs = tips.trim().split(/\n\s*\n/).filter((one) => one && !/^\s*[-*] /.test(one));
  return { instructions: `${before}\n${after}`, besidePrompts: paragraphs.join("\n\n") };
}

function Around({ id }: { id: string }) {
  const { data: list } = useGet<ChallengeRow[]>("/api/challenges");
  const at = list?.findIndex((one) => one.id === id) ?? -1;
  const [before, after] = [at > 0 ? list?.[at - 1] : undefined, at >= 0 ? list?.[at + 1] : undefined];
  return (
    <nav class="row" aria-label="Other challenges">
      {before && <a href={`/challenges/${part(before.id)}`} title={before.title}>← {before.id.toUpperCase()}</a>}
      <a href="/challenges">All challenges</a>
      {after && <a href={`/challenges/${part(after.id)}`} title={after.title}>{after.id.toUpperCase()} →</a>}
    </nav>
  );
}

const PLACES = { "results-topic": "Records, into your results topic", "own-topic": "Records, into a topic of your own", receipt: "A receipt" };

function HandIn({ challenge }: { challenge: ChallengePage }) {
  const { submission } = challenge;
  return (
    <Panel title="The form of an answer">
      <p><Tag>{PLACES[submission.to] ?? submission.to}</Tag></p>
      <p class="words"><span><MarkdownLine text={submission.what} link={docPath} /></span></p>
      <Code text={submission.example} label="An example of what to hand in" />
      {challenge.stars.length > 0 && (
        <ul class="plain">{challenge.stars.map((star) => <li key={star.id}>★ {star.title} <span class="quiet">({count(star.points)} more points)</span></li>)}</ul>
      )}
      {challenge.not_seen.length > 0 && (
        <Notice>
          Not seen on this cluster: {challenge.not_seen.map((one, n) => <span key={one.check}>{n > 0 && "; "}{one.what} (<code>{one.check}</code>)</span>)}. The other checks decide.
        </Notice>
      )}
      <details>
        <summary>Its JSON Schema</summary>
        <Code text={JSON.stringify(challenge.submission_schema, null, 2)} file={`${challenge.id}.schema.json`} label="JSON Schema of what is handed in" />
      </details>
    </Panel>
  );
}

function Page({ challenge, mayAct }: { challenge: ChallengePage; mayAct: boolean }) {
  const { data: progress, reload } = useGet<Progress>(mayAct ? "/api/progress" : null, 15_000);
  const own = progress?.challenges.find((one) => one.id === challenge.id);
  const [verdict, setVerdict] = useVerdict(challenge.id, own?.last != null);
  useEffect(() => reload(), [verdict?.at_ms, reload]);
  const { instructions, besidePrompts } = useMemo(() => parts(challenge.readme), [challenge.readme]);
  return (
    <div class="sides">
      <div class="stack">
        <Answer challenge={challenge} verdict={verdict} own={own} mayAct={mayAct} onVerdict={setVerdict} />
        <Panel title="Instructions"><Markdown text={instructions} level={2} link={docPath} picture={docPicture} /></Panel>
        <HandIn challenge={challenge} />
      </div>
      <div class="stack">
        <Begin challenge={challenge} mayAct={mayAct} />
        {mayAct && <TicketPanel challenge={challenge} />}
        {mayAct && <Hints challenge={challenge} onTaken={reload} />}
        {mayAct && me.value?.role === "student" && <Stuck challenge={challenge} isStuck={own?.stuck === true} onChanged={reload} />}
        {challenge.prompts.length > 0 && (
          <Panel title="Ask an AI tool">
            <p class="small quiet">Any tool is welcome. Copy a question, then check what it says: the check is the point.</p>
            <Prompts prompts={challenge.prompts} />
            {besidePrompts && <div class="small"><Markdown text={besidePrompts} link={docPath} /></div>}
          </Panel>
        )}
        <SelfChecks challenge={challenge} who={me.value?.id ?? "me"} />
        <Explain challenge={challenge} explained={own?.explained ?? null} mayAct={mayAct} onAnswered={reload} />
      </div>
    </div>
  );
}

export default function Challenge() {
  const id = useRoute().params.id ?? "";
  const mayAct = me.value !== null && me.value.role !== "nobody";
  const { data: challenge, problem, reload } = useGet<ChallengePage>(`/api/challenges/${part(id)}`);
  if (!challenge) {
    return (
      <>
        <PageHead title={`Challenge ${id.slice(0, 40).toUpperCase()}`}><a href="/challenges">All challenges</a></PageHead>
        {problem?.status === 404 ? <Empty>There is no such challenge. <a href="/challenges">These are all of them.</a></Empty> : problem && <><Wrong problem={problem} /><div><button type="button" onClick={reload}>Try again</button></div></>}
      </>
    );
  }
  return (
    <>
      <PageHead title={<><span class="quiet mono">{challenge.id.toUpperCase()}</span> {challenge.title}</>}><Around id={challenge.id} /></PageHead>
      <div class="stack tight">
        <p class="lead">{challenge.summary}</p>
        <div class="row">
          <Tag>{challenge.track === "spark" ? "Spark" : "Python"}</Tag>
          <Tag>{challenge.core ? "core" : "extra"}</Tag>
          <span class="quiet small">{challenge.minutes} min for two, {count(challenge.points)} points; reads {challenge.topics.map((topic, n) => <>{n > 0 && ", "}<a href={`/topics/${part(topic)}`}>{topic}</a></>)}</span>
        </div>
      </div>
      {!mayAct && <JoinFirst />}
      <Page key={challenge.id} challenge={challenge} mayAct={mayAct} />
    </>
  );
}
