// The platform's cryptography, where it is a global: browsers, edge workers, Deno, Bun, and Node 20 and later.

/** The Web Crypto API. */
export function webCrypto(): Crypto {
  return globalThis.crypto;
}
