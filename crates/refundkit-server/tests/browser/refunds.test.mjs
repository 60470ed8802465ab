// Refunds as a person makes, finds and follows them.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { readFile } from "node:fs/promises";

import { House, password, secretKey } from "./house.mjs";

let house;
let ada;
before(async () => {
  house = await House.empty();
  ada = await house.person();
  await ada.setUp();
});
after(async () => { await house?.close(); });

/** Walks to the page that asks whether to refund. */
async function choose(person, transactionId, amount, reason = "customer_request") {
  await person.visit("/refunds/new");
  await person.page.fill("[name=transactionId]", transactionId);
  await person.send("transactionId");
  if (amount !== undefined) await person.page.fill("[name=amount]", amount);
  await person.page.selectOption("[name=reason]", reason);
  await person.send("reason");
}

test("a key that Stripe refuses is explained beside its field, kept nowhere, and the next one connects", async () => {
  await ada.visit("/settings/processors");
  await ada.looksRight();
  await ada.pictures("processors-empty");
  await ada.page.fill("[name=secretKey]", "sk_test_NobodyKnowsThisKey123");
  await ada.send("secretKey");
  assert.match(await ada.text("#secretKey-wrong"), /Invalid API Key provided/);
  assert.equal(await ada.page.inputValue("[name=secretKey]"), "", "a secret is not put back into a page");
  assert.doesNotMatch(await ada.page.content(), /NobodyKnowsThisKey/);
  await ada.looksRight();
  await ada.connectStripe(secretKey);
  assert.match(await ada.text(), /sk_test_…/);
  await ada.looksRight();
  await ada.pictures("processors");
});

test("from a payment's id to its refund, with what will happen in between", async () => {
  await ada.visit("/refunds");
  assert.match(await ada.text(), /No refunds yet/);
  await ada.looksRight();
  await ada.pictures("refunds-empty");

  await ada.visit("/refunds/new");
  await ada.looksRight();
  await ada.page.fill("[name=transactionId]", "ch_1N4HbSKz9cXRvFYr");
  await ada.send("transactionId");
  assert.match(await ada.text(), /100\.00 USD/);
  assert.match(await ada.text(), /Visa/);
  assert.equal(await ada.page.inputValue("[name=amount]"), "100.00");
  await ada.looksRight();
  await ada.pictures("new-refund");

  for (const [typed, words] of [["25.001", /decimal/], ["1,000.00", /./], ["200", /left|most|greater|more/i]]) {
    await ada.page.fill("[name=amount]", typed);
    await ada.page.selectOption("[name=reason]", "product_defective");
    await ada.send("reason");
    assert.match(await ada.text("#amount-wrong"), words, typed);
    assert.equal(await ada.page.inputValue("[name=amount]"), typed, "nothing typed is lost");
    assert.equal(await ada.page.inputValue("[name=reason]"), "product_defective", "nothing typed is lost");
  }
  await ada.looksRight();
  await ada.page.fill("[name=amount]", "25.00");
  await ada.send("reason");
  assert.match(await ada.text("h1"), /Refund 25\.00 USD\?/);
  await ada.looksRight();
  await ada.pictures("confirm");
  await ada.page.click("button.money");
  await ada.page.waitForURL(/\/refunds\/ref_[0-9a-z]{26}$/);
  assert.match(await ada.text(), /Completed/);
  assert.match(await ada.text(), /ada@acme\.example/);
  await ada.looksRight();
  await ada.pictures("refund");
});

