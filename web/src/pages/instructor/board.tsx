import { Component } from "preact";
import { useMemo, useRef, useState } from "preact/hooks";
import { ago } from "../../parts/words";
import { inWords, STATUSES, tally, type Cell, type ClassChallenge, type ClassStudent, type Status } from "./data";

export interface BoardRow { student: ClassStudent; solved: number; stuck: boolean; active_ms: number; open: number | null }

const NONE: Cell = { status: "open", attempts: 0, first_pass_ms: null, hints: 0, score: 0, stars: [], stuck: false, unread: false, note: null, ruling: null, last_ms: null };

function told(name: string, challenge: ClassChallenge, cell: Cell): string {
  const more = [
    STATUSES[cell.status].name,
    cell.attempts === 1 ? "1 attempt" : `${cell.attempts} attempts`,
    cell.hints > 0 && `${cell.hints} hints`,
    cell.stuck && "waits for help",
    cell.unread && "the broker saw none of these records being read",
  ];
  return `${name}, ${inWords(challenge.id)} ${challenge.title}: ${more.filter(Boolean).join(", ")}`;
}

export function Mark({ status }: { status: Status }) {
  return <span class={`sign ${status}`}><i aria-hidden="true" />{STATUSES[status].letter}</span>;
}

interface RowProps { row: BoardRow; key_: string; challenges: ClassChallenge[]; active: number; onOpen: (student: string, challenge: string | null) => void }

/** Drawn again only when something in it changed: there are 300 of them. */
class Row extends Component<RowProps> {
  override shouldComponentUpdate(next: RowProps): boolean {
    return next.key_ !== this.props.key_ || next.active !== this.props.active || next.challenges !== this.props.challenges;
  }

  override render({ row, challenges, active, onOpen }: RowProps) {
    const { student } = row;
    return (
      <tr data-id={student.id}>
        <th scope="row">
          <button type="button" class="who" data-column={0} tabIndex={active === 0 ? 0 : -1} title={`${student.name}${student.name === student.id ? "" : ` (${student.id})`}`} onClick={() => onOpen(student.id, null)}>
            <span class={`light ${row.open ? "green" : ""}`} aria-hidden="true" />
            <span class="cut">{student.name}</span>
            {row.open !== null && <span class="only-read">{row.open > 0 ? ", connected" : ", not connected"}</span>}
          </button>
        </th>
        {challenges.map((challenge, n) => {
          const cell = student.challenges[challenge.id] ?? NONE;
          const words = told(student.name, challenge, cell);
          return (
            <td key={challenge.id}>
              <button type="button" class={`work ${cell.status} ${cell.stuck ? "stuck" : ""}`} data-column={n + 1} tabIndex={active === n + 1 ? 0 : -1}
                title={words} aria-label={words} onClick={() => onOpen(student.id, challenge.id)}>
                <Mark status={cell.status} />
                {cell.unread && <b aria-hidden="true">?</b>}
                {cell.stuck && <b aria-hidden="true">!</b>}
              </button>
            </td>
          );
        })}
        <td class="number">{row.solved}</td>
        <td class="number quiet small">{row.active_ms > 0 ? ago(row.active_ms) : "-"}</td>
      </tr>
    );
  }
}

interface BoardProps {
  challenges: ClassChallenge[];
  rows: BoardRow[];
  all: ClassStudent[];
  onOpen: (student: string, challenge: string | null) => void;
  onHold: (hold: boolean) => void;
}

