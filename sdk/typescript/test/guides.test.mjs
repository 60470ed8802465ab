// The documents: every block in TypeScript, Rust and curl is run against the server and the sandbox, each language on a server of
// its own. What TypeScript prints, Rust prints too.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { root, startDev, sdk, target, tools, vectors } from './support.mjs';

const pages = ['docs/quickstart.md', 'docs/stripe.md', ...readdirSync(join(root, 'docs/guides')).filter((name) => name !== 'README.md').map((name) => `docs/guides/${name}`)].sort();
/** What curl is answered with on purpose. */
const REFUSALS = { errors: ['processor_error', 'validation_error'] };
/** What a page prints, where two SDKs that are wrong in the same way would not be noticed. */
const PRINTS = {
  quickstart: 'completed 2500 usd\nrefund.created\nrefund.completed\n',
  stripe: 'active sk_test_…_key\ntrue 10000 usd\ncompleted true\n',
  authentication: 'test admin\nunauthorized\nsupport agent\n',
  errors: "No such charge: 'ch_invalid' resource_missing 422\nvalidation_error true\ntrue true\n",
  pagination: '103 completed\n102 completed\n101 completed\n2 true\n1 false\n',
  testing: 'processing\ncompleted\ntrue\ncompleted\n',
  'from-stripe': 'completed ch_1SandboxOfIntent\ntrue 1500\n',
  webhooks: 'refund.completed completed\n204\ntrue\n',
};
const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const PAYLOAD = vectors.webhooks.find(({ result }) => result === 'event').payload;

const folder = mkdtempSync(join(tmpdir(), 'refundkit-guides-'));
const run = promisify(execFile);

before(() => {
  mkdirSync(join(folder, 'node_modules/@refundkit'), { recursive: true });
  symlinkSync(join(root, 'sdk/typescript'), join(folder, 'node_modules/@refundkit/sdk'));
  symlinkSync(join(tools, '@types'), join(folder, 'node_modules/@types'));
  symlinkSync(join(tools, 'undici-types'), join(folder, 'node_modules/undici-types'));
});
after(() => rmSync(folder, { recursive: true, force: true }));

function blocks(page, language) {
  return [...readFileSync(join(root, page), 'utf8').matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'gms'))].map(([, block]) => block);
}

/** The blocks of a page as one program: the first as it stands, the others in scopes of their own after it, their imports before all. */
function program(page) {
  const [first, ...others] = blocks(page, 'ts');
  const imports = others.flatMap((block) => block.match(/^import .*;$/gm) ?? []);
  return [...imports.map((line) => `${line}\n`), first, ...others.map((block) => `{\n${block.replaceAll(/^import .*;$/gm, '')}}\n`)].join('');
}

async function environment(dev) {
  return {
    PATH: process.env.PATH, HOME: folder, REFUNDKIT_BASE_URL: dev.baseUrl, REFUNDKIT_API_KEY: dev.apiKey, REFUNDKIT_STRIPE_API_BASE: dev.sandbox,
    SANDBOX: dev.sandbox, REFUNDKIT_WEBHOOK_SECRET: SECRET, PAYLOAD, SENT_AT: String(Math.floor(Date.now() / 1000)),
  };
}

async function onItsOwnServer(work) {
  const dev = await startDev();
  try {
    return await work(await environment(dev));
  } catch (error) {
    throw new Error(`${error.message}\n${error.stdout ?? ''}${error.stderr ?? ''}`);
  } finally {
    await dev.stop();
  }
}

/** Delivers a notification to the receiver of the guide, and another one that was changed. */
const HARNESS = `
import { createHmac } from 'node:crypto';
const { REFUNDKIT_WEBHOOK_SECRET: secret = '', PAYLOAD: payload = '', SENT_AT: stamp = '' } = process.env;
const signature = createHmac('sha256', Buffer.from(secret.slice(6), 'base64')).update('evt_1.' + stamp + '.' + payload).digest('base64');
const headers = { 'webhook-id': 'evt_1', 'webhook-timestamp': stamp, 'webhook-signature': 'v1,' + signature };
console.log((await receive(new Request('http://receiver', { method: 'POST', headers, body: payload }))).status);
console.log((await receive(new Request('http://receiver', { method: 'POST', headers, body: payload + ' ' }))).status === 400);
`;

for (const page of pages) {
  const name = basename(page, '.md');

  test(`${page} in TypeScript`, () => onItsOwnServer(async (env) => {
    const text = program(page) + (name === 'webhooks' ? HARNESS : '');
    writeFileSync(join(folder, `${name}.mts`), text);
    const strict = ['--noEmit', '--strict', '--target', 'es2022', '--module', 'nodenext', '--skipLibCheck', '--types', 'node', '--ignoreConfig'];
    await run(process.execPath, [join(tools, 'typescript/bin/tsc'), ...strict, `${name}.mts`], { cwd: folder });
    await run(join(tools, 'esbuild/bin/esbuild'), [`${name}.mts`, `--outfile=${name}.mjs`, '--log-level=error'], { cwd: folder });
    assert.equal((await run('node', [`${name}.mjs`], { cwd: folder, env })).stdout, PRINTS[name]);
  }));

  test(`${page} in Rust`, () => onItsOwnServer(async (env) => {
    const program = join(target, 'debug/refundkit-guides');
    assert.ok(existsSync(program), 'cargo build -p refundkit-guides first');
    assert.equal((await run(program, [name], { env })).stdout, PRINTS[name]);
  }));

  test(`${page} with curl`, () => onItsOwnServer(async (env) => {
    const shown = blocks(page, 'bash').filter((block) => block.includes('curl '));
    const received = [];
    const receiver = createServer((request, response) => {
      const chunks = [];
      request.on('data', (chunk) => chunks.push(chunk));
      request.on('end', () => sdk.webhooks.verify(Buffer.concat(chunks), request.headers, SECRET).then(
        (event) => received.push(event.type) && response.writeHead(204).end(),
        (error) => response.writeHead(400).end(error.message),
      ));
    });
    await new Promise((done) => receiver.listen(0, '127.0.0.1', done));
    try {
      const script = `set -euo pipefail\n${shown.join('\n')}`;
      const { stdout } = await run('bash', ['-c', script], { env: { ...env, RECEIVER: `http://127.0.0.1:${receiver.address().port}` } });
      assert.deepEqual([...stdout.matchAll(/"error":\{"code":"(\w+)"/g)].map(([, code]) => code), REFUSALS[name] ?? [], stdout);
      const answers = stdout.match(/"error":(null|\{)/g) ?? [];
      assert.ok(name === 'webhooks' ? received.join() === 'refund.completed' : answers.length > 0, stdout);
    } finally {
      receiver.close();
    }
  }));
}

test('every guide speaks all three languages, and nothing is left out', () => {
  assert.deepEqual(pages.map((page) => basename(page, '.md')).sort(), Object.keys(PRINTS).sort());
  for (const page of pages) {
    for (const language of ['ts', 'rust', 'bash']) assert.ok(blocks(page, language).length > 0, `${page} has no ${language}`);
  }
});

test('the secret of the guide makes the signature of Standard Webhooks', () => {
  const { payload, headers } = vectors.webhooks[0];
  const key = Buffer.from(SECRET.slice(6), 'base64');
  const signature = createHmac('sha256', key).update(`${headers['webhook-id']}.${headers['webhook-timestamp']}.${payload}`).digest('base64');
  assert.equal(headers['webhook-signature'], `v1,${signature}`);
});
