// What people write into topics, groups and names is shown, and nothing of it runs.
import { expect, test } from "@playwright/test";
import { ask, Broker, pageOf, PICTURES, python, run, settled, troublesOf } from "./broker";
import { binary, payloads } from "./payloads";

let broker: Broker;
test.beforeAll(async () => {
  broker = await Broker.start("single");
  await ask(broker, null, "POST", "/api/topics", { name: "hostile", partitions: 1 });
  // Half of a pair is no text; the interface refuses it.
  const cut = (text: string, letters: number) => Array.from(text).slice(0, letters).join("");
  for (const [n, text] of payloads.entries()) {
    await ask(broker, null, "POST", "/api/topics/hostile/records", { key: cut(text, 300), value: text, headers: [{ name: cut(text, 100) || "empty", value: cut(text, 500) }] });
    if (n % 5 === 0) await ask(broker, null, "POST", "/api/topics/hostile/records", { key: null, value: JSON.stringify({ [cut(text, 50)]: text, list: [text] }) });
  }
  for (const bytes of binary) {
    const text = bytes.toString("base64");
    await ask(broker, null, "POST", "/api/topics/hostile/records", { key: text, key_encoding: "base64", value: text, value_encoding: "base64" });
  }
  await ask(broker, null, "POST", "/api/topics/hostile/records", { key: "tombstone", value: null });
});
test.afterAll(() => broker.end());

test("two hundred hostile contents are shown, opened in every form, and none runs", async ({ browser }) => {
  test.setTimeout(240_000);
  expect(payloads.length + binary.length).toBe(200);
  const page = await pageOf(browser, broker.base, null);
  await page.goto("/topics/hostile?from=oldest&limit=500");
  await settled(page);
  const rows = page.getByRole("list", { name: "Records" }).getByRole("listitem");
  await expect.poll(() => rows.count()).toBeGreaterThan(40);
  const more = page.getByRole("button", { name: /Show more|Show older|Scan further/ });
  for (let n = 0; n < 12 && (await more.isVisible().catch(() => false)); n++) {
    await more.click();
    await page.waitForTimeout(300);
  }
  const shown = await rows.count();
  expect(shown).toBeGreaterThanOrEqual(200);
  for (let n = 0; n < shown; n += 3) {
    const row = rows.nth(n).getByRole("button").first();
    await row.click();
    for (const form of ["raw", "hex", "tree"]) {
      const tab = page.getByRole("tab", { name: new RegExp(form, "i") });
      const count = Math.min(await tab.count(), 2);
      for (let at = 0; at < count; at++) await tab.nth(at).click({ timeout: 3000 });
    }
    await row.click();
  }
  await page.screenshot({ path: `${PICTURES}/hostile.png` });
  expect(await page.evaluate(() => (window as unknown as { __ran?: number }).__ran)).toBeUndefined();
  expect(await page.evaluate(() => ({} as { polluted?: number }).polluted)).toBeUndefined();
  expect(await page.evaluate(() => document.querySelectorAll("main script, main iframe, main object, main embed, main base, main form[action], main img").length)).toBe(0);
  expect(troublesOf(page)).toEqual([]);
  await page.context().close();
});

test("names of clients and groups are hostile too", async ({ browser }) => {
  const name = "<img src=x onerror=window.__ran=1>";
  const program = `
import sys
from confluent_kafka import Consumer
c = Consumer({"bootstrap.servers": sys.argv[1], "group.id": sys.argv[2], "client.id": sys.argv[2], "auto.offset.reset": "earliest"})
c.subscribe(["hostile"])
for m in c.consume(50, timeout=8): pass
c.commit(asynchronous=False)
import time; time.sleep(12)
`;
  const consumer = run(python, ["-c", program, `127.0.0.1:${broker.kafka}`, name]);
  const page = await pageOf(browser, broker.base, null);
  await page.goto("/groups");
  await expect(page.locator("main")).toContainText(name, { timeout: 30_000 });
  for (const path of ["/groups", `/groups/${encodeURIComponent(name)}`, "/requests", "/instructor?tab=cluster", "/", "/topics/hostile?tab=groups"]) {
    await page.goto(path);
    await settled(page);
    await page.waitForTimeout(1200);
    expect(await page.evaluate(() => (window as unknown as { __ran?: number }).__ran), path).toBeUndefined();
    expect(await page.locator("main img").count(), path).toBe(0);
  }
  expect(troublesOf(page)).toEqual([]);
  consumer.process.kill();
  await page.context().close();
});

test("records of 64 KiB and ten thousand of them leave the page quick", async ({ browser }) => {
  test.setTimeout(120_000);
  await ask(broker, null, "POST", "/api/topics", { name: "many", partitions: 3 });
  for (let n = 0; n < 10; n++) await ask(broker, null, "POST", "/api/topics/many/records", { key: `k${n}`, value: `{"n":${n}}`, copies: 1000 });
  const page = await pageOf(browser, broker.base, null);
  await page.goto("/topics/many?from=oldest");
  await settled(page);
  const more = page.getByRole("button", { name: /Show more|Scan further/ });
  const began = Date.now();
  for (let n = 0; n < 20 && (await more.isVisible().catch(() => false)); n++) await more.click({ timeout: 5000 });
  const took = Date.now() - began;
  console.log(`twenty pages of records: ${took} ms, ${await page.locator("main *").count()} elements`);
  expect(took).toBeLessThan(60_000);
  const longest = await page.evaluate(() => new Promise<number>((resolve) => {
    let last = performance.now();
    let worst = 0;
    const end = last + 2000;
    const frame = (now: number) => {
      worst = Math.max(worst, now - last);
      last = now;
      if (now < end) requestAnimationFrame(frame);
      else resolve(worst);
    };
    requestAnimationFrame(frame);
  }));
  console.log(`longest pause between two frames: ${Math.round(longest)} ms`);
  expect(longest).toBeLessThan(2000);
  expect(troublesOf(page)).toEqual([]);
  await page.context().close();
});
