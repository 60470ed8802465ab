// A call to RefundKit: from an operation to an answer, with its retries. The one place that speaks to the server.
//
// GETs, operations that an idempotency key makes repeatable and cancels are sent again: on network errors, on 429, and where the
// server says `retryable`. Every attempt of a call carries the same key. Nothing here throws once a client is made.
import { webCrypto } from '#crypto';
import { RefundKitError, invalid, type ErrorDetails } from './error.js';
import { exchange, type Answer, type NoAnswer } from './exchange.js';
import { ErrorCode, type Operation, type PageInfo, type ProcessorErrorDetail } from './generated.js';
import { check, checkFields } from './input.js';
import { jittered, sleep } from './time.js';

/** What may be said about one call beside its input. */
export interface RequestOptions {
  /** The key under which the server does this once, 1 to 255 visible ASCII characters. Absent: one is made for this call. */
  idempotencyKey?: string;
  /** How long one attempt may take, in milliseconds. */
  timeout?: number;
  /** How often it may be sent again. */
  maxRetries?: number;
  /** Ends the call early. What was sent may have been done all the same. */
  signal?: AbortSignal;
}

/** A call that succeeded. 202 is success too: it is written down, and its outcome is not known yet. */
export interface ApiSuccess<T> {
  data: T;
  error: null;
  /** The HTTP status. */
  statusCode: number;
  /** The id of the request, to quote when asking about it. */
  requestId: string | null;
  /** Whether this is the answer to an earlier request with the same idempotency key. */
  replayed: boolean;
}

/** A call that did not. */
export interface ApiFailure {
  data: null;
  error: RefundKitError;
  statusCode: number | null;
  requestId: string | null;
  replayed: false;
}

/** What every method answers. */
export type ApiResponse<T> = ApiSuccess<T> | ApiFailure;

/** What every list answers: one page of it. */
export type ListResponse<T> = (ApiSuccess<T[]> & { page: PageInfo }) | (ApiFailure & { page: null });

/** Where the server is, with which key, and how patiently it is asked. */
export interface Settings {
  apiKey: string;
  /** Without a slash at its end. */
  baseUrl: string;
  timeout: number;
  maxRetries: number;
}

/** The longest idempotency key, in characters. */
const IDEMPOTENCY_KEY = /^[!-~]{1,255}$/;
/** The largest answer that is read, in bytes. */
const ANSWER_BYTES_MAX = 8 * 1024 * 1024;
/** The longest `Retry-After` that is waited for, in milliseconds. Who is asked to wait longer gets the error at once. */
const RETRY_AFTER_MAX_MS = 30_000;
/** The pause before the first repeat, in milliseconds; it doubles up to the longest. */
const PAUSE_FIRST_MS = 500;
const PAUSE_MAX_MS = 8_000;
/** The longest time-out, in milliseconds: what timers can hold. */
const TIMEOUT_MAX_MS = 2_147_483_647;
/** The most repeats that can be asked for. */
const RETRIES_MAX = 10;

/** This version of the SDK. */
export const VERSION = '0.1.0';

/** Why an attempt did not succeed, and what that means for another one. */
interface Failure {
  error: RefundKitError;
  retryAfterMs: number;
  /** Whether the server may have done what was asked. */
  inDoubt: boolean;
}

interface Envelope {
  data?: unknown;
  error?: Record<string, unknown> | null;
  page?: PageInfo;
}

/** What an attempt succeeded with. */
type Got = { success: ApiSuccess<unknown>; page: PageInfo | undefined };

export class Transport {
  readonly #settings: Settings;

  constructor(settings: Settings) {
    const wrong = checkLimits(settings);
    if (wrong) throw wrong;
    this.#settings = settings;
  }

  async call<T>(operation: Operation, ids: Record<string, string>, params: object, options?: RequestOptions): Promise<ApiResponse<T>> {
    const got = await this.#send(operation, ids, params, options);
    return got instanceof RefundKitError ? failure(got) : (got.success as ApiSuccess<T>);
  }

  async list<T>(operation: Operation, ids: Record<string, string>, params: object, options?: RequestOptions): Promise<ListResponse<T>> {
    const got = await this.#send(operation, ids, params, options);
    if (got instanceof RefundKitError) return { ...failure(got), page: null };
    if (!got.page) return { ...failure(new RefundKitError('network_error', `The answer to ${operation.path} is no list.`)), page: null };
    return { ...(got.success as ApiSuccess<T[]>), page: got.page };
  }

  async *iterate<T>(operation: Operation, ids: Record<string, string>, params: object, options?: RequestOptions): AsyncGenerator<ApiResponse<T>, void, undefined> {
    let next: object = params;
    const seen = new Set<string>();
    for (;;) {
      const { data, error, page, ...rest } = await this.list<T>(operation, ids, next, options);
      if (error) {
        yield failure(error);
        return;
      }
      for (const one of data) yield { data: one, error: null, ...rest } as ApiSuccess<T>;
      if (!page.hasMore || page.nextCursor === null) return;
      // A cursor that comes again would go on for ever.
      if (seen.has(page.nextCursor)) {
        yield failure(new RefundKitError('network_error', `The pages of ${operation.path} begin again and do not end.`));
        return;
      }
      seen.add(page.nextCursor);
      // A page is entered by counting or by its cursor, not both: after the first it is the cursor.
      next = { ...params, offset: undefined, cursor: page.nextCursor };
    }
  }

