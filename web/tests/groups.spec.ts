// A group as its page shows it: who reads what, who has nothing to do, offsets that are moved, a group that is deleted.
import { expect, test, type Page } from "@playwright/test";
import { mkdirSync } from "node:fs";
import { ask, Broker, pageOf, PICTURES, python, run, troublesOf } from "./broker";

const READ = `
import signal, sys
from confluent_kafka import Consumer
going = True
def stop(*_):
    global going
    going = False
signal.signal(signal.SIGTERM, stop)
c = Consumer({"bootstrap.servers": sys.argv[1], "group.id": "orders", "client.id": sys.argv[2], "auto.offset.reset": "earliest", "auto.commit.interval.ms": 500})
c.subscribe(["small"])
while going:
    m = c.poll(0.2)
    if m: print("got", flush=True)
c.close()
`;
const RECORDS = 40;

let broker: Broker;
let page: Page;
let clients: ReturnType<typeof run>[] = [];

test.describe.configure({ mode: "serial" });

test.beforeAll(async ({ browser }) => {
  mkdirSync(PICTURES, { recursive: true });
  broker = await Broker.start("single");
  await ask(broker, null, "POST", "/api/topics", { name: "small", partitions: 2 });
  for (let n = 0; n < RECORDS; n++) await ask(broker, null, "POST", "/api/topics/small/records", { key: `k${n}`, value: `{"n":${n}}` });
  page = await pageOf(browser, broker.base, null);
});

test.afterAll(async () => {
  for (const client of clients) client.process.kill("SIGKILL");
  expect(troublesOf(page)).toEqual([]);
  await page.context().close();
  await broker.end();
});

test("three members of two partitions: one is idle, and the page says why", async () => {
  await page.goto("/groups/orders");
  await expect(page.locator("main")).toContainText("There is no group of this name");
  clients = ["one", "two", "three"].map((name) => run(python, ["-c", READ, `127.0.0.1:${broker.kafka}`, name]));
  const members = page.getByRole("list", { name: "Members" }).getByRole("listitem");
  await expect(members).toHaveCount(3, { timeout: 30_000 });
  await expect(page.locator("main")).toContainText(/Idle: member [A-C]\. A partition has one reader in a group: 2 partitions for 3 members leave 1 with nothing/, { timeout: 30_000 });
  const partitions = page.getByRole("list", { name: "Partitions of small and who reads them" }).getByRole("listitem");
  await expect(partitions).toHaveCount(2);
  await expect(partitions.first()).toContainText(/member [A-C]/);
  await members.first().getByRole("button").click();
  await expect(members.first().getByRole("button")).toHaveAttribute("aria-pressed", "true");
  await expect(page.locator("main")).toContainText("Stop the group first: 3 members are still in it.");
  await page.screenshot({ path: `${PICTURES}/act-group-idle.png`, fullPage: true });
});

test("its lag is nothing once all is committed, on the list too", async () => {
  await expect(page.locator(".figure").filter({ hasText: "records of lag" })).toContainText(/^0/, { timeout: 20_000 });
  await page.getByRole("link", { name: "All groups" }).click();
  const row = page.getByRole("row").filter({ hasText: "orders" });
  await expect(row).toContainText("stable");
  await expect(row).toContainText("up to date");
  await row.getByRole("link", { name: "orders" }).click();
});

test("moves the offsets of a stopped group, after showing what would happen", async () => {
  for (const client of clients) client.process.kill("SIGTERM");
  await Promise.all(clients.map((client) => client.ended));
  const show = page.getByRole("button", { name: "Show what would happen" });
  await expect(show).toBeVisible({ timeout: 20_000 });
  await page.getByLabel("Partitions", { exact: true }).fill("zero");
  await expect(show).toBeDisabled();
  await page.getByLabel("Partitions", { exact: true }).fill("");
  await show.click();
  await expect(page.getByRole("status").filter({ hasText: "Nothing has changed yet" })).toBeVisible();
  await expect(page.getByRole("region", { name: "What moves" })).toContainText(/\d+ records again/);
  await page.screenshot({ path: `${PICTURES}/act-offsets.png`, fullPage: true });
  await page.getByRole("button", { name: "Move 2 offsets" }).click();
  await expect(page.getByRole("status").filter({ hasText: "Done" })).toBeVisible();
  await expect(page.locator(".figure").filter({ hasText: "records of lag" })).toContainText(String(RECORDS), { timeout: 20_000 });
  const now = await ask(broker, null, "GET", "/api/groups/orders");
  expect(now.partitions.map((one: { committed: number }) => one.committed)).toEqual([0, 0]);
});

test("deletes it in two steps", async () => {
  await page.getByRole("button", { name: "Delete the group" }).click();
  await expect(page.getByRole("button", { name: "Keep it" })).toBeFocused();
  await page.getByRole("button", { name: "Yes, delete it" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Groups");
  await expect(page.locator("main")).not.toContainText("orders");
});

test("requests stand still while somebody reads one, and go on after", async () => {
  clients = [run(python, ["-c", READ, `127.0.0.1:${broker.kafka}`, "reader"])];
  await page.goto("/requests");
  const rows = page.getByRole("list", { name: "Requests, newest first" }).getByRole("listitem");
  await expect(rows.filter({ hasText: "Fetch" }).first()).toBeVisible({ timeout: 30_000 });
  await rows.filter({ hasText: "Fetch" }).first().getByRole("button").click();
  await expect(page.locator(".opened")).toContainText("version");
  const newer = page.getByRole("button", { name: /^Show \d+ newer$/ });
  await expect(newer).toBeVisible({ timeout: 20_000 });
  await newer.click();
  await expect(newer).toHaveCount(0);
  await page.getByRole("combobox", { name: "Kind of request" }).selectOption("Heartbeat");
  await expect(page).toHaveURL(/api=Heartbeat/);
  await expect(rows.first()).toContainText("Heartbeat");
});

test("the console completes verbs and topics with the Tab key, and lets it go on", async () => {
  await page.goto("/console");
  // The verbs and the topics are there.
  await expect(page.getByRole("heading", { name: "All verbs" })).toBeVisible();
  await expect(page.getByRole("button", { name: "describe ecommerce-events" })).toBeVisible();
  const line = page.getByRole("textbox", { name: "Command" });
  await line.fill("des");
  await line.press("Tab");
  await expect(line).toHaveValue("describe ");
  await line.pressSequentially("sm");
  await line.press("Tab");
  await expect(line).toHaveValue("describe small ");
  await line.press("Enter");
  await expect(page.getByRole("log")).toContainText("small: 2 partitions");
  await line.press("Control+l");
  await expect(page.getByRole("log")).not.toContainText("2 partitions");
  await line.press("Tab");
  await expect(page.getByRole("button", { name: "Run" })).toBeFocused();
});

test("metrics over minutes are at an address of their own", async () => {
  await page.goto("/charts");
  await expect(page.locator(".figure").first()).toContainText(/\d/);
  await page.getByRole("link", { name: "15 min", exact: true }).click();
  await expect(page).toHaveURL(/minutes=15/);
  await expect(page.getByRole("figure", { name: /^Messages per second by topic/ })).toBeVisible();
  await page.screenshot({ path: `${PICTURES}/act-metrics.png`, fullPage: true });
});
