// Every method against a running server.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { data, internals, sdk, startDev } from './support.mjs';

const { RefundKit, RefundKitError, ErrorCode } = sdk;
let dev;
let rk;
const called = new Set();

before(async () => {
  dev = await startDev();
  rk = new RefundKit({ apiKey: dev.apiKey, baseUrl: dev.baseUrl });
  // Notes which operations the tests below have called.
  const { fetch } = globalThis;
  globalThis.fetch = (url, options) => {
    const path = new URL(url).pathname;
    for (const [id, operation] of Object.entries(internals.operations)) {
      const shape = new RegExp(`^${operation.path.replace(/\{\w+\}/g, '[^/]+')}$`);
      if (operation.method === options?.method && shape.test(path)) called.add(id);
    }
    return fetch(url, options);
  };
});
after(() => dev?.stop());

test('me says whose key this is', async () => {
  const me = data(await rk.me());
  assert.deepEqual([me.environment, me.scope, me.prefix], ['test', 'admin', dev.apiKey.slice(0, 16)]);
});

test('a refund is created, read, listed, told and not cancelled', async () => {
  const created = await rk.refunds.create({ transactionId: 'ch_1N4HbSKz9cXRvFYr', amount: 2500, reason: 'product_defective', metadata: { order: 'A-1', lines: 2, gift: false } });
  const refund = data(created);
  assert.deepEqual([refund.status, refund.amount, refund.currency, created.statusCode, created.replayed], ['completed', 2500, 'usd', 201, false]);
  assert.deepEqual(refund.metadata, { order: 'A-1', lines: 2, gift: false });
  assert.match(created.requestId, /^req_/);
  assert.deepEqual(data(await rk.refunds.get(refund.id)), refund);

  const list = await rk.refunds.list({ transactionId: 'ch_1N4HbSKz9cXRvFYr', status: 'completed', amountMin: 2500, limit: 10 });
  assert.deepEqual([data(list).map(({ id }) => id), list.page], [[refund.id], { hasMore: false, nextCursor: null }]);
  const events = data(await rk.refunds.events(refund.id));
  assert.deepEqual(events.map(({ type }) => type), ['refund.created', 'refund.completed']);

  const { data: none, error } = await rk.refunds.cancel(refund.id);
  assert.equal(none, null);
  assert.ok(error instanceof RefundKitError);
  assert.deepEqual([error.code, error.statusCode, error.retryable], [ErrorCode.RefundNotCancellable, 409, false]);
});

test('a repeat with the same idempotency key is the same refund, and another one without it is refused', async () => {
  const create = { transactionId: 'ch_1SandboxPartlyRefunded', amount: 1000, reason: 'other' };
  const first = await rk.refunds.create(create, { idempotencyKey: 'order-7' });
  const again = await rk.refunds.create(create, { idempotencyKey: 'order-7' });
  assert.deepEqual([again.data, again.replayed], [first.data, true]);
  const { error } = await rk.refunds.create(create);
  assert.deepEqual([error.code, error.refundId], ['refund_already_processed', first.data.id]);
  assert.match(error.hint, /allowDuplicate/);
  const other = await rk.refunds.create({ ...create, amount: 999 }, { idempotencyKey: 'order-7' });
  assert.equal(other.error.code, 'idempotency_key_reused');
});

test("an error keeps the server's code, status, request id and hint, and Stripe's own words", async () => {
  const { data: none, error, statusCode } = await rk.refunds.create({ transactionId: 'ch_invalid', amount: 1000, reason: 'other' });
  assert.deepEqual([none, statusCode, error.code, error.statusCode, error.retryable], [null, 422, 'processor_error', 422, false]);
  assert.equal(error.message, "No such charge: 'ch_invalid'");
  assert.deepEqual({ ...error.processor, requestId: 0 }, { name: 'stripe', code: 'resource_missing', message: error.message, requestId: 0, statusCode: 404 });
  assert.match(error.requestId, /^req_/);
  assert.match(error.hint, /Check the id/);
  assert.deepEqual(JSON.parse(JSON.stringify(error)).code, 'processor_error');
});

