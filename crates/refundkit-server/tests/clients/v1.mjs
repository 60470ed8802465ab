// The official TypeScript SDK, version 1: clients that open with a handshake.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import assert from "node:assert/strict";
import { amounts, key, program, story, url } from "./story.mjs";

const require = createRequire(pathToFileURL(`${process.env.CLIENT_PACKAGES}/x.cjs`));
const load = (name) => import(pathToFileURL(require.resolve(name)));
const { Client } = await load("@modelcontextprotocol/sdk/client/index.js");
const { StdioClientTransport } = await load("@modelcontextprotocol/sdk/client/stdio.js");
const { StreamableHTTPClientTransport } = await load("@modelcontextprotocol/sdk/client/streamableHttp.js");

const headers = { Authorization: `Bearer ${key}` };
const transports = [
  new StreamableHTTPClientTransport(new URL(`${url}/mcp`), { requestInit: { headers } }),
  new StdioClientTransport({ command: program, args: ["mcp"], env: { REFUNDKIT_API_KEY: key, REFUNDKIT_BASE_URL: url } }),
];
for (const [index, transport] of transports.entries()) {
  const client = new Client({ name: "sdk-v1", version: "1.0.0" });
  await client.connect(transport);
  assert.equal(client.getServerVersion().name, "refundkit");
  await story(client, amounts[index]);
  await client.close();
}
