// Stripe used without a server: validate a payment, refund it, ask how the refund stands, take it back.
//
// Nothing is stored, so nothing here can know of a refund that it did not make itself; the server can.
import { RefundKitError, invalid } from '../error.js';
import { exchange } from '../exchange.js';
import { operations, type Environment, type Rules } from '../generated.js';
import { check, checkFields } from '../input.js';
import { currencyCode, isAmount } from '../money.js';
import type { CancelledRefund, PaymentProcessor, ProcessRefundRequest, ProcessedRefund, RefundStatusReport, ValidatedTransaction } from '../processor.js';
import { setting } from '../settings.js';
import { sleep } from '../time.js';
import { newIdempotencyKey } from '../transport.js';
import { json, readCharge, readLatestCharge, readRefund, type Charge, type StripeAnswer, type StripeRefund } from './answers.js';
import { fromWhatWasRead, processorError, unreadable } from './errors.js';
import { checkTransactionId } from './ids.js';
import { API_BASE, apiBaseFor, keyEnvironment } from './keys.js';
import { API_VERSION, chargeRequest, isReason, refundBody, refundRequest, type StripeRequest } from './requests.js';
import { nextDelay, proof, type Reply } from './retry.js';

/** The settings of a `StripeProcessor`. */
export interface StripeProcessorOptions {
  /** Where Stripe is, for a sandbox. Absent: `REFUNDKIT_STRIPE_API_BASE`, else `https://api.stripe.com`. Live keys go nowhere else. */
  apiBase?: string;
  /** How long a whole call may take, repeats included, in milliseconds: 30000 unless said. */
  timeout?: number;
  /** How often a request is repeated that was not answered, or was turned away for a moment: 2 unless said, at most 10. */
  maxRetries?: number;
}

const TIMEOUT_DEFAULT_MS = 30_000;
const TIMEOUT_MAX_MS = 2_147_483_647;
const RETRIES_DEFAULT = 2;
const RETRIES_MAX = 10;
/** A try with less time left than this, or half of the whole, would only turn "never reached" into doubt. */
const CONNECT_TIMEOUT_MS = 5_000;
const ANSWER_BYTES_MAX = 1024 * 1024;
const IDEMPOTENCY_KEY = /^[!-~]{1,255}$/;
const METADATA = operations.create_refund.input.fields?.['metadata'] as Rules;

/** What a call came to: its last reply, and whether a try before it may have been executed. */
interface Outcome {
  reply: Reply;
  earlierInDoubt: boolean;
}

/** Stripe, as the account that a secret key belongs to. Its methods throw `RefundKitError`. */
export class StripeProcessor implements PaymentProcessor {
  readonly name = 'stripe';
  /** The mode of the key: whether this moves real money. */
  readonly environment: Environment;
  readonly #key: string;
  readonly #apiBase: string;
  readonly #timeout: number;
  readonly #maxRetries: number;

  /** Throws a `validation_error` for a key or an address that cannot be one. Nothing is sent. */
  constructor(secretKey: string, options: StripeProcessorOptions = {}) {
    const { timeout = TIMEOUT_DEFAULT_MS, maxRetries = RETRIES_DEFAULT } = options;
    this.environment = keyEnvironment(secretKey);
    this.#key = secretKey;
    this.#apiBase = apiBaseFor(this.environment, options.apiBase ?? setting('REFUNDKIT_STRIPE_API_BASE') ?? API_BASE);
    if (!(typeof timeout === 'number' && timeout >= 1 && timeout <= TIMEOUT_MAX_MS)) throw invalid('timeout', '`timeout` must be a number of milliseconds, 1 or more.');
    if (!(Number.isInteger(maxRetries) && maxRetries >= 0 && maxRetries <= RETRIES_MAX)) throw invalid('maxRetries', `\`maxRetries\` must be an integer from 0 to ${RETRIES_MAX}.`);
    this.#timeout = timeout;
    this.#maxRetries = maxRetries;
  }

  /** Reads a payment: `valid` is whether it is paid and not fully refunded. One that Stripe does not know is a `processor_error`. */
  async validateTransaction(transactionId: string): Promise<ValidatedTransaction> {
    const charge = await this.#charge(transactionId);
    return { transactionId, amount: charge.amountCaptured, currency: charge.currency, processor: this.name, valid: charge.paid && !charge.refunded };
  }

