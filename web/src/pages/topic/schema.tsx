import { Dotted } from "../../parts/dotted";
import { useState } from "preact/hooks";
import type { FieldInfo, TopicPage } from "../../api/model";
import { Empty, Panel } from "../../parts/panel";
import { Table, type Column } from "../../parts/table";
import { line } from "../../parts/visible";
import { exampleOf } from "./filter";

const COLUMNS: Column<FieldInfo>[] = [
  { head: "Field", cell: (field) => <span class="name-cell"><Dotted name={field.name} />{!field.required && <span class="quiet small"> may be missing</span>}</span>, by: (field) => field.name },
  { head: "Type", cell: (field) => field.type },
  { head: "What it means", cell: (field) => <span class="meaning">{field.meaning}</span> },
  { head: "Example", cell: (field) => <code class="value-cell">{line(exampleOf(field), 80)}</code> },
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
      {topic.fields.length > 0 && topic.kind !== "stream" && <p>Nobody has described this topic. These fields were found in its newest records; what they mean is between who writes and who reads.</p>}
      {topic.fields.length > 0 ? (
        <Table caption={`Fields of ${topic.name}`} columns={COLUMNS} rows={rows} id={(field) => field.name} empty="No field of that name." />
      ) : (
        <Empty>Nobody has described this topic. Kafka does not ask for a schema: whoever writes and whoever reads have to agree. The tab Records shows what is in it.</Empty>
      )}
    </Panel>
  );
}
