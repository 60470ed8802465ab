// One HTTP exchange over `fetch`: an answer read whole, or why there is none. What it means is told elsewhere.
import { deadline } from './time.js';

/** An answer, read whole. */
export interface Answer {
  kind: 'answered';
  status: number;
  headers: Headers;
  body: string;
}

/** Why there is no whole answer. `reached` is whether anything may have arrived: only `false` is certain. */
export interface NoAnswer {
  kind: 'unanswered';
  reached: boolean;
  why: 'timeout' | 'aborted' | 'broken' | 'too_large';
  message: string;
  status: number | null;
  requestId: string | null;
}

/** What to send, and how long to wait. */
export interface Sending {
  url: string;
  method: string;
  headers: Record<string, string>;
  body?: string | undefined;
  timeout: number;
  signal?: AbortSignal | undefined;
  bytesMax: number;
}

/** What a connection fails with when nothing was sent: no address, nobody listening, no TLS. Names of Node and Bun. */
const NEVER_REACHED =
  /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL|UND_ERR_CONNECT_TIMEOUT|ConnectionRefused|CERT_\w+|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_\w+|ERR_TLS_CERT_ALTNAME_INVALID)$/;

/** Deno gives no code, but says at which stage it failed. */
const NEVER_REACHED_BY_DENO = 'client error (Connect)';

/** Sends once. Redirects are not followed: the key would go along. */
export async function exchange(sending: Sending): Promise<Answer | NoAnswer> {
  const { url, method, headers, body, timeout, bytesMax } = sending;
  const limit = deadline(timeout, sending.signal);
  let response: Response | undefined;
  try {
    response = await fetch(url, { method, headers, redirect: 'manual', signal: limit.signal, ...(body === undefined ? {} : { body }) });
    const text = await read(response, bytesMax);
    if (text === undefined) {
      return lost('too_large', true, `is larger than ${bytesMax} bytes and was not read`, response);
    }
    return { kind: 'answered', status: response.status, headers: response.headers, body: text };
  } catch (error) {
    if (limit.timedOut()) return lost('timeout', true, `did not come within ${timeout} ms`, response);
    if (sending.signal?.aborted) return lost('aborted', true, 'was not waited for', response);
    const { code, words } = rootCause(error);
    const never = NEVER_REACHED.test(code) || words.includes(NEVER_REACHED_BY_DENO);
    return lost('broken', response !== undefined || !never, words, response);
  } finally {
    limit.done();
  }
}

function lost(why: NoAnswer['why'], reached: boolean, message: string, response: Response | undefined): NoAnswer {
  return { kind: 'unanswered', why, reached, message, status: response?.status ?? null, requestId: response?.headers.get('request-id') ?? null };
}

/** The body as text; undefined when it is too large, and then the rest is not read. */
async function read(response: Response, bytesMax: number): Promise<string | undefined> {
  const length = response.headers.get('content-length');
  if (length !== null && !response.headers.has('content-encoding') && Number(length) <= bytesMax) return response.text();
  if (!response.body) return response.text();
  const decoder = new TextDecoder();
  const reader = response.body.getReader();
  let [text, bytes] = ['', 0];
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    bytes += value.byteLength;
    if (bytes > bytesMax) {
      await reader.cancel();
      return undefined;
    }
    text += decoder.decode(value, { stream: true });
  }
}

/** The innermost error: the outer ones only say that a fetch failed. */
function rootCause(error: unknown): { code: string; words: string } {
  let cause = error as { code?: unknown; message?: unknown; cause?: unknown; errors?: unknown[] } | undefined;
  for (let depth = 0; depth < 8 && cause; depth += 1) {
    const inner = cause.cause ?? (Array.isArray(cause.errors) ? cause.errors[0] : undefined);
    if (!inner) break;
    cause = inner as typeof cause;
  }
  const code = typeof cause?.code === 'string' ? cause.code : '';
  return { code, words: String(cause?.message ?? code).trim() || code || 'no reason given' };
}