  /**
   * Validates the payment, then refunds it under one idempotency key however often it must be sent.
   *
   * Without an answer the error has `outcomeUnknown: true` and carries the `idempotencyKey`: the refund may have been made. Repeat
   * it only with that key, and within 24 hours.
   */
  async processRefund(request: ProcessRefundRequest): Promise<ProcessedRefund> {
    const { transactionId, amount, reason, metadata = {}, idempotencyKey = freshKey() } = request;
    if (!IDEMPOTENCY_KEY.test(idempotencyKey)) throw invalid('idempotencyKey', 'The idempotency key must be 1 to 255 visible ASCII characters.');
    if (!isAmount(amount)) throw invalid('amount', "`amount` must be an integer from 1 to 999999999999, in the currency's smallest unit (2500 for $25.00).");
    if (!isReason(reason)) throw invalid('reason', '`reason` is not one of RefundKit\'s reasons.');
    const currency = currencyCode(request.currency);
    if (currency === undefined) throw invalid('currency', '`currency` must be a three-letter ISO 4217 currency code such as usd.');
    const wrong = check({ type: 'object' }, metadata, 'metadata') ?? checkFields(METADATA, metadata, 'metadata');
    if (wrong) throw wrong;

    const charge = await this.#charge(transactionId);
    if (charge.refunded) throw fromWhatWasRead(`Charge ${charge.id} has already been refunded.`, 'charge_already_refunded');
    if (!charge.paid) throw fromWhatWasRead(`Charge ${charge.id} is not paid, so there is nothing to refund.`);
    if (charge.currency !== currency) throw invalid('currency', `The payment is in ${charge.currency}, not in ${currency}.`);
    const body = refundBody({ charge: charge.id, amount, reason, metadata });
    const refund = await this.#change({ method: 'POST', target: '/v1/refunds', body, idempotencyKey });
    return { externalRefundId: refund.id, status: refund.status, processedAt: refund.createdAt };
  }

  /** Reads where a refund stands. */
  async getRefundStatus(externalRefundId: string): Promise<RefundStatusReport> {
    const request = refundRequest(externalRefundId);
    if (!request) throw noSuchRefund(externalRefundId);
    const refund = await this.#read(request, (answer) => readRefund(json(answer)));
    return { externalRefundId: refund.id, status: refund.status, updatedAt: new Date().toISOString() };
  }

  /** Takes a refund back, which Stripe allows only while it waits for the customer; otherwise a `processor_error`. */
  async cancelRefund(externalRefundId: string): Promise<CancelledRefund> {
    const request = refundRequest(externalRefundId, freshKey());
    if (!request) throw noSuchRefund(externalRefundId);
    const { canceled } = await this.#change(request);
    return { cancelled: canceled, cancelledAt: canceled ? new Date().toISOString() : null };
  }

