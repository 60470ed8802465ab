// Among a hundred thousand refunds, pages and filters are as they are among ten.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import { House, password } from "./house.mjs";

const REFUNDS = 100_000;

let house;
let ada;
before(async () => {
  house = await House.furnished({ settings: { REFUNDKIT_STRIPE_RATE: "1" } });
  const person = house.owner;
  await person.visit("/refunds/new?transactionId=ch_1N4HbSKz9cXRvFYr");
  await person.page.fill("[name=amount]", "1.00");
  await person.page.selectOption("[name=reason]", "other");
  await person.send("reason");
  await person.page.click("button.money");
  await person.page.waitForURL(/\/refunds\/ref_/);
  await house.restart(() => {
    execFileSync("python3", [fileURLToPath(new URL("crowd.py", import.meta.url)), `${house.folder}/refundkit.db`, String(REFUNDS)]);
  });
  ada = await house.person();
  await ada.signIn("ada@acme.example", password);
});
after(async () => { await house?.close(); });

const rows = () => ada.page.locator("tbody tr").count();

test("filters find what they say, and pages go on where they ended", async () => {
  await ada.visit("/refunds?status=failed");
  assert.equal(await rows(), 25);
  assert.equal(await ada.page.locator("tbody .badge.failed").count(), 25);
  const first = await ada.page.locator("tbody tr").first().getAttribute("id");
  await ada.page.click("a[rel=next]");
  await ada.page.waitForLoadState();
  assert.equal(await rows(), 25);
  assert.ok((await ada.page.locator("tbody tr").first().getAttribute("id")) < first);
  await ada.looksRight();

  for (const [filter, badge] of [["status=processing&reason=other", "processing"], ["initiatedBy=mcp&currency=eur", null], ["currency=usd&amountMin=10&amountMax=20", null]]) {
    assert.equal((await ada.visit(`/refunds?${filter}`)).status(), 200, filter);
    if (badge) assert.equal(await ada.page.locator(`tbody .badge.${badge}`).count(), await rows(), filter);
    await ada.looksRight();
  }
  for (const query of ["order-50000", "order:order-50000", "ch_crowd777", "pi_crowd777", "re_crowd777"]) {
    await ada.visit(`/refunds?query=${query}`);
    assert.equal(await rows(), 1, query);
  }
});

test("the overview counts them all, and no page is heavy", async () => {
  for (const path of ["/", "/refunds", "/refunds?status=completed", "/logs"]) {
    const answer = await ada.visit(path);
    const bytes = (await answer.body()).length;
    assert.ok(bytes < 60_000, `${path}: ${bytes} bytes`);
    await ada.looksRight();
  }
  await ada.visit("/");
  await ada.pictures("overview-crowd");
  await ada.visit("/refunds");
  await ada.pictures("refunds-crowd");
});

test("what a filter finds can be taken along, whole", async () => {
  const cookies = (await ada.context.cookies()).map(({ name, value }) => `${name}=${value}`).join("; ");
  const answer = await fetch(`${house.url}/refunds.csv?status=failed`, { headers: { cookie: cookies } });
  let lines = 0;
  for await (const chunk of answer.body) for (const byte of chunk) if (byte === 10) lines += 1;
  assert.equal(lines, 1 + REFUNDS / 50);
});
