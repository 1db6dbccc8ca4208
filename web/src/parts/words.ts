// Numbers, sizes and times as people read them.

const whole = new Intl.NumberFormat("en");

/** A dash stands for what the brokers of another cluster do not tell; so with bytes. */
export const count = (value: number | null): string => (value === null ? "-" : whole.format(Math.round(value)));

export const rate = (value: number): string => (value > 0 && value < 9.95 ? value.toFixed(1) : count(value));

export function bytes(value: number | null): string {
  if (value === null) return "-";
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return (unit > 0 && value < 9.95 ? value.toFixed(1) : String(Math.round(value))) + " " + units[unit];
}

/** `14:03:27`, on this machine's clock. */
export const clock = (ms: number): string => new Date(ms).toLocaleTimeString("en-GB", { hour12: false });

/** `2026-11-23 14:03:27.125`, on this machine's clock. */
export function stamp(ms: number): string {
  const at = new Date(ms);
  if (Number.isNaN(at.getTime())) return String(ms);
  const two = (n: number) => String(n).padStart(2, "0");
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${String(at.getMilliseconds()).padStart(3, "0")}`;
}

export function span(seconds: number): string {
  if (!Number.isFinite(seconds)) return "never";
  if (seconds < 90) return `${Math.max(0, Math.round(seconds))} s`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} days`;
}

export function ago(ms: number | null, now: number = Date.now()): string {
  if (ms === null) return "never";
  const seconds = (now - ms) / 1000;
  return seconds < 2 ? "just now" : `${span(seconds)} ago`;
}

export const plural = (n: number, one: string, many: string = one + "s"): string => `${count(n)} ${n === 1 ? one : many}`;
