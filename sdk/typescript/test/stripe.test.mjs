// `StripeProcessor` against the sandbox, without a server, also when things go wrong.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { deadAddress, sdk, startDev, startRoad } from './support.mjs';

const { StripeProcessor, RefundKitError } = sdk;
let dev;
let stripe;

before(async () => {
  dev = await startDev();
  stripe = new StripeProcessor(dev.stripeKey, { apiBase: dev.sandbox });
});
after(() => dev?.stop());

const refusal = (expected) => (error) => {
  assert.ok(error instanceof RefundKitError, String(error));
  const { processor, ...rest } = expected;
  for (const [name, value] of Object.entries(rest)) assert.deepEqual(error[name], value, `${name} of ${error.message}`);
  for (const [name, value] of Object.entries(processor ?? {})) assert.deepEqual(error.processor[name], value, name);
  return true;
};

test('payments are validated', async () => {
  assert.deepEqual(await stripe.validateTransaction('ch_1N4HbSKz9cXRvFYr'), { transactionId: 'ch_1N4HbSKz9cXRvFYr', amount: 10000, currency: 'usd', processor: 'stripe', valid: true });
  assert.deepEqual(await stripe.validateTransaction('pi_1SandboxIntent'), { transactionId: 'pi_1SandboxIntent', amount: 2500, currency: 'usd', processor: 'stripe', valid: true });
  assert.equal((await stripe.validateTransaction('ch_1SandboxFirstRefund')).valid, false);
  assert.equal((await stripe.validateTransaction('ch_1SandboxUnpaid')).valid, false);
  await assert.rejects(stripe.validateTransaction('ch_invalid'), refusal({ code: 'processor_error', message: "No such charge: 'ch_invalid'", retryable: false, processor: { code: 'resource_missing', statusCode: 404 } }));
  await assert.rejects(stripe.validateTransaction('re_1'), refusal({ code: 'validation_error', field: 'transactionId' }));
});

test('a refund is made, read and not cancelled', async () => {
  const made = await stripe.processRefund({ transactionId: 'ch_1N4HbSKz9cXRvFYr', amount: 2500, currency: 'USD', reason: 'product_defective', metadata: { order: 'A&B', count: 2 } });
  assert.match(made.externalRefundId, /^re_/);
  assert.equal(made.status, 'completed');
  assert.ok(Math.abs(Date.parse(made.processedAt) - Date.now()) < 60_000);
  const [refund] = await dev.refundsOf('ch_1N4HbSKz9cXRvFYr');
  assert.deepEqual([refund.amount, refund.metadata], [2500, { order: 'A&B', count: '2' }]);
  assert.deepEqual({ ...(await stripe.getRefundStatus(made.externalRefundId)), updatedAt: 0 }, { externalRefundId: made.externalRefundId, status: 'completed', updatedAt: 0 });
  await assert.rejects(stripe.cancelRefund(made.externalRefundId), refusal({ code: 'processor_error', message: 'Canceling this refund is unsupported.' }));
  await assert.rejects(stripe.getRefundStatus('re_nope'), refusal({ code: 'processor_error', message: "No such refund: 're_nope'" }));
  for (const id of ['', '..', undefined]) await assert.rejects(stripe.getRefundStatus(id), refusal({ processor: { code: 'resource_missing', statusCode: null } }));
});

test('a refund that waits for the customer is taken back', async () => {
  const { externalRefundId, status } = await stripe.processRefund({ transactionId: 'py_1SandboxActionNeeded', amount: 500, currency: 'jpy', reason: 'other' });
  assert.equal(status, 'pending');
  const { cancelled, cancelledAt } = await stripe.cancelRefund(externalRefundId);
  assert.ok(cancelled && cancelledAt);
  assert.equal((await stripe.getRefundStatus(externalRefundId)).status, 'failed');
});

test('what cannot be refunded is refused in words of Stripe', async () => {
  const refund = { transactionId: 'ch_1N4HbSKz9cXRvFYr', amount: 100, currency: 'usd', reason: 'other' };
  for (const [change, expected] of [
    [{ transactionId: 'ch_1SandboxFirstRefund' }, { code: 'processor_error', processor: { code: 'charge_already_refunded', statusCode: null } }],
    [{ transactionId: 'ch_1SandboxUnpaid' }, { code: 'processor_error' }],
    [{ transactionId: 'pi_1SandboxUnpaid' }, { code: 'processor_error' }],
    [{ amount: 99_999_999 }, { code: 'processor_error', hint: 'Refund no more than what is left of this payment.' }],
    [{ transactionId: 'ch_1SandboxDisputed' }, { code: 'processor_error', processor: { code: 'charge_disputed', statusCode: 400 } }],
    [{ currency: 'eur' }, { code: 'validation_error', field: 'currency' }],
    [{ amount: 1.5 }, { code: 'validation_error', field: 'amount' }],
    [{ reason: 'fraudulent' }, { code: 'validation_error', field: 'reason' }],
    [{ metadata: { 'a[b]': 'c' } }, { code: 'validation_error', field: 'metadata.a[b]' }],
    [{ idempotencyKey: '' }, { code: 'validation_error', field: 'idempotencyKey' }],
  ]) await assert.rejects(stripe.processRefund({ ...refund, ...change }), refusal(expected));
  await assert.rejects(new StripeProcessor('sk_test_wrong', { apiBase: dev.sandbox }).validateTransaction('ch_1'), refusal({ code: 'processor_error', processor: { statusCode: 401 } }));
});

