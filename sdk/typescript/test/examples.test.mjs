// The examples: type-checked as they stand, and their handlers called against a real server.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { root, startDev, target, tools, vectors } from './support.mjs';

const folder = mkdtempSync(join(tmpdir(), 'refundkit-examples-'));
const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const PAYLOAD = vectors.webhooks.find(({ result }) => result === 'event').payload;
let dev;

before(async () => {
  dev = await startDev();
  Object.assign(process.env, { REFUNDKIT_BASE_URL: dev.baseUrl, REFUNDKIT_API_KEY: dev.apiKey, REFUNDKIT_WEBHOOK_SECRET: SECRET });
  cpSync(join(root, 'examples'), folder, { recursive: true });
  mkdirSync(join(folder, 'node_modules/@refundkit'), { recursive: true });
  for (const name of readdirSync(tools)) symlinkSync(join(tools, name), join(folder, 'node_modules', name));
  symlinkSync(join(root, 'sdk/typescript'), join(folder, 'node_modules/@refundkit/sdk'));
});
after(async () => {
  rmSync(folder, { recursive: true, force: true });
  await dev?.stop();
});

function typeChecked(file, types) {
  const strict = ['--noEmit', '--strict', '--exactOptionalPropertyTypes', '--target', 'es2022', '--module', 'nodenext', '--skipLibCheck', '--ignoreConfig'];
  const lib = types === '@cloudflare/workers-types' ? ['--lib', 'es2022'] : [];
  try {
    execFileSync(process.execPath, [join(tools, 'typescript/bin/tsc'), ...strict, ...lib, '--types', types, file], { cwd: folder, encoding: 'utf8', stdio: 'pipe' });
  } catch (error) {
    assert.fail(error.stdout);
  }
}

async function loaded(file) {
  execFileSync(join(tools, 'esbuild/bin/esbuild'), [file, `--outfile=${file.replace(/\.ts$/, '.mjs')}`, '--format=esm', '--log-level=error'], { cwd: folder });
  return import(pathToFileURL(join(folder, file.replace(/\.ts$/, '.mjs'))));
}

/** Calls `POST /refunds` twice, and once for what cannot be. `call` takes a request. */
async function refundsOnce(call, order, amount, path = '/refunds') {
  const ask = (body) => call(new Request(`http://example${path}`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }));
  const first = await ask({ order, transactionId: 'ch_1N4HbSKz9cXRvFYr', amount, reason: 'product_defective' });
  const refund = await first.json();
  assert.deepEqual([first.status, refund.status, refund.stage], [201, 'completed', 'settled'], JSON.stringify(refund));
  const again = await ask({ order, transactionId: 'ch_1N4HbSKz9cXRvFYr', amount, reason: 'product_defective' });
  assert.equal((await again.json()).id, refund.id);
  const wrong = await ask({ order: `${order}-x`, transactionId: 'ch_invalid', amount, reason: 'other' });
  assert.deepEqual([wrong.status, (await wrong.json()).code], [422, 'processor_error']);
  assert.equal((await dev.refundsOf('ch_1N4HbSKz9cXRvFYr')).filter((one) => one.amount === amount).length, 1);
}

async function believesOnlySigned(call) {
  const stamp = String(Math.floor(Date.now() / 1000));
  const signature = createHmac('sha256', Buffer.from(SECRET.slice(6), 'base64')).update(`evt_1.${stamp}.${PAYLOAD}`).digest('base64');
  const headers = { 'Content-Type': 'application/json', 'webhook-id': 'evt_1', 'webhook-timestamp': stamp, 'webhook-signature': `v1,${signature}` };
  const deliver = (body) => call(new Request('http://example/webhooks/refundkit', { method: 'POST', headers, body }));
  assert.equal((await deliver(PAYLOAD)).status, 204);
  const refused = await deliver(PAYLOAD.replace('2500', '9500'));
  assert.equal(refused.status, 400);
  assert.match(await refused.text(), /No signature matches/);
}

/** Sends a request to a server that listens. */
const over = (address) => async (request) => fetch(address + new URL(request.url).pathname, { method: request.method, headers: request.headers, body: await request.text() });

test('the Express app', async () => {
  typeChecked('express/app.ts', 'node');
  const { app } = await loaded('express/app.ts');
  const server = await new Promise((ready) => {
    const listening = app.listen(0, '127.0.0.1', () => ready(listening));
  });
  try {
    const call = over(`http://127.0.0.1:${server.address().port}`);
    await refundsOnce(call, 'express-1', 1101);
    await believesOnlySigned(call);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

test('the route handler of Next.js', async () => {
  typeChecked('nextjs/app/api/refunds/route.ts', 'node');
  const { POST } = await loaded('nextjs/app/api/refunds/route.ts');
  await refundsOnce(POST, 'next-1', 1102, '/api/refunds');
});

test('the worker', async () => {
  typeChecked('worker/worker.ts', '@cloudflare/workers-types');
  const worker = (await loaded('worker/worker.ts')).default;
  const { REFUNDKIT_BASE_URL, REFUNDKIT_API_KEY, REFUNDKIT_WEBHOOK_SECRET } = process.env;
  const call = (request) => worker.fetch(request, { REFUNDKIT_BASE_URL, REFUNDKIT_API_KEY, REFUNDKIT_WEBHOOK_SECRET });
  await refundsOnce(call, 'worker-1', 1103);
  await believesOnlySigned(call);
  assert.equal((await call(new Request('http://example/refunds'))).status, 405);
  assert.equal((await call(new Request('http://example/other', { method: 'POST' }))).status, 404);
});

test('the axum service', async () => {
  const service = spawn(join(target, 'debug/refundkit-example-axum'), { env: { ...process.env, LISTEN: '127.0.0.1:0' }, stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((done) => service.once('exit', done));
  try {
    let said = '';
    const address = await new Promise((ready, broken) => {
      service.stdout.on('data', (chunk) => {
        said += chunk;
        const listening = said.match(/^listening on (\S+)$/m);
        if (listening) ready(listening[1]);
      });
      ended.then(() => broken(new Error('the service ended at once')));
    });
    const call = over(`http://${address}`);
    await refundsOnce(call, 'axum-1', 1104);
    await believesOnlySigned(call);
    assert.match(said, /refund\.completed: ref_\w+ is completed/);
  } finally {
    service.kill();
    await ended;
  }
});
