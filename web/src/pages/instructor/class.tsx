import { useRef } from "preact/hooks";
import { useGet, type Loaded } from "../../api/use";
import { send } from "../../api/client";
import { Field, Wrong } from "../../parts/form";
import { Empty, Notice, Panel } from "../../parts/panel";
import { Twice } from "../../parts/twice";
import { plural } from "../../parts/words";
import { Board, Legend, type BoardRow } from "./board";
import { CellDialog } from "./cell";
import { StudentDialog } from "./student";
import { isSolved, lastSeen, useQuery, type ClassBoard, type ClassStudent, type Roster, type Seen, type Sighting } from "./data";

type Sort = "name" | "progress" | "activity";
const SORTS: Record<Sort, string> = { name: "Name", progress: "Progress", activity: "Last activity" };

function compared(sort: Sort): (a: BoardRow, b: BoardRow) => number {
  const byName = (a: BoardRow, b: BoardRow) => a.student.name.localeCompare(b.student.name, "en", { numeric: true });
  if (sort === "progress") return (a, b) => b.solved - a.solved || byName(a, b);
  if (sort === "activity") return (a, b) => b.active_ms - a.active_ms || byName(a, b);
  return byName;
}

function made(student: ClassStudent, users: string[], seen: Map<string, Sighting> | null): BoardRow {
  const cells = Object.values(student.challenges).filter((cell) => cell !== undefined);
  const sightings = users.map((user) => seen?.get(user));
  const work = Math.max(0, ...cells.map((cell) => cell.last_ms ?? 0));
  return {
    student,
    solved: cells.filter((cell) => isSolved(cell.status)).length,
    stuck: cells.some((cell) => cell.stuck),
    active_ms: Math.max(work, ...sightings.map(lastSeen)),
    open: seen ? sightings.reduce((sum, one) => sum + (one?.connections ?? 0), 0) : null,
  };
}

export function ClassTab({ board }: { board: Loaded<ClassBoard> }) {
  const [query, set] = useQuery();
  const roster = useGet<Roster>("/api/students", 15_000);
  const seen = useGet<Seen>("/api/seen", 15_000);
  const hold = useRef(false);
  const order = useRef<{ by: string; ids: string[] }>({ by: "", ids: [] });

  const data = board.data;
  const sort = (query.sort && query.sort in SORTS ? query.sort : "name") as Sort;
  const wanted = (query.name ?? "").trim().toLowerCase();
  const onlyStuck = query.stuck === "1";
  const known = new Map(roster.data?.students.map((one) => [one.id, one]));
  const sightings = seen.data ? new Map(seen.data.users.map((one) => [one.user, one])) : null;

  const rows = (data?.students ?? [])
    .map((student) => made(student, known.get(student.id)?.users ?? [student.id], sightings))
    .filter((row) => (!onlyStuck || row.stuck) && (!wanted || `${row.student.name} ${row.student.id}`.toLowerCase().includes(wanted)));
  // Rows stay where they are while somebody points at them.
  const by = JSON.stringify([sort, wanted, onlyStuck, rows.length]);
  if (!hold.current || order.current.by !== by) order.current = { by, ids: rows.sort(compared(sort)).map((row) => row.student.id) };
  const place = new Map(order.current.ids.map((id, n) => [id, n]));
  rows.sort((a, b) => (place.get(a.student.id) ?? 0) - (place.get(b.student.id) ?? 0));

  const student = data?.students.find((one) => one.id === query.student);
  const challenge = data?.challenges.find((one) => one.id === query.challenge);
  const close = () => set({ student: null, challenge: null });
  const changed = () => {
    board.reload();
    roster.reload();
  };
  const open = (id: string, cell: string | null) => set({ student: id, challenge: cell });

  if (!data) return <Wrong problem={board.problem} />;
  const of = data.students.length;
  return (
    <div class="stack">
      {board.problem && <Wrong problem={board.problem} />}
      <div class="row apart">
        <div class="row ends">
          <Field label="Find a student"><input type="search" value={query.name ?? ""} placeholder="Name" onInput={(event) => set({ name: event.currentTarget.value })} /></Field>
          <Field label="Sort by">
            <select value={sort} onChange={(event) => set({ sort: event.currentTarget.value === "name" ? null : event.currentTarget.value })}>
              {Object.entries(SORTS).map(([id, name]) => <option key={id} value={id}>{name}</option>)}
            </select>
          </Field>
          <button type="button" aria-pressed={onlyStuck} onClick={() => set({ stuck: onlyStuck ? null : "1" })}>Only who is stuck</button>
        </div>
        <span class="quiet" role="status">{rows.length === of ? plural(of, "student") : `${rows.length} of ${plural(of, "student")}`}</span>
      </div>
      {of === 0 ? (
        <Empty>Nobody has joined yet. Show the join code: it is under <a href="/instructor?tab=room">Room</a>, and large in the <a href="/?view=stage" target="_blank">projector view</a>.</Empty>
      ) : rows.length === 0 ? (
        <Empty>No student fits. {onlyStuck && "Nobody who fits waits for help. "}<button type="button" class="plain" onClick={() => set({ name: null, stuck: null })}>Show all</button></Empty>
      ) : (
        <Board challenges={data.challenges} rows={rows} all={data.students} onOpen={open} onHold={(on) => { hold.current = on; }} />
      )}
      <Legend />
      <Keeping students={of} onErased={changed} />
      {student && challenge && (
        <CellDialog key={`${student.id} ${challenge.id}`} student={student} challenge={challenge} onClose={close} onChanged={changed} onStudent={() => open(student.id, null)} />
      )}
      {student && !query.challenge && (
        <StudentDialog key={student.id} student={student} board={data} entry={known.get(student.id) ?? null} onClose={close} onChanged={changed} onCell={(id) => open(student.id, id)} />
      )}
      {query.student && !student && <Notice mood="warn">There is no student {query.student.slice(0, 80)}. <button type="button" class="plain" onClick={close}>Back to all</button></Notice>}
    </div>
  );
}

function Keeping({ students, onErased }: { students: number; onErased: () => void }) {
  return (
    <Panel title="Everybody's progress">
      <p class="quiet">Attempts, verdicts, hints and rulings of all {plural(students, "student")}, as one JSON file. Names are the ones shown on the board.</p>
      <div class="row"><a class="button" href="/api/progress/export" download="headwater-progress.json">Download the progress</a></div>
      <Twice label="Erase the progress" confirm="Erase it for everybody"
        warning={<><strong>Step 2 of 2.</strong> What all {plural(students, "student")} have solved, tried and been ruled is erased, and so are their reports. Their names, passwords and topics stay. Nothing brings it back: download it first.</>}
        act={async () => { await send("DELETE", "/api/progress", {}); onErased(); }} />
    </Panel>
  );
}
