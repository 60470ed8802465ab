// What a payment processor does, for the one built in and for your own. Each method throws a RefundKitError when it cannot.
import type { RefundReason, RefundStatus } from './generated.js';

/** A payment processor used without a server. */
export interface PaymentProcessor {
  /** Its name, such as `stripe`. */
  readonly name: string;
  /** Reads a payment. A payment that the processor does not know is an error. */
  validateTransaction(transactionId: string): Promise<ValidatedTransaction>;
  /** Refunds a payment, once under its idempotency key however often it must be sent. */
  processRefund(request: ProcessRefundRequest): Promise<ProcessedRefund>;
  /** Reads where a refund stands. */
  getRefundStatus(externalRefundId: string): Promise<RefundStatusReport>;
  /** Takes a refund back, where the processor still allows it. */
  cancelRefund(externalRefundId: string): Promise<CancelledRefund>;
}

/** What a processor knows of a payment. */
export interface ValidatedTransaction {
  /** The id as given. */
  transactionId: string;
  /** What was captured, in the currency's smallest unit (cents). */
  amount: number;
  /** The currency, in lower case. */
  currency: string;
  /** The processor's name. */
  processor: string;
  /** Whether it is paid and not fully refunded. */
  valid: boolean;
}

/** A refund to make. */
export interface ProcessRefundRequest {
  /** The payment. For Stripe a charge (`ch_…`, `py_…`) or a PaymentIntent (`pi_…`). */
  transactionId: string;
  /** How much, in the currency's smallest unit (cents). */
  amount: number;
  /** The payment's currency, in either case. */
  currency: string;
  /** Why. */
  reason: RefundReason;
  /** Pairs to store with the refund at the processor. */
  metadata?: Record<string, string | number | boolean>;
  /** The key under which the processor makes it once; one of its own where none is given. */
  idempotencyKey?: string;
}

/** A refund that was made. */
export interface ProcessedRefund {
  /** The processor's id of it (`re_…`). */
  externalRefundId: string;
  status: RefundStatus;
  /** When the processor made it. */
  processedAt: string;
}

/** Where a refund stands. */
export interface RefundStatusReport {
  externalRefundId: string;
  status: RefundStatus;
  /** When that was read. */
  updatedAt: string;
}

/** Whether a refund was taken back. */
export interface CancelledRefund {
  cancelled: boolean;
  /** When; null where it was not. */
  cancelledAt: string | null;
}
