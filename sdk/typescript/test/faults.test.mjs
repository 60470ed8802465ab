// Trouble between the SDK and the server, and between the server and Stripe: retries never make a second refund.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { data, deadAddress, sdk, startDev, startRoad } from './support.mjs';

const { RefundKit } = sdk;
let dev;
let road;
let rk;
const html = (status, headers = {}) => ({ answer: { status, headers: { 'Content-Type': 'text/html', ...headers }, body: '<html>' } });
const refusal = (status, code, headers = {}) => ({
  answer: { status, headers, body: JSON.stringify({ data: null, error: { code, message: 'No.', requestId: 'req_1', retryable: true } }) },
});

before(async () => {
  dev = await startDev({ REFUNDKIT_SUBMIT_DEADLINE_MS: '1500' });
  road = await startRoad(dev.baseUrl);
  rk = new RefundKit({ apiKey: dev.apiKey, baseUrl: road.baseUrl });
});
after(async () => {
  await road?.stop();
  await dev?.stop();
});

/** What the requests since the last call looked like. */
function passed() {
  return road.seen.splice(0);
}

test('an answer that is lost is asked for again under the same key, and there is one refund', async () => {
  for (const drop of ['answer', 'half', 'request']) {
    const amount = { answer: 301, half: 302, request: 303 }[drop];
    road.next.push({ drop }, { drop });
    const created = await rk.refunds.create({ transactionId: 'ch_1N4HbSKz9cXRvFYr', amount, reason: 'other' });
    assert.equal(data(created).status, 'completed');
    assert.equal(created.replayed, drop !== 'request');
    const keys = passed().map(({ headers }) => headers['idempotency-key']);
    assert.deepEqual([keys.length, new Set(keys).size], [3, 1]);
    assert.equal((await dev.refundsOf('ch_1N4HbSKz9cXRvFYr')).filter((refund) => refund.amount === amount).length, 1, drop);
  }
});

test('429, 5xx and the pages of proxies are waited out', async () => {
  road.next.push(refusal(429, 'rate_limited', { 'Retry-After': '1' }), refusal(503, 'service_unavailable'));
  data(await rk.refunds.create({ transactionId: 'ch_1N4HbSKz9cXRvFYr', amount: 311, reason: 'other' }));
  road.next.push(html(502), html(504));
  data(await rk.refunds.create({ transactionId: 'ch_1N4HbSKz9cXRvFYr', amount: 312, reason: 'other' }));
  road.next.push(html(500), { drop: 'request' });
  assert.equal(data(await rk.refunds.list()).length > 0, true);
  assert.equal(passed().length, 9);
  const made = await dev.refundsOf('ch_1N4HbSKz9cXRvFYr');
  assert.deepEqual([311, 312].map((amount) => made.filter((refund) => refund.amount === amount).length), [1, 1]);
});

test('an answer that comes too late leaves the outcome unknown, and the key in the error ends it', async () => {
  const create = { transactionId: 'ch_1N4HbSKz9cXRvFYr', amount: 321, reason: 'other' };
  road.next.push({ late: 2000 });
  const { error } = await rk.refunds.create(create, { timeout: 300, maxRetries: 0 });
  assert.deepEqual([error.code, error.retryable, error.outcomeUnknown, error.statusCode], ['timeout', true, true, null]);
  assert.match(error.hint, new RegExp(error.idempotencyKey));
  const again = await rk.refunds.create(create, { idempotencyKey: error.idempotencyKey });
  assert.equal(data(again).status, 'completed');
  assert.equal(passed().length, 2);
  assert.equal((await dev.refundsOf(create.transactionId)).filter(({ amount }) => amount === 321).length, 1);
});

test('a call is ended by its caller, before it and in the middle of it', async () => {
  const create = { transactionId: 'ch_1N4HbSKz9cXRvFYr', amount: 331, reason: 'other' };
  const early = await rk.refunds.create(create, { signal: AbortSignal.abort() });
  assert.deepEqual([early.error.code, early.error.outcomeUnknown, passed().length], ['network_error', false, 0]);
  road.next.push({ late: 5000 });
  const controller = new AbortController();
  const calling = rk.refunds.create(create, { signal: controller.signal });
  setTimeout(() => controller.abort(), 200);
  const { error } = await calling;
  assert.deepEqual([error.code, error.retryable, error.outcomeUnknown], ['network_error', false, true]);
  assert.equal(passed().length, 1);
  data(await rk.refunds.create(create, { idempotencyKey: error.idempotencyKey }));
  assert.equal((await dev.refundsOf(create.transactionId)).filter(({ amount }) => amount === 331).length, 1);

  road.next.push(refusal(503, 'service_unavailable', { 'Retry-After': '30' }));
  const waiting = new AbortController();
  setTimeout(() => waiting.abort(), 100);
  assert.match((await rk.refunds.list({}, { signal: waiting.signal })).error.message, /aborted/);
  passed();
});