test('trouble on the way never makes a second refund', async () => {
  for (const [fault, amount] of [
    [{ kind: 'drop_after_effect' }, 501], [{ kind: 'drop_before_effect' }, 502], [{ kind: 'error_after', status: 500 }, 503],
    [{ kind: 'error_before', status: 503 }, 504], [{ kind: 'rate_limit' }, 505], [{ kind: 'lock_timeout' }, 506], [{ kind: 'rate_limit', retry_after: 1 }, 507],
  ]) {
    await dev.fault(fault, { times: 2 });
    const made = await stripe.processRefund({ transactionId: 'ch_1SandboxPartlyRefunded', amount, currency: 'usd', reason: 'other' });
    assert.equal(made.status, 'completed', fault.kind);
    const refunds = (await dev.refundsOf('ch_1SandboxPartlyRefunded')).filter((refund) => refund.amount === amount);
    assert.equal(refunds.length, 1, fault.kind);
    const keys = (await dev.requests()).filter(({ method, body }) => method === 'POST' && body.includes(`amount=${amount}`)).map((sent) => sent.idempotency_key);
    assert.deepEqual([keys.length, new Set(keys).size], [3, 1], fault.kind);
  }
});

test('without an answer the outcome is unknown, and the key in the error ends it', async () => {
  const refund = { transactionId: 'ch_1SandboxPartlyRefunded', currency: 'usd', reason: 'other' };
  for (const [fault, amount] of [[{ kind: 'drop_after_effect' }, 601], [{ kind: 'unreadable' }, 602], [{ kind: 'delay', ms: 1500 }, 603], [{ kind: 'error_after', status: 502 }, 604]]) {
    await dev.fault(fault);
    const impatient = new StripeProcessor(dev.stripeKey, { apiBase: dev.sandbox, timeout: 1000, maxRetries: 0 });
    let unknown;
    await assert.rejects(impatient.processRefund({ ...refund, amount }), (error) => refusal({ code: 'processor_error', outcomeUnknown: true, retryable: false })((unknown = error)));
    assert.match(unknown.hint, /within 24 hours/);
    const made = await stripe.processRefund({ ...refund, amount, idempotencyKey: unknown.idempotencyKey });
    assert.equal(made.status, 'completed', fault.kind);
    assert.equal((await dev.refundsOf('ch_1SandboxPartlyRefunded')).filter((one) => one.amount === amount).length, 1, fault.kind);
  }
});

test('who was never reached is not in doubt', async () => {
  const nobody = new StripeProcessor(dev.stripeKey, { apiBase: await deadAddress(), maxRetries: 1 });
  await assert.rejects(nobody.validateTransaction('ch_1'), refusal({ code: 'processor_error', retryable: true, outcomeUnknown: false, processor: { statusCode: null } }));
  // The payment is read, and then nobody is there: certain as well.
  const road = await startRoad(dev.sandbox);
  const half = new StripeProcessor(dev.stripeKey, { apiBase: road.baseUrl, maxRetries: 0 });
  const { fetch } = globalThis;
  globalThis.fetch = async (...sent) => {
    const answer = await fetch(...sent);
    await road.stop();
    return answer;
  };
  try {
    await assert.rejects(half.processRefund({ transactionId: 'ch_1SandboxPartlyRefunded', amount: 701, currency: 'usd', reason: 'other' }), refusal({ code: 'processor_error', retryable: true, outcomeUnknown: false }));
  } finally {
    globalThis.fetch = fetch;
  }
});

test('a key of the other mode refunds nothing', async () => {
  assert.throws(() => new StripeProcessor('sk_live_abc', { apiBase: dev.sandbox }), { code: 'validation_error' });
  assert.throws(() => new StripeProcessor('pk_test_abc'), /publishable/);
  assert.equal(new StripeProcessor('sk_live_abc').environment, 'live');
});

test('the address comes from the environment where nothing is said, and the key shows nowhere', async () => {
  process.env.REFUNDKIT_STRIPE_API_BASE = dev.sandbox;
  try {
    const processor = new StripeProcessor(dev.stripeKey);
    assert.equal((await processor.validateTransaction('ch_1N4HbSKz9cXRvFYr')).currency, 'usd');
    const { inspect } = await import('node:util');
    assert.ok(!inspect(processor, { depth: 9, showHidden: true }).includes('your_stripe'));
  } finally {
    delete process.env.REFUNDKIT_STRIPE_API_BASE;
  }
});
