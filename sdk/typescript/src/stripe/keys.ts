// Stripe's secret keys: which are accepted, which mode they belong to, and where they may be sent. A key is never repeated in words.
import { invalid, type RefundKitError } from '../error.js';
import type { Environment } from '../generated.js';

/** Where Stripe is. */
export const API_BASE = 'https://api.stripe.com';
const KEY_CHARACTERS_MAX = 255;
const ACCEPTED: readonly (readonly [string, Environment])[] = [
  ['sk_test_', 'test'],
  ['rk_test_', 'test'],
  ['sk_live_', 'live'],
  ['rk_live_', 'live'],
];
const COPY_IT = 'Copy the secret key (sk_test_… or sk_live_…) from https://dashboard.stripe.com/apikeys.';

/** The mode that a key belongs to. Throws for what is no secret key. */
export function keyEnvironment(key: unknown): Environment {
  if (typeof key !== 'string' || key === '') throw refused('The Stripe secret key is empty.');
  if (key.length > KEY_CHARACTERS_MAX || !/^[!-~]+$/.test(key)) throw refused('This is not a Stripe secret key: it is too long, or has spaces or line breaks.');
  const accepted = ACCEPTED.find(([prefix]) => key.startsWith(prefix));
  if (!accepted) {
    if (key.startsWith('pk_')) throw refused("This is Stripe's publishable key, which cannot make refunds.");
    if (key.startsWith('whsec_')) throw refused('This is a webhook signing secret, not a secret key.');
    throw refused('This is not a Stripe secret key: it does not begin with sk_test_, sk_live_, rk_test_ or rk_live_.');
  }
  const [prefix, environment] = accepted;
  if (key.length === prefix.length) throw refused('The Stripe secret key ends after its prefix.');
  return environment;
}

/** The address of the API, without a slash at its end. Throws for what is none, and for a live key that would go elsewhere. */
export function apiBaseFor(environment: Environment, text: string): string {
  let url: URL | undefined;
  try {
    url = new URL(text);
  } catch {
    // Told below.
  }
  const plain = url && /^https?:$/.test(url.protocol) && url.host && !url.username && !url.password && !/[?#]/.test(text);
  if (!url || !plain) throw invalid('apiBase', 'The Stripe API base must be an http or https URL such as https://api.stripe.com.');
  if (environment === 'live' && url.origin !== API_BASE) {
    throw refused('A live Stripe key is only sent to https://api.stripe.com, and the API base is another.', 'Use a test key here, or leave the API base as it is.');
  }
  return url.href.replace(/\/+$/, '');
}

function refused(message: string, hint = COPY_IT): RefundKitError {
  return invalid('secretKey', message, hint);
}
