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

test("whose refunds they are is chosen by name, and found among all", async () => {
  const choose = async (label) => {
    await ada.visit("/refunds");
    await ada.page.click("details.filters > summary");
    await ada.page.selectOption("[name=askedBy]", { label });
    await ada.send("query");
    await ada.looksRight();
  };
  const names = () => ada.page.locator("tbody td .who").allInnerTexts();
  await choose("bob@acme.example");
  assert.deepEqual(await names(), Array(25).fill("bob@acme.example"));
  assert.match(await ada.text("details.filters > summary"), /\(1\)/);
  await ada.page.click("a[rel=next]");
  await ada.page.waitForLoadState();
  assert.deepEqual(await names(), Array(25).fill("bob@acme.example"), "the next page is Bob's too");
  await ada.pictures("refunds-of-one");
  const agent = await ada.page.locator("[name=askedBy] option", { hasText: "Support agent" }).innerText();
  await choose(agent.trim());
  assert.deepEqual(await names(), Array(25).fill("Support agent"));

  // A person's old refunds are found at once; those of a key are looked for page by page, which says how far it came.
  const zoe = "usr_00000000000000000000000002";
  const oldShop = "key_00000000000000000000000003";
  await ada.visit(`/refunds?askedBy=${zoe}`);
  assert.equal(await rows(), 25);
  assert.equal(await ada.page.inputValue("[name=askedBy]"), zoe, "who left is chosen still");
  await ada.visit(`/refunds?askedBy=${oldShop}`);
  assert.match(await ada.text(), /Nothing found so far/);
  assert.match(await ada.page.locator("[name=askedBy] option:checked").innerText(), /^Old shop .*, revoked$/);
  await ada.looksRight();
  for (let page = 1; page < REFUNDS / 5000 && await rows() === 0; page += 1) {
    await ada.page.click("text=Look further");
    await ada.page.waitForLoadState();
  }
  assert.deepEqual(await names(), Array(25).fill("Old shop"));
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
  const zoe = "usr_00000000000000000000000002";
  for (const [filter, found] of [["status=failed", REFUNDS / 50], [`askedBy=${zoe}`, REFUNDS / 1000]]) {
    const answer = await fetch(`${house.url}/refunds.csv?${filter}`, { headers: { cookie: cookies } });
    let lines = 0;
    for await (const chunk of answer.body) for (const byte of chunk) if (byte === 10) lines += 1;
    assert.equal(lines, 1 + found, filter);
  }
});
