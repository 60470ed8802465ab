// What is asked of Stripe: paths, and the bytes of the request that makes a refund. How it is sent lives in exchange.ts.
import type { RefundReason } from '../generated.js';

/** The version of Stripe's API that this is written for, sent with every call: without it the account's own applies. */
export const API_VERSION = '2026-10-28.endive';

/** One call, as it is sent in every try. */
export interface StripeRequest {
  method: 'GET' | 'POST';
  target: string;
  body?: string;
  idempotencyKey?: string;
}

const STRIPE_REASONS: Record<RefundReason, 'duplicate' | 'requested_by_customer' | undefined> = {
  duplicate_charge: 'duplicate',
  product_not_received: 'requested_by_customer',
  product_defective: 'requested_by_customer',
  wrong_product: 'requested_by_customer',
  customer_request: 'requested_by_customer',
  sizing_issue: 'requested_by_customer',
  item_not_as_described: 'requested_by_customer',
  order_cancelled: 'requested_by_customer',
  subscription_cancelled: undefined,
  other: undefined,
  agent_error: undefined,
  price_change: undefined,
  return_window_closing: undefined,
};

/** Whether a text is one of RefundKit's reasons. */
export function isReason(text: unknown): text is RefundReason {
  return typeof text === 'string' && Object.hasOwn(STRIPE_REASONS, text);
}

/** The reason that Stripe is told; undefined where it has no equivalent, and then it is told none. */
export function stripeReason(reason: RefundReason): string | undefined {
  return STRIPE_REASONS[reason];
}

/** The body of the request that makes a refund: charge, amount, reason, then metadata in the order of its keys. */
export function refundBody(refund: { charge: string; amount: number; reason: RefundReason; metadata?: Record<string, string | number | boolean> }): string {
  const form = new URLSearchParams({ charge: refund.charge, amount: String(refund.amount) });
  const reason = stripeReason(refund.reason);
  if (reason) form.append('reason', reason);
  for (const key of Object.keys(refund.metadata ?? {}).sort()) form.append(`metadata[${key}]`, String(refund.metadata?.[key]));
  return form.toString();
}

/** Reads the charge that an id stands for: its own, or the latest of a PaymentIntent. */
export function chargeRequest(id: string): StripeRequest {
  return id.startsWith('pi_') ? { method: 'GET', target: `/v1/payment_intents/${id}?expand%5B%5D=latest_charge` } : { method: 'GET', target: `/v1/charges/${id}` };
}

/** Reads a refund, or cancels it under a key. Undefined where the id cannot stand in a path. */
export function refundRequest(id: unknown, cancelUnder?: string): StripeRequest | undefined {
  if (typeof id !== 'string' || ['', '.', '..'].includes(id)) return undefined;
  const target = `/v1/refunds/${encodeURIComponent(id)}`;
  return cancelUnder === undefined ? { method: 'GET', target } : { method: 'POST', target: `${target}/cancel`, body: '', idempotencyKey: cancelUnder };
}