test("a double click refunds once, and so does the same form sent again", async () => {
  await choose(ada, "pi_1SandboxIntent", "10.00");
  // Clicks before any answer: the script would hold the second back, so they are sent by hand.
  const send = () => ada.page.evaluate(() => {
    const form = document.querySelector("button.money").form;
    const body = new URLSearchParams(new FormData(form));
    return Promise.all([1, 2, 3].map(async () => (await fetch(form.action, { method: "POST", body })).url));
  });
  const addresses = await send();
  addresses.push(...await send());
  const made = addresses.filter((address) => /\/refunds\/ref_[0-9a-z]{26}$/.test(address));
  assert.ok(made.length >= 4, addresses.join(" "));
  assert.equal(new Set(made).size, 1, "all of them lead to one refund");
  await ada.page.click("button.money");
  await ada.page.waitForURL(made[0]);
  await ada.visit("/refunds?query=pi_1SandboxIntent");
  assert.equal(await ada.page.locator("tbody tr").count(), 1);
  ada.complaints.length = 0;
});

test("a form whose sender was signed out meanwhile goes on after signing in, and refunds once", async () => {
  await choose(ada, "ch_1SandboxFirstRefund", "$7.00");
  assert.match(await ada.text("h1"), /Refund 7\.00 USD\?/);
  const elsewhere = await house.person();
  await elsewhere.signIn();
  await elsewhere.visit("/settings/account");
  await elsewhere.page.click("text=Sign out everywhere else");
  await elsewhere.page.waitForLoadState();
  await elsewhere.leave();

  await ada.page.click("button.money");
  await ada.page.waitForLoadState();
  assert.match(await ada.text(), /You were signed out meanwhile\. Nothing was done\./);
  await ada.looksRight();
  await ada.pictures("signed-out");
  await ada.page.fill("[name=email]", "ada@acme.example");
  await ada.page.fill("[name=password]", "not the password");
  await ada.send("password");
  assert.match(await ada.text(), /do not belong together/);
  await ada.page.fill("[name=password]", password);
  await ada.send("password");
  assert.match(new URL(ada.page.url()).pathname, /^\/resume$/, "no page that answers a password stays behind");
  assert.match(await ada.text(), /What was typed is kept[^]*Customer request/);
  assert.match(await ada.text(), /7\.00/);
  await ada.looksRight();
  await ada.pictures("resume");
  await ada.send("formId");
  assert.match(await ada.text("h1"), /Refund 7\.00 USD\?/, "it is confirmed again");
  await ada.page.click("button.money");
  await ada.page.waitForURL(/\/refunds\/ref_/);
  await ada.visit("/refunds?query=ch_1SandboxFirstRefund");
  assert.equal(await ada.page.locator("tbody tr").count(), 1);
  assert.match(await ada.text("tbody"), /7\.00 USD/);
});

test("the same amount again is refused, explained, and possible when it is meant", async () => {
  await choose(ada, "ch_1N4HbSKz9cXRvFYr", "25.00");
  assert.match(await ada.text(), /ref_[0-9a-z]{26}/, "the refund that explains it is named");
  await ada.looksRight();
  await ada.page.click("button.money");
  assert.match(await ada.text("h1"), /Refund 25\.00 USD\?/, "nothing is sent before the box is ticked");
  await ada.page.check("[name=allowDuplicate]");
  await ada.page.click("button.money");
  await ada.page.waitForURL(/\/refunds\/ref_/);
});

test("currencies without decimals, and with three, are typed and read as people write them", async () => {
  await choose(ada, "ch_1SandboxYen", "500");
  assert.match(await ada.text("h1"), /Refund 500 JPY\?/);
  await ada.page.click("button.money");
  await ada.page.waitForURL(/\/refunds\/ref_/);
  assert.match(await ada.text(), /500 JPY/);
  await choose(ada, "ch_1SandboxDinar", "1.230");
  assert.match(await ada.text("h1"), /Refund 1\.230 KWD\?/);
});

