// What Stripe's errors mean: Stripe's own words kept, and a hint on what to do next. Stripe often gives no code, so the map looks at
// status, code, parameter, `message_code` and the beginning of the message, in that order of trust.
import { RefundKitError } from '../error.js';
import type { ProcessorErrorDetail } from '../generated.js';
import { json, type StripeAnswer } from './answers.js';
import type { Reply } from './retry.js';

const MESSAGE_CHARACTERS_MAX = 1000;
const WORD_CHARACTERS_MAX = 255;

/** What an error means: whether Stripe refused (rather than could not answer), and what to do next. */
interface Meaning {
  refusal: boolean;
  hint?: string | undefined;
}

/** Stripe's error, where the answer is one. A page of a middlebox is not. */
export function errorObject(answer: StripeAnswer): Record<string, unknown> | undefined {
  const error = json(answer)?.['error'];
  return typeof error === 'object' && error !== null && !Array.isArray(error) ? (error as Record<string, unknown>) : undefined;
}

/** The `processor_error` for a reply that is not a success. */
export function processorError(reply: Reply): RefundKitError {
  if (reply.kind === 'notReached') return said({ message: reply.message }, { refusal: false });
  if (reply.kind === 'noAnswer') return said({ message: reply.message, statusCode: reply.status, requestId: reply.requestId }, { refusal: false });
  const { answer } = reply;
  const object = errorObject(answer);
  if (!object) return unreadable(answer);
  const text = (name: string): string | undefined => (typeof object[name] === 'string' ? (object[name] as string) : undefined);
  const message = text('message') ?? '';
  const code = text('code') ?? text('message_code');
  const words = message === '' ? `Stripe answered HTTP ${answer.status} without a message.` : message;
  return said({ message: words, code, statusCode: answer.status, requestId: answer.requestId }, meaning(answer.status, code, text('param'), message));
}

/** An answer that is not what was asked for. */
export function unreadable(answer: StripeAnswer): RefundKitError {
  return said({ message: `Stripe's answer (HTTP ${answer.status}) could not be read.`, statusCode: answer.status, requestId: answer.requestId }, { refusal: false });
}

/** A refusal in Stripe's words that Stripe was not asked for, from what was read there. */
export function fromWhatWasRead(message: string, code?: string): RefundKitError {
  return said({ message, code }, { refusal: true });
}

function said(detail: { message: string; code?: string | undefined; statusCode?: number | null; requestId?: string | null }, { refusal, hint }: Meaning): RefundKitError {
  const processor: ProcessorErrorDetail = {
    name: 'stripe',
    code: detail.code === undefined ? null : word(detail.code),
    message: [...scrub(detail.message)].slice(0, MESSAGE_CHARACTERS_MAX).join(''),
    requestId: detail.requestId ? word(detail.requestId) : null,
    statusCode: detail.statusCode ?? null,
  };
  return new RefundKitError('processor_error', processor.message, { retryable: !refusal, hint: hint ?? null, processor });
}

/** The map. Only the statuses with which Stripe refuses carry meaning beyond "could not answer". */
function meaning(status: number, code: string | undefined, param: string | undefined, message: string): Meaning {
  if (status === 401) return { refusal: true, hint: credentialHint(code) };
  if (status === 403) return { refusal: true, hint: permissionHint(message) };
  if (![400, 402, 404].includes(status)) return { refusal: false };
  if (message.includes('a similar object exists in live mode')) return { refusal: true, hint: "This payment is live; use RefundKit's live environment, whose Stripe key is a live one." };
  if (message.includes('a similar object exists in test mode')) return { refusal: true, hint: "This is a test payment; use RefundKit's test environment, whose Stripe key is a test one." };
  return { refusal: true, hint: (code !== undefined && Object.hasOwn(HINTS, code) ? HINTS[code] : undefined) ?? hintOfMessage(param, message) };
}

const ADD_BALANCE = 'Add funds to the Stripe balance, or wait for payments to settle, then refund again.';
const DISPUTED = 'The customer disputed this payment; answer the dispute in Stripe instead of refunding.';
const HINTS: Record<string, string> = {
  resource_missing: 'Check the id, and that the connected Stripe key belongs to the account that took the payment.',
  charge_already_refunded: 'Nothing is left to refund; look at the refunds of this payment.',
  charge_disputed: DISPUTED,
  refund_disputed_payment: DISPUTED,
  charge_not_refundable: 'Stripe no longer refunds this payment; pay the customer another way.',
  insufficient_balance_for_refund: ADD_BALANCE,
};

function hintOfMessage(param: string | undefined, message: string): string | undefined {
  if (param === 'amount' && message.startsWith('Refund amount (')) return 'Refund no more than what is left of this payment.';
  if (message.startsWith('Insufficient funds in your Stripe balance')) return ADD_BALANCE;
  if (message.startsWith('Canceling this refund is unsupported')) return 'Stripe takes back only refunds that wait for the customer.';
  if (message.startsWith('This uncaptured Charge was created by a PaymentIntent')) return 'Nothing was captured; cancel the PaymentIntent instead.';
  if (message.endsWith('does not have a successful charge to refund.')) return 'No money was taken, so there is nothing to refund.';
  return undefined;
}

function credentialHint(code: string | undefined): string {
  return code === 'api_key_expired'
    ? 'The Stripe key was rolled or has expired; connect Stripe again with its current secret key.'
    : "Stripe does not accept this key; copy a current one from Stripe's Dashboard under Developers > API keys, and connect it.";
}

const RIGHTS: Record<string, string> = {
  rak_charge_write: '"Charges and Refunds: Write"',
  rak_refund_write: '"Charges and Refunds: Write"',
  rak_charge_read: '"Charges and Refunds: Read"',
  rak_refund_read: '"Charges and Refunds: Read"',
  rak_payment_intent_read: '"PaymentIntents: Read"',
  rak_payment_intent_write: '"PaymentIntents: Write"',
};

/** Names the right as Stripe's Dashboard does, where the message says which it is. */
function permissionHint(message: string): string {
  const right = message.split(/[^A-Za-z0-9_]/).find((one) => one.startsWith('rak_'));
  if (right === undefined) return 'Stripe denies this key access; check its permissions, and the connected account if there is one.';
  const row = Object.hasOwn(RIGHTS, right) ? RIGHTS[right] : undefined;
  return row ? `Give the restricted Stripe key the permission ${row} (${right}).` : `Give the restricted Stripe key the permission ${word(right)}.`;
}

/** Hides whatever looks like a whole key. Stripe masks keys in its messages; this is for the day it does not. */
export function scrub(message: string): string {
  return message.replace(/(sk_live_|sk_test_|rk_live_|rk_test_|whsec_)[A-Za-z0-9_]+/g, '$1***');
}

function word(text: string): string {
  return [...scrub(text)].slice(0, WORD_CHARACTERS_MAX).join('');
}
