// What the TypeScript SDK costs: a cold import, and one call over a bare `fetch` to the same server.
//
//   node bench/sdk.mjs        after ./scripts/tools and node sdk/typescript/scripts/build.mjs
//
// The server answers a stored envelope at once, so that only the client is measured. Calls and bare fetches take turns.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const IMPORTS = 30;
const CALLS = 4000;
const WARM_UP = 1000;

const sdk = new URL('../sdk/typescript/dist/index.js', import.meta.url).href;
const { RefundKit, generateApiKey } = await import(sdk);

const median = (numbers) => numbers.sort((one, other) => one - other)[Math.floor(numbers.length / 2)];
const ms = (number) => `${number.toFixed(3)} ms`;

// From a file: what `node -e` needs for its first import is no cost of the SDK.
const folder = mkdtempSync(join(tmpdir(), 'refundkit-bench-'));
writeFileSync(join(folder, 'cold.mjs'), `const began = performance.now(); await import(${JSON.stringify(sdk)}); console.log(performance.now() - began);`);
const imports = Array.from({ length: IMPORTS }, () => Number(execFileSync(process.execPath, [join(folder, 'cold.mjs')])));
rmSync(folder, { recursive: true });
console.log(`cold import, median of ${IMPORTS}                 ${ms(median(imports))} (fastest ${ms(imports[0])})`);

const refund = { id: 'ref_01m82mjjhee00vjch9jvbtwzsa', status: 'completed', stage: 'settled', amount: 2500, currency: 'usd', metadata: null };
const answer = JSON.stringify({ data: refund, error: null });
const server = createServer((request, response) => {
  request.resume().on('end', () => response.writeHead(201, { 'Content-Type': 'application/json', 'Request-Id': 'req_1' }).end(answer));
});
await new Promise((done) => server.listen(0, '127.0.0.1', done));
const baseUrl = `http://127.0.0.1:${server.address().port}`;
const apiKey = generateApiKey('test').key;
const rk = new RefundKit({ apiKey, baseUrl });
const create = { transactionId: 'ch_1N4HbSKz9cXRvFYr', amount: 2500, reason: 'product_defective' };
const headers = { Authorization: `Bearer ${apiKey}`, 'Content-Type': 'application/json', 'Idempotency-Key': 'order-1' };

const calls = { sdk: [], fetch: [] };
const ways = {
  sdk: async () => (await rk.refunds.create(create)).data.id,
  fetch: async () => (await (await fetch(`${baseUrl}/v1/refunds`, { method: 'POST', headers, body: JSON.stringify(create) })).json()).data.id,
};
for (let call = 0; call < WARM_UP + CALLS; call += 1) {
  for (const [name, way] of Object.entries(ways)) {
    const began = performance.now();
    await way();
    if (call >= WARM_UP) calls[name].push(performance.now() - began);
  }
}
const [through, bare] = [median(calls.sdk), median(calls.fetch)];
console.log(`a create through the SDK, median of ${CALLS} ${ms(through)}`);
console.log(`the same with bare fetch                 ${ms(bare)}`);
console.log(`the SDK's own share                      ${ms(through - bare)}`);
server.close();
