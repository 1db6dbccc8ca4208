import type { RequestRow } from "../../api/model";

/** The same request several times in a row: a consumer with nothing to read asks twice a second. */
export interface Fold {
  /** Of the oldest, so that a fold stays the same one while more are added. */
  id: number;
  newest: RequestRow;
  oldest: RequestRow;
  times: number;
  longest_ms: number;
}

/** Two are the same if only the time they took differs. */
const kind = (row: RequestRow): string => [row.client_id, row.api, row.error?.code ?? 0, row.words.replaceAll(/[\d.,]+ (?:µs|ms|s)\b/g, "")].join("\u0000");

/** `rows` are the newest first. */
export function fold(rows: RequestRow[]): Fold[] {
  const folds: Fold[] = [];
  let before = "";
  for (const row of rows) {
    const now = kind(row);
    const last = folds.at(-1);
    if (last && now === before) {
      last.id = row.id;
      last.oldest = row;
      last.times += 1;
      last.longest_ms = Math.max(last.longest_ms, row.took_ms);
    } else {
      folds.push({ id: row.id, newest: row, oldest: row, times: 1, longest_ms: row.took_ms });
    }
    before = now;
  }
  return folds;
}
