// A refund agent's loop: look at the tools, choose a call, read its result, choose again, until there is something to say.
// Where a model would choose, `choose` is a script, so that it runs anywhere and always the same way. Everything else is what an
// agent with a model does too.
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

const server = process.env.REFUNDKIT_BASE_URL ?? "http://127.0.0.1:8080";
const key = process.env.REFUNDKIT_API_KEY;
if (!key) throw new Error("REFUNDKIT_API_KEY is missing: `refundkit dev` prints one.");

// No loop without an end: a model may choose badly for ever.
const TURNS_MAX = 20;
const PAUSE_MS = 500;

const TICKETS = [
  { id: "T-1", says: "The lamp came broken.", transactionId: "ch_1N4HbSKz9cXRvFYr", amount: 2500, reason: "product_defective" },
  { id: "T-2", says: "Did you get my mail? The lamp came broken!", transactionId: "ch_1N4HbSKz9cXRvFYr", amount: 2500, reason: "product_defective" },
  { id: "T-3", says: "I cancelled this order.", transactionId: "ch_1SandboxPending", amount: 6000, reason: "order_cancelled" },
  { id: "T-4", says: "I want all of it back.", transactionId: "ch_1SandboxPartlyRefunded", amount: 10000, reason: "customer_request" },
  { id: "T-5", says: "It never came.", transactionId: "py_1SandboxActionNeeded", amount: 8000, reason: "product_not_received" },
];

/** What a model would answer, given the ticket and what happened so far: a call to make, or words for the customer. */
function choose(ticket, history) {
  const { transactionId, amount, reason } = ticket;
  const last = history.at(-1);
  const check = (refundId) => ({ tool: "refundkit_check_refund_status", arguments: { refundId } });
  if (!last) return { tool: "refundkit_get_policy", arguments: { transactionId, amount } };

  if (last.error) {
    // An error says itself what to do with it.
    if (last.error.retryable) return { tool: last.tool, arguments: last.arguments, pause: true };
    if (last.error.refundId) return check(last.error.refundId);
    return { person: last.error.message };
  }
  switch (last.tool) {
    case "refundkit_get_policy":
      if (!last.result.eligible) return { tool: "refundkit_list_refunds", arguments: { transactionId } };
      // The key is the ticket's: however often this ticket is worked on, it is one refund.
      return { tool: "refundkit_process_refund", arguments: { transactionId, amount, reason, idempotencyKey: ticket.id, metadata: { ticket: ticket.id } } };
    case "refundkit_list_refunds": {
      const same = last.result.data.find((refund) => refund.amount === amount);
      return same ? check(same.id) : { person: history[0].result.reason };
    }
    default: {
      const refund = last.result;
      const moving = refund.stage !== "settled" && refund.stage !== "requires_action";
      return moving ? { ...check(refund.id), pause: true } : { customer: refund.customerMessage };
    }
  }
}

const client = new Client({ name: "agent-loop-example", version: "1.0.0" }, { versionNegotiation: { mode: "auto" } });
const headers = { Authorization: `Bearer ${key}` };
await client.connect(new StreamableHTTPClientTransport(new URL("/mcp", server), { requestInit: { headers } }));
const { tools } = await client.listTools();
console.log(`${tools.length} tools: ${tools.map((tool) => tool.name).join(", ")}`);

for (const ticket of TICKETS) {
  console.log(`\n${ticket.id}  customer: ${ticket.says}`);
  const history = [];
  for (let turn = 0; ; turn += 1) {
    const move = turn < TURNS_MAX ? choose(ticket, history) : { person: "This takes longer than a conversation." };
    if (!move.tool) {
      console.log(move.customer ? `      agent:    ${move.customer}` : `      a person: ${move.person}`);
      break;
    }
    if (move.pause) await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    const called = await client.callTool({ name: move.tool, arguments: move.arguments });
    // Results are structured; errors are one block of JSON text.
    const error = called.isError ? JSON.parse(called.content[0].text).error : undefined;
    history.push({ ...move, error, result: called.structuredContent });
    console.log(`      ${move.tool.padEnd(29)} ${error ? error.code : summary(called.structuredContent)}`);
  }
}
await client.close();

function summary(result) {
  if (result.data) return `${result.data.length} refunds`;
  return result.status ? `${result.amountWritten}, ${result.status} (${result.stage})` : `${result.eligible ? "eligible" : "not eligible"}, at most ${result.maxAmountWritten}`;
}
