// A student's way: joins, connects a real client, looks, filters, writes, breaks the password, solves C1, begins anew.
import { expect, test, type Page } from "@playwright/test";
import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { ask, Broker, CODE, instructorToken, pageOf, PICTURES, python, run, troublesOf } from "./broker";

const ROOT = join(import.meta.dirname, "../..");
const READ = `
import sys
from confluent_kafka import Consumer
def told(error): print(error.str(), flush=True)
c = Consumer({"bootstrap.servers": sys.argv[1], "security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "SCRAM-SHA-256", "error_cb": told,
              "sasl.username": sys.argv[2], "sasl.password": sys.argv[3], "group.id": sys.argv[4], "client.id": "first-program", "auto.offset.reset": "earliest"})
c.subscribe(["ecommerce-events"])
for m in c.consume(5, timeout=float(sys.argv[5])): print(m.partition(), m.offset(), flush=True)
c.close()
`;

let broker: Broker;
let page: Page;
let password = "";
let me: { id: string; user: string; prefix: string };

test.describe.configure({ mode: "serial" });

test.beforeAll(async ({ browser }) => {
  mkdirSync(PICTURES, { recursive: true });
  broker = await Broker.start("classroom");
  // As a classroom reaches it: by a name, on plain http.
  page = await pageOf(browser, broker.lan, null);
});

test.afterAll(async () => {
  await broker.end();
  expect(troublesOf(page)).toEqual([]);
  await page.context().close();
});

const signal = () => page.locator(".signal");
const client = (word: string, seconds = "10") => run(python, ["-c", READ, `127.0.0.1:${broker.kafka}`, me.user, word, `${me.id}-first`, seconds]);