test('who is asked to wait for long gets the error at once', async () => {
  road.next.push(refusal(429, 'rate_limited', { 'Retry-After': '31' }));
  const { error } = await rk.refunds.list();
  assert.deepEqual([error.code, error.statusCode, passed().length], ['rate_limited', 429, 1]);
});

test('nothing is repeated that is not safe to repeat, and never more often than said', async () => {
  road.next.push(html(503));
  assert.equal((await rk.processors.testStripe()).error.code, 'network_error');
  road.next.push(html(503));
  assert.equal((await rk.processors.connectStripe({ secretKey: dev.stripeKey })).error.retryable, true);
  road.next.push(html(503));
  assert.equal((await rk.policies.check({ transactionId: 'ch_1N4HbSKz9cXRvFYr' })).error.statusCode, 503);
  assert.equal(passed().length, 3);
  road.next.push(html(503), html(503));
  assert.equal((await rk.refunds.list({}, { maxRetries: 1 })).error.statusCode, 503);
  assert.equal(passed().length, 2);
});

test('redirects are not followed: the key would go along', async () => {
  road.next.push({ answer: { status: 302, headers: { Location: `${dev.baseUrl}/v1/me` }, body: '' } });
  const { error } = await rk.me({ maxRetries: 0 });
  assert.deepEqual([error.code, error.statusCode], ['network_error', 302]);
  assert.equal(passed().length, 1);
});

test('a server that is not there was not reached, and nothing is in doubt', async () => {
  const baseUrl = await deadAddress();
  const nobody = new RefundKit({ apiKey: dev.apiKey, baseUrl, maxRetries: 1 });
  const { error } = await nobody.refunds.create({ transactionId: 'ch_1', reason: 'other' });
  assert.deepEqual([error.code, error.retryable, error.outcomeUnknown, error.statusCode], ['network_error', true, false, null]);
  assert.match(error.message, /was not reached at 127\.0\.0\.1:\d+/);
});

test("trouble at Stripe ends in one refund that the server follows, and a 202 is success", async () => {
  for (const [fault, amount] of [
    [{ kind: 'drop_after_effect' }, 401], [{ kind: 'drop_before_effect' }, 402], [{ kind: 'error_after', status: 500 }, 403],
    [{ kind: 'error_before', status: 503 }, 404], [{ kind: 'rate_limit' }, 405], [{ kind: 'lock_timeout' }, 406],
    [{ kind: 'unreadable' }, 407], [{ kind: 'delay', ms: 2500 }, 408],
  ]) {
    await dev.fault(fault, { times: 1 });
    const created = await rk.refunds.create({ transactionId: 'ch_1SandboxPartlyRefunded', amount, reason: 'other' });
    assert.ok([201, 202].includes(created.statusCode), `${fault.kind}: ${created.error}`);
    const settled = await rk.refunds.waitUntilSettled(created.data.id, { interval: 100 });
    assert.equal(data(settled).status, 'completed', fault.kind);
    assert.equal((await dev.refundsOf('ch_1SandboxPartlyRefunded')).filter((refund) => refund.amount === amount).length, 1, fault.kind);
  }
});

test('answers of another shape are errors, never exceptions, and pages that begin again end', async () => {
  const answer = (body) => ({ answer: { status: 200, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) } });
  const again = { hasMore: true, nextCursor: 'same' };
  const patient = { maxRetries: 0 };
  road.next.push(answer({ data: { a: 1 }, error: null, page: again }));
  assert.equal((await rk.refunds.list({}, patient)).error?.code, 'network_error');
  road.next.push(answer({ data: { a: 1 }, error: null }));
  assert.equal((await rk.refunds.list({}, patient)).error?.code, 'network_error');
  road.next.push(answer({ data: 'x', error: null }));
  assert.equal((await rk.refunds.waitUntilSettled('ref_01m830j91ge008w8013na1k0x4', { ...patient, maxWait: 1 })).error?.code, 'network_error');
  road.next.push(answer({ data: [], error: null, page: again }), answer({ data: [], error: null, page: again }));
  const results = [];
  for await (const one of rk.refunds.iterate({}, patient)) results.push(one.error?.code);
  assert.deepEqual(results, ['network_error']);
  passed();
});
