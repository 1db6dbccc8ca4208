// A broker of the test's own, and the people who use it.
import { expect, type APIRequestContext, type Browser, type BrowserContext, type Page } from "@playwright/test";
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const CODE = "otter-4821";
/** What the tests look at later, and people too. */
export const PICTURES = join(import.meta.dirname, "../../target/browser");

const binary = process.env.HEADWATER_BINARY ?? join(import.meta.dirname, "../../target/release/headwater");
/** A Python with confluent-kafka. */
export const python = process.env.CLIENT_PYTHON ?? "python3";

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

export class Broker {
  private process: ChildProcess | null = null;
  private constructor(
    readonly folder: string,
    readonly kafka: number,
    readonly http: number,
    private readonly words: string[],
  ) {}

  /** Waits until it serves and its streams have reached the present. */
  static async start(mode: "classroom" | "single", ...more: string[]): Promise<Broker> {
    const folder = mkdtempSync(join(tmpdir(), "headwater-browser-"));
    const [kafka, http] = [await freePort(), await freePort()];
    const listeners =
      mode === "classroom"
        ? ["--classroom", "--workshop-code", CODE, "--listener", `CLASS=SASL_PLAINTEXT://127.0.0.1:${kafka}`, "--https", "off"]
        : ["--listen", `127.0.0.1:${kafka}`];
    const words = ["serve", ...listeners, "--http", `127.0.0.1:${http}`, "--http-names", "lab-pc.local", "--data-dir", join(folder, "data"), ...more];
    const broker = new Broker(folder, kafka, http, words);
    await broker.begin();
    return broker;
  }

  get base(): string {
    return `http://127.0.0.1:${this.http}`;
  }

  /** The same broker by a name that is not this machine's own: no secure context, as in a classroom. */
  get lan(): string {
    return `http://lab-pc.local:${this.http}`;
  }

  get log(): string {
    return readFileSync(join(this.folder, "log"), "utf8");
  }

  get secret(): string {
    const found = /user instructor, password (\S+)/.exec(this.log);
    if (!found) throw new Error("the instructor's password was not printed:\n" + this.log);
    return found[1]!;
  }

  /** Seconds of a processor that the broker has used. */
  get cpu(): number {
    const fields = readFileSync(`/proc/${this.process?.pid}/stat`, "utf8").replace(/^.*\) /, "").split(" ");
    return (Number(fields[11]) + Number(fields[12])) / 100;
  }

  async begin(): Promise<void> {
    const out = openSync(join(this.folder, "log"), "a");
    this.process = spawn(binary, this.words, { stdio: ["ignore", out, out] });
    const end = Date.now() + 60_000;
    for (;;) {
      const healthy = await fetch(this.base + "/healthz").then((answer) => answer.ok, () => false);
      if (healthy) return;
      if (this.process.exitCode !== null || Date.now() > end) throw new Error("the broker did not start:\n" + this.log);
      await pause(100);
    }
  }

  /** As a power cut does it. */
  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<number> {
    const process = this.process;
    if (!process || process.exitCode !== null) return 0;
    const began = Date.now();
    const gone = new Promise((resolve) => process.once("exit", resolve));
    process.kill(signal);
    await gone;
    return Date.now() - began;
  }

  async end(): Promise<void> {
    await this.kill("SIGTERM");
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export interface Student {
  id: string;
  user: string;
  password: string;
  prefix: string;
  token: string;
}

/** Somebody who joined without a page. */
export async function join_(broker: Broker): Promise<Student> {
  const answer = await fetch(broker.base + "/api/join", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ code: CODE }),
  });
  expect(answer.status).toBe(200);
  return (await answer.json()) as Student;
}

export async function instructorToken(broker: Broker): Promise<string> {
  const answer = await fetch(broker.base + "/api/login", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ user: "instructor", password: broker.secret }),
  });
  return ((await answer.json()) as { token: string }).token;
}

export async function ask(broker: Broker, token: string | null, method: string, path: string, body?: unknown): Promise<any> {
  const headers: Record<string, string> = { "content-type": "application/json" };
  if (token) headers.authorization = `Bearer ${token}`;
  const answer = await fetch(broker.base + path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return text ? JSON.parse(text) : null;
}

/** A page that is logged in as somebody, or as nobody. */
export async function pageOf(browser: Browser, base: string, token: string | null, more: Parameters<Browser["newContext"]>[0] = {}): Promise<Page> {
  const context = await browser.newContext({ baseURL: base, ...more });
  if (token) {
    const { hostname } = new URL(base);
    await context.addCookies([{ name: "headwater_session", value: token, domain: hostname, path: "/", httpOnly: true, sameSite: "Strict" }]);
  }
  const page = await context.newPage();
  watch(context, page, base);
  return page;
}

const troubles = new WeakMap<Page, string[]>();

/** Everything that a page must not do: ask elsewhere, fail in its script, break its own policy. */
function watch(context: BrowserContext, page: Page, base: string): void {
  const seen: string[] = [];
  troubles.set(page, seen);
  context.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(base) && !/^(blob|data):/.test(url)) seen.push(`asked elsewhere: ${url}`);
  });
  page.on("pageerror", (error) => seen.push(`script failed: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error" && !/Failed to load resource|net::ERR/.test(message.text())) seen.push(`console: ${message.text()}`);
  });
  page.on("dialog", (dialog) => {
    seen.push(`a dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
}

export function troublesOf(page: Page): string[] {
  return troubles.get(page) ?? [];
}

export async function settled(page: Page): Promise<void> {
  await page.locator("main h1").first().waitFor();
  await page.waitForTimeout(400);
}

/** The page itself never scrolls sideways; a table may, within itself. */
export async function overflow(page: Page): Promise<number> {
  return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
}

export type { APIRequestContext };

/** Runs a program to its end, or until it is told to end. */
export function run(program: string, words: string[], environment: Record<string, string> = {}): { process: ChildProcess; output: () => string; ended: Promise<number | null> } {
  let output = "";
  const process_ = spawn(program, words, { env: { ...process.env, ...environment }, stdio: ["ignore", "pipe", "pipe"] });
  process_.stdout?.on("data", (data: Buffer) => { output += data.toString(); });
  process_.stderr?.on("data", (data: Buffer) => { output += data.toString(); });
  const ended = new Promise<number | null>((resolve) => process_.once("exit", (code) => resolve(code)));
  return { process: process_, output: () => output, ended };
}
