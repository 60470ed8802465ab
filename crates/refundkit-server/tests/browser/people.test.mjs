// Who may do what, and who is who: roles, invitations, forged forms, sessions that end.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { House, password } from "./house.mjs";

let house;
let ada;
before(async () => {
  house = await House.furnished();
  ada = house.owner;
});
after(async () => { await house?.close(); });

/** Invites somebody, and answers the person who followed the link. */
async function invite(email, role) {
  await ada.visit("/settings/team");
  await ada.page.fill("form:has([name=role]) [name=email]", email);
  await ada.page.selectOption("form:has([name=email]) [name=role]", role);
  await ada.send("email");
  const link = /http:\/\/\S+\/invitation\?token=[0-9a-f]+/.exec(await ada.page.content())?.[0];
  assert.ok(link, await ada.text());
  const person = await house.person();
  await person.visit(link);
  await person.looksRight();
  await person.page.fill("[name=password]", password);
  await person.send("password");
  assert.equal((await ada.page.request.get(link)).status(), 404, "a link works once");
  return person;
}

test("every settings page is readable for everybody who may see it", async () => {
  for (const [name, path] of [["api-keys", "/settings/api-keys"], ["team", "/settings/team"], ["organization", "/settings/organization"], ["account", "/settings/account"], ["logs", "/logs"]]) {
    assert.equal((await ada.visit(path)).status(), 200, path);
    await ada.looksRight();
    await ada.pictures(name);
  }
});

test("a member refunds up to the owner's limit, and manages nothing", async () => {
  const bob = await invite("bob@acme.example", "member");
  await bob.visit("/");
  await bob.looksRight();
  assert.equal(await bob.page.locator("nav >> text=API keys").count(), 0);
  for (const path of ["/settings/api-keys", "/settings/team", "/settings/organization", "/logs"]) {
    assert.equal((await bob.visit(path)).status(), 403, path);
  }
  await bob.looksRight();
  await bob.pictures("refused");

  await ada.visit("/settings/organization");
  await ada.page.fill("[name=currency]", "usd");
  await ada.page.fill("[name=amount]", "20.00");
  await ada.send("amount");
  assert.match(await ada.text(), /20\.00/);

  const refund = async (amount) => {
    await bob.visit("/refunds/new?transactionId=ch_1N4HbSKz9cXRvFYr");
    await bob.page.fill("[name=amount]", amount);
    await bob.page.selectOption("[name=reason]", "other");
    await bob.send("reason");
    if (await bob.page.locator("button.money").count()) {
      await bob.page.click("button.money");
      await bob.page.waitForLoadState();
    }
    return /\/refunds\/ref_/.test(bob.page.url());
  };
  assert.equal(await refund("21.00"), false);
  assert.match(await bob.text(), /20\.00|2000/);
  assert.equal(await refund("15.00"), true);
  assert.equal(await refund("6.00"), false, "two halves are one whole");
  assert.equal(await refund("5.00"), true);
  await bob.leave();
});

test("a forged form does nothing", async () => {
  const cookies = (await ada.context.cookies()).map(({ name, value }) => `${name}=${value}`).join("; ");
  const body = "environment=test&name=stolen&scope=admin";
  const headers = { cookie: cookies, "content-type": "application/x-www-form-urlencoded" };
  for (const forged of [{}, { origin: "https://elsewhere.example" }, { origin: house.url, "sec-fetch-site": "cross-site" }, { origin: "null" }]) {
    const answer = await fetch(`${house.url}/settings/api-keys`, { method: "POST", headers: { ...headers, ...forged }, body, redirect: "manual" });
    assert.equal(answer.status, 403, JSON.stringify(forged));
  }
  await ada.visit("/settings/api-keys");
  assert.doesNotMatch(await ada.text(), /stolen/);
});

test("a key is shown once", async () => {
  await ada.visit("/settings/api-keys");
  await ada.page.fill("[name=name]", "Support agent");
  await ada.page.selectOption("[name=scope]", "write");
  await ada.send("scope");
  const key = /rk_test_[A-Za-z0-9]{32}/.exec(await ada.page.content())?.[0];
  assert.ok(key);
  const me = await fetch(`${house.url}/v1/me`, { headers: { authorization: `Bearer ${key}` } });
  assert.equal((await me.json()).data.scope, "write");
  await ada.looksRight();
  await ada.visit("/settings/api-keys");
  assert.ok(!(await ada.page.content()).includes(key));
});

test("changing the password ends the other sessions, and signing out ends this one", async () => {
  const elsewhere = await house.person();
  await elsewhere.signIn();
  await ada.visit("/settings/account");
  await ada.page.fill("[name=currentPassword]", password);
  await ada.page.fill("[name=password]", "another correct horse");
  await ada.send("currentPassword");
  await elsewhere.visit("/refunds");
  assert.match(elsewhere.page.url(), /\/login/);
  await elsewhere.leave();
  const cookies = await ada.context.cookies();
  await ada.visit("/");
  await ada.page.click("text=Sign out");
  await ada.page.waitForLoadState();
  await ada.context.addCookies(cookies);
  await ada.visit("/refunds");
  assert.match(ada.page.url(), /\/login/, "what the browser kept is worth nothing");
});
