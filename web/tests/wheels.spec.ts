// Install lines lead to the broker's wheelhouse for what it has, and to the Internet for the rest.
import { expect, test } from "@playwright/test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Broker, join_, overflow, pageOf, PICTURES, settled, troublesOf } from "./broker";

test("the install line names the broker, where it has the package", async ({ browser }) => {
  mkdirSync(PICTURES, { recursive: true });
  const folder = mkdtempSync(join(tmpdir(), "headwater-wheels-"));
  writeFileSync(join(folder, "confluent_kafka-1.0-py3-none-any.whl"), "");
  const broker = await Broker.start("classroom", "--wheelhouse", folder, "--generators", "off");
  try {
    const student = await join_(broker);
    const page = await pageOf(browser, broker.lan, student.token, { viewport: { width: 390, height: 844 } });
    const line = page.getByRole("region", { name: "Install line" });
    const here = `pip install --index-url ${broker.lan}/wheels/ --trusted-host lab-pc.local`;
    await page.goto("/?client=confluent-kafka");
    await expect(line).toHaveText(`python3 -m ${here} confluent-kafka`);
    await expect(page.locator("main")).toContainText("It comes from this broker, not from the Internet");
    await settled(page);
    await page.screenshot({ path: `${PICTURES}/start-wheelhouse-390.png`, fullPage: true });
    expect(await overflow(page)).toBe(0);
    await page.setViewportSize({ width: 1280, height: 900 });
    await page.screenshot({ path: `${PICTURES}/start-wheelhouse-1280.png`, fullPage: true });
    await page.goto("/?client=kafka-python");
    await expect(line).toHaveText("python3 -m pip install kafka-python");
    await page.goto("/challenges/c01");
    await expect(page.getByRole("region", { name: "How to run it here" })).toContainText(`${here} -r requirements.txt`);
    expect(troublesOf(page)).toEqual([]);
    await page.context().close();
  } finally {
    await broker.end();
    rmSync(folder, { recursive: true, force: true });
  }
});
