// Who looks at this page.
import { signal } from "@preact/signals";
import { get, Problem, send } from "../api/client";
import type { Me, Server } from "../api/model";

export const me = signal<Me | null>(null);
export const server = signal<Server | null>(null);
export const problem = signal<Problem | null>(null);
/** Told once when somebody joins; kept until this tab is closed, as nobody can tell it again. */
export const password = signal<string | null>(sessionStorage.getItem("headwater-password"));

export function keepPassword(words: string | null): void {
  password.value = words;
  if (words === null) sessionStorage.removeItem("headwater-password");
  else sessionStorage.setItem("headwater-password", words);
}

const isSame = (one: Me, other: Me): boolean => one.role === other.role && one.user === other.user;

export async function refresh(): Promise<void> {
  try {
    const [there, who] = await Promise.all([get<Server>("/api/server"), get<Me>("/api/me")]);
    const before = me.value;
    if (before && before.role !== "nobody" && !isSame(before, who)) {
      // What this tab knows of somebody (topics, verdicts, what the console said) is nobody else's: the page begins anew.
      sessionStorage.clear();
      location.reload();
      return;
    }
    server.value = there;
    me.value = who;
    problem.value = null;
    if (who.role === "nobody") keepPassword(null);
  } catch (error) {
    problem.value = Problem.of(error);
    setTimeout(refresh, 2000);
  }
}

export async function join(code: string, invite?: string): Promise<void> {
  const joined = await send<{ password: string | null }>("POST", "/api/join", { code, ...(invite ? { invite } : {}) });
  if (joined.password) keepPassword(joined.password);
  await refresh();
}

export async function login(user: string, words: string): Promise<void> {
  await send("POST", "/api/login", { user, password: words });
  keepPassword(user === "instructor" ? null : words);
  await refresh();
}

export async function logout(): Promise<void> {
  await send("POST", "/api/logout");
  keepPassword(null);
  await refresh();
}

export const isInstructor = (): boolean => me.value?.role === "instructor";
export const isSingle = (): boolean => server.value?.mode === "single";
