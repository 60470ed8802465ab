// Notifications of RefundKit's: whether they are its own, and what they say. Web Crypto makes the signatures.
//
// Two signatures come with each: the one of Standard Webhooks (https://www.standardwebhooks.com), checked where it is there, and
// `RefundKit-Signature`, of the form Stripe's users know.
import { webCrypto } from '#crypto';
import { invalid } from './error.js';
import type { Environment, Refund } from './generated.js';

/** What a notification is about. `refund.updated` is any change without a name of its own. */
export type WebhookEventType = 'refund.created' | 'refund.updated' | 'refund.processing' | 'refund.completed' | 'refund.failed' | 'refund.cancelled';

/** A notification: what happened, and the refund as it was then. It may come more than once; `id` stays the same. */
export interface WebhookEvent {
  /** The event's id (`evt_…`), the same in every delivery of it. */
  id: string;
  type: WebhookEventType;
  /** The version of the payload's form. */
  apiVersion: string;
  createdAt: string;
  environment: Environment;
  organizationId: string;
  /** The refund as it was then. Read it again before you act on it: deliveries may overtake each other. */
  data: Refund;
}

/** The headers of a request: `Headers`, or an object as Node's servers have it. */
export type WebhookHeaders = { get(name: string): string | null } | Record<string, string | string[] | undefined>;

/** What may be said beside the secret. */
export interface VerifyOptions {
  /** How far the signature's time may be from now, in seconds: 300 unless said. */
  tolerance?: number;
}

/** How far a signature's time may be from now, in seconds, unless said otherwise. */
const TOLERANCE_SECONDS = 300;
/** The largest payload that is read, in bytes. */
const PAYLOAD_BYTES_MAX = 1024 * 1024;
/** The longest header that is read, in characters. */
const HEADER_CHARACTERS_MAX = 4096;

/**
 * Checks that a notification is RefundKit's and reads it.
 *
 * `payload` is the body as it arrived, byte for byte: parsed and written again it is another text. `secret` is the endpoint's
 * (`whsec_…`), or all that are valid while one is being replaced. Throws a `RefundKitError` (`validation_error`) for anything
 * that is not to be believed.
 */
export async function verify(payload: string | Uint8Array | ArrayBuffer, headers: WebhookHeaders, secret: string | readonly string[], options: VerifyOptions = {}): Promise<WebhookEvent> {
  const body = typeof payload === 'string' ? new TextEncoder().encode(payload) : payload instanceof ArrayBuffer ? new Uint8Array(payload) : payload;
  if (!(body instanceof Uint8Array)) {
    throw invalid('payload', 'The payload must be the body as it arrived: a string or bytes.', 'Take the raw body, before a framework parses it.');
  }
  if (body.byteLength > PAYLOAD_BYTES_MAX) throw invalid('payload', `The payload is larger than ${PAYLOAD_BYTES_MAX} bytes.`);
  const secrets = typeof secret === 'string' ? [secret] : secret;
  if (!Array.isArray(secrets) || secrets.length === 0 || secrets.some((one) => typeof one !== 'string' || !/^whsec_./.test(one))) {
    throw invalid('secret', 'The webhook secret must begin with whsec_.', 'It is shown when the webhook endpoint is made, and when its secret is rotated.');
  }
  const signed = readStandard(headers) ?? readOwn(headers);
  if (!signed) {
    throw invalid('headers', 'The request carries no signature of RefundKit.', 'Pass all headers of the request; proxies must keep webhook-id, webhook-timestamp and webhook-signature.');
  }
  if (!(await isByOneOf(signed, secrets, body))) {
    throw invalid(signed.header, 'No signature matches: the notification is not of this endpoint, or its body was changed on the way.', 'Verify the raw body, with the secret of the endpoint that it came to.');
  }
  if (Math.abs(Date.now() / 1000 - signed.seconds) > (options.tolerance ?? TOLERANCE_SECONDS)) {
    throw invalid(signed.header, 'The signature is too old or from the future: a replay, or a clock that is wrong.');
  }
  return parse(body);
}

