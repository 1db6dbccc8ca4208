import type { History } from "../../api/model";
import { useGet } from "../../api/use";
import { Chart } from "../../parts/chart";
import { Wrong } from "../../parts/form";
import { Figure, Notice, Panel, Tag } from "../../parts/panel";
import { Table } from "../../parts/table";
import { bytes, count, rate } from "../../parts/words";
import { tick, trend } from "../../state/live";
import { isSingle } from "../../state/session";
import { DoctorChecks } from "./addresses";
import type { Seen } from "./data";
import { Troubles } from "./troubles";

interface Overview {
  healthy: boolean; problem: string | null; warning: string | null; connections: number | null; messages_in_per_s: number; bytes_in_per_s: number | null; bytes_out_per_s: number | null;
  cluster: { kind: "embedded" | "external"; address: string | null; missing: string[] };
  damage: { topic: string; partition: number; first_offset: number; end_offset: number }[];
  topics: { records: number; size_bytes: number | null; partitions: number }[]; groups: { id: string }[];
}

const TROUBLES_SHOWN = 200;

export function ClusterTab() {
  const overview = useGet<Overview>("/api/overview", 5000);
  const seen = useGet<Seen>("/api/seen", 10_000);
  const now = tick.value;
  const all = overview.data;
  const history = useGet<History>("/api/history?minutes=15", 5000);
  const kept = history.data;
  const seenHere = trend.value;
  const lines = kept
    ? { at_ms: kept.at_ms, messages: kept.messages_in_per_s, bytes_in: kept.bytes_in_per_s, bytes_out: kept.bytes_out_per_s }
    : seenHere;
  const sum = (what: (topic: Overview["topics"][number]) => number) => (all ? all.topics.reduce((total, topic) => total + what(topic), 0) : 0);
  const ofUsers = (seen.data?.users ?? []).flatMap((user) => user.troubles.map((trouble) => ({ ...trouble, user: user.user })));
  const troubles = [...(seen.data?.strangers ?? []), ...ofUsers].sort((a, b) => b.at_ms - a.at_ms).slice(0, TROUBLES_SHOWN);
  const connected = seen.data?.users.filter((user) => user.connections > 0).length;
  const healthy = now?.healthy ?? all?.healthy;
  const shown = now ?? all;
  return (
    <div class="stack">
      <Wrong problem={overview.problem} />
      <Panel title="The broker now" tools={healthy !== undefined && <Tag mood={healthy ? "good" : "bad"}>{healthy ? "● healthy" : "■ has a problem"}</Tag>}>
        {(now?.problem ?? all?.problem) && <Notice mood="bad">{now?.problem ?? all?.problem}</Notice>}
        {(now?.warning ?? all?.warning) && <Notice mood="warn">{now?.warning ?? all?.warning}</Notice>}
        <div class="columns figures">
          <Figure value={shown ? rate(shown.messages_in_per_s) : "-"} label="messages/s in" />
          <Figure value={shown && shown.bytes_in_per_s !== null ? `${bytes(shown.bytes_in_per_s)}/s` : "-"} label="in" />
          <Figure value={shown && shown.bytes_out_per_s !== null ? `${bytes(shown.bytes_out_per_s)}/s` : "-"} label="out" />
          <Figure value={shown ? count(shown.connections) : "-"} label="open connections" />
          {!isSingle() && <Figure value={connected === undefined ? "-" : count(connected)} label="users with a client connected" />}
          <Figure value={now ? count(now.pages) : "-"} label="open pages" />
          <Figure value={now ? `${Math.round(now.cpu_percent)} %` : "-"} label="of one core" />
          <Figure value={now ? bytes(now.memory_bytes) : "-"} label="memory" />
          <Figure value={all ? count(all.topics.length) : "-"} label={`topics, ${all ? count(sum((topic) => topic.partitions)) : "-"} partitions`} />
          <Figure value={all ? count(sum((topic) => topic.records)) : "-"} label="records" />
          <Figure value={all && all.cluster.kind === "embedded" ? bytes(sum((topic) => topic.size_bytes ?? 0)) : "-"} label="on the disk" />
          <Figure value={all ? count(all.groups.length) : "-"} label="consumer groups" />
        </div>
      </Panel>
      {all?.cluster.kind === "external" && (
        <Panel title="The Kafka cluster is not this program's">
          <p>The workshop is held on the cluster at <code class="break">{all.cluster.address}</code>. Its brokers do not tell Headwater:</p>
          <ul class="plain-list">{all.cluster.missing.map((what) => <li key={what}>{what}</li>)}</ul>
        </Panel>
      )}
      {lines.at_ms.length > 1 && (
        <div class="columns">
          <Panel title="Messages per second"><Chart title="Messages per second" at_ms={lines.at_ms} series={[{ name: "in", values: lines.messages }]} format={rate} /></Panel>
          <Panel title="Bytes per second"><Chart title="Bytes per second" at_ms={lines.at_ms} series={[{ name: "in", values: lines.bytes_in }, { name: "out", values: lines.bytes_out }]} format={(value) => `${bytes(value)}/s`} /></Panel>
        </div>
      )}
      <Panel title="What the doctor finds"><DoctorChecks /></Panel>
      <Panel title="Damage">
        {!all || all.damage.length === 0
          ? <p class="quiet">{all ? all.cluster.kind === "external" ? "The cluster's own brokers look after their logs." : "No part of any log is damaged. The scrubber goes on reading all of them." : ""}</p>
          : (
            <>
              <Notice mood="bad">These offsets cannot be read any more: a disk gave back other bytes than were written. Readers are told, everything else goes on. Save what matters and look at the disk.</Notice>
              <Table caption="Damaged parts of logs" rows={all.damage} id={(one) => `${one.topic} ${one.partition} ${one.first_offset}`}
                columns={[
                  { head: "Topic", cell: (one) => <code class="break">{one.topic}</code> },
                  { head: "Partition", number: true, cell: (one) => one.partition },
                  { head: "From offset", number: true, cell: (one) => count(one.first_offset) },
                  { head: "Up to, without", number: true, cell: (one) => count(one.end_offset) },
                ]} />
            </>
          )}
      </Panel>
      <Panel title="Who could not come in">
        {!seen.data && <Wrong problem={seen.problem} />}
        {seen.data && <Troubles troubles={troubles} caption="Connections that went wrong" empty="No connection went wrong. Wrong passwords, wrong ports and TLS that does not fit show here, with what to do." />}
      </Panel>
    </div>
  );
}
