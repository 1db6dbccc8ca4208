import { ErrorBoundary, lazy, useLocation } from "preact-iso";
import { useEffect, useState } from "preact/hooks";
import { get, part, Problem } from "../api/client";
import type { ChallengePage, ChallengeRow } from "../api/model";
import { docPath, docPicture, hasDoc, loadDoc } from "../parts/docs";
import { Wrong } from "../parts/form";
import { Markdown } from "../parts/markdown";
import { Empty, PageHead, Panel } from "../parts/panel";
import { Prompts } from "../parts/prompts";
import { ANY, OTHERS, OWN, WORDS } from "./help/lists";

const Trouble = lazy(() => import("./help/trouble"));

const TABS = [["docs", "Documentation"], ["prompts", "AI prompts"], ["words", "Words of Kafka"], ["trouble", "When something goes wrong"]] as const;

function Documentation() {
  return (
    <div class="columns">
      <Panel title="Of this broker">
        <ul class="plain">{OWN.map((link) => <li key={link.href}><a href={link.href}>{link.name}</a> <span class="quiet">{link.about}</span></li>)}</ul>
        <p class="small quiet">Part of this page: it is there without the Internet.</p>
      </Panel>
      {OTHERS.map((group) => (
        <Panel key={group.title} title={group.title}>
          <ul class="plain">{group.links.map((link) => <li key={link.href}><a href={link.href} target="_blank" rel="noopener noreferrer">{link.name}</a> <span class="quiet">{link.about}</span></li>)}</ul>
        </Panel>
      ))}
    </div>
  );
}

function AllPrompts() {
  const [pages, setPages] = useState<ChallengePage[] | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [asked, setAsked] = useState(0);
  useEffect(() => {
    const stop = new AbortController();
    const load = async () => {
      const list = await get<ChallengeRow[]>("/api/challenges", stop.signal);
      return Promise.all(list.map((one) => get<ChallengePage>(`/api/challenges/${part(one.id)}`, stop.signal)));
    };
    load().then(
      (all) => { setPages(all); setProblem(null); },
      (error: unknown) => { if (!stop.signal.aborted) setProblem(Problem.of(error)); },
    );
    return () => stop.abort();
  }, [asked]);
  return (
    <div class="stack">
      <p class="lead">Any AI tool is welcome. Each question comes with a way to find out whether its answer is right: that is the part that counts.</p>
      <Panel title="For any challenge"><Prompts prompts={ANY} /></Panel>
      <Wrong problem={problem} />
      {problem && <div><button type="button" onClick={() => setAsked(asked + 1)}>Try again</button></div>}
      {pages?.filter((page) => page.prompts.length > 0).map((page) => (
        <Panel key={page.id} title={<a href={`/challenges/${part(page.id)}`}>{page.id.toUpperCase()} {page.title}</a>}><Prompts prompts={page.prompts} /></Panel>
      ))}
    </div>
  );
}

function Words() {
  return (
    <Panel title="Words of Kafka, in one line each">
      <dl class="pairs glossary">{WORDS.map(([word, means]) => <><dt key={word}>{word}</dt><dd key={`${word}-means`}>{means}</dd></>)}</dl>
      <p class="small quiet">The <a href="/tutorial">tutorial</a> shows most of them at work on this broker.</p>
    </Panel>
  );
}

/** One text of the broker's documentation. */
function Doc({ name }: { name: string }) {
  const { url } = useLocation();
  const [text, setText] = useState<string | null>(null);
  const [failed, setFailed] = useState(false);
  useEffect(() => {
    let here = true;
    setText(null);
    setFailed(false);
    loadDoc(name).then((loaded) => here && setText(loaded), () => here && setFailed(true));
    return () => { here = false; };
  }, [name]);
  useEffect(() => {
    const target = text && location.hash ? document.getElementById(location.hash.slice(1)) : null;
    target?.scrollIntoView();
  }, [text, url]);
  if (!hasDoc(name)) return <><PageHead title="Documentation" /><Empty>There is no such page. <a href="/help">These are all of them.</a></Empty></>;
  if (failed) return <Wrong problem={new Problem("the text could not be loaded", "reload this page", 0)} />;
  const [, title, rest] = /^# (.+)\n([^]*)$/.exec(text ?? "") ?? [];
  return (
    <>
      <PageHead title={title ?? "Documentation"}><a href="/help">Docs and prompts</a></PageHead>
      {text && <Panel roomy><div class="doc"><Markdown text={rest ?? text} level={1} anchors link={docPath} picture={docPicture} /></div></Panel>}
    </>
  );
}

export default function Help() {
  const { query } = useLocation();
  if (query.doc !== undefined) return <Doc name={query.doc} />;
  const tab = TABS.find(([id]) => id === query.tab)?.[0] ?? "docs";
  return (
    <>
      <PageHead title="Docs and prompts" />
      <nav class="tabs" aria-label="Docs and prompts">
        {TABS.map(([id, name]) => <a key={id} href={id === "docs" ? "/help" : `/help?tab=${id}`} aria-current={tab === id ? "page" : undefined}>{name}</a>)}
      </nav>
      {tab === "docs" && <Documentation />}
      {tab === "prompts" && <AllPrompts />}
      {tab === "words" && <Words />}
      {tab === "trouble" && <ErrorBoundary><Trouble /></ErrorBoundary>}
    </>
  );
}
