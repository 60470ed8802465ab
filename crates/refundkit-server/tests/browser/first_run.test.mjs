// From an empty installation to the first refund, as its first person walks.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { House } from "./house.mjs";

let house;
before(async () => { house = await House.empty(); });
after(async () => { await house?.close(); });

test("the first person sets up, signs out and in, and the first page is gone", async () => {
  const ada = await house.person();
  await ada.visit("/login?next=%2Frefunds");
  assert.match(await ada.text(), /Nobody is here yet/);
  assert.ok(!(await ada.page.content()).includes(new URL(house.setupUrl).searchParams.get("token")));
  await ada.looksRight();
  await ada.pictures("login-empty");
  assert.match(house.setupUrl, /\/setup\?token=[0-9a-f]{32}$/);
  const foreign = await ada.visit("/setup?token=0123456789abcdef0123456789abcdef");
  assert.equal(foreign.status(), 404);

  await ada.visit(house.setupUrl);
  await ada.looksRight();
  await ada.pictures("setup");
  await ada.page.fill("[name=organization]", "Acme");
  await ada.page.fill("[name=email]", "ada@acme");
  await ada.page.fill("[name=password]", "correct horse");
  await ada.send("organization");
  assert.equal(new URL(ada.page.url()).pathname, "/settings/processors");

  assert.equal((await ada.visit(house.setupUrl)).status(), 404);
  await ada.visit("/");
  await ada.page.click("text=Sign out");
  assert.match(await ada.text(), /You are signed out/);
  await ada.looksRight();
  await ada.pictures("login");

  await ada.signIn("ada@acme", "not her password");
  assert.match(await ada.text(), /do not belong together/);
  assert.equal(await ada.page.inputValue("[name=email]"), "ada@acme", "nothing typed is lost");
  await ada.looksRight();
  await ada.signIn("ADA@acme", "correct horse");
  assert.equal(await ada.text("h1"), "Overview");
  await ada.leave();
});

test("a page that needs somebody leads there after signing in, and nowhere else", async () => {
  const ada = await house.person();
  await ada.visit("/?from=mail");
  assert.equal(new URL(ada.page.url()).pathname, "/login");
  await ada.page.fill("[name=email]", "ada@acme");
  await ada.page.fill("[name=password]", "correct horse");
  await ada.send("password");
  assert.equal(ada.page.url(), `${house.url}/?from=mail`);

  const eve = await house.person();
  await eve.visit(`/login?next=${encodeURIComponent("https://elsewhere.example/")}`);
  await eve.page.fill("[name=email]", "ada@acme");
  await eve.page.fill("[name=password]", "correct horse");
  await eve.send("password");
  assert.equal(eve.page.url(), `${house.url}/`);
  await ada.leave();
  await eve.leave();
});
