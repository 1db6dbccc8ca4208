import { useRoute } from "preact-iso";
import { useEffect } from "preact/hooks";
import type { TopicPage } from "../api/model";
import { part } from "../api/client";
import { useGet } from "../api/use";
import { Wrong } from "../parts/form";
import { Figure, PageHead, Panel, Tag } from "../parts/panel";
import { usePlace } from "../parts/place";
import { Tabs } from "../parts/tabs";
import { ago, bytes, count, plural, rate } from "../parts/words";
import { connected, topics } from "../state/live";
import { lagWords, mostLag } from "./group/words";
import { Configs } from "./topic/configs";
import { Groups } from "./topic/groups";
import { Partitions } from "./topic/partitions";
import { Produce } from "./topic/produce";
import { Records } from "./topic/records";
import { Remove } from "./topic/remove";
import { Schema } from "./topic/schema";
import { KIND } from "./topics/kind";

type Tab = "records" | "schema" | "partitions" | "groups" | "configs" | "produce";

const TABS: [Tab, string][] = [
  ["records", "Records"],
  ["schema", "Schema"],
  ["partitions", "Partitions"],
  ["groups", "Groups"],
  ["configs", "Configs"],
  ["produce", "Produce"],
];
const DURABILITY: Record<string, string> = {
  D0: "Acknowledged records survive the end of the process",
  D1: "Acknowledged records survive the end of the process, and that of the machine but for the last moments",
  D2: "Acknowledged records survive the end of the machine",
};

export default function Topic() {
  const name = useRoute().params.name ?? "";
  const place = usePlace();
  const tab = TABS.find(([one]) => one === place.query.tab)?.[0] ?? "records";
  // Rates and counts come live; the rest changes seldom.
  const answer = useGet<TopicPage>(`/api/topics/${part(name)}`, tab === "partitions" || tab === "groups" ? 5000 : 20_000);
  const topic = answer.data;
  // The broker is back.
  const there = connected.value;
  useEffect(() => {
    if (there && answer.problem) answer.reload();
  }, [there]);
  const choose = (next: Tab) => place.go({ tab: next === "records" ? null : next, copy: null, record: null, of: next === "produce" ? place.query.of : null }, true);
  return (
    <>
      <PageHead title={name}>
        {topic && <Tag mood={topic.kind === "mine" ? "accent" : ""}>{KIND[topic.kind]}</Tag>}
        <a href="/topics">All topics</a>
        {topic?.may_delete && <Remove topic={topic} />}
      </PageHead>
      {!topic && <Wrong problem={answer.problem} />}
      {topic && answer.problem && answer.problem.status === 404 && <Wrong problem={answer.problem} />}
      {topic && (
        <>
          {topic.about && <p class="lead">{topic.about}</p>}
          <Facts topic={topic} />
          <Tabs label={`About ${name}`} tabs={TABS} chosen={tab} onChoose={choose} />
          {tab === "records" && <Records key={name} topic={topic} place={place} />}
          {tab === "schema" && <Schema topic={topic} />}
          {tab === "partitions" && <Partitions topic={topic} place={place} />}
          {tab === "groups" && <Groups topic={topic} />}
          {tab === "configs" && <Configs topic={topic} />}
          {tab === "produce" && <Produce key={name} topic={topic} place={place} />}
        </>
      )}
    </>
  );
}

function Facts({ topic }: { topic: TopicPage }) {
  const now = topics.value.find((one) => one.name === topic.name) ?? topic;
  return (
    <Panel class="facts">
      <Figure value={rate(now.messages_per_s)} label="messages/s" />
      <Figure value={now.bytes_per_s === null ? "-" : `${bytes(now.bytes_per_s)}/s`} label="written" />
      <Figure value={count(now.records)} label="records" />
      <Figure value={bytes(now.size_bytes)} label={topic.durability === null ? "on the disk" : <span title={DURABILITY[topic.durability]}>on the disk, durability {topic.durability}</span>} />
      <Figure value={ago(now.last_write_ms)} label="last write" />
      <Figure value={topic.lag.length === 0 ? "none" : lagWords(mostLag(topic.lag))} label={topic.lag.length === 0 ? "reading with a group" : `most lag, of ${plural(topic.lag.length, "group")}`} />
    </Panel>
  );
}
