import { useState } from "preact/hooks";
import type { Loaded } from "../../api/use";
import { part, send } from "../../api/client";
import { useAct, Wrong } from "../../parts/form";
import { Empty, Panel } from "../../parts/panel";
import { Table } from "../../parts/table";
import { ago, count, plural } from "../../parts/words";
import { inWords, useQuery, type ClassBoard, type Waiting } from "./data";

export function StuckTab({ board }: { board: Loaded<ClassBoard> }) {
  const { busy, problem, act } = useAct();
  const [told, tell] = useState("");
  const data = board.data;
  if (!data) return <Wrong problem={board.problem} />;
  const titles = new Map(data.challenges.map((one) => [one.id, one.title]));
  const done = (one: Waiting) => act(async () => {
    await send("POST", `/api/stuck/${part(one.challenge)}?student=${part(one.student)}`, { stuck: false });
    tell(`${one.name} is off the queue.`);
    board.reload();
  });
  return (
    <Panel title={data.stuck.length > 0 ? `${plural(data.stuck.length, "student")} in the queue, who waited longest first` : "The queue for help"}>
      <Wrong problem={board.problem ?? problem} />
      {data.stuck.length === 0 && <Empty>Nobody waits. Students queue up on a challenge's page, or with <code>headwater stuck</code> in a terminal.</Empty>}
      <ol class="queue">
        {data.stuck.map((one) => (
          <li key={`${one.student} ${one.challenge}`}>
            <span class="waits">{ago(one.since_ms).replace(" ago", "")}</span>
            <div class="stack tight">
              <span class="break">
                <a href={`/instructor?tab=class&student=${part(one.student)}`}><strong>{one.name}</strong></a>{" "}
                <a href={`/instructor?tab=class&student=${part(one.student)}&challenge=${part(one.challenge)}`}>{inWords(one.challenge)} {titles.get(one.challenge) ?? ""}</a>
              </span>
              <span class={one.note ? "break" : "quiet"}>{one.note || "no note"}</span>
            </div>
            <button type="button" disabled={busy} onClick={() => done(one)}>Done<span class="only-read"> with {one.name}</span></button>
          </li>
        ))}
      </ol>
      <span class="only-read" role="status">{told}</span>
    </Panel>
  );
}

export function MistakesTab({ board }: { board: Loaded<ClassBoard> }) {
  const [query, set] = useQuery();
  const data = board.data;
  if (!data) return <Wrong problem={board.problem} />;
  const of = Math.max(data.students.length, 1);
  const here = data.mistakes.filter((one) => !query.challenge || one.challenge === query.challenge);
  const rows = [...here].sort((a, b) => b.count - a.count);
  const top = Math.max(...rows.map((one) => one.count), 1);
  const seen = [...new Set(data.mistakes.map((one) => one.challenge))].sort();
  const next = [...here].sort((a, b) => b.students - a.students)[0];
  return (
    <Panel title="What to explain next" tools={seen.length > 1 && (
      <div class="row" role="group" aria-label="Challenge">
        <button type="button" class="plain" aria-pressed={!query.challenge} onClick={() => set({ challenge: null })}>All</button>
        {seen.map((id) => <button key={id} type="button" class="plain" aria-pressed={query.challenge === id} onClick={() => set({ challenge: id })}>{inWords(id)}</button>)}
      </div>
    )}>
      <Wrong problem={board.problem} />
      {next && <p class="lead break">Most students made this one: <strong>{next.title ?? next.id}</strong> ({inWords(next.challenge)}, {plural(next.students, "student")} of {count(of)}).</p>}
      <Table caption="Mistakes by count" rows={rows} id={(one) => `${one.challenge} ${one.id}`}
        empty="No known mistake was recognised yet. Each check that finds one counts it here."
        columns={[
          { head: "Mistake", cell: (one) => <span class="break">{one.title ?? <code>{one.id}</code>}</span>, by: (one) => one.title ?? one.id },
          { head: "Challenge", cell: (one) => <a href={`/challenges/${part(one.challenge)}`}>{inWords(one.challenge)}</a>, by: (one) => one.challenge },
          { head: "Students", number: true, cell: (one) => count(one.students), by: (one) => one.students },
          { head: "Of the class", number: true, cell: (one) => `${Math.round((100 * one.students) / of)} %` },
          { head: "Times", number: true, cell: (one) => count(one.count), by: (one) => one.count },
          { head: "Compared", cell: (one) => <span class="meter" aria-hidden="true"><i style={{ width: `${(100 * one.count) / top}%` }} /></span> },
        ]} />
    </Panel>
  );
}
