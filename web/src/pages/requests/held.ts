import { useEffect, useState } from "preact/hooks";
import type { RequestRow } from "../../api/model";

export interface Held {
  rows: RequestRow[];
  /** How many came since the list was held; 0 while it follows. */
  waiting: number;
  follow: () => void;
}

/** The list as it comes, or as it was when somebody began to read further down: what one reads does not move away. */
export function useHeld(rows: RequestRow[], reading: boolean): Held {
  const [scrolled, setScrolled] = useState(false);
  const [kept, keep] = useState<RequestRow[] | null>(null);
  useEffect(() => {
    const look = () => setScrolled((document.getElementById("requests-top")?.getBoundingClientRect().top ?? 0) < 0);
    window.addEventListener("scroll", look, { passive: true });
    return () => window.removeEventListener("scroll", look);
  }, []);
  const hold = scrolled || reading;
  useEffect(() => keep(hold ? rows : null), [hold]);
  if (!hold || !kept) return { rows, waiting: 0, follow: () => {} };
  const newest = Math.max(-1, ...kept.map((row) => row.id));
  return { rows: kept, waiting: rows.filter((row) => row.id > newest).length, follow: () => keep(rows) };
}
