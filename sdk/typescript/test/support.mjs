// What the tests stand on: the built binary in a folder of its own, and a road to it that can be made bad.
//
// Everything is real: `refundkit dev` with its Stripe sandbox, on free loopback ports. `Road` is a plain TCP-level HTTP relay that
// loses answers or answers itself, as networks and proxies do.
import { spawn } from 'node:child_process';
import { createServer, request } from 'node:http';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../..', import.meta.url));
export const target = resolve(root, process.env.CARGO_TARGET_DIR ?? 'target');
export const binary = join(target, 'debug/refundkit');
/** The packages that the tests need, where scripts/tools puts them. */
export const tools = join(root, 'target/tools/sdk/node_modules');
export const vectors = JSON.parse(readFileSync(join(root, 'crates/refundkit/vectors.json'), 'utf8'));

export const sdk = await import('../dist/index.js');
export const internals = await import(join(target, 'sdk/internals.mjs'));

/** Starts `refundkit dev` and waits until it serves. */
export async function startDev(settings = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'refundkit-sdk-'));
  const server = spawn(binary, ['dev', '--listen', '127.0.0.1:0', '--sandbox-listen', '127.0.0.1:0', '--data-dir', join(folder, 'data')], {
    cwd: folder, env: { PATH: process.env.PATH, REFUNDKIT_RATE_LIMIT: '0', ...settings }, stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise((done) => server.once('exit', done));
  let [out, log] = ['', ''];
  server.stderr.on('data', (chunk) => (log += chunk));
  await new Promise((ready, broken) => {
    server.stdout.on('data', (chunk) => {
      out += chunk;
      if (out.includes('Serving until')) ready();
    });
    ended.then(() => broken(new Error(`the server ended at once:\n${out}${log}`)));
  });
  const word = (line) => out.match(new RegExp(`^  ${line} +(\\S+)`, 'm'))[1];
  const baseUrl = word('Server');
  const sandbox = word('Stripe sandbox');
  const control = async (path, body) => {
    const response = await fetch(`${sandbox}/_sandbox/${path}`, body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) });
    const answer = await response.json();
    if (!response.ok) throw new Error(JSON.stringify(answer));
    return answer;
  };
  return {
    folder, baseUrl, sandbox, apiKey: word('API key'), out: () => out, log: () => log,
    stripeKey: 'sk_test_your_stripe_secret_key',
    /** What the next requests to Stripe meet. */
    fault: (fault, { method = 'POST', path_prefix = '/v1/refunds', times = 1 } = {}) => control('faults', { method, path_prefix, times, fault }),
    control,
    /** The refunds that really happened to a charge, whatever anybody was told. */
    refundsOf: async (charge) => (await control('ledger')).data.find((entry) => entry.charge === charge).refunds,
    /** The requests that Stripe saw. */
    requests: async () => (await control('requests')).data,
    stop: async () => {
      server.kill('SIGTERM');
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A relay before a server. `next` says what becomes of the requests to come, one entry each; after that they pass. */
export async function startRoad(to) {
  const next = [];
  const seen = [];
  const relay = createServer((incoming, outgoing) => {
    const chunks = [];
    incoming.on('data', (chunk) => chunks.push(chunk));
    incoming.on('end', () => {
      const plan = next.shift() ?? {};
      seen.push({ method: incoming.method, url: incoming.url, headers: incoming.headers, body: Buffer.concat(chunks).toString() });
      if (plan.answer) {
        outgoing.writeHead(plan.answer.status, plan.answer.headers ?? {});
        outgoing.end(plan.answer.body ?? '');
        return;
      }
      if (plan.drop === 'request') return void incoming.socket.destroy();
      const onward = request(new URL(incoming.url, to), { method: incoming.method, headers: { ...incoming.headers, host: new URL(to).host } }, (answer) => {
        const parts = [];
        answer.on('data', (chunk) => parts.push(chunk));
        answer.on('end', () => {
          const body = Buffer.concat(parts);
          if (plan.drop === 'answer') return void incoming.socket.destroy();
          if (plan.drop === 'half') {
            outgoing.writeHead(answer.statusCode, answer.headers);
            outgoing.write(body.subarray(0, body.length / 2));
            setTimeout(() => incoming.socket.destroy(), 20);
            return;
          }
          if (plan.late) return void setTimeout(() => outgoing.destroyed || outgoing.writeHead(answer.statusCode, answer.headers).end(body), plan.late);
          outgoing.writeHead(answer.statusCode, answer.headers).end(body);
        });
      });
      onward.on('error', () => incoming.socket.destroy());
      onward.end(Buffer.concat(chunks));
    });
  });
  await new Promise((done) => relay.listen(0, '127.0.0.1', done));
  return {
    baseUrl: `http://127.0.0.1:${relay.address().port}`, next, seen,
    stop: () => new Promise((done) => {
      relay.closeAllConnections();
      relay.close(done);
    }),
  };
}

/** The data of an answer, or the test fails with its error. */
export function data({ data, error }) {
  if (error) throw error;
  return data;
}

/** An address where nobody listens. */
export async function deadAddress() {
  const server = createServer();
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return `http://127.0.0.1:${port}`;
}
