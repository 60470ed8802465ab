// The SDK against the vectors that the Rust crate is held to as well.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { mock, test } from 'node:test';
import { internals, sdk, tools, vectors } from './support.mjs';

const reply = (said) => {
  if (said === 'not_reached') return { kind: 'notReached', message: 'refused' };
  if (said === 'no_answer') return { kind: 'noAnswer', message: 'cut', status: null, requestId: null };
  return { kind: 'answered', answer: { requestId: 'req_1', ...said } };
};

test('reasons map as documented', () => {
  for (const [reason, stripe] of vectors.stripeReasons) assert.equal(internals.stripeReason(reason) ?? null, stripe, reason);
  const reasons = internals.operations.create_refund.input.fields.reason.words;
  assert.deepEqual(vectors.stripeReasons.map(([reason]) => reason).sort(), [...reasons].sort());
});

test('statuses map as documented', () => {
  for (const [word, status] of vectors.stripeStatuses) assert.equal(internals.refundStatus(word), status, word);
});

test('every error of Stripe keeps its words and gets its meaning', () => {
  for (const { status, error, body = JSON.stringify({ error }), refusal, code, message, hint } of vectors.stripeErrors) {
    const got = internals.processorError(reply({ status, shouldRetry: null, retryAfterSeconds: null, body }));
    assert.equal(got.code, 'processor_error');
    assert.deepEqual(
      { retryable: got.retryable, hint: got.hint, message: got.message, processor: got.processor },
      { retryable: !refusal, hint, message, processor: { name: 'stripe', code, message, requestId: 'req_1', statusCode: status } },
    );
  }
});

test('replies prove what they can and are repeated where that is safe', () => {
  for (const { reply: said, proof, repeated } of vectors.stripeReplies) {
    assert.equal(internals.proof(reply(said)), proof, JSON.stringify(said));
    assert.equal(internals.nextDelay(reply(said), 1, 100) !== undefined, repeated, JSON.stringify(said));
  }
});

test('doubt is sticky', () => {
  for (const { reply: said, earlierInDoubt, outcome } of vectors.stripeOutcomes) {
    const { refund, error, unknown } = internals.concluded({ reply: reply(said), earlierInDoubt });
    const got = refund ? 'accepted' : unknown ? 'unknown' : error.retryable ? 'not_executed' : 'refused';
    assert.equal(got, outcome, JSON.stringify(said));
  }
});

test('delays double up to a limit and respect a short Retry-After', () => {
  for (const { triesMade, jitterPercent, retryAfterSeconds, ms } of vectors.stripeDelays) {
    const said = retryAfterSeconds === null ? 'no_answer' : { status: 429, shouldRetry: null, retryAfterSeconds, body: '' };
    assert.equal(internals.nextDelay(reply(said), triesMade, jitterPercent), ms);
  }
});

test('the bytes of a refund are these', () => {
  for (const { body, ...refund } of vectors.stripeBodies) assert.equal(internals.refundBody(refund), body);
});

test('Stripe keys are known by their form and sent where they belong', () => {
  for (const { key, environment, message } of vectors.stripeKeys) {
    if (environment) assert.equal(internals.keyEnvironment(key), environment);
    else assert.throws(() => internals.keyEnvironment(key), (error) => error.code === 'validation_error' && error.message === message && error.field === 'secretKey');
  }
  for (const { key, apiBase, allowed } of vectors.stripeDestinations) {
    const built = () => new sdk.StripeProcessor(key, { apiBase });
    if (allowed) assert.equal(built().name, 'stripe');
    else assert.throws(built, { code: 'validation_error' }, `${key} ${apiBase}`);
  }
});

test('what is plainly no payment is refused and told where the payment is', () => {
  for (const { id, message, hint } of vectors.transactionIds) {
    if (message === null) internals.checkTransactionId(id);
    else assert.throws(() => internals.checkTransactionId(id), { code: 'validation_error', message, hint, field: 'transactionId' });
  }
});

test('whole keys are hidden and masked ones stay', () => {
  for (const [said, kept] of vectors.scrubbed) assert.equal(internals.scrub(said), kept);
});

test('money is whole numbers, and written as people write it', () => {
  for (const [amount, allowed] of vectors.amounts) {
    assert.equal(internals.isAmount(amount), allowed, String(amount));
    const { amount: rules } = internals.operations.create_refund.input.fields;
    assert.equal(internals.check(rules, amount, 'amount') === undefined, allowed, String(amount));
  }
  for (const [text, code] of vectors.currencies) assert.equal(internals.currencyCode(text) ?? null, code, text);
  for (const { amount, currency, text } of vectors.money) assert.equal(sdk.formatAmount(amount, currency), text);
});