/** Students and challenges. The arrow keys go from cell to cell; one of them is in the order of the Tab key. */
export function Board({ challenges, rows, all, onOpen, onHold }: BoardProps) {
  const [at, setAt] = useState<{ id: string; column: number } | null>(null);
  const table = useRef<HTMLTableElement>(null);
  const ids = challenges.map((challenge) => challenge.id).join();
  // The same list as long as the challenges are the same ones.
  const columns = useMemo(() => challenges, [ids]);
  const counts = useMemo(() => columns.map((challenge) => tally(all, challenge.id)), [all, columns]);
  const there = at && rows.some((row) => row.student.id === at.id) ? at : { id: rows[0]?.student.id ?? "", column: 0 };
  const move = (event: KeyboardEvent) => {
    const button = (event.target as Element).closest<HTMLButtonElement>("button[data-column]");
    const line = button?.closest("tr");
    if (!button || !line) return;
    let [row, column] = [rows.findIndex((one) => one.student.id === line.dataset.id), Number(button.dataset.column)];
    const last = columns.length;
    const steps: Record<string, () => void> = {
      ArrowUp: () => { row -= 1; },
      ArrowDown: () => { row += 1; },
      ArrowLeft: () => { column -= 1; },
      ArrowRight: () => { column += 1; },
      PageUp: () => { row -= 10; },
      PageDown: () => { row += 10; },
      Home: () => { column = 0; if (event.ctrlKey) row = 0; },
      End: () => { column = last; if (event.ctrlKey) row = rows.length - 1; },
    };
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    step();
    row = Math.min(Math.max(row, 0), rows.length - 1);
    column = Math.min(Math.max(column, 0), last);
    const id = rows[row]!.student.id;
    setAt({ id, column });
    const lines = table.current?.tBodies[0]?.rows;
    lines?.[row]?.querySelector<HTMLButtonElement>(`button[data-column="${column}"]`)?.focus();
  };
  const focused = (event: FocusEvent) => {
    onHold(true);
    const button = (event.target as Element).closest<HTMLButtonElement>("button[data-column]");
    const id = button?.closest("tr")?.dataset.id;
    if (button && id) setAt({ id, column: Number(button.dataset.column) });
  };
  return (
    <div class="class-board" onMouseEnter={() => onHold(true)} onMouseLeave={() => onHold(table.current?.contains(document.activeElement) ?? false)}>
      <table ref={table} role="grid" aria-label="Students and challenges" aria-rowcount={rows.length + 1} onKeyDown={move} onFocusIn={focused} onFocusOut={() => onHold(false)}>
        <thead>
          <tr>
            <th scope="col" class="corner">Student</th>
            {columns.map((challenge, n) => {
              const { solved, begun, failing } = counts[n]!;
              const of = Math.max(all.length, 1);
              return (
                <th key={challenge.id} scope="col" title={`${challenge.title}: ${solved} solved, ${failing} failing, ${begun} begun, of ${all.length}`}>
                  <strong>{inWords(challenge.id)}</strong>
                  <span class="name">{challenge.title}</span>
                  <span class="share" aria-hidden="true">
                    <i class="pass" style={{ width: `${(100 * solved) / of}%` }} />
                    <i class="fail" style={{ width: `${(100 * failing) / of}%` }} />
                    <i class="begun" style={{ width: `${(100 * begun) / of}%` }} />
                  </span>
                  <span class="counts">
                    <span class="solved" title="solved">S {solved}<span class="only-read"> solved, </span></span>
                    <span title="failing or partly right">F {failing}<span class="only-read"> failing, </span></span>
                    <span title="begun">B {begun}<span class="only-read"> begun</span></span>
                  </span>
                </th>
              );
            })}
            <th scope="col" class="number">Solved</th>
            <th scope="col" class="number">Last seen</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <Row key={row.student.id} row={row} key_={JSON.stringify(row) + (row.active_ms > 0 ? ago(row.active_ms) : "")} challenges={columns}
              active={row.student.id === there.id ? there.column : -1} onOpen={onOpen} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function Legend() {
  return (
    <ul class="legend small" aria-label="What the marks mean">
      {(Object.keys(STATUSES) as Status[]).map((status) => <li key={status}><span class={`work ${status}`}><Mark status={status} /></span> {STATUSES[status].name}</li>)}
      <li><b>!</b> waits for help</li>
      <li><b>?</b> solved, but the broker saw none of these records being read: ask how</li>
    </ul>
  );
}
