// RefundKit's API keys: their form, their environment, and how one is made. All synchronous; nothing is sent.
import { webCrypto } from '#crypto';
import type { Environment } from './generated.js';
import { sha256Hex } from './sha256.js';

const FORM = /^rk_(test|live)_[A-Za-z0-9_-]{32}$/;
/** Characters of a key that may be stored and shown. */
const PREFIX_CHARACTERS = 16;
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** A key just made. Store `hash` and `prefix`, never `key`. */
export interface GeneratedApiKey {
  /** The key: the prefix of its environment and 32 random URL-safe characters. */
  key: string;
  /** Its SHA-256, as lowercase hex. */
  hash: string;
  /** Its first 16 characters, to recognise it by. */
  prefix: string;
}

/** Makes a key of RefundKit's form. A server knows only the keys that it made itself (`apiKeys.create`). */
export function generateApiKey(environment: Environment): GeneratedApiKey {
  if (environment !== 'test' && environment !== 'live') throw new TypeError('The environment must be "test" or "live".');
  const random = webCrypto().getRandomValues(new Uint8Array(32));
  const key = `rk_${environment}_${[...random].map((byte) => ALPHABET[byte & 63]).join('')}`;
  return { key, hash: hashApiKey(key), prefix: key.slice(0, PREFIX_CHARACTERS) };
}

/** The SHA-256 of a key, as lowercase hex: what a server stores in its place. */
export function hashApiKey(key: string): string {
  return sha256Hex(key);
}

/** Whether a text has the form of a RefundKit key: `rk_test_` or `rk_live_` and exactly 32 URL-safe characters. */
export function isValidApiKeyFormat(key: string): boolean {
  return getApiKeyEnvironment(key) !== null;
}

/** The environment that a key of valid form belongs to; null for anything else. */
export function getApiKeyEnvironment(key: string): Environment | null {
  return typeof key === 'string' ? ((FORM.exec(key)?.[1] as Environment | undefined) ?? null) : null;
}
