import type { ComponentChildren } from "preact";
import type { LogRecord } from "../../api/model";
import { placeOf, short } from "../../parts/content";
import { Tag } from "../../parts/panel";
import { stamp } from "../../parts/words";

interface RowsProps {
  records: LogRecord[];
  open: string | null;
  onOpen: (place: string | null) => void;
  /** The record that somebody was sent to. */
  marked?: string;
  fresh?: boolean;
  view: (record: LogRecord) => ComponentChildren;
}

const today = () => new Date().toDateString();

function time(ms: number, day: string): string {
  const words = stamp(ms);
  return new Date(ms).toDateString() === day ? words.slice(11) : words;
}

/** Records, a line each; one of them can be open. The arrow keys go up and down. */
export function RecordRows({ records, open, onOpen, marked, fresh, view }: RowsProps) {
  const day = today();
  const step = (event: KeyboardEvent) => {
    const down = { ArrowDown: true, ArrowUp: false }[event.key];
    const at = event.target as HTMLElement;
    if (down === undefined || !at.classList.contains("record-row")) return;
    const item = at.parentElement!;
    const next = (down ? item.nextElementSibling : item.previousElementSibling)?.querySelector<HTMLElement>(".record-row");
    if (next) {
      event.preventDefault();
      next.focus();
    }
  };
  return (
    <div class="records">
      <div class="record-head" aria-hidden="true"><span>Time</span><span>Partition:offset</span><span>Key</span><span>Value</span></div>
      <ul onKeyDown={step} aria-label="Records">
        {records.map((record) => {
          const place = placeOf(record);
          const isOpen = open === place;
          return (
            <li key={place} class={`${fresh ? "arrive" : ""} ${isOpen ? "open" : ""} ${marked === place ? "marked" : ""}`} aria-current={marked === place ? "true" : undefined}>
              <button type="button" class="record-row" aria-expanded={isOpen} onClick={() => onOpen(isOpen ? null : place)}>
                <span class="quiet number">{time(record.timestamp_ms, day)}</span>
                <span class="place">{place}</span>
                <span class="key">{record.key === null ? <span class="quiet">no key</span> : record.key.bytes === 0 ? <span class="quiet">empty</span> : <bdi>{short(record.key, 60)}</bdi>}</span>
                <span class="value">
                  {record.value === null ? <Tag mood="accent">{record.key === null ? "null" : "null: tombstone"}</Tag> : record.value.bytes === 0 ? <span class="quiet">empty</span> : <bdi>{short(record.value, 320)}</bdi>}
                </span>
              </button>
              {isOpen && view(record)}
            </li>
          );
        })}
      </ul>
    </div>
  );
}
