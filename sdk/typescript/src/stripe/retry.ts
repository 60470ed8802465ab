// What a reply proves about a change, and whether to ask again within the same call. Pure. The order of the rules is that of
// Stripe's own clients, with 429 added: a repeat under the same key is safe there, because it was turned away first.
import type { StripeAnswer } from './answers.js';
import { errorObject } from './errors.js';

const FIRST_DELAY_MS = 500;
const DELAY_MAX_MS = 5_000;
/** A longer wait than this is left to the caller. */
const RETRY_AFTER_SECONDS_MAX = 5;

/** What one try came to. */
export type Reply =
  | { kind: 'answered'; answer: StripeAnswer }
  /** Nothing was sent: no address, no connection, no TLS. */
  | { kind: 'notReached'; message: string }
  /** Something may have arrived, but no whole answer came back. */
  | { kind: 'noAnswer'; message: string; status: number | null; requestId: string | null };

/** What a reply says about whether a change was executed. */
export type Proof = 'executed' | 'refused' | 'not_executed' | 'none';

/** A refusal is proof only in Stripe's own words: what a middlebox says proves nothing. Nor does the news that the key was used
 * with another request: something did arrive under it. */
export function proof(reply: Reply): Proof {
  if (reply.kind === 'notReached') return 'not_executed';
  if (reply.kind === 'noAnswer') return 'none';
  const { status } = reply.answer;
  if (status >= 200 && status <= 299) return 'executed';
  if (status >= 400 && status <= 404) return !isKeyReused(reply.answer) && errorObject(reply.answer) ? 'refused' : 'none';
  return status === 429 ? 'not_executed' : 'none';
}

/** How long to wait before the next try, in milliseconds; undefined when there should be no other. `jitterPercent` is 50 to 100. */
export function nextDelay(reply: Reply, triesMade: number, jitterPercent: number): number | undefined {
  let asked = 0;
  if (reply.kind === 'answered') {
    if (!isWorthRepeating(reply.answer)) return undefined;
    const seconds = reply.answer.retryAfterSeconds ?? 0;
    if (seconds > RETRY_AFTER_SECONDS_MAX) return undefined;
    asked = seconds * 1000;
  }
  const delay = Math.min(FIRST_DELAY_MS * 2 ** Math.min(Math.max(triesMade - 1, 0), 16), DELAY_MAX_MS);
  return Math.max((delay * jitterPercent) / 100, asked);
}

function isWorthRepeating(answer: StripeAnswer): boolean {
  const { status, shouldRetry } = answer;
  if (status >= 200 && status <= 299) return false;
  if (shouldRetry !== null) return shouldRetry && !isKeyReused(answer);
  return status === 409 || status === 429 || (status >= 500 && status <= 599);
}

/** Whether Stripe says that the key was used with another request (and not that the first one is still running). */
function isKeyReused(answer: StripeAnswer): boolean {
  return answer.status !== 409 && errorObject(answer)?.['type'] === 'idempotency_error';
}