  async #charge(transactionId: string): Promise<Charge> {
    checkTransactionId(transactionId);
    const charge = transactionId.startsWith('pi_') ? await this.#latestCharge(transactionId) : await this.#ownCharge(transactionId);
    if (charge.livemode === (this.environment === 'live')) return charge;
    const mode = charge.livemode ? 'live' : 'test';
    throw new RefundKitError('environment_mismatch', `Charge ${charge.id} is a ${mode} payment, but the Stripe key is of the other mode.`);
  }

  async #latestCharge(paymentIntent: string): Promise<Charge> {
    const latest = await this.#read(chargeRequest(paymentIntent), (answer) => {
      const read = readLatestCharge(json(answer));
      return read === undefined ? undefined : { read };
    });
    if (latest.read === null) throw fromWhatWasRead(`This PaymentIntent (${paymentIntent}) does not have a successful charge to refund.`);
    if (typeof latest.read !== 'string') return latest.read;
    checkTransactionId(latest.read);
    return this.#ownCharge(latest.read);
  }

  /** An answer about another charge is no answer: it must never be refunded. */
  #ownCharge(id: string): Promise<Charge> {
    return this.#read(chargeRequest(id), (answer) => {
      const charge = readCharge(json(answer));
      return charge?.id === id ? charge : undefined;
    });
  }

  async #read<T>(request: StripeRequest, read: (answer: StripeAnswer) => T | undefined): Promise<T> {
    const { reply } = await this.#send(request);
    if (reply.kind !== 'answered' || reply.answer.status < 200 || reply.answer.status > 299) throw processorError(reply);
    const value = read(reply.answer);
    if (value === undefined) throw unreadable(reply.answer);
    return value;
  }

  /** Sends a change. Doubt is sticky: once a try may have been executed, a later refusal does not undo it. */
  async #change(request: StripeRequest & { idempotencyKey?: string }): Promise<StripeRefund> {
    const outcome = await this.#send(request);
    const { error, unknown, refund } = concluded(outcome);
    if (refund) return refund;
    const key = request.idempotencyKey as string;
    if (!unknown) throw error.with({ idempotencyKey: key });
    const hint = 'It may have happened: look for it in Stripe, or repeat the call with this idempotency key within 24 hours.';
    throw error.with({ idempotencyKey: key, outcomeUnknown: true, retryable: false, hint });
  }

  /** Sends a request until it is answered, refused, or not worth another try. */
  async #send(request: StripeRequest): Promise<Outcome> {
    const until = Date.now() + this.#timeout;
    const connect = Math.min(CONNECT_TIMEOUT_MS, this.#timeout / 2);
    let earlierInDoubt = false;
    for (let tries = 1; ; tries += 1) {
      const reply = await this.#try(request, Math.max(1, until - Date.now()));
      const delay = nextDelay(reply, tries, 50 + Math.random() * 50);
      if (delay === undefined || tries > this.#maxRetries || Date.now() + delay + connect >= until) return { reply, earlierInDoubt };
      earlierInDoubt ||= proof(reply) === 'none';
      await sleep(delay);
    }
  }

  async #try(request: StripeRequest, timeout: number): Promise<Reply> {
    const headers: Record<string, string> = { Authorization: `Bearer ${this.#key}`, 'Stripe-Version': API_VERSION };
    if (request.idempotencyKey !== undefined) headers['Idempotency-Key'] = request.idempotencyKey;
    if (request.body !== undefined) headers['Content-Type'] = 'application/x-www-form-urlencoded';
    const got = await exchange({ url: this.#apiBase + request.target, method: request.method, headers, body: request.body, timeout, bytesMax: ANSWER_BYTES_MAX });
    if (got.kind === 'answered') {
      const said = got.headers.get('stripe-should-retry');
      const seconds = got.headers.get('retry-after')?.trim() ?? '';
      const answer: StripeAnswer = {
        status: got.status,
        requestId: got.headers.get('request-id'),
        shouldRetry: said === 'true' ? true : said === 'false' ? false : null,
        retryAfterSeconds: /^\d{1,9}$/.test(seconds) ? Number(seconds) : null,
        body: got.body,
      };
      return { kind: 'answered', answer };
    }
    if (!got.reached) return { kind: 'notReached', message: `Stripe could not be reached: ${got.message}.` };
    const message = {
      timeout: `Stripe did not answer within ${this.#timeout} ms.`,
      too_large: `Stripe's answer ${got.message}.`,
      broken: `The connection to Stripe broke before its answer arrived: ${got.message}.`,
      aborted: 'The call to Stripe was aborted.',
    }[got.why];
    return { kind: 'noAnswer', message, status: got.status, requestId: got.requestId };
  }
}

/** What became of a change. */
export function concluded({ reply, earlierInDoubt }: Outcome): { refund: StripeRefund; error?: never; unknown?: never } | { refund?: never; error: RefundKitError; unknown: boolean } {
  if (reply.kind === 'answered' && proof(reply) === 'executed') {
    const refund = readRefund(json(reply.answer));
    return refund ? { refund } : { error: unreadable(reply.answer), unknown: true };
  }
  const certain = ['refused', 'not_executed'].includes(proof(reply)) && !earlierInDoubt;
  return { error: processorError(reply), unknown: !certain };
}

function freshKey(): string {
  return `refundkit-${newIdempotencyKey()}`;
}

/** What Stripe says of a refund it does not have, for an id that cannot be asked about. */
function noSuchRefund(id: unknown): RefundKitError {
  return fromWhatWasRead(`No such refund: '${String(id)}'`, 'resource_missing');
}