test('input is checked before anything is sent', async () => {
  const before = (await dev.requests()).length;
  for (const [params, field] of [
    [{ transactionId: 'ch_1', amount: 25.5, reason: 'other' }, 'amount'],
    [{ transactionId: 'ch_1', amount: 0, reason: 'other' }, 'amount'],
    [{ transactionId: 'ch_1', amount: '2500', reason: 'other' }, 'amount'],
    [{ transactionId: 'ch 1', reason: 'other' }, 'transactionId'],
    [{ transactionId: 'ch_1' }, 'reason'],
    [{ transactionId: 'ch_1', reason: 'because' }, 'reason'],
    [{ transactionId: 'ch_1', reason: 'other', ammount: 5 }, 'ammount'],
    [{ transactionId: 'ch_1', reason: 'other', metadata: { refundkit_x: 1 } }, 'metadata.refundkit_x'],
    [{ transactionId: 'ch_1', reason: 'other', metadata: { a: 1.5 } }, 'metadata.a'],
    [{ transactionId: 'ch_1', reason: 'other', currency: null }, 'currency'],
  ]) {
    const { error } = await rk.refunds.create(params);
    assert.deepEqual([error.code, error.field, error.statusCode], ['validation_error', field, null]);
  }
  assert.equal((await rk.refunds.create(undefined)).error.code, 'validation_error');
  assert.equal((await rk.refunds.get('..')).error.field, 'id');
  assert.equal((await rk.refunds.create({ transactionId: 'ch_1', reason: 'other' }, { idempotencyKey: 'a b' })).error.field, 'idempotencyKey');
  assert.equal((await rk.refunds.list({}, { timeout: 0 })).error.field, 'timeout');
  assert.equal((await rk.refunds.list({}, { maxRetries: -1 })).error.field, 'maxRetries');
  assert.equal((await dev.requests()).length, before);
});

test('lists are read page by page, and one by one', async () => {
  for (let amount = 101; amount <= 107; amount += 1) data(await rk.refunds.create({ transactionId: 'ch_1SandboxYen', amount, reason: 'other' }));
  const amounts = [];
  let cursor;
  do {
    const { data: refunds, error, page } = await rk.refunds.list({ transactionId: 'ch_1SandboxYen', limit: 3, ...(cursor ? { cursor } : {}) });
    assert.equal(error, null);
    amounts.push(...refunds.map(({ amount }) => amount));
    cursor = page.nextCursor;
  } while (cursor);
  assert.deepEqual(amounts, [107, 106, 105, 104, 103, 102, 101]);

  const one = [];
  for await (const { data: refund, error } of rk.refunds.iterate({ transactionId: 'ch_1SandboxYen', limit: 2, offset: 1 })) {
    assert.equal(error, null);
    one.push(refund.amount);
  }
  assert.deepEqual(one, [106, 105, 104, 103, 102, 101]);
  const told = [];
  const { id } = data(await rk.refunds.list({ transactionId: 'ch_1SandboxYen', limit: 1 }))[0];
  for await (const event of rk.refunds.iterateEvents(id, { limit: 1 })) told.push(data(event).type);
  assert.deepEqual(told, ['refund.created', 'refund.completed']);

  const stranger = new RefundKit({ apiKey: sdk.generateApiKey('test').key, baseUrl: dev.baseUrl });
  const results = [];
  for await (const result of stranger.refunds.iterate()) results.push(result);
  assert.deepEqual([results.length, results[0].data, results[0].error.code], [1, null, 'invalid_api_key']);
});

test('waiting for a refund tells its progress and ends with it', async () => {
  const { id, stage } = data(await rk.refunds.create({ transactionId: 'ch_1SandboxPending', reason: 'other' }));
  assert.equal(stage, 'awaiting_processor');
  const impatient = await rk.refunds.waitUntilSettled(id, { maxWait: 1 });
  assert.deepEqual([impatient.error.code, impatient.error.refundId, impatient.error.retryable], ['timeout', id, true]);

  const controller = new AbortController();
  const aborted = rk.refunds.waitUntilSettled(id, { signal: controller.signal, onProgress: () => controller.abort() });
  assert.match((await aborted).error.message, /aborted/);

  const seen = [];
  const settled = data(await rk.refunds.waitUntilSettled(id, { interval: 50, maxWait: 60_000, onProgress: ({ status }) => seen.push(status) }));
  assert.deepEqual([settled.status, seen], ['completed', ['processing', 'completed']]);
  assert.equal((await rk.refunds.waitUntilSettled('ref_00000000000000000000000000')).error.code, 'not_found');
});

test('a refund that waits for the customer is cancelled', async () => {
  const { id, stage } = data(await rk.refunds.create({ transactionId: 'py_1SandboxActionNeeded', amount: 500, reason: 'other' }));
  assert.equal(stage, 'requires_action');
  assert.equal(data(await rk.refunds.cancel(id)).status, 'cancelled');
});

