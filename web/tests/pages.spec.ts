// Every page as a student and as the instructor sees it: light and dark, wide and narrow; looked at by axe; a picture of each.
import AxeBuilder from "@axe-core/playwright";
import { expect, test, type Browser, type Page } from "@playwright/test";
import { mkdirSync } from "node:fs";
import { ask, Broker, instructorToken, join_, overflow, pageOf, PICTURES, python, run, settled, troublesOf, type Student } from "./broker";

const STUDENT = [
  ["start", "/"],
  ["tutorial", "/tutorial"],
  ["topics", "/topics"],
  ["topic-records", "/topics/ecommerce-events"],
  ["topic-schema", "/topics/ecommerce-events?tab=schema"],
  ["topic-partitions", "/topics/ecommerce-events?tab=partitions"],
  ["topic-groups", "/topics/ecommerce-events?tab=groups"],
  ["topic-configs", "/topics/ecommerce-events?tab=configs"],
  ["topic-produce", "/topics/ecommerce-events?tab=produce"],
  ["topic-none", "/topics/none-such"],
  ["groups", "/groups"],
  ["group-none", "/groups/none-such"],
  ["charts", "/charts"],
  ["requests", "/requests"],
  ["challenges", "/challenges"],
  ["challenge-c01", "/challenges/c01"],
  ["challenge-c06", "/challenges/c06"],
  ["report", "/report"],
  ["console", "/console"],
  ["help", "/help"],
  ["instructor-as-student", "/instructor"],
  ["nothing", "/nothing-here"],
] as const;
const INSTRUCTOR = [
  ["start", "/"],
  ["topics", "/topics"],
  ["leaderboard", "/leaderboard"],
  ["instructor-class", "/instructor"],
  ["instructor-stuck", "/instructor?tab=stuck"],
  ["instructor-mistakes", "/instructor?tab=mistakes"],
  ["instructor-streams", "/instructor?tab=streams"],
  ["instructor-room", "/instructor?tab=room"],
  ["instructor-reports", "/instructor?tab=reports"],
  ["instructor-cluster", "/instructor?tab=cluster"],
  ["instructor-reset", "/instructor?tab=reset"],
] as const;
const NOBODY = [
  ["join", "/"],
  ["challenges", "/challenges"],
  ["instructor", "/instructor"],
] as const;
const SIZES = [
  { name: "1280", width: 1280, height: 900 },
  { name: "390", width: 390, height: 844 },
];
const THEMES = ["light", "dark"] as const;

let broker: Broker;
let student: Student;
let instructor: string;
let consumer: ReturnType<typeof run>;

const CONSUME = `
import sys, time
from confluent_kafka import Consumer
c = Consumer({"bootstrap.servers": sys.argv[1], "security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "SCRAM-SHA-256",
              "sasl.username": sys.argv[2], "sasl.password": sys.argv[3], "group.id": sys.argv[4], "auto.offset.reset": "earliest"})
c.subscribe(["ecommerce-events"])
while True:
    m = c.poll(0.5)
    print("got" if m else "nothing", flush=True)
    time.sleep(0.2)
`;

test.beforeAll(async () => {
  mkdirSync(PICTURES, { recursive: true });
  broker = await Broker.start("classroom");
  student = await join_(broker);
  instructor = await instructorToken(broker);
  for (let n = 0; n < 12; n++) await join_(broker);
  consumer = run(python, ["-c", CONSUME, `127.0.0.1:${broker.kafka}`, student.user, student.password, `${student.id}-look`]);
  await expect.poll(() => consumer.output(), { timeout: 30_000 }).toContain("got");
  await ask(broker, instructor, "PUT", "/api/room", { announcement: "Break until half past ten.", timer: { minutes: 20, label: "C2" } });
});

test.afterAll(async () => {
  consumer?.process.kill();
  await broker?.end();
});

async function look(page: Page, who: string, name: string, path: string, theme: string, size: string, axe: boolean): Promise<void> {
  await page.goto(path);
  await settled(page);
  await page.screenshot({ path: `${PICTURES}/${who}-${name}-${theme}-${size}.png`, fullPage: true });
  expect.soft(await overflow(page), `${path} scrolls sideways at ${size}`).toBeLessThanOrEqual(0);
  if (axe) {
    const found = await new AxeBuilder({ page }).withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]).analyze();
    const told = found.violations.map((one) => `${one.id}: ${one.nodes.slice(0, 3).map((node) => `${node.target.join(" ")} (${node.failureSummary?.split("\n")[1]?.trim()})`).join("; ")}`);
    expect.soft(told, `axe on ${path}, ${theme}, ${size}`).toEqual([]);
  }
}

