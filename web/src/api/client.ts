// Every request of the page goes through here. What goes wrong is a `Problem` with what to do next.

export class Problem extends Error {
  constructor(
    message: string,
    readonly fix: string,
    readonly status: number,
    /** When the broker wants to be asked again; null: it has not said. */
    readonly retry_s: number | null = null,
  ) {
    super(message);
  }

  static of(error: unknown): Problem {
    if (error instanceof Problem) return error;
    if (error instanceof DOMException && error.name === "TimeoutError") return new Problem("the broker took too long to answer", "try again", 0);
    return new Problem("the broker does not answer", "see that it runs and that this machine still has its network; the page goes on by itself", 0);
  }
}

function waitOf(answer: Response): number | null {
  const wait = Number(answer.headers.get("retry-after"));
  return wait > 0 ? wait : null;
}

const ANSWER_WITHIN_MS = 40_000;
const BUSY = [429, 503];
const ASKED_AGAIN_MAX = 4;
const RETRY_WITHIN_S = 5;

function pause(ms: number, signal?: AbortSignal | null): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}

async function ask(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<Response> {
  const limits = [AbortSignal.timeout(ANSWER_WITHIN_MS), ...(signal ? [signal] : [])];
  const request: RequestInit = { method, signal: AbortSignal.any(limits) };
  if (method !== "GET") {
    request.headers = { "content-type": "application/json" };
    request.body = JSON.stringify(body ?? {});
  }
  let answer = await fetch(path, request);
  // A class that looks at the same moment: a question is asked again when the broker says so, an act never.
  for (let again = 0; again < ASKED_AGAIN_MAX && method === "GET" && BUSY.includes(answer.status); again++) {
    const wait = waitOf(answer);
    if (wait === null || wait > RETRY_WITHIN_S) break;
    await pause(wait * 1000 * (0.75 + Math.random() / 2), request.signal);
    answer = await fetch(path, request);
  }
  if (answer.ok) return answer;
  const told = await answer.json().catch(() => ({}));
  throw new Problem(told.error ?? `the broker answered ${answer.status}`, told.fix ?? "", answer.status, waitOf(answer));
}

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await ask("GET", path, undefined, signal)).json();
}

export async function getText(path: string, signal?: AbortSignal): Promise<string> {
  return (await ask("GET", path, undefined, signal)).text();
}

export async function send<T>(method: "POST" | "PUT" | "DELETE", path: string, body?: unknown): Promise<T> {
  return (await ask(method, path, body)).json();
}

/** A path with a query; what is undefined, null or empty is left out. Parts of the path are to be encoded by `part`. */
export function withQuery(path: string, query: Record<string, string | number | boolean | null | undefined>): string {
  const set = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const text = new URLSearchParams(set.map(([name, value]) => [name, String(value)])).toString();
  return text ? `${path}?${text}` : path;
}

export const part = encodeURIComponent;
