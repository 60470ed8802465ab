// What every client of the tools must be able to do, told once; `client` is one of the official SDKs', already connected.
import assert from "node:assert/strict";

export const NAMES = ["refundkit_process_refund", "refundkit_check_refund_status", "refundkit_list_refunds", "refundkit_cancel_refund", "refundkit_get_policy"];

export async function story(client, amount) {
  const charge = "ch_1N4HbSKz9cXRvFYr";
  const { tools } = await client.listTools();
  assert.deepEqual(tools.map((tool) => tool.name), NAMES);
  const call = (name, args) => client.callTool({ name, arguments: args });

  const policy = await call("refundkit_get_policy", { transactionId: charge });
  assert.equal(policy.structuredContent.eligible, true);
  const ask = { transactionId: charge, amount, reason: "other" };
  const made = await call("refundkit_process_refund", ask);
  assert.notEqual(made.isError, true, made.content[0].text);
  assert.equal(made.structuredContent.amount, amount);
  const refundId = made.structuredContent.id;
  assert.ok(made.content[0].text.includes(refundId));

  // An error keeps its words: with structured content beside it, some clients would throw them away.
  const again = await call("refundkit_process_refund", ask);
  assert.equal(again.isError, true);
  const { error } = JSON.parse(again.content[0].text);
  assert.equal(error.code, "refund_already_processed");
  assert.equal(error.refundId, refundId);

  const status = await call("refundkit_check_refund_status", { refundId });
  assert.ok(status.structuredContent.customerMessage.length > 10);
  const list = await call("refundkit_list_refunds", { transactionId: charge, limit: 1 });
  assert.equal(list.structuredContent.data[0].id, refundId);
  const cancelled = await call("refundkit_cancel_refund", { refundId });
  assert.equal(JSON.parse(cancelled.content[0].text).error.code, "refund_not_cancellable");
  const wrong = await call("refundkit_process_refund", { transactionId: charge, reason: "other" });
  assert.ok(wrong.content[0].text.includes("`amount` is missing."), wrong.content[0].text);
}

/** Where the server is, and the program that speaks to it over stdio. */
export const { REFUNDKIT_BASE_URL: url, REFUNDKIT_API_KEY: key, REFUNDKIT_PROGRAM: program } = process.env;
/** An amount for each story: the same one again would be a duplicate. */
export const amounts = process.argv.slice(2).map(Number);
