import { useLocation, useRoute } from "preact-iso";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { part, withQuery } from "../api/client";
import type { GroupPage, GroupPartition } from "../api/model";
import { useGet } from "../api/use";
import { Chart } from "../parts/chart";
import { sentence, Wrong } from "../parts/form";
import { Empty, Figure, Notice, PageHead, Panel, Tag } from "../parts/panel";
import { Table, type Column } from "../parts/table";
import { count, plural, rate } from "../parts/words";
import { every } from "../state/prefs";
import { Assignment, Letter, Members } from "./group/assignment";
import { Remove } from "./group/remove";
import { Reset } from "./group/reset";
import { courseWords, etaFigure, LAG_IS, lagWords, Letters, notCounted, offset, stateWords } from "./group/words";

const MISSING_AGAIN_MS = 5000;

export default function Group() {
  const { params } = useRoute();
  return <GroupOf key={params.id} id={params.id ?? ""} />;
}

function GroupOf({ id }: { id: string }) {
  const [missing, setMissing] = useState(false);
  const { data, problem, reload } = useGet<GroupPage>(`/api/groups/${part(id)}`, missing ? MISSING_AGAIN_MS : every.value * 1000);
  const letters = useRef(new Letters()).current;
  if (data) letters.give(data.members);
  const gone = problem?.status === 404;
  useEffect(() => setMissing(gone), [gone]);
  return (
    <>
      <PageHead title={id}>
        {data && !gone && <StateTag group={data} />}
        <a href="/groups">All groups</a>
      </PageHead>
      {gone && (
        <Notice mood="warn"><strong>There is no group of this name{data ? " any more" : ""}.</strong> A group is there while it has members or committed offsets, and its name is spelt exactly as <code>group.id</code> in the client. This page shows it as soon as it is there.</Notice>
      )}
      {!gone && <Wrong problem={problem} />}
      {data && !gone && <Content group={data} letters={letters} reload={reload} />}
    </>
  );
}

function StateTag({ group }: { group: GroupPage }) {
  const words = stateWords(group.state, group.members.length);
  return <><Tag mood={words.mood} title={words.sentence}>{words.word}</Tag>{group.assignor && <Tag title="How partitions are handed out">{group.assignor}</Tag>}</>;
}

function Content({ group, letters, reload }: { group: GroupPage; letters: Letters; reload: () => void }) {
  const state = stateWords(group.state, group.members.length);
  const [eta, until] = etaFigure(group.lag, group.rate_in, group.rate_out, group.eta_s);
  return (
    <>
      <Panel>
        <div class="columns figures">
          <Figure value={lagWords(group.lag)} label="records of lag" />
          <Figure value={`${rate(group.rate_in)} /s`} label="come in" />
          <Figure value={`${rate(group.rate_out)} /s`} label="are committed" />
          <Figure value={eta} label={until} />
          <Figure value={count(group.members.length)} label={group.members.length === 1 ? "member" : "members"} />
        </div>
        <p>{state.sentence} {courseWords(group, group.members.length)}</p>
        <p class="quiet small">{LAG_IS} Committed and end are read at the same moment.{group.uncounted > 0 && ` ${sentence(notCounted(group.uncounted))}`}</p>
      </Panel>
      <Panel title="Who reads what">
        {group.partitions.length === 0 && group.members.length === 0
          ? <Empty>Nothing yet: no member, and nothing committed.</Empty>
          : <Assignment group={group} letters={letters} />}
        <Members group={group} letters={letters} />
      </Panel>
      <LagChart group={group} />
      <Partitions group={group} letters={letters} />
      <Reset group={group} onDone={reload} />
      <Remove group={group} />
    </>
  );
}

function LagChart({ group }: { group: GroupPage }) {
  const series = useMemo(() => [{ name: "Lag", values: group.history.lag }], [group.history]);
  return (
    <Panel title="Lag over 15 minutes">
      {group.history.at_ms.length < 2
        ? <Empty>The first line is here in a few seconds: the broker notes the lag every {group.history.step_s} s.</Empty>
        : <Chart title={`Lag of ${group.id} over 15 minutes`} at_ms={group.history.at_ms} series={series} format={count} whole />}
    </Panel>
  );
}

function Partitions({ group, letters }: { group: GroupPage; letters: Letters }) {
  const { query, path, route } = useLocation();
  const topics = [...new Set(group.partitions.map((one) => one.topic))];
  const topic = topics.includes(query.topic ?? "") ? query.topic! : "";
  const rows = topic ? group.partitions.filter((one) => one.topic === topic) : group.partitions;
  // A column that says the same in each row is a title.
  const one = topics.length === 1 ? topics[0] : topic;
  const clients = new Map(group.members.map((one) => [one.member_id, one.client_id]));
  const columns: Column<GroupPartition>[] = [
    ...(one ? [] : [{ head: "Topic", by: (row: GroupPartition) => row.topic, cell: (row: GroupPartition) => <a class="named" title={row.topic} href={`/topics/${part(row.topic)}`}>{row.topic}</a> }]),
    { head: "Partition", number: true, by: (row) => row.partition, cell: (row) => row.partition },
    { head: "Committed", number: true, by: (row) => row.committed ?? -1, cell: (row) => offset(row.committed) },
    { head: "End", number: true, by: (row) => row.end_offset, cell: (row) => count(row.end_offset) },
    { head: "Lag", number: true, by: (row) => row.lag ?? -1, cell: (row) => (row.lag === null ? "-" : <strong>{count(row.lag)}</strong>) },
    {
      head: "Owner",
      by: (row) => (row.owner === null ? "" : letters.of(row.owner)),
      cell: (row) => (row.owner === null ? <span class="quiet">nobody</span> : <span class="owner"><Letter member={row.owner} letters={letters} /><span class="cut" title={clients.get(row.owner)}>{clients.get(row.owner)}</span></span>),
    },
  ];
  return (
    <Panel
      title={one ? <>Partitions of <a class="break" href={`/topics/${part(one)}`}>{one}</a></> : `Partitions (${plural(rows.length, "row")})`}
      tools={topics.length > 1 && (
        <select aria-label="Topic" value={topic} onChange={(event) => route(withQuery(path, { topic: event.currentTarget.value }), true)}>
          <option value="">all {topics.length} topics</option>
          {topics.map((name) => <option key={name} value={name}>{name}</option>)}
        </select>
      )}
    >
      <Table caption="Partitions of the group with committed and end offset" columns={columns} rows={rows} id={(row) => `${row.topic}/${row.partition}`} empty="Nothing is committed yet and nobody has a partition." shown={50} />
      {rows.some((row) => row.committed === null) && <p class="quiet small">“None yet”: the group has committed nothing there, so no lag is counted, and a consumer begins where its <code>auto.offset.reset</code> says.</p>}
    </Panel>
  );
}