test("a refund that is on its way moves under the reader's eyes, in the list and alone", async () => {
  await choose(ada, "ch_1SandboxPending", "60.00");
  await ada.page.click("button.money");
  await ada.page.waitForURL(/\/refunds\/ref_/);
  const address = ada.page.url();
  assert.match(await ada.text(), /Processing|Pending/);
  const bob = await house.person();
  await bob.signIn();
  await bob.visit("/refunds?query=ch_1SandboxPending");
  await ada.page.locator(".badge.completed").first().waitFor({ timeout: 20000 });
  await bob.page.locator("tr .badge.completed").first().waitFor({ timeout: 20000 });
  assert.equal(ada.page.url(), address, "without loading the page again");
  await ada.looksRight();
  await bob.looksRight();
  await bob.leave();
});

test("the list is searched, filtered and taken along as CSV", async () => {
  await ada.visit("/refunds");
  await ada.looksRight();
  await ada.pictures("refunds");
  await ada.page.fill("[name=query]", "ch_1SandboxYen");
  await ada.page.press("[name=query]", "Enter");
  await ada.page.waitForLoadState();
  assert.equal(await ada.page.locator("tbody tr").count(), 1);
  await ada.visit("/refunds?status=failed");
  assert.match(await ada.text(), /Nothing found/);
  await ada.visit("/refunds");
  const [download] = await Promise.all([ada.page.waitForEvent("download"), ada.page.click("text=Export CSV")]);
  assert.match(download.suggestedFilename(), /^refunds-test-\d{4}-\d\d-\d\d\.csv$/);
  const lines = (await readFile(await download.path(), "utf8")).trim().split("\r\n");
  assert.equal(lines.length, 1 + await ada.page.locator("tbody tr").count());
});

test("the overview tells what was refunded", async () => {
  await ada.visit("/");
  assert.match(await ada.text(), /Refunded, USD/);
  await ada.looksRight();
  await ada.pictures("overview");
});

test("live looks unlike test, knows nothing of it, and a page of the other environment does nothing", async () => {
  await choose(ada, "ch_1N4HbSKz9cXRvFYr", "3.00");
  const bob = await house.person();
  await bob.context.addCookies(await ada.context.cookies());
  await bob.visit("/refunds");
  await bob.page.click("button.to-live");
  await bob.page.waitForLoadState();
  assert.match(await bob.text(".strip"), /Live/);
  assert.match(await bob.text(), /No refunds yet/);
  await bob.looksRight();
  await bob.pictures("live");
  await ada.page.click("button.money");
  await ada.page.waitForLoadState();
  assert.match(await ada.text(), /belongs to the test environment, and you are in live now\. Nothing was done/);
  await ada.looksRight();
  await ada.pictures("other-environment");
  await bob.page.click("button.to-test");
  await bob.page.waitForLoadState();
  await bob.visit("/refunds?query=ch_1N4HbSKz9cXRvFYr");
  assert.doesNotMatch(await bob.text("tbody"), /3\.00 USD/);
  await bob.leave();
});

test("without scripts everything is there but what moves by itself", async () => {
  const plain = await house.person({ javaScriptEnabled: false });
  await plain.signIn();
  await choose(plain, "ch_1N4HbSKz9cXRvFYr", "4.00");
  await plain.page.click("button.money");
  await plain.page.waitForURL(/\/refunds\/ref_/);
  assert.match(await plain.text(), /Completed/);
  for (const path of ["/", "/refunds", "/logs", "/settings/processors", "/settings/api-keys", "/settings/team", "/settings/organization", "/settings/account"]) {
    assert.equal((await plain.visit(path)).status(), 200, path);
  }
  await plain.leave();
});

test("with the keyboard alone, a refund is found and opened", async () => {
  await ada.visit("/refunds");
  await ada.page.keyboard.press("Tab");
  assert.equal(await ada.page.evaluate(() => document.activeElement.className), "skip");
  await ada.page.keyboard.press("Enter");
  for (let press = 0; press < 60; press += 1) {
    await ada.page.keyboard.press("Tab");
    if (await ada.page.evaluate(() => document.activeElement.matches("tbody a"))) break;
  }
  await ada.page.keyboard.press("Enter");
  await ada.page.waitForURL(/\/refunds\/ref_/);
});
