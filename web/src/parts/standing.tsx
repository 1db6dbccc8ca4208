import type { Standing } from "../api/model";
import { Tag, type Mood } from "./panel";

interface Look { mark: string; words: string; mood: Mood }

const LOOKS: Record<Standing, Look> = {
  open: { mark: "○", words: "not begun", mood: "" },
  begun: { mark: "◔", words: "begun", mood: "accent" },
  fail: { mark: "✗", words: "not right yet", mood: "warn" },
  partial: { mark: "◑", words: "partly right", mood: "warn" },
  pass: { mark: "✓", words: "solved", mood: "good" },
  granted: { mark: "✓", words: "granted", mood: "good" },
  skipped: { mark: "–", words: "skipped", mood: "" },
};

/** Nothing is left to do there. */
export const isDone = (status: Standing | null | undefined): boolean => status === "pass" || status === "granted" || status === "skipped";

export function StandingTag({ status }: { status: Standing }) {
  const look = LOOKS[status] ?? LOOKS.open;
  return <Tag mood={look.mood}><span aria-hidden="true">{look.mark}</span> {look.words}</Tag>;
}

/** How much of a whole. `label` says it for who cannot see it; the words beside it are the page's. */
export function Progress({ value, of, label }: { value: number; of: number; label: string }) {
  const top = Math.max(of, 1);
  return (
    <div class="progress" role="progressbar" aria-label={label} aria-valuemin={0} aria-valuemax={top} aria-valuenow={Math.min(value, top)}>
      <span style={{ width: `${Math.min(100, (100 * value) / top)}%` }} />
    </div>
  );
}
