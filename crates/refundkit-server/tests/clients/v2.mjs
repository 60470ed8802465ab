// The official TypeScript SDK, version 2: it negotiates the newest revision, which has no handshake.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import assert from "node:assert/strict";
import { amounts, key, program, story, url } from "./story.mjs";

const require = createRequire(pathToFileURL(`${process.env.CLIENT_PACKAGES}/x.cjs`));
const load = (name) => import(pathToFileURL(require.resolve(name)));
const { Client, StreamableHTTPClientTransport } = await load("@modelcontextprotocol/client");
const { StdioClientTransport } = await load("@modelcontextprotocol/client/stdio");

const headers = { Authorization: `Bearer ${key}` };
const transports = [
  () => new StreamableHTTPClientTransport(new URL(`${url}/mcp`), { requestInit: { headers } }),
  () => new StdioClientTransport({ command: program, args: ["mcp"], env: { REFUNDKIT_API_KEY: key, REFUNDKIT_BASE_URL: url } }),
];
const modes = [["auto", "2026-07-28"], ["legacy", "2025-11-25"]];
for (const [mode, revision] of modes) {
  for (const transport of transports) {
    const client = new Client({ name: "sdk-v2", version: "2.0.0" }, { versionNegotiation: { mode } });
    await client.connect(transport());
    assert.equal(client.getNegotiatedProtocolVersion(), revision);
    await story(client, amounts.shift());
    await client.close();
  }
}