  async #send(operation: Operation, ids: Record<string, string>, params: object, options: RequestOptions = {}): Promise<Got | RefundKitError> {
    const { timeout = this.#settings.timeout, maxRetries = this.#settings.maxRetries, signal } = options;
    const wrong = checkLimits({ timeout, maxRetries }) ?? checkInput(operation, ids, params, options.idempotencyKey);
    if (wrong) return wrong;
    const key = options.idempotencyKey ?? (operation.keyed ? newIdempotencyKey() : undefined);
    const sending = { ...this.#request(operation, ids, params as Record<string, unknown>, key), timeout, signal, bytesMax: ANSWER_BYTES_MAX };

    let left = operation.keyed || operation.method === 'GET' ? maxRetries : 0;
    let pause = PAUSE_FIRST_MS;
    let inDoubt = false;
    for (;;) {
      if (signal?.aborted) return conclude(aborted(), inDoubt, key);
      const got = this.#understand(await exchange(sending), operation);
      if ('success' in got) return got;
      inDoubt ||= got.inDoubt;
      const wait = waitAfter(got, left, jittered(pause));
      if (wait === undefined) return conclude(got.error, inDoubt, key);
      left -= 1;
      pause = Math.min(pause * 2, PAUSE_MAX_MS);
      if (!(await sleep(wait, signal))) return conclude(aborted(), inDoubt, key);
    }
  }

  #request(operation: Operation, ids: Record<string, string>, params: Record<string, unknown>, key: string | undefined): { url: string; method: string; headers: Record<string, string>; body: string | undefined } {
    const path = operation.path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(ids[name] as string));
    const headers: Record<string, string> = {
      Accept: 'application/json',
      Authorization: `Bearer ${this.#settings.apiKey}`,
      'RefundKit-Client': `sdk; @refundkit/sdk; ${VERSION}`,
    };
    if (key !== undefined) headers['Idempotency-Key'] = key;
    let url = this.#settings.baseUrl + path;
    let body: string | undefined;
    if (operation.method === 'POST' || operation.method === 'PUT') {
      headers['Content-Type'] = 'application/json';
      body = JSON.stringify(params);
    } else {
      const query = new URLSearchParams();
      for (const [name, value] of Object.entries(params)) if (value !== undefined) query.append(name, String(value));
      if (query.size ?? [...query].length) url += `?${query}`;
    }
    return { url, method: operation.method, headers, body };
  }

  #understand(reply: Answer | NoAnswer, operation: Operation): Got | Failure {
    const host = new URL(this.#settings.baseUrl).host;
    return reply.kind === 'answered' ? understood(reply, host, operation) : unanswered(reply, host);
  }
}

/** How long to wait before the next attempt, in milliseconds; undefined when this failure is the answer. */
export function waitAfter(failure: Pick<Failure, 'error' | 'retryAfterMs'>, left: number, pause: number): number | undefined {
  const passing = failure.error.retryable || failure.error.code === 'rate_limited';
  if (!passing || left <= 0 || failure.retryAfterMs > RETRY_AFTER_MAX_MS) return undefined;
  return failure.retryAfterMs > 0 ? failure.retryAfterMs + pause / 4 : pause;
}

/** The error to give the caller. After an attempt whose outcome nobody knows, it says under which key to ask again. */
function conclude(error: RefundKitError, inDoubt: boolean, key: string | undefined): RefundKitError {
  if (!inDoubt || key === undefined || !(error.retryable || error.code === 'network_error')) return error;
  return error.with({ outcomeUnknown: true, idempotencyKey: key, hint: `It may have been done. Repeat it with the idempotency key ${key}: then it is done once.` });
}

/** Reads an answer. Only RefundKit's envelope counts as its answer: anything else is a `network_error`, whatever its status. */
export function understood(answer: Answer, host: string, operation: Pick<Operation, 'path'>): Got | Failure {
  const { status: statusCode, headers } = answer;
  const requestId = headers.get('request-id');
  const retryAfter = headers.get('retry-after');
  const retryAfterMs = retryAfter !== null && /^\s*\d+\s*$/.test(retryAfter) ? Number(retryAfter) * 1000 : 0;
  const envelope = parse(answer.body);
  const error = envelope?.error;
  if (error && typeof error['code'] === 'string' && typeof error['message'] === 'string') {
    return { error: serverError(error, statusCode, requestId), retryAfterMs, inDoubt: false };
  }
  const usable = error === null && envelope !== undefined && isWellFormed(envelope) && statusCode >= 200 && statusCode < 300;
  if (usable) {
    const success = { data: envelope.data, error: null, statusCode, requestId, replayed: headers.get('idempotent-replayed') === 'true' };
    return { success, page: envelope.page };
  }
  const message = `The answer from ${host} (status ${statusCode}) to ${operation.path} is not one of RefundKit's.`;
  const retryable = statusCode === 408 || statusCode === 429 || (statusCode >= 500 && statusCode <= 599);
  const hint = "Check that the base URL is RefundKit's, and what any proxy in between does.";
  return { error: new RefundKitError('network_error', message, { statusCode, requestId, retryable, hint }), retryAfterMs, inDoubt: true };
}

