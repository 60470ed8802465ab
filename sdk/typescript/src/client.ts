// The client: settings, the nouns of the API, and waiting for a refund. How a call is made lives in transport.ts.
import { RefundKitError, invalid } from './error.js';
import { Calls, RefundsCalls, type Refund } from './generated.js';
import { getApiKeyEnvironment } from './keys.js';
import { setting } from './settings.js';
import { sleep } from './time.js';
import { Transport, type ApiResponse, type RequestOptions } from './transport.js';
import { webhooks } from './webhooks.js';

/** Where the server is when nothing is said. */
const BASE_URL_DEFAULT = 'http://127.0.0.1:8080';
/** How long one attempt may take when nothing is said, in milliseconds. */
const TIMEOUT_DEFAULT_MS = 30_000;
/** How often a call is sent again when nothing is said. */
const MAX_RETRIES_DEFAULT = 2;

/** The settings of a client. */
export interface RefundKitOptions {
  /** A RefundKit key, `rk_test_…` or `rk_live_…`. Absent: the environment variable `REFUNDKIT_API_KEY`. */
  apiKey?: string;
  /** Where the server is. Absent: `REFUNDKIT_BASE_URL`, else `http://127.0.0.1:8080`. May have a path. */
  baseUrl?: string;
  /** How long one attempt may take, in milliseconds: 30000 unless said. */
  timeout?: number;
  /** How often a call that may be repeated is sent again: 2 unless said, at most 10. */
  maxRetries?: number;
}

/** A client for a RefundKit server. Its methods never throw: they answer `{ data, error }`. */
export class RefundKit extends Calls {
  override readonly refunds: Refunds;
  /** Notifications: `webhooks.verify(payload, headers, secret)`. Needs no key. */
  readonly webhooks: typeof webhooks = webhooks;

  /** Throws a `RefundKitError` without a usable key, and for a base URL that must not or cannot be used. Nothing is sent. */
  constructor(options: RefundKitOptions = {}) {
    const apiKey = options.apiKey ?? setting('REFUNDKIT_API_KEY') ?? '';
    const baseUrl = parseBaseUrl(options.baseUrl ?? setting('REFUNDKIT_BASE_URL') ?? BASE_URL_DEFAULT);
    checkKey(apiKey, baseUrl);
    super(new Transport({
      apiKey, baseUrl: baseUrl.href.replace(/\/+$/, ''), timeout: options.timeout ?? TIMEOUT_DEFAULT_MS, maxRetries: options.maxRetries ?? MAX_RETRIES_DEFAULT,
    }));
    this.refunds = new Refunds(this.transport);
  }
}

/** A text that cannot be a RefundKit key is never sent: it may be somebody's Stripe key. */
function checkKey(key: unknown, baseUrl: URL): void {
  if (key === '') {
    throw new RefundKitError('invalid_api_key', 'An API key is needed.', { hint: 'Give a RefundKit key (rk_test_… or rk_live_…), usually from the environment variable REFUNDKIT_API_KEY.' });
  }
  const environment = getApiKeyEnvironment(key as string);
  if (environment === null) {
    throw new RefundKitError('invalid_api_key', 'This is not a RefundKit API key; nothing was sent.', {
      hint: 'RefundKit keys are rk_test_ or rk_live_ and exactly 32 more characters; a Stripe key (restricted ones begin with rk_ too) belongs into the processor connection.',
    });
  }
  if (environment === 'live' && baseUrl.protocol === 'http:' && !isLoopback(baseUrl.hostname)) {
    throw invalid('baseUrl', `A live key is not sent over plain http to ${baseUrl.host}: anyone on the way could read it.`, 'Use https, or a test key.');
  }
}

function parseBaseUrl(text: string): URL {
  const refused = (what: string): RefundKitError => invalid('baseUrl', `The base URL ${what}.`, "Give the server's address, such as https://refunds.example.com.");
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw refused('is not a URL');
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw refused('must begin with https:// or http://');
  if (url.username || url.password) throw refused('must not carry a user name or password');
  if (/[?#]/.test(text)) throw refused('must end with its path: no ? and no #');
  return url;
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost') || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host);
}

/** How to wait for a refund. */
export interface WaitOptions {
  /** How long to wait in all, in milliseconds: 60000 unless said. */
  maxWait?: number;
  /** The first pause between two looks, in milliseconds: 500 unless said. It grows up to ten seconds. */
  interval?: number;
  /** Told the refund as it is read first, and after every change. */
  onProgress?: (refund: Refund) => void;
  /** Ends the waiting early. */
  signal?: AbortSignal;
}

const MAX_WAIT_DEFAULT_MS = 60_000;
const INTERVAL_DEFAULT_MS = 500;
const INTERVAL_MAX_MS = 10_000;

/** Refunds. */
export class Refunds extends RefundsCalls {
  /**
   * Reads a refund again and again until it is completed, failed or cancelled, and answers with it.
   *
   * A refund that is still under way after `maxWait` is a `timeout`: nothing is wrong with it, and waiting again is safe. Some
   * take days. Trouble on the way that may pass is waited out.
   */
  async waitUntilSettled(id: string, options: WaitOptions & Pick<RequestOptions, 'timeout' | 'maxRetries'> = {}): Promise<ApiResponse<Refund>> {
    const { maxWait = MAX_WAIT_DEFAULT_MS, interval = INTERVAL_DEFAULT_MS, onProgress, ...request } = options;
    const until = Date.now() + maxWait;
    let pause = Math.max(1, interval);
    let last: Refund | undefined;
    for (;;) {
      const answer = await this.get(id, request);
      if (answer.error && (!answer.error.retryable || Date.now() >= until)) return answer;
      if (answer.data) {
        if (answer.data.status !== last?.status || answer.data.stage !== last.stage) {
          pause = Math.max(1, interval);
          onProgress?.(answer.data);
        }
        last = answer.data;
        if (last.stage === 'settled') return answer;
      }
      const left = until - Date.now();
      if (left <= 0) return failed(late(id, last, maxWait));
      if (!(await sleep(Math.min(pause, left), request.signal))) return failed(new RefundKitError('network_error', 'The waiting was aborted by its caller.', { refundId: id }));
      pause = Math.min(pause * 1.5, INTERVAL_MAX_MS);
    }
  }
}

function late(id: string, refund: Refund | undefined, waited: number): RefundKitError {
  const stands = refund ? `is still ${refund.status} (${refund.stage})` : 'could not be read';
  return new RefundKitError('timeout', `Refund ${id} ${stands} after ${waited} ms.`, { refundId: id, retryable: true, hint: 'It goes on by itself: wait again, or have its end reported by a webhook. Do not create another one.' });
}

function failed(error: RefundKitError): ApiResponse<Refund> {
  return { data: null, error, statusCode: null, requestId: null, replayed: false };
}
