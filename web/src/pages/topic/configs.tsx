import { Dotted } from "../../parts/dotted";
import { useState } from "preact/hooks";
import type { ConfigInfo, TopicPage } from "../../api/model";
import { Panel, Tag } from "../../parts/panel";
import { Table, type Column } from "../../parts/table";
import { bytes, span } from "../../parts/words";

/** Milliseconds and bytes as people read them; the value itself stands beside it. */
function inWords({ name, value }: ConfigInfo): string | null {
  if (value === null) return null;
  const number = Number(value);
  if (!/^-?\d+$/.test(value) || Math.abs(number) < 1000) return value === "-1" && /retention|max\.compaction/.test(name) ? "no limit" : null;
  if (number >= Number.MAX_SAFE_INTEGER) return "no limit";
  if (name.endsWith(".ms")) return span(number / 1000);
  return name.endsWith("bytes") ? bytes(number) : null;
}

const shown = (value: string | null): string => (value === null ? "null" : value === "" ? "(empty)" : value);

const COLUMNS: Column<ConfigInfo>[] = [
  { head: "Config", cell: (config) => <span class="name-cell"><Dotted name={config.name} /></span>, by: (config) => config.name },
  {
    head: "Value",
    cell: (config) => {
      const words = inWords(config);
      return <span class="value-cell"><code class={config.overridden ? "strong" : ""}>{shown(config.value)}</code>{words && <span class="quiet small nowrap"> {words}</span>}</span>;
    },
  },
  { head: "Where from", cell: (config) => (config.overridden ? <><Tag mood="accent">set for this topic</Tag> <span class="quiet small break">default {shown(config.default)}</span></> : <span class="quiet">default</span>), by: (config) => (config.overridden ? 1 : 0) },
  { head: "What it does", cell: (config) => <span class="meaning">{config.has_effect === false && <><Tag>no effect here</Tag> </>}{config.about}</span> },
];

/** What is set for the topic first, what has no effect last. */
const rank = (config: ConfigInfo): number => (config.overridden ? 0 : config.has_effect === false ? 2 : 1);

export function Configs({ topic }: { topic: TopicPage }) {
  const [find, setFind] = useState("");
  const [own, setOwn] = useState(false);
  const wanted = find.trim().toLowerCase();
  const rows = topic.configs
    .filter((config) => (!own || config.overridden) && `${config.name} ${config.about}`.toLowerCase().includes(wanted))
    .sort((a, b) => rank(a) - rank(b));
  const set = topic.configs.filter((config) => config.overridden).length;
  return (
    <Panel
      title="Configs"
      tools={
        <>
          <input type="search" aria-label="Find a config" placeholder="Find a config" value={find} onInput={(event) => setFind(event.currentTarget.value)} />
          <label class="row nowrap"><input type="checkbox" checked={own} onChange={(event) => setOwn(event.currentTarget.checked)} /> Only what is set for this topic ({set})</label>
        </>
      }
    >
      <Table caption={`Configs of ${topic.name}`} columns={COLUMNS} rows={rows} id={(config) => config.name} empty={own && set === 0 ? "This topic goes by the defaults." : "No config of that name."} />
    </Panel>
  );
}