/** Whether there is an object, or a list with its page. */
function isWellFormed({ data, page }: Envelope): boolean {
  if (typeof data !== 'object' || data === null) return false;
  if (!Array.isArray(data)) return page === undefined;
  const cursor: unknown = page?.nextCursor;
  return typeof page?.hasMore === 'boolean' && (cursor === null || typeof cursor === 'string');
}

function parse(body: string): Envelope | undefined {
  try {
    const value: unknown = JSON.parse(body);
    const whole = typeof value === 'object' && value !== null && 'data' in value && 'error' in value;
    return whole ? (value as Envelope) : undefined;
  } catch {
    return undefined;
  }
}

/** The error of the envelope. A code that is newer than this SDK becomes what its status means. */
function serverError(error: Record<string, unknown>, statusCode: number, requestId: string | null): RefundKitError {
  const known = Object.values(ErrorCode).find((code) => code === error['code']);
  const text = (name: string): string | undefined => (typeof error[name] === 'string' ? (error[name] as string) : undefined);
  const details: ErrorDetails = { statusCode, requestId: text('requestId') ?? requestId, retryable: error['retryable'] === true, hint: text('hint') ?? null };
  const [field, refundId] = [text('field'), text('refundId')];
  if (field !== undefined) details.field = field;
  if (refundId !== undefined) details.refundId = refundId;
  if (typeof error['processor'] === 'object' && error['processor'] !== null) details.processor = error['processor'] as ProcessorErrorDetail;
  return new RefundKitError(known ?? codeFor(statusCode), error['message'] as string, details);
}

function codeFor(statusCode: number): ErrorCode {
  switch (statusCode) {
    case 401: return 'invalid_api_key';
    case 403: return 'unauthorized';
    case 404: return 'not_found';
    case 409: return 'conflict';
    case 429: return 'rate_limited';
    case 503: return 'service_unavailable';
    default: return statusCode >= 400 && statusCode < 500 ? 'validation_error' : 'internal_error';
  }
}

function unanswered(reply: NoAnswer, host: string): Failure {
  const { status: statusCode, requestId } = reply;
  const lost = (code: ErrorCode, message: string, details: ErrorDetails = {}): Failure => ({
    error: new RefundKitError(code, message, { statusCode, requestId, ...details }), retryAfterMs: 0, inDoubt: reply.reached,
  });
  if (reply.why === 'aborted') return { error: aborted(), retryAfterMs: 0, inDoubt: true };
  if (reply.why === 'timeout') return lost('timeout', `RefundKit at ${host} did not answer in time: its answer ${reply.message}.`, { retryable: true });
  if (reply.why === 'too_large') return lost('network_error', `The answer from ${host} ${reply.message}.`);
  if (reply.reached) return lost('network_error', `The connection to RefundKit at ${host} broke before its answer was read: ${reply.message}.`, { retryable: true });
  return lost('network_error', `RefundKit was not reached at ${host}: ${reply.message}.`, { retryable: true, hint: 'Check that the server is running and that the base URL is right.' });
}

function aborted(): RefundKitError {
  return new RefundKitError('network_error', 'The call was aborted by its caller.');
}

function failure(error: RefundKitError): ApiFailure {
  return { data: null, error, statusCode: error.statusCode, requestId: error.requestId, replayed: false };
}

function checkInput(operation: Operation, ids: Record<string, string>, params: object, key: string | undefined): RefundKitError | undefined {
  if (key !== undefined && (typeof key !== 'string' || !IDEMPOTENCY_KEY.test(key))) {
    return invalid('idempotencyKey', 'An idempotency key must be 1 to 255 visible ASCII characters.');
  }
  for (const [name, rules] of Object.entries(operation.ids)) {
    const error = check(rules, ids[name], name);
    if (error) return error;
  }
  return check({ type: 'object' }, params, 'params') ?? checkFields(operation.input, params as Record<string, unknown>);
}

function checkLimits({ timeout, maxRetries }: { timeout: number; maxRetries: number }): RefundKitError | undefined {
  if (!(typeof timeout === 'number' && timeout >= 1 && timeout <= TIMEOUT_MAX_MS)) {
    return invalid('timeout', '`timeout` must be a number of milliseconds, 1 or more.');
  }
  if (!(Number.isInteger(maxRetries) && maxRetries >= 0 && maxRetries <= RETRIES_MAX)) {
    return invalid('maxRetries', `\`maxRetries\` must be an integer from 0 to ${RETRIES_MAX}.`);
  }
  return undefined;
}

/** A key that no other call has: 128 random bits. */
export function newIdempotencyKey(): string {
  return [...webCrypto().getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
