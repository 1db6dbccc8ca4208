import { Tag } from "../../parts/panel";
import { Pairs } from "../../parts/table";
import { bytes, clock, count, stamp } from "../../parts/words";
import type { Fold } from "./fold";

const LONGEST_MS = 30_000;

/** Between 0 and 100; each tenfold time is as much longer as the one before. */
const length = (ms: number): number => Math.min(100, (100 * Math.log10(1 + ms)) / Math.log10(1 + LONGEST_MS));

const took = (ms: number): string => (ms < 1 ? "< 1 ms" : ms < 9.95 ? `${ms.toFixed(1)} ms` : `${count(ms)} ms`);

interface RequestProps { fold: Fold; open: boolean; onTurn: () => void }

/** One request in a line, or the same one several times; opened, all that the broker knows of it. */
export function Request({ fold, open, onTurn }: RequestProps) {
  const row = fold.newest;
  const id = `request-${fold.id}`;
  return (
    <li class={row.error ? "request wrong" : "request"}>
      <button type="button" class="line" aria-expanded={open} aria-controls={open ? id : undefined} onClick={onTurn}>
        <span class="at mono">{clock(row.at_ms)}</span>
        <span class="what">{row.error && <strong class="fault"><span aria-hidden="true">▲</span><span class="only-read">Error: </span></strong>} {row.words}{fold.times > 1 && <> <Tag>{count(fold.times)} times</Tag></>}</span>
        <span class="who quiet cut" title={row.client_id}>{row.client_id || "(no client id)"}</span>
        <span class="took"><span class="fill" aria-hidden="true"><span style={{ width: `${length(row.took_ms)}%` }} /></span><span class="number">{took(row.took_ms)}</span></span>
      </button>
      {open && (
        <div class="opened stack tight" id={id}>
          {row.error && <p><strong>{row.error.name} ({row.error.code}).</strong> {row.error.words}</p>}
          {row.error?.fix && <p><strong>What to do:</strong> {row.error.fix}</p>}
          <Pairs
            pairs={[
              ["Request", <><span class="mono">{row.api}</span>, version {row.version}</>],
              ["When", <><span class="mono">{stamp(row.at_ms)}</span>{fold.times > 1 && <>, and {count(fold.times - 1)} times before it since <span class="mono">{clock(fold.oldest.at_ms)}</span></>}</>],
              ["Took", <>{took(row.took_ms)}{fold.times > 1 && `, the longest ${took(fold.longest_ms)}`}</>],
              ["Size", `${bytes(row.bytes_in)} in, ${bytes(row.bytes_out)} out`],
              ["Client", <>{row.client_id || "(no client id)"}{row.software && <span class="quiet"> ({row.software})</span>}</>],
              ["From", <>{row.from}, listener {row.listener}</>],
            ]}
          />
        </div>
      )}
    </li>
  );
}
