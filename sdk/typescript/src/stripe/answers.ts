// What Stripe answers, and what is taken from it. An answer that lacks what money is decided by is unreadable.
import type { RefundStatus } from '../generated.js';
import { currencyCode } from '../money.js';

/** An answer of Stripe's, with what its headers say. */
export interface StripeAnswer {
  status: number;
  requestId: string | null;
  /** `Stripe-Should-Retry`, where Stripe says. */
  shouldRetry: boolean | null;
  /** `Retry-After`, in whole seconds. */
  retryAfterSeconds: number | null;
  body: string;
}

/** What is taken from a charge. */
export interface Charge {
  id: string;
  amountCaptured: number;
  currency: string;
  paid: boolean;
  refunded: boolean;
  livemode: boolean;
}

/** What is taken from a refund. */
export interface StripeRefund {
  id: string;
  status: RefundStatus;
  canceled: boolean;
  createdAt: string;
}

type Json = Record<string, unknown>;

/** The body as a JSON object; undefined when it is none. */
export function json(answer: StripeAnswer): Json | undefined {
  try {
    const value: unknown = JSON.parse(answer.body);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
  } catch {
    return undefined;
  }
}

/** RefundKit's word for Stripe's. */
export function refundStatus(word: unknown): RefundStatus {
  switch (word) {
    case 'succeeded': return 'completed';
    case 'pending': return 'processing';
    case 'failed':
    case 'canceled': return 'failed';
    default: return 'pending';
  }
}

/** Reads a refund; undefined where it is not one, or lacks its id, amount or currency. */
export function readRefund(body: Json | undefined): StripeRefund | undefined {
  if (!body || !isObject(body, 'refund') || typeof body['id'] !== 'string' || body['id'] === '') return undefined;
  if (!Number.isSafeInteger(body['amount']) || currencyCode(body['currency']) === undefined) return undefined;
  return { id: body['id'], status: refundStatus(body['status']), canceled: body['status'] === 'canceled', createdAt: time(body['created']) };
}

/** Reads a charge; undefined where it is not one, or lacks something. */
export function readCharge(body: Json | undefined): Charge | undefined {
  if (!body || !isObject(body, 'charge')) return undefined;
  const { id, amount_captured: amountCaptured, paid, refunded, livemode } = body;
  const currency = currencyCode(body['currency']);
  if (typeof id !== 'string' || id === '' || !Number.isSafeInteger(amountCaptured) || currency === undefined) return undefined;
  if (typeof paid !== 'boolean' || typeof refunded !== 'boolean' || typeof livemode !== 'boolean' || typeof body['captured'] !== 'boolean') return undefined;
  return { id, amountCaptured: amountCaptured as number, currency, paid, refunded, livemode };
}

/** The latest charge of a PaymentIntent: the charge, its id, or null where there is none. Undefined where it is no PaymentIntent. */
export function readLatestCharge(body: Json | undefined): Charge | string | null | undefined {
  if (!body || !isObject(body, 'payment_intent')) return undefined;
  const latest = body['latest_charge'] ?? null;
  return latest === null || typeof latest === 'string' ? latest : readCharge(latest as Json);
}

function isObject(body: Json, kind: string): boolean {
  return typeof body['object'] !== 'string' || body['object'] === kind;
}

function time(seconds: unknown): string {
  return new Date(Number.isSafeInteger(seconds) ? (seconds as number) * 1000 : 0).toISOString();
}
