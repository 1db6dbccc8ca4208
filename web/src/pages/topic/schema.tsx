import { useState } from "preact/hooks";
import type { FieldInfo, TopicPage } from "../../api/model";
import { Empty, Panel } from "../../parts/panel";
import { Table, type Column } from "../../parts/table";
import { line } from "../../parts/visible";

const example = (value: unknown): string => (value === null || value === undefined ? "" : line(typeof value === "string" ? value : JSON.stringify(value), 80));

const COLUMNS: Column<FieldInfo>[] = [
  { head: "Field", cell: (field) => <><code class="break">{field.name}</code>{!field.required && <span class="quiet small"> may be missing</span>}</>, by: (field) => field.name },
  { head: "Type", cell: (field) => field.type },
  { head: "What it means", cell: (field) => <span class="meaning">{field.meaning}</span> },
  { head: "Example", cell: (field) => <code class="break">{example(field.example)}</code> },
  { head: "Allowed", cell: (field) => field.values && <span class="values">{field.values.map((value) => <code key={value}>{value}</code>)}</span> },
];

/** What the records of a topic are, in words. */
export function Schema({ topic }: { topic: TopicPage }) {
  const [find, setFind] = useState("");
  const wanted = find.trim().toLowerCase();
  const rows = topic.fields.filter((field) => `${field.name} ${field.meaning}`.toLowerCase().includes(wanted));
  return (
    <Panel
      title="What the records mean"
      tools={topic.fields.length > 0 && (
        <>
          <input type="search" aria-label="Find a field" placeholder="Find a field" value={find} onInput={(event) => setFind(event.currentTarget.value)} />
          {topic.schema?.startsWith("/") && <a class="button" href={topic.schema} target="_blank">JSON Schema</a>}
        </>
      )}
    >
      {topic.story && <p class="lead">{topic.story}</p>}
      {topic.fields.length > 0 ? (
        <Table caption={`Fields of ${topic.name}`} columns={COLUMNS} rows={rows} id={(field) => field.name} empty="No field of that name." />
      ) : (
        <Empty>Nobody has described this topic. Kafka does not ask for a schema: whoever writes and whoever reads have to agree. The tab Records shows what is in it.</Empty>
      )}
    </Panel>
  );
}
