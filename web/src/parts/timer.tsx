import { useEffect, useState } from "preact/hooks";
import { brokerTime } from "../state/live";

export function left(ends_ms: number, now: number): string {
  const seconds = Math.max(0, Math.round((ends_ms - now) / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

/** The broker's time, once a second. */
export function useBrokerTime(): number {
  const [now, setNow] = useState(brokerTime());
  useEffect(() => {
    const timer = setInterval(() => setNow(brokerTime()), 1000);
    return () => clearInterval(timer);
  }, []);
  return now;
}

/** Counts down by the broker's clock: this machine's may be wrong. */
export function Timer({ ends_ms, label }: { ends_ms: number; label: string }) {
  return <span class="tag accent" role="timer">{label} <strong class="number">{left(ends_ms, useBrokerTime())}</strong></span>;
}