async function lookAtAll(browser: Browser, who: string, token: string | null, pages: readonly (readonly [string, string])[]): Promise<void> {
  for (const size of SIZES) {
    for (const theme of THEMES) {
      const page = await pageOf(browser, broker.base, token, { viewport: { width: size.width, height: size.height }, colorScheme: theme, reducedMotion: "reduce" });
      // Contrast depends on the theme, names and structure on the size: each once is all.
      for (const [name, path] of pages) await look(page, who, name, path, theme, size.name, (size.name === "1280") === (theme === "light"));
      expect.soft(troublesOf(page), `${who}, ${theme}, ${size.name}`).toEqual([]);
      await page.context().close();
    }
  }
}

test("every page of a student", async ({ browser }) => {
  test.setTimeout(400_000);
  await lookAtAll(browser, "student", student.token, [...STUDENT, ["group", `/groups/${student.id}-look`]]);
});

test("a block of the documentation shows its code, and nothing of what stands behind its fence", async ({ browser }) => {
  const page = await pageOf(browser, broker.base, student.token);
  for (const [doc, code] of [["vscode-and-python", "python3 headwater.pyz join CODE"], ["databricks", "python headwater.pyz start c05 --client databricks\nls 05-bronze"]] as const) {
    await page.goto(`/help?doc=${doc}`);
    await settled(page);
    const text = page.locator(".doc");
    await expect(text.locator("pre").filter({ hasText: code }).first()).toBeVisible();
    for (const mark of ["```", "executed", "checked with", "prints=", "until="]) await expect(text, `${doc}: ${mark}`).not.toContainText(mark);
  }
  expect(troublesOf(page)).toEqual([]);
});

test("every page of the instructor", async ({ browser }) => {
  test.setTimeout(300_000);
  await ask(broker, instructor, "PUT", "/api/leaderboard", { on: true });
  await lookAtAll(browser, "instructor", instructor, INSTRUCTOR);
});

test("the pages of somebody who has not joined", async ({ browser }) => {
  test.setTimeout(120_000);
  await lookAtAll(browser, "nobody", null, NOBODY);
});

test("the projector's page fits on it", async ({ browser }) => {
  for (const [width, height] of [[1920, 1080], [1280, 720]] as const) {
    const page = await pageOf(browser, broker.base, instructor, { viewport: { width, height } });
    await page.goto("/?view=stage");
    await page.locator("h1").first().waitFor();
    await page.waitForTimeout(1500);
    await page.screenshot({ path: `${PICTURES}/stage-${width}.png` });
    const tall = await page.evaluate(() => document.documentElement.scrollHeight - window.innerHeight);
    expect.soft(tall, `at ${width} x ${height}`).toBeLessThanOrEqual(0);
    expect.soft(await overflow(page)).toBeLessThanOrEqual(0);
    expect(troublesOf(page)).toEqual([]);
    await page.context().close();
  }
});

test("the whole page can be used by keyboard", async ({ browser }) => {
  const page = await pageOf(browser, broker.base, student.token);
  await page.goto("/topics");
  await settled(page);
  await page.keyboard.press("Tab");
  await expect(page.locator(":focus")).toHaveText("Go to the content");
  await page.keyboard.press("Enter");
  await expect(page.locator("main")).toBeFocused();
  const seen = new Set<string>();
  for (let n = 0; n < 60; n++) {
    await page.keyboard.press("Tab");
    const name = await page.evaluate(() => {
      const focused = document.activeElement as HTMLElement | null;
      const style = focused ? getComputedStyle(focused) : null;
      return focused && focused !== document.body ? `${focused.tagName} ${focused.textContent?.trim().slice(0, 40)} outline=${style?.outlineStyle}` : "";
    });
    if (name) seen.add(name);
  }
  const links = [...seen].filter((name) => name.startsWith("A ") && name.includes("ecommerce-events"));
  expect(links.length, [...seen].join("\n")).toBeGreaterThan(0);
  expect([...seen].filter((name) => name.endsWith("outline=none")), "what has the focus shows it").toEqual([]);
});

test("the first load is small and comes from here alone", async ({ browser }) => {
  const page = await pageOf(browser, broker.base, student.token);
  let bytes = 0;
  const sizes: string[] = [];
  const session = await page.context().newCDPSession(page);
  await session.send("Network.enable");
  const urls = new Map<string, string>();
  session.on("Network.responseReceived", (event) => urls.set(event.requestId, event.response.url));
  session.on("Network.loadingFinished", (event) => {
    const url = urls.get(event.requestId) ?? "";
    if (/\/api\//.test(url)) return;
    bytes += event.encodedDataLength;
    sizes.push(`${event.encodedDataLength} ${url}`);
  });
  await page.goto("/");
  await settled(page);
  console.log(`first load: ${bytes} bytes\n${sizes.join("\n")}`);
  expect(bytes).toBeGreaterThan(5_000);
  expect(bytes).toBeLessThan(120 * 1024);
  expect(troublesOf(page)).toEqual([]);
});
