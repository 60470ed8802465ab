// The platform's cryptography on Node, where version 18 has it in a module only. Chosen by the condition `node` of `#crypto`, and
// asked for when it is needed: that module takes longer to load than everything here.
import { createRequire } from 'node:module';

/** The Web Crypto API. */
export function webCrypto(): Crypto {
  return globalThis.crypto ?? (createRequire('/')('node:crypto') as { webcrypto: Crypto }).webcrypto;
}
