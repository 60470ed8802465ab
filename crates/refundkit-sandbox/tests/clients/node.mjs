// Drives the sandbox with Stripe's Node client: node node.mjs PORT KEY, with CLIENT_PACKAGES naming node_modules.
import assert from "node:assert/strict";
import http from "node:http";
import { createRequire } from "node:module";
import path from "node:path";

const { default: Stripe } = await import(
  createRequire(path.join(process.env.CLIENT_PACKAGES, "here.js")).resolve("stripe")
);
const [port, key] = process.argv.slice(2);
const stripe = new Stripe(key, { host: "127.0.0.1", port: Number(port), protocol: "http" });
const CHARGE = "ch_1N4HbSKz9cXRvFYr";

async function refusal(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  assert.fail("it was not refused");
}

async function control(pathname, body = {}) {
  const response = await fetch(`http://127.0.0.1:${port}/_sandbox/${pathname}`, {
    method: "POST",
    body: JSON.stringify(body),
  });
  assert.equal(response.status, 200, await response.clone().text());
  return response.json();
}

// A webhook endpoint of our own, to check what arrives with the client's own verifier.
const arrived = [];
let secret;
const hook = http.createServer((request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    arrived.push(stripe.webhooks.constructEvent(Buffer.concat(chunks), request.headers["stripe-signature"], secret));
    response.end();
  });
});
await new Promise((listening) => hook.listen(0, "127.0.0.1", listening));
const endpoint = await stripe.webhookEndpoints.create({
  url: `http://127.0.0.1:${hook.address().port}/`,
  enabled_events: ["refund.created", "charge.refunded", "refund.failed"],
});
secret = endpoint.secret;

// Read a charge, refund part of it, read it back.
const charge = await stripe.charges.retrieve(CHARGE, { expand: ["refunds"] });
assert.equal(charge.amount, 10000);
assert.deepEqual(charge.refunds.data, []);
const once = { idempotencyKey: "node-1" };
const create = { charge: CHARGE, amount: 2500, reason: "requested_by_customer", metadata: { order: "7" } };
const refund = await stripe.refunds.create(create, once);
assert.equal(refund.status, "succeeded");
assert.match(refund.lastResponse.requestId, /^req_/);
const again = await stripe.refunds.create(create, once);
assert.equal(again.id, refund.id);
assert.equal(again.lastResponse.headers["idempotent-replayed"], "true");
assert.equal((await stripe.refunds.retrieve(refund.id, { expand: ["charge"] })).charge.amount_refunded, 2500);
assert.equal((await stripe.refunds.update(refund.id, { metadata: { order: "8" } })).metadata.order, "8");

// Refusals arrive as the client's own error classes.
const misused = await refusal(stripe.refunds.create({ ...create, amount: 2600 }, once));
assert.equal(misused.type, "StripeIdempotencyError");
const missing = await refusal(stripe.charges.retrieve("ch_invalid"));
assert.deepEqual([missing.type, missing.code, missing.statusCode], ["StripeInvalidRequestError", "resource_missing", 404]);
const tooMuch = await refusal(stripe.refunds.create({ charge: CHARGE, amount: 9000 }));
assert.deepEqual([tooMuch.param, tooMuch.code], ["amount", undefined]);
assert.equal(tooMuch.message, "Refund amount ($90.00) is greater than unrefunded amount on charge ($75.00)");
const stranger = new Stripe("sk_test_stranger_0000", { host: "127.0.0.1", port: Number(port), protocol: "http" });
assert.equal((await refusal(stranger.refunds.list())).type, "StripeAuthenticationError");
const reader = new Stripe("rk_test_sandbox_read_only", { host: "127.0.0.1", port: Number(port), protocol: "http" });
assert.equal((await refusal(reader.refunds.create({ charge: CHARGE }))).type, "StripePermissionError");
assert.equal((await refusal(stripe.refunds.cancel(refund.id))).message, "Canceling this refund is unsupported.");

// A lost answer is fetched again by the client itself, and money moves once.
await control("faults", { method: "POST", path_prefix: "/v1/refunds", fault: { kind: "drop_after_effect" } });
const lost = await stripe.refunds.create({ charge: CHARGE, amount: 100 }, { maxNetworkRetries: 2 });
assert.equal(lost.amount, 100);
assert.equal((await stripe.charges.retrieve(CHARGE)).amount_refunded, 2600);
await control("faults", { path_prefix: "/v1/refunds", fault: { kind: "rate_limit", reason: "global-rate" } });
assert.equal((await refusal(stripe.refunds.create({ charge: CHARGE, amount: 1 }))).type, "StripeRateLimitError");

// PaymentIntents, and pages of a list walked by the client.
const intent = await stripe.paymentIntents.create({
  amount: 2000,
  currency: "usd",
  payment_method: "pm_card_visa",
  confirm: true,
  automatic_payment_methods: { enabled: true, allow_redirects: "never" },
  expand: ["latest_charge.refunds"],
});
assert.equal(intent.latest_charge.paid, true);
for (let part = 0; part < 5; part += 1) {
  await stripe.refunds.create({ payment_intent: intent.id, amount: 10 });
}
const walked = [];
for await (const row of stripe.refunds.list({ payment_intent: intent.id, limit: 2, created: { gte: 0 } })) {
  walked.push(row.amount);
}
assert.deepEqual(walked, [10, 10, 10, 10, 10]);

// A refund that fails later, seen through the webhook.
const failing = await stripe.refunds.create({ charge: "ch_1SandboxFails" });
const deadline = Date.now() + 15000;
while (!arrived.some((event) => event.type === "refund.failed" && event.data.object.id === failing.id)) {
  assert.ok(Date.now() < deadline, "refund.failed did not arrive");
  await new Promise((later) => setTimeout(later, 50));
}
assert.equal(arrived[0].type, "refund.created");
assert.equal(arrived[0].data.object.id, refund.id);
assert.equal(arrived[0].request.idempotency_key, "node-1");
assert.equal((await stripe.refunds.retrieve(failing.id)).failure_reason, "expired_or_canceled_card");
const events = await stripe.events.list({ types: ["refund.failed"], delivery_success: true });
assert.equal(events.data[0].data.object.id, failing.id);

// A refund that waits for its customer.
const waiting = await stripe.refunds.create({ charge: "py_1SandboxActionNeeded" });
assert.equal(waiting.status, "requires_action");
assert.equal((await stripe.refunds.cancel(waiting.id)).status, "canceled");
const expiring = await stripe.refunds.create({ charge: "py_1SandboxActionNeeded" });
assert.equal((await stripe.testHelpers.refunds.expire(expiring.id)).status, "failed");

assert.equal((await stripe.balance.retrieve()).livemode, false);
assert.match((await stripe.accounts.retrieveCurrent()).id, /^acct_/);
assert.equal((await stripe.webhookEndpoints.del(endpoint.id)).deleted, true);
hook.close();
hook.closeAllConnections();
