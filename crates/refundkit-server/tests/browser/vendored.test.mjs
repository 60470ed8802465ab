// What the binary carries of others is what they published.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

const ours = new URL("../../assets/vendor/", import.meta.url);
const theirs = new URL("../../../../target/tools/browser/node_modules/htmx.org/", import.meta.url);

test("htmx is carried as npm has it", async () => {
  for (const [name, path] of [["htmx.min.js", "dist/htmx.min.js"], ["hx-sse.min.js", "dist/ext/hx-sse.min.js"], ["LICENSE-htmx", "LICENSE"]]) {
    const [carried, published] = await Promise.all([readFile(new URL(name, ours)), readFile(new URL(path, theirs))]);
    assert.ok(carried.equals(published), name);
  }
});