test("joins with the code that the link brought", async () => {
  await page.goto("/");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Join the workshop");
  await page.getByLabel("Workshop code").fill("wrong-1234");
  await page.getByRole("button", { name: "Join" }).click();
  await expect(page.getByRole("alert")).toContainText(/this is not the workshop's code/i);
  await page.screenshot({ path: `${PICTURES}/act-wrong-code.png` });
  await page.goto(`/#code=${CODE}`);
  await page.reload();
  await expect(page.getByLabel("Workshop code")).toHaveValue(CODE);
  await page.getByRole("button", { name: "Join" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Start here");
  me = await page.evaluate(() => fetch("/api/me").then((answer) => answer.json()));
  expect(me.prefix).toBe(`ws.${me.id}.`);
  await expect(page.locator("main")).toContainText(me.user);
  await page.screenshot({ path: `${PICTURES}/act-joined.png`, fullPage: true });
});

test("the program can be copied on a plain-http name, with one's own password in it", async () => {
  expect(await page.evaluate(() => window.isSecureContext)).toBe(false);
  const program = await page.getByRole("region", { name: /^Program for/ }).textContent();
  password = /"sasl\.password": "([^"]+)"/.exec(program ?? "")?.[1] ?? "";
  expect(password.length).toBeGreaterThan(8);
  const block = page.locator(".code", { has: page.getByRole("region", { name: /^Program for/ }) });
  await block.getByRole("button", { name: "Copy" }).click();
  await expect(block.getByRole("button", { name: "Copied" })).toBeVisible();
  // What was copied, by pasting it.
  await page.evaluate(() => {
    const field = document.createElement("textarea");
    field.id = "paste-here";
    field.setAttribute("aria-label", "paste here");
    document.body.append(field);
    field.focus();
  });
  await page.keyboard.press("Control+V");
  const pasted = await page.locator("#paste-here").inputValue();
  expect(pasted).toContain(password);
  expect(pasted).toContain(`127.0.0.1:${broker.kafka}`);
  await page.evaluate(() => document.getElementById("paste-here")?.remove());
});

test("a wrong password turns the light red and says what to do", async () => {
  await expect(signal()).toHaveClass(/grey/);
  const wrong = client("not-my-password", "4");
  await expect(signal()).toHaveClass(/red/, { timeout: 20_000 });
  await expect(signal()).toContainText(/password/i);
  await page.screenshot({ path: `${PICTURES}/act-light-red.png`, fullPage: true });
  await wrong.ended;
});

test("the first client turns the light green, with what it is", async () => {
  const right = client(password);
  await expect(signal()).toHaveClass(/green/, { timeout: 20_000 });
  await expect(signal()).toContainText(/confluent-kafka-python|librdkafka/);
  await expect(signal()).toContainText("CLASS");
  await page.screenshot({ path: `${PICTURES}/act-light-green.png`, fullPage: true });
  expect(await right.ended).toBe(0);
  expect(right.output().trim().split("\n").length).toBe(5);
});

test("the requests of that client are told in plain words, errors first", async () => {
  await page.getByRole("link", { name: "Your requests" }).click();
  await expect(page.locator("main")).toContainText("Fetch", { timeout: 20_000 });
  await expect(page.locator("main")).toContainText("first-program");
  await page.screenshot({ path: `${PICTURES}/act-requests.png`, fullPage: true });
});

test("filters a stream, opens a record, and the address brings another browser to the same", async ({ browser }) => {
  await page.getByRole("link", { name: "Topics", exact: true }).click();
  await page.getByRole("link", { name: "ecommerce-events" }).click();
  await expect(page.getByRole("list", { name: "Records" }).getByRole("listitem").first()).toBeVisible();
  await page.getByRole("search").getByRole("textbox").or(page.getByRole("searchbox")).last().fill("event_type:purchase");
  await page.getByRole("button", { name: "Filter", exact: true }).click();
  await expect(page).toHaveURL(/event_type/);
  const rows = page.getByRole("list", { name: "Records" }).getByRole("listitem");
  await expect(rows.first()).toContainText("purchase");
  for (const text of await rows.allTextContents()) expect(text).toContain("purchase");
  await expect(page.locator("main")).toContainText(/scanned/);
  await rows.first().getByRole("button").first().click();
  await expect(page.getByRole("tab", { name: /hex/i })).toBeVisible();
  await page.screenshot({ path: `${PICTURES}/act-filter.png`, fullPage: true });
  const cookies = await page.context().cookies();
  const other = await pageOf(browser, broker.lan, cookies.find((one) => one.name === "headwater_session")!.value);
  await other.goto(page.url());
  await expect(other.getByRole("list", { name: "Records" }).getByRole("listitem").first()).toContainText("purchase");
  await other.context().close();
});

test("writes a record into a topic of its own, not into a stream", async () => {
  await page.goto("/topics/ecommerce-events?tab=produce");
  await page.getByRole("button", { name: /^Create ws\..* and write there/ }).click();
  await expect(page).toHaveURL(/ws\./);
  await expect(page.getByRole("button", { name: "Write it" })).toBeVisible();
  await page.getByLabel("Key", { exact: true }).fill("ada");
  await page.getByLabel("Value", { exact: true }).fill('{"order":17,"note":"<b>bold</b>"}');
  await page.getByRole("button", { name: "Write it" }).click();
  await expect(page.getByRole("status").filter({ hasText: /offset/ }).first()).toBeVisible();
  await page.screenshot({ path: `${PICTURES}/act-produced.png`, fullPage: true });
  await page.goto(page.url().replace("tab=produce", "tab=records"));
  await expect(page.getByRole("list", { name: "Records" })).toContainText("<b>bold</b>");
});

test("the console answers in words, and starts nothing", async () => {
  await page.getByRole("link", { name: "Console" }).click();
  const line = page.getByRole("textbox").or(page.getByRole("combobox")).last();
  await line.fill("whoami");
  await line.press("Enter");
  await expect(page.getByRole("log")).toContainText(me.user);
  await line.fill("topics");
  await line.press("Enter");
  await expect(page.getByRole("log")).toContainText("ecommerce-events");
  await line.fill("rm -rf /");
  await line.press("Enter");
  await expect(page.getByRole("log")).toContainText(/no such|not a verb|unknown|there is no/i);
  await line.press("ArrowUp");
  await expect(line).toHaveValue("rm -rf /");
  await page.screenshot({ path: `${PICTURES}/act-console.png`, fullPage: true });
});

test("solves C1: a wrong try first, then the right one; the verdict arrives by itself", async () => {
  test.setTimeout(180_000);
  const folder = join(broker.folder, "c01");
  const home = join(broker.folder, "home");
  mkdirSync(folder, { recursive: true });
  mkdirSync(home, { recursive: true });
  const environment = { HEADWATER_HOME: home };
  const tool = join(ROOT, "student");
  // The tool is whoever joined in the browser: with the line that the page shows.
  await page.goto("/challenges/c01");
  await page.getByText("Or let the student's tool do it").click();
  const lines = page.getByRole("region", { name: "Get the student's tool" });
  await expect(lines).toContainText(`headwater.pyz login ${me.user} --server ${new URL(page.url()).origin}`);
  await expect(lines).not.toContainText("join");
  const login = run("python3", ["-B", tool, "login", me.user, "--server", broker.base], { ...environment, HEADWATER_PASSWORD: password });
  expect(await login.ended, login.output()).toBe(0);
  const kept = run("python3", ["-B", tool, "whoami"], environment);
  await kept.ended;
  const { readdirSync, readFileSync } = await import("node:fs");
  const files = readdirSync(home, { recursive: true }).map(String).filter((name) => name.endsWith(".json"));
  const identity = files.map((name) => JSON.parse(readFileSync(join(home, name), "utf8"))).find((one) => one.user && one.password);
  expect(identity?.user, `${kept.output()} ${files}`).toBe(me.user);
  await page.goto("/");
  await page.getByRole("button", { name: "Log out" }).click();
  await page.getByRole("tab", { name: "I have joined before" }).click();
  await page.getByLabel("User").fill(identity.user);
  await page.getByLabel("Password").fill(identity.password);
  await page.getByRole("button", { name: "Log in", exact: true }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Start here");
  await page.getByRole("link", { name: "Challenges" }).first().click();
  await page.goto("/challenges/c01");
  await page.getByRole("button", { name: "Check what is there" }).click();
  await expect(page.locator("main")).toContainText(/nothing|no ticket|not handed|nothing handed/i);
  const { cpSync } = await import("node:fs");
  const source = readdirSync(join(ROOT, "challenges")).find((name) => name.startsWith("01-"))!;
  cpSync(join(ROOT, "challenges", source), folder, { recursive: true });
  for (const name of readdirSync(join(ROOT, "challenges/shared"))) if (name.endsWith(".py")) copyFileSync(join(ROOT, "challenges/shared", name), join(folder, name));
  const solution = run(python, ["-B", join(folder, "solution.py")], environment);
  await expect(page.locator("main")).toContainText(/Solved|pass/i, { timeout: 90_000 });
  expect(await solution.ended, solution.output()).toBe(0);
  await page.screenshot({ path: `${PICTURES}/act-solved.png`, fullPage: true });
});

test("asks for a hint, says that it is stuck, answers the question", async () => {
  await page.goto("/challenges/c02");
  await page.getByRole("button", { name: "Give me a hint" }).click();
  await expect(page.getByRole("button", { name: "Give me the next one" })).toBeVisible();
  await page.getByLabel("What I tried").fill("turned it off and on");
  await page.getByRole("button", { name: "I am stuck" }).click();
  await expect(page.getByRole("button", { name: "I am not stuck any more" })).toBeVisible();
  const token = await instructorToken(broker);
  const board = await ask(broker, token, "GET", "/api/class");
  expect(board.stuck[0].note).toBe("turned it off and on");
  await page.screenshot({ path: `${PICTURES}/act-stuck.png`, fullPage: true });
});

test("writes the report, which is there again after a reload, and hands it in", async () => {
  await page.goto("/report");
  const answer = page.locator("main textarea").first();
  await answer.fill("A consumer that reads <script>alert(1)</script> five records.");
  await expect(page.locator("main")).toContainText(/saved/i);
  await page.reload();
  await expect(page.locator("main textarea").first()).toHaveValue(/five records/);
  await page.getByRole("button", { name: /^Hand in/ }).first().click();
  const anyway = page.getByRole("button", { name: /Hand in as it is/ });
  await anyway.click();
  await expect(page.locator("main")).toContainText(/submitted|handed in/i);
  const token = await instructorToken(broker);
  const reports = await ask(broker, token, "GET", "/api/reports");
  expect(reports.reports.length).toBe(1);
});

test("resets its own work in two steps, and sees before what dies", async () => {
  await page.goto("/");
  await page.getByRole("button", { name: "Reset my work" }).click();
  await page.getByRole("button", { name: "Show what goes" }).click();
  const dialog = page.getByRole("dialog");
  await expect(dialog).toContainText(`${me.prefix}play`);
  await page.screenshot({ path: `${PICTURES}/act-reset-own.png` });
  await dialog.locator("button.danger.main").click();
  await expect(dialog).toContainText(/gone|deleted/i);
  const left = await page.evaluate(() => fetch("/api/topics").then((answer) => answer.json()));
  expect(left.topics.filter((topic: { kind: string }) => topic.kind === "mine")).toEqual([]);
});
