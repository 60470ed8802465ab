// A house for a test: the real binary on an empty database, a Stripe sandbox, and Debian's Chromium, reached over loopback. Everything
// that a page says to the console is kept, and a test that hears an error there fails.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { access, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import assert from "node:assert/strict";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../../../..");
const require = createRequire(join(root, "target/tools/browser/package.json"));
const { chromium } = require("playwright-core");
const axe = require.resolve("axe-core/axe.min.js");

export const binary = join(process.env.CARGO_TARGET_DIR ?? join(root, "target"), "debug/refundkit");
/** Where screenshots and traces are kept. */
export const artefacts = join(root, "target/test-logs/dashboard");
/** The key of the sandbox that the documents show. */
export const secretKey = "sk_test_your_stripe_secret_key";
export const password = "correct horse battery";

/** A port that was free a moment ago. */
async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  await new Promise((closed) => server.close(closed));
  return port;
}

/** Starts the program and waits for a line of its log. Answers the process and what the line matched. */
async function start(folder, args, settings, pattern) {
  const child = spawn(binary, args, { cwd: folder, env: { PATH: process.env.PATH, ...settings }, stdio: ["ignore", "ignore", "pipe"] });
  const lines = createInterface({ input: child.stderr });
  const said = [];
  const found = await new Promise((resolved, rejected) => {
    lines.on("line", (line) => {
      said.push(line);
      const match = pattern.exec(line);
      if (match) resolved(match);
    });
    child.on("exit", (code) => rejected(new Error(`${args[0]} ended with ${code}:\n${said.join("\n")}`)));
  });
  return { child, found, said };
}

async function stop(child) {
  if (child.exitCode !== null) return;
  child.kill("SIGTERM");
  await once(child, "exit");
}

/** A server, a sandbox and a browser. */
export class House {
  /** An empty installation: its `setupUrl` is where the first person begins. */
  static async empty(options = {}) {
    await access(binary);
    const house = new House();
    house.folder = await mkdtemp(join(tmpdir(), "refundkit-browser-"));
    const sandboxPort = await freePort();
    house.sandbox = await start(house.folder, ["sandbox", "--listen", `127.0.0.1:${sandboxPort}`, "--refund-delay-ms", String(options.refundDelayMs ?? 1500)], {}, /Stripe sandbox on/);
    house.port = await freePort();
    house.settings = {
      REFUNDKIT_LISTEN: `127.0.0.1:${house.port}`,
      REFUNDKIT_DATABASE_URL: `sqlite://${house.folder}/refundkit.db`,
      REFUNDKIT_STRIPE_API_BASE: `http://127.0.0.1:${sandboxPort}`,
      REFUNDKIT_SCHEDULE_SPEEDUP: "100",
      REFUNDKIT_METRICS_LISTEN: "off",
      ...options.settings,
    };
    house.url = `http://127.0.0.1:${house.port}`;
    await options.prepare?.(house);
    await house.serve();
    house.browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-dev-shm-usage"] });
    return house;
  }

  /** The same with an organization, its owner, and Stripe connected in test. */
  static async furnished(options = {}) {
    const house = await House.empty(options);
    const person = await house.person();
    await person.setUp();
    await person.connectStripe();
    house.owner = person;
    return house;
  }

  async serve() {
    const { child, said } = await start(this.folder, ["serve"], this.settings, /listening on/);
    this.server = child;
    this.log = said;
    // The address of the first page comes right after the line that it listens.
    const until = Date.now() + 2000;
    const address = /http:\/\/\S+\/setup\?token=[0-9a-f]+/;
    while (Date.now() < until && !this.setupUrl) {
      this.setupUrl = said.map((line) => address.exec(line)?.[0]).find(Boolean);
      if (!this.setupUrl) await new Promise((later) => setTimeout(later, 20));
      if (Date.now() > until - 1500) break;
    }
  }

  /** Stops the server, does something with what it left, and starts it again. */
  async restart(meanwhile) {
    await stop(this.server);
    await meanwhile();
    await this.serve();
  }

  /** Somebody with a browser of their own. */
  async person(options = {}) {
    const context = await this.browser.newContext({ viewport: { width: 1280, height: 860 }, reducedMotion: "reduce", ...options });
    await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: this.url });
    const page = await context.newPage();
    return new Person(this, context, page);
  }

  async close() {
    await this.browser?.close();
    await stop(this.server);
    await stop(this.sandbox.child);
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Somebody who looks at pages. */
export class Person {
  constructor(house, context, page) {
    Object.assign(this, { house, context, page, complaints: [] });
    // A refused form is an answer with a status, which the browser writes to its console: that is no defect of the page.
    const isAnswer = (text) => /Failed to load resource: the server responded with a status of 4\d\d/.test(text);
    page.on("console", (message) => {
      if (message.type() === "error" && !isAnswer(message.text())) this.complaints.push(message.text());
    });
    page.on("pageerror", (error) => this.complaints.push(String(error)));
  }

  async visit(path) {
    return this.page.goto(path.startsWith("http") ? path : `${this.house.url}${path}`);
  }

  /** Sends the form that has this field. */
  async send(field) {
    const form = this.page.locator("form").filter({ has: this.page.locator(`[name="${field}"]`) }).first();
    await form.locator("button[type=submit]").click();
    await this.page.waitForLoadState();
  }

  async setUp(email = "ada@acme.example", organization = "Acme") {
    await this.visit(this.house.setupUrl);
    await this.page.fill("[name=organization]", organization);
    await this.page.fill("[name=email]", email);
    await this.page.fill("[name=password]", password);
    await this.send("organization");
    this.email = email;
  }

  async signIn(email = "ada@acme.example", words = password) {
    await this.visit("/login");
    await this.page.fill("[name=email]", email);
    await this.page.fill("[name=password]", words);
    await this.send("password");
    this.email = email;
  }

  async connectStripe(key = secretKey) {
    await this.visit("/settings/processors");
    await this.page.fill("[name=secretKey]", key);
    await this.send("secretKey");
  }

  /** What is to be read on the page. */
  async text(selector = "main") {
    return this.page.locator(selector).first().innerText();
  }

  /** Nothing serious for people who read with other means, and nothing said to the console. */
  async looksRight() {
    assert.deepEqual(this.complaints, []);
    // The page's policy lets no script in, so the checker comes from outside of it.
    const found = await this.page.evaluate(await readFile(axe, "utf8").then((script) => `${script}; axe.run(document, { resultTypes: ["violations"] })`));
    const serious = found.violations.filter(({ impact }) => impact === "serious" || impact === "critical");
    assert.deepEqual(serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" | ")}`), [], `on ${this.page.url()}`);
    this.complaints.length = 0;
  }

  /** Pictures of the page: light, dark and narrow. */
  async pictures(name) {
    await mkdir(artefacts, { recursive: true });
    const { page } = this;
    const take = (kind) => page.screenshot({ path: join(artefacts, `${name}-${kind}.png`), fullPage: true });
    await page.emulateMedia({ colorScheme: "light" });
    await take("light");
    await page.emulateMedia({ colorScheme: "dark" });
    await take("dark");
    await page.emulateMedia({ colorScheme: "light" });
    await page.setViewportSize({ width: 390, height: 844 });
    const wider = await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
    assert.equal(wider, false, `${name} is wider than a narrow screen`);
    await take("narrow");
    await page.setViewportSize({ width: 1280, height: 860 });
  }

  async leave() {
    await this.context.close();
  }
}