test('keys are known by their form and hashed as SHA-256', () => {
  for (const [key, environment] of vectors.apiKeys) {
    assert.equal(sdk.getApiKeyEnvironment(key), environment, key);
    assert.equal(sdk.isValidApiKeyFormat(key), environment !== null, key);
  }
  for (const [text, hash] of vectors.sha256) assert.equal(sdk.hashApiKey(text), hash, text);
});

test('a generated key is of its environment, its own hash, and never the same', () => {
  for (const environment of ['test', 'live']) {
    const { key, hash, prefix } = sdk.generateApiKey(environment);
    assert.equal(sdk.getApiKeyEnvironment(key), environment);
    assert.deepEqual([hash, prefix], [sdk.hashApiKey(key), key.slice(0, 16)]);
    assert.notEqual(sdk.generateApiKey(environment).key, key);
  }
  assert.throws(() => sdk.generateApiKey('production'), TypeError);
});

test('webhooks are believed when they are signed, fresh and whole', async () => {
  const results = {
    wrong_signature: /No signature matches/, no_signature: /carries no signature/, wrong_time: /too old or from the future/,
    unreadable: /could not be read as an event/, wrong_secret: /must begin with whsec_/,
  };
  try {
    for (const { name, payload, headers, secrets, now, result } of vectors.webhooks) {
      mock.timers.enable({ apis: ['Date'], now: now * 1000 });
      const verified = () => sdk.webhooks.verify(payload, headers, secrets);
      if (result === 'event') assert.equal((await verified()).type, 'refund.completed', name);
      else await assert.rejects(verified, (error) => error instanceof sdk.RefundKitError && error.code === 'validation_error' && results[result].test(error.message), name);
      mock.timers.reset();
    }
  } finally {
    mock.timers.reset();
  }
});

test('the public library of Standard Webhooks and this one believe each other', async () => {
  const { Webhook } = createRequire(`${tools}/`)('standardwebhooks');
  const { payload, headers, secrets, now } = vectors.webhooks.find(({ result }) => result === 'event');
  mock.timers.enable({ apis: ['Date'], now: now * 1000 });
  try {
    const library = new Webhook(secrets[0]);
    assert.deepEqual(library.verify(payload, headers), await sdk.webhooks.verify(payload, headers, secrets[0]));
    const signed = { 'webhook-id': 'evt_2', 'webhook-timestamp': String(now), 'webhook-signature': library.sign('evt_2', new Date(now * 1000), payload) };
    assert.equal((await sdk.webhooks.verify(payload, signed, secrets[0])).type, 'refund.completed');
  } finally {
    mock.timers.reset();
  }
});

test('webhooks come as strings and bytes, with headers of every platform', async () => {
  const { payload, headers, secrets, now } = vectors.webhooks.find(({ result }) => result === 'event');
  mock.timers.enable({ apis: ['Date'], now: now * 1000 });
  try {
    const bytes = new TextEncoder().encode(payload);
    for (const body of [payload, bytes, Buffer.from(bytes), bytes.buffer]) {
      for (const given of [headers, new Headers(headers), Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]]))]) {
        assert.equal((await sdk.webhooks.verify(body, given, secrets[0])).data.currency, 'usd');
      }
    }
    await assert.rejects(sdk.webhooks.verify(JSON.parse(payload), headers, secrets[0]), /as it arrived/);
    assert.equal((await sdk.webhooks.verify(payload, headers, secrets[0], { tolerance: 1 })).id.slice(0, 4), 'evt_');
  } finally {
    mock.timers.reset();
  }
});

test("the server's answers are understood as by the Rust client", () => {
  for (const { status, retryAfter, body, code, retryable, inDoubt, repeated } of vectors.serverAnswers) {
    const headers = new Headers(retryAfter === null ? {} : { 'Retry-After': retryAfter });
    const got = internals.understood({ kind: 'answered', status, headers, body }, 'host', { path: '/v1/refunds' });
    assert.deepEqual([got.error?.code, got.error?.retryable, got.error?.statusCode, got.inDoubt], [code, retryable, status, inDoubt], `${status} ${body}`);
    assert.equal(internals.waitAfter(got, 1, 500) !== undefined, repeated, `${status} ${body}`);
    assert.equal(internals.waitAfter(got, 0, 500), undefined);
  }
});
