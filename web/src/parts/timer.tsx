import { useEffect, useState } from "preact/hooks";

export function left(ends_ms: number, now: number): string {
  const seconds = Math.max(0, Math.round((ends_ms - now) / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

/** Counts down by this machine's clock. */
export function Timer({ ends_ms, label }: { ends_ms: number; label: string }) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  return <span class="tag accent" role="timer">{label} <strong class="number">{left(ends_ms, now)}</strong></span>;
}