test('policies and transactions are read', async () => {
  const decision = data(await rk.policies.check({ transactionId: 'ch_1SandboxDinar', amount: 5120 }));
  assert.deepEqual([decision.eligible, decision.maxAmount, decision.currency], [true, 5120, 'kwd']);
  const transaction = data(await rk.transactions.get('pi_1SandboxIntent', { processor: 'stripe' }));
  assert.deepEqual([transaction.externalTransactionId, transaction.amount, transaction.valid], ['ch_1SandboxOfIntent', 2500, true]);
  assert.equal((await rk.transactions.get('cus_1')).error.code, 'validation_error');
});

test('keys are made, listed and revoked, and each may do what its scope says', async () => {
  const made = data(await rk.apiKeys.create({ name: 'reader', scope: 'read' }));
  assert.equal(sdk.getApiKeyEnvironment(made.key), 'test');
  const reader = new RefundKit({ apiKey: made.key, baseUrl: dev.baseUrl });
  assert.equal(data(await reader.me()).scope, 'read');
  assert.equal((await reader.refunds.create({ transactionId: 'ch_1', reason: 'other' })).error.code, 'unauthorized');
  assert.ok(data(await rk.apiKeys.list()).some(({ id }) => id === made.id));
  assert.equal(data(await rk.apiKeys.revoke(made.id)).id, made.id);
  assert.equal((await reader.me()).error.code, 'invalid_api_key');
});

test('Stripe is connected, tested, listed and disconnected', async () => {
  assert.equal(data(await rk.processors.list())[0].processor, 'stripe');
  assert.equal(data(await rk.processors.testStripe()).status, 'active');
  const wrong = await rk.processors.connectStripe({ secretKey: 'sk_live_abcdefghijklmnop' });
  assert.equal(wrong.error.code, 'environment_mismatch', wrong.error.message);
  assert.equal(data(await rk.processors.disconnectStripe({ force: true })).status, 'disconnected');
  assert.equal(data(await rk.processors.connectStripe({ secretKey: dev.stripeKey })).status, 'active');
});

test('the log names the SDK', async () => {
  await new Promise((done) => setTimeout(done, 1100));
  const log = data(await rk.logs.list({ limit: 100 }));
  assert.ok(log.every(({ client }) => client === null || /^sdk; @refundkit\/sdk; \d/.test(client) || client.startsWith('cli')), JSON.stringify(log.map(({ client }) => client)));
  let count = 0;
  for await (const entry of rk.logs.iterate({ limit: 5 })) {
    data(entry);
    if ((count += 1) === 8) break;
  }
  assert.equal(count, 8);
});

test('every operation of the server has a method, and was called here', () => {
  assert.deepEqual(Object.keys(internals.operations).filter((id) => !called.has(id)), []);
});

test('a client is not made without a usable key, nor to carry a live one in the open', () => {
  const made = (options) => () => new RefundKit(options);
  const live = sdk.generateApiKey('live').key;
  assert.throws(made({}), { code: 'invalid_api_key' });
  for (const apiKey of ['sk_test_abcdef', 'rk_test_51HabcdefghijklmnopqrstuvwxyzABCDEFG', 'rk_test_short']) {
    assert.throws(made({ apiKey }), (error) => error.code === 'invalid_api_key' && !JSON.stringify(error).includes(apiKey));
  }
  for (const baseUrl of ['', 'x', 'ftp://host', 'https://user:pw@host', 'https://host/?a=b', 'https://host/#a']) {
    if (baseUrl) assert.throws(made({ apiKey: dev.apiKey, baseUrl }), { field: 'baseUrl' });
  }
  for (const baseUrl of ['http://refunds.example.com', 'http://10.0.0.1:8080', 'http://localhost.example.com']) {
    assert.throws(made({ apiKey: live, baseUrl }), /plain http/);
    assert.doesNotThrow(made({ apiKey: dev.apiKey, baseUrl }));
  }
  for (const baseUrl of ['http://127.0.0.1:8080', 'http://[::1]:8080', 'http://localhost', 'https://refunds.example.com/rk/']) assert.doesNotThrow(made({ apiKey: live, baseUrl }));
});

test('settings come from the environment where nothing is said, and the key shows nowhere', async () => {
  Object.assign(process.env, { REFUNDKIT_API_KEY: dev.apiKey, REFUNDKIT_BASE_URL: `${dev.baseUrl}/` });
  try {
    const client = new RefundKit();
    assert.equal(data(await client.me()).environment, 'test');
    const { inspect } = await import('node:util');
    assert.ok(!inspect(client, { depth: 9, showHidden: true }).includes(dev.apiKey.slice(16)) && !JSON.stringify(client).includes(dev.apiKey));
  } finally {
    delete process.env.REFUNDKIT_API_KEY;
    delete process.env.REFUNDKIT_BASE_URL;
  }
});
