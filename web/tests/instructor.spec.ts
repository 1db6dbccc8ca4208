// The instructor's acts, and what the room sees of them.
import { expect, test, type Page } from "@playwright/test";
import { ask, Broker, instructorToken, join_, pageOf, PICTURES, troublesOf, type Student } from "./broker";

let broker: Broker;
let student: Student;
let page: Page;
let theirs: Page;

test.describe.configure({ mode: "serial" });
test.beforeAll(async ({ browser }) => {
  broker = await Broker.start("classroom", "--listener", "SECOND=SASL_PLAINTEXT://127.0.0.1:0");
  student = await join_(broker);
  for (let n = 0; n < 5; n++) await join_(broker);
  page = await pageOf(browser, broker.lan, null);
  theirs = await pageOf(browser, broker.base, student.token);
});
test.afterAll(async () => {
  await broker.end();
  expect(troublesOf(page)).toEqual([]);
  expect(troublesOf(theirs)).toEqual([]);
});

test("comes in with the secret of the first start, and not with another", async () => {
  await page.goto("/instructor");
  await page.getByLabel("Secret", { exact: true }).fill("guess");
  await page.getByRole("button", { name: "Log in" }).click();
  await expect(page.getByRole("alert")).toContainText(/wrong/);
  await page.getByLabel("Secret", { exact: true }).fill(broker.secret);
  await page.getByRole("button", { name: "Log in" }).click();
  await expect(page.locator(".class-board")).toContainText("C01");
  await expect(page.locator(".class-board tbody tr")).toHaveCount(6);
});

test("an announcement, a timer and the freeze reach every page within a second or two", async () => {
  await theirs.goto("/topics");
  await page.goto("/instructor?tab=room");
  await page.getByLabel("What to say").fill("Break until half past ten <b>sharp</b>.");
  await page.getByRole("button", { name: "Announce" }).click();
  await expect(theirs.locator("main")).toContainText("Break until half past ten <b>sharp</b>.", { timeout: 5000 });
  await page.getByLabel("What for").fill("C1 and C2");
  await page.getByRole("button", { name: "Start", exact: true }).click();
  await expect(theirs.getByRole("timer")).toContainText("C1 and C2", { timeout: 5000 });
  await page.getByRole("button", { name: "Freeze the room" }).click();
  await expect(theirs.locator("main")).toContainText("has frozen the room", { timeout: 5000 });
  await theirs.screenshot({ path: `${PICTURES}/act-announced.png` });
  await page.screenshot({ path: `${PICTURES}/act-room.png`, fullPage: true });
  await page.getByRole("button", { name: "Let the room go on" }).click();
  await expect(theirs.locator("main")).not.toContainText("has frozen the room", { timeout: 5000 });
});

test("one click sends the clients of all listeners, or of one, to the address that this browser used", async () => {
  const told = async () => {
    const { listeners } = await ask(broker, student.token, "GET", "/api/server");
    return listeners.map((listener: { host: string }) => listener.host).join(" ");
  };
  await page.getByRole("button", { name: "Use lab-pc.local", exact: true }).first().click();
  await expect.poll(told).toBe("lab-pc.local 127.0.0.1");
  await ask(broker, await instructorToken(broker), "PUT", "/api/listeners/CLASS", { advertise: "auto" });
  await page.reload();
  await page.getByRole("button", { name: "Use lab-pc.local for all" }).click();
  await expect.poll(told).toBe("lab-pc.local lab-pc.local");
  await expect(page.getByRole("button", { name: "Use lab-pc.local for all" })).toHaveCount(0);
});

test("goes over the board by keyboard, and grants a challenge", async () => {
  await page.goto("/instructor");
  await page.locator(".class-board button[tabindex='0']").focus();
  for (const key of ["ArrowDown", "ArrowRight", "ArrowRight"]) await page.keyboard.press(key);
  await page.keyboard.press("Enter");
  await expect(page.getByRole("dialog")).toContainText("C02");
  await page.getByRole("button", { name: "Grant" }).click();
  await expect(page.getByRole("dialog").locator(".work")).toContainText("granted");
  await page.screenshot({ path: `${PICTURES}/act-granted.png` });
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toHaveCount(0);
  await expect(page.locator(":focus")).toHaveAttribute("aria-label", /C02 .*: granted/);
});

test("gives a student another name, a new password, and a new beginning", async () => {
  await ask(broker, student.token, "POST", "/api/topics", { name: `${student.prefix}mine`, partitions: 1 });
  await page.goto(`/instructor?student=${student.id}`);
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Name that is shown").fill("Ada <b>L</b>");
  await dialog.getByRole("button", { name: "Rename" }).click();
  await expect(dialog.getByRole("heading", { level: 2 })).toHaveText("Ada <b>L</b>");
  await dialog.getByRole("button", { name: "Reset this student" }).click();
  await expect(dialog).toContainText(`${student.prefix}mine`);
  await dialog.getByRole("button", { name: "Delete these" }).click();
  await expect(dialog.getByText(/are gone/)).toBeVisible();
  await dialog.getByRole("button", { name: "New passwords" }).click();
  await dialog.getByRole("button", { name: "Make new ones" }).click();
  const words = await dialog.locator("code strong").textContent();
  await page.screenshot({ path: `${PICTURES}/act-student.png` });
  const session = await ask(broker, null, "POST", "/api/login", { user: student.user, password: words });
  student = { ...student, token: session.token };
  await page.keyboard.press("Escape");
});

test("sees who is stuck, and lets a challenge go", async () => {
  await ask(broker, student.token, "POST", "/api/stuck/c02", { stuck: true, note: "<i>my offset is -1001</i>" });
  await page.goto("/instructor?tab=stuck");
  await expect(page.locator("main")).toContainText("<i>my offset is -1001</i>");
  await page.getByRole("button", { name: /^Done/ }).first().click();
  await expect(page.locator("main")).not.toContainText("my offset is -1001");
});

test("lets something happen in the streams, and ends it", async () => {
  await page.goto("/instructor?tab=streams");
  await expect(page.locator(".incident").first()).toBeVisible();
  await page.locator(".incident").first().getByRole("button").last().click();
  await expect.poll(async () => {
    const token = await page.evaluate(() => fetch("/api/generators").then((answer) => answer.json()));
    return token.incidents.length;
  }).toBeGreaterThan(0);
  await page.screenshot({ path: `${PICTURES}/act-incident.png`, fullPage: true });
});

test("resets everything in two steps; it shows what dies and asks for the secret", async () => {
  await ask(broker, student.token, "POST", "/api/topics", { name: `${student.prefix}doomed`, partitions: 1 });
  await page.goto("/instructor?tab=reset");
  await page.getByRole("button", { name: "Show what dies" }).click();
  await expect(page.locator("main")).toContainText(`${student.prefix}doomed`);
  await page.screenshot({ path: `${PICTURES}/act-doom.png`, fullPage: true });
  await page.getByLabel(/secret, once more/).fill("guess");
  await page.getByRole("button", { name: "Delete all of this" }).click();
  await expect(page.getByRole("alert")).toContainText(/secret/);
  await page.getByLabel(/secret, once more/).fill(broker.secret);
  await page.getByRole("button", { name: "Delete all of this" }).click();
  await expect.poll(async () => {
    const { topics } = await ask(broker, student.token, "GET", "/api/topics");
    return topics.some((one: { name: string }) => one.name === `${student.prefix}doomed`);
  }, { timeout: 30_000 }).toBe(false);
});