/** Notifications, for receivers that need no client: `webhooks.verify(payload, headers, secret)`. */
export const webhooks: { verify: typeof verify } = { verify };

/** A signature as a header says it. */
interface Signed {
  header: string;
  seconds: number;
  /** What is signed before the body. */
  before: string;
  signatures: Uint8Array[];
  /** The key that a secret stands for. */
  keyOf: (secret: string) => Uint8Array | undefined;
}

function readStandard(headers: WebhookHeaders): Signed | undefined {
  const [id, stamp, signature] = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((name) => header(headers, name));
  if (!id || !stamp || !signature || !/^\d{1,12}$/.test(stamp)) return undefined;
  const signatures = signature.split(' ').filter((one) => one.startsWith('v1,')).map((one) => fromBase64(one.slice(3))).filter((one) => one !== undefined);
  return { header: 'webhook-signature', seconds: Number(stamp), before: `${id}.${stamp}.`, signatures, keyOf: (secret) => fromBase64(secret.slice('whsec_'.length)) };
}

function readOwn(headers: WebhookHeaders): Signed | undefined {
  const pairs = (header(headers, 'refundkit-signature') ?? '').split(',').map((pair) => pair.trim().split('=') as [string, string | undefined]);
  const stamp = pairs.find(([name]) => name === 't')?.[1];
  if (!stamp || !/^\d{1,12}$/.test(stamp)) return undefined;
  const signatures = pairs.filter(([name]) => name === 'v1').map(([, value]) => fromHex(value ?? '')).filter((one) => one !== undefined);
  return { header: 'refundkit-signature', seconds: Number(stamp), before: `${stamp}.`, signatures, keyOf: (secret) => new TextEncoder().encode(secret) };
}

function header(headers: WebhookHeaders, name: string): string | undefined {
  const value = typeof headers.get === 'function' ? (headers as { get(name: string): string | null }).get(name) : findHeader(headers as Record<string, string | string[] | undefined>, name);
  const text = Array.isArray(value) ? value.join(name === 'webhook-signature' ? ' ' : ',') : value;
  return typeof text === 'string' && text.length <= HEADER_CHARACTERS_MAX ? text : undefined;
}

function findHeader(headers: Record<string, string | string[] | undefined>, name: string): string | string[] | undefined {
  return headers[name] ?? Object.entries(headers).find(([given]) => given.toLowerCase() === name)?.[1];
}

/** Whether one of the signatures is of one of the secrets; Web Crypto compares in constant time. */
async function isByOneOf(signed: Signed, secrets: readonly string[], body: Uint8Array): Promise<boolean> {
  const { subtle } = webCrypto();
  const before = new TextEncoder().encode(signed.before);
  const message = new Uint8Array(before.length + body.length);
  message.set(before);
  message.set(body, before.length);
  for (const secret of secrets) {
    const bytes = signed.keyOf(secret);
    if (!bytes?.length) continue;
    const key = await subtle.importKey('raw', bytes as BufferSource, { name: 'HMAC', hash: 'SHA-256' }, false, ['verify']);
    for (const signature of signed.signatures) {
      if (await subtle.verify('HMAC', key, signature as BufferSource, message)) return true;
    }
  }
  return false;
}

function parse(body: Uint8Array): WebhookEvent {
  try {
    const event = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body)) as Partial<WebhookEvent> | null;
    if (typeof event?.id === 'string' && typeof event.type === 'string' && typeof event.data === 'object' && event.data !== null) return event as WebhookEvent;
  } catch {
    // Told below, as anything else that is no event.
  }
  throw invalid('payload', 'The notification is signed but could not be read as an event.', 'The server may be newer than this SDK: update the SDK.');
}

function fromBase64(text: string): Uint8Array | undefined {
  try {
    return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  } catch {
    return undefined;
  }
}

function fromHex(text: string): Uint8Array | undefined {
  if (!/^(?:[0-9a-fA-F]{2})+$/.test(text)) return undefined;
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}
