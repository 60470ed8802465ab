// The one error of the SDK. The codes are the server's, with `network_error` and `timeout` for what no server answered.
import type { ErrorCode, ProcessorErrorDetail } from './generated.js';

/** What an error may say beside its code and its words. */
export interface ErrorDetails {
  statusCode?: number | null;
  requestId?: string | null;
  retryable?: boolean;
  hint?: string | null;
  field?: string;
  refundId?: string;
  processor?: ProcessorErrorDetail;
  outcomeUnknown?: boolean;
  idempotencyKey?: string;
  cause?: unknown;
}

/** Why a call did not succeed. Match on `code`; show `message` and `hint` to people. */
export class RefundKitError extends Error {
  /** What went wrong, to match on. */
  readonly code: ErrorCode;
  /** The HTTP status of RefundKit's answer; null when there was none, or nothing was sent. */
  readonly statusCode: number | null;
  /** The id of the request, to quote when asking about it. */
  readonly requestId: string | null;
  /** Whether the same request may succeed later. */
  readonly retryable: boolean;
  /** What to do next, in one sentence. */
  readonly hint: string | null;
  /** The offending input. */
  declare readonly field?: string;
  /** The refund concerned. */
  declare readonly refundId?: string;
  /** What the processor said, in its own words. */
  declare readonly processor?: ProcessorErrorDetail;
  /** Whether it may have been done all the same: there was no answer. Repeat it with `idempotencyKey` only. */
  readonly outcomeUnknown: boolean;
  /** The key under which it was asked for, where that matters now. */
  declare readonly idempotencyKey?: string;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'RefundKitError';
    this.code = code;
    this.statusCode = details.statusCode ?? null;
    this.requestId = details.requestId ?? null;
    this.retryable = details.retryable ?? false;
    this.hint = details.hint ?? null;
    this.outcomeUnknown = details.outcomeUnknown ?? false;
    if (details.field !== undefined) this.field = details.field;
    if (details.refundId !== undefined) this.refundId = details.refundId;
    if (details.processor !== undefined) this.processor = details.processor;
    if (details.idempotencyKey !== undefined) this.idempotencyKey = details.idempotencyKey;
  }

  /** The same error with some of its facts changed. */
  with(details: ErrorDetails): RefundKitError {
    return new RefundKitError(this.code, this.message, { ...this.details(), ...details });
  }

  /** What a log may keep of it: everything but the stack. */
  toJSON(): { code: ErrorCode; message: string } & ErrorDetails {
    const { cause: _, ...details } = this.details();
    return { code: this.code, message: this.message, ...details };
  }

  private details(): ErrorDetails {
    const { statusCode, requestId, retryable, hint, field, refundId, processor, outcomeUnknown, idempotencyKey, cause } = this;
    const details: ErrorDetails = { statusCode, requestId, retryable, hint, outcomeUnknown };
    if (field !== undefined) details.field = field;
    if (refundId !== undefined) details.refundId = refundId;
    if (processor !== undefined) details.processor = processor;
    if (idempotencyKey !== undefined) details.idempotencyKey = idempotencyKey;
    if (cause !== undefined) details.cause = cause;
    return details;
  }
}

/** A `validation_error` of ours: nothing was sent. */
export function invalid(field: string, message: string, hint?: string): RefundKitError {
  return new RefundKitError('validation_error', message, { field, hint: hint ?? null });
}
