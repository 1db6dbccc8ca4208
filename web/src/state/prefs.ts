// What somebody chose for this browser.
import { effect, signal } from "@preact/signals";

export type Theme = "auto" | "light" | "dark";

function kept(name: string): string | null {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

export function keep(name: string, value: string): void {
  try {
    localStorage.setItem(name, value);
  } catch {
    // Storage may be forbidden; the choice lasts as long as the page then.
  }
}

const themes: Theme[] = ["auto", "light", "dark"];
export const theme = signal<Theme>(themes.find((one) => one === kept("headwater-theme")) ?? "auto");
/** Nothing on the page moves by itself. */
export const paused = signal(false);
/** Seconds between two updates. */
export const every = signal<1 | 5 | 15>(([1, 5, 15] as const).find((n) => String(n) === kept("headwater-every")) ?? 1);

effect(() => {
  if (theme.value === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme.value;
  keep("headwater-theme", theme.value);
});
effect(() => keep("headwater-every", String(every.value)));
