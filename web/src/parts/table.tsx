import type { ComponentChildren } from "preact";
import { useMemo, useState } from "preact/hooks";

export interface Column<T> {
  head: string;
  cell: (row: T) => ComponentChildren;
  /** Right-aligned, with figures of one width. */
  number?: boolean;
  /** The column can be sorted by this. */
  by?: (row: T) => number | string;
}

interface TableProps<T> {
  caption: string;
  columns: Column<T>[];
  rows: T[];
  id: (row: T) => string;
  empty?: ComponentChildren;
  /** More rows come with a button: thousands at once would make the page slow. */
  shown?: number;
}

interface Order {
  column: number;
  down: boolean;
}

export function Table<T>({ caption, columns, rows, id, empty, shown = 200 }: TableProps<T>) {
  const [order, setOrder] = useState<Order | null>(null);
  const [limit, setLimit] = useState(shown);
  const sorted = useMemo(() => {
    const by = order && columns[order.column]?.by;
    if (!by || !order) return rows;
    const compare = (a: T, b: T) => {
      const [x, y] = [by(a), by(b)];
      return (x < y ? -1 : x > y ? 1 : 0) * (order.down ? -1 : 1);
    };
    return [...rows].sort(compare);
  }, [rows, order, columns]);
  if (rows.length === 0 && empty) return <div class="empty">{empty}</div>;
  const turn = (column: number) => setOrder(order?.column === column ? { column, down: !order.down } : { column, down: true });
  const state = (column: number) => (order?.column === column ? (order.down ? "descending" : "ascending") : undefined);
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={caption}>
      <table>
        <caption class="only-read">{caption}</caption>
        <thead>
          <tr>
            {columns.map((column, n) => (
              <th key={column.head} scope="col" class={column.number ? "number" : undefined} aria-sort={state(n)}>
                {column.by ? <button type="button" onClick={() => turn(n)}>{column.head}{order?.column === n ? (order.down ? " ↓" : " ↑") : ""}</button> : column.head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {sorted.slice(0, limit).map((row) => (
            <tr key={id(row)}>
              {columns.map((column) => <td key={column.head} class={column.number ? "number" : undefined}>{column.cell(row)}</td>)}
            </tr>
          ))}
        </tbody>
      </table>
      {sorted.length > limit && <button type="button" onClick={() => setLimit(limit + shown)}>Show more ({sorted.length - limit} left)</button>}
    </div>
  );
}

export function Pairs({ pairs }: { pairs: [ComponentChildren, ComponentChildren][] }) {
  return <dl class="pairs">{pairs.map(([name, value], n) => [<dt key={`t${n}`}>{name}</dt>, <dd key={`d${n}`}>{value}</dd>])}</dl>;
}
