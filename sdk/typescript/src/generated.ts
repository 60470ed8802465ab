// Written by scripts/generate.mjs from docs/openapi.json: do not edit, run it.
//
// The types of the API, what may be sent, and a method for each operation. How a call is made lives in transport.ts.
import type { ApiResponse, ListResponse, RequestOptions, Transport } from './transport.js';

/** Environment: the environment it lives in. */
export type Environment =
  /** Test money. */
  | "test"
  /** Real money. */
  | "live";

/** What went wrong, to match on. */
export const ErrorCode = {
  /** 401: the API key is missing, malformed, unknown or revoked. */
  InvalidApiKey: "invalid_api_key",
  /** 403: the key's scope does not allow this operation. */
  Unauthorized: "unauthorized",
  /** 404: no such resource in this organization and environment. */
  NotFound: "not_found",
  /** 400: the request itself is wrong; `field` says where. */
  ValidationError: "validation_error",
  /** 405: the path exists, the method does not. */
  MethodNotAllowed: "method_not_allowed",
  /** 413: the body is larger than the server reads. */
  RequestTooLarge: "request_too_large",
  /** 415: the body is not JSON. */
  UnsupportedMediaType: "unsupported_media_type",
  /** 400: a credential or a charge contradicts the caller's environment. */
  EnvironmentMismatch: "environment_mismatch",
  /** 422: no active connection for that processor in this environment. */
  ProcessorNotConnected: "processor_not_connected",
  /** 422 when the processor refused or would refuse; 502 when it could not be read. */
  ProcessorError: "processor_error",
  /** 409: the same refund was made already; `refundId` names it. */
  RefundAlreadyProcessed: "refund_already_processed",
  /** 409: too late, or the processor will not take it back. */
  RefundNotCancellable: "refund_not_cancellable",
  /** 409: something else that another state forbids. */
  Conflict: "conflict",
  /** 422: the idempotency key was used with another request. */
  IdempotencyKeyReused: "idempotency_key_reused",
  /** 409: the first request with this idempotency key is still running. */
  IdempotencyKeyInUse: "idempotency_key_in_use",
  /** 429: too many requests; `Retry-After` says when. */
  RateLimited: "rate_limited",
  /** 503: overloaded, draining, or without its database; try again. */
  ServiceUnavailable: "service_unavailable",
  /** 500: a defect. */
  InternalError: "internal_error",
  /** Client only: the server was not reached, or its answer was cut. */
  NetworkError: "network_error",
  /** Client only: no answer in time. */
  Timeout: "timeout",
} as const;

/** What went wrong, to match on. */
export type ErrorCode = (typeof ErrorCode)[keyof typeof ErrorCode];

/** InitiatedBy: through which door it came. */
export type InitiatedBy =
  /** The HTTP API or an SDK. */
  | "api"
  /** An agent, through MCP. */
  | "mcp"
  /** A person in the dashboard. */
  | "dashboard"
  /** A person at the command line. */
  | "cli";

/** ProcessorName: who pays it out. */
export type ProcessorName =
  /** Stripe. */
  | "stripe";

/** RefundReason: why. */
export type RefundReason =
  /** It never came. */
  | "product_not_received"
  /** It came broken. */
  | "product_defective"
  /** Something else came. */
  | "wrong_product"
  /** Charged twice for one thing. */
  | "duplicate_charge"
  /** The subscription was cancelled. */
  | "subscription_cancelled"
  /** None of the others. */
  | "other"
  /** The customer asked, without a reason of their own. */
  | "customer_request"
  /** An agent made a mistake. */
  | "agent_error"
  /** The price fell after the purchase. */
  | "price_change"
  /** It does not fit. */
  | "sizing_issue"
  /** It is not what was described. */
  | "item_not_as_described"
  /** The order was cancelled. */
  | "order_cancelled"
  /** Returned just before the window closed. */
  | "return_window_closing";

/** RefundStage: where it stands, finely. */
export type RefundStage =
  /** `pending`: not sent to the processor. */
  | "queued"
  /** `pending`: being sent right now. */
  | "submitting"
  /** `pending`: sent, no answer. It may have happened: do not retry, do not promise. */
  | "outcome_unknown"
  /** `pending`: the customer must do something first; the processor asks them. */
  | "requires_action"
  /** `processing`, or `pending` in a status of the processor's that is not known here. */
  | "awaiting_processor"
  /** `completed`, `failed` or `cancelled`. */
  | "settled";

/** RefundStatus: where it stands, coarsely. */
export type RefundStatus =
  /** Asked for; the processor has not accepted it for execution yet, or needs something from the customer. */
  | "pending"
  /** The processor has accepted it and is executing it. */
  | "processing"
  /** The processor executed it and expects it to arrive. Up to 30 days later it can still become `failed`. */
  | "completed"
  /** It will not reach the customer; the money is with the merchant. */
  | "failed"
  /** Taken back before it was executed. */
  | "cancelled";

/** RefundEventType: what happened. */
export type RefundEventType =
  /** It was asked for and written down; where an attempt began with it, `attempt` is 1. */
  | "refund.created"
  /** Another attempt to submit it began. */
  | "refund.submitting"
  /** An attempt certainly did not execute it; it will be sent again. */
  | "refund.postponed"
  /** An attempt had no readable answer: whether it happened is not known. */
  | "refund.outcome_unknown"
  /** The processor needs something from the customer first. */
  | "refund.requires_action"
  /** The processor is executing it. */
  | "refund.processing"
  /** The processor executed it. */
  | "refund.completed"
  /** It will not reach the customer. */
  | "refund.failed"
  /** Somebody asked to take it back. */
  | "refund.cancel_requested"
  /** The processor would not take it back. */
  | "refund.cancel_refused"
  /** It was taken back. */
  | "refund.cancelled"
  /** Something else about it changed. */
  | "refund.updated"
  /** The processor said something that cannot follow what it said before; a person should look. */
  | "refund.contradicted";

/** Scope: what it may do. */
export type Scope =
  /** Read refunds, transactions, policies and events. */
  | "read"
  /** Create and cancel refunds. */
  | "write"
  /** Everything else: keys, processors, logs. */
  | "admin";

/** ConnectionStatus: whether it can be used. */
export type ConnectionStatus =
  /** It makes and follows refunds. */
  | "active"
  /** The processor refuses its credential. */
  | "invalid"
  /** Taken away by a person: it makes no new refunds but follows the open ones to their end. */
  | "disconnected";

/** Where the next page begins. */
export interface PageInfo {
  /** Whether there is more. */
  hasMore: boolean;
  /** What to send as `cursor`, with the same filters, for the next page. */
  nextCursor: string | null;
}

/** What a processor said, in its own words. */
export interface ProcessorErrorDetail {
  /** Its error code; it does not always give one. */
  code: string | null;
  /** Its message. */
  message: string;
  /** The processor's name. */
  name: string;
  /** Its id of the request. */
  requestId: string | null;
  /** Its HTTP status; null when RefundKit refused from what it had read. */
  statusCode: number | null;
}

/** Who did something. */
export interface Actor {
  /** What the caller said of itself (`RefundKit-Client`): self-reported. */
  client: string | null;
  /** The caller's key, when a caller with a key did it. */
  keyId: string | null;
  /** The caller's door, when a caller did it. */
  through: InitiatedBy | null;
  /** Caller, worker or processor. */
  type: "caller" | "system";
  /** The person's e-mail address at that time. */
  userEmail: string | null;
  /** The person, when somebody did it in the dashboard. */
  userId: string | null;
}

/** An API key, without the key. */
export interface ApiKey {
  /** When it was made. */
  createdAt: string;
  /** Where it works. */
  environment: Environment;
  /** The key's id. */
  id: string;
  /** When it was last used, to the minute; null if never. */
  lastUsedAt: string | null;
  /** What its owner calls it. */
  name: string;
  /** Its first 16 characters, to recognise it by. */
  prefix: string;
  /** What it may do. */
  scope: Scope;
}

/** A key just made. The only answer that ever carries the key. */
export interface CreatedApiKey {
  /** When it was made. */
  createdAt: string;
  /** Where it works. */
  environment: Environment;
  /** The key's id. */
  id: string;
  /** The key, this once. Null when the request is a repeat: keys are not stored; revoke this one and make another. */
  key: string | null;
  /** What its owner calls it. */
  name: string;
  /** Its first 16 characters, to recognise it by. */
  prefix: string;
  /** What it may do. */
  scope: Scope;
}

/** Why a refund failed, in the processor's words where it spoke. */
export interface Failure {
  /**
   * A code to match on: the processor's (`charge_already_refunded`, `expired_or_canceled_card`), or RefundKit's own
   * (`refused` when the processor gave none, `canceled`, `not_executed`).
   */
  code: string;
  /** What happened, in words. */
  message: string;
}

/** Who a key is. */
export interface Identity {
  /** The environment. */
  environment: Environment;
  /** The key's id. */
  keyId: string;
  /** The organization. */
  organizationId: string;
  /** The key's first 16 characters. */
  prefix: string;
  /** What the key may do. */
  scope: Scope;
}

/** One call. Written behind the answer, so the last second may be lost in a crash; a refund's audit trail may not. */
export interface LogEntry {
  /** What the client said of itself. */
  client: string | null;
  /** When it was answered. */
  createdAt: string;
  /** How long it took, in milliseconds. */
  durationMs: number;
  /** The error's code, when it failed. */
  errorCode: string | null;
  /** The error's message, when it failed. */
  errorMessage: string | null;
  /** The request's id, as in its `Request-Id` header. */
  id: string;
  /** The caller's idempotency key. */
  idempotencyKey: string | null;
  /** The input as JSON text, secrets redacted, cut at 4096 characters. */
  input: string | null;
  /** The key that called; null when a person did, in the dashboard. */
  keyId: string | null;
  /** The HTTP method. */
  method: string;
  /** The operation's name. */
  operation: string;
  /** The path with its values, without the query. */
  path: string;
  /** The refund that it was about: made, read or cancelled, or why another one was refused; null where it was about none. */
  refundId: string | null;
  /** The HTTP status answered. */
  status: number;
  /** The door it came through. */
  through: InitiatedBy;
  /** The person's e-mail address at that time. */
  userEmail: string | null;
  /** The person who called, in the dashboard. */
  userId: string | null;
}

/** Whether a payment could be refunded now. It reserves and promises nothing. */
export interface PolicyDecision {
  /** What else to know, in words. */
  conditions: Array<string>;
  /** The currency. */
  currency: string;
  /** Until when; null when no deadline is configured. */
  deadline: string | null;
  /** Whether the amount asked about (or anything at all) could be refunded now. */
  eligible: boolean;
  /** What could be refunded now, in the processor's smallest unit; 0 when nothing can. */
  maxAmount: number;
  /** Why or why not, in words. */
  reason: string;
}

/** An organization's account at a processor, in one environment. The credential itself is never shown. */
export interface ProcessorConnection {
  /** The account's id at the processor, where the key may read it. */
  account: string | null;
  /** What the account is called at the processor, where the key may read it. */
  accountName: string | null;
  /** Stripe Connect settings, when there are any. */
  connect: StripeConnect | null;
  /** When it was made. */
  createdAt: string;
  /** The environment. */
  environment: Environment;
  /** The connection's id. */
  id: string;
  /**
   * Permissions that refunds need and the key was found to lack when it was last tried, as the processor calls them
   * (`rak_charge_write`). What no harmless call can try is not here.
   */
  missingPermissions: Array<string>;
  /** The processor. */
  processor: ProcessorName;
  /** Enough of the key to recognise it: `sk_test_…4242`. */
  secretKeyHint: string;
  /** Whether it can be used. */
  status: ConnectionStatus;
  /** When it last changed. */
  updatedAt: string;
  /** Enough of the webhook secret to recognise it: `whsec_…4242`; null while none is saved, and notifications are refused. */
  webhookSecretHint: string | null;
  /** Where the processor is to send its notifications. */
  webhookUrl: string;
}

/** A refund: money on its way back to a customer. */
export interface Refund {
  /** How much, in the processor's smallest unit. */
  amount: number;
  /** Reserved; null. */
  approvalId: string | null;
  /** When it was asked for. */
  createdAt: string;
  /** In which currency. */
  currency: string;
  /** Reserved; null. */
  disputeRiskScore: number | null;
  /** The environment it lives in. */
  environment: Environment;
  /** The processor's own id of the refund (`re_…`), once the processor has accepted it. */
  externalRefundId: string | null;
  /** The charge that it resolved to at the processor. */
  externalTransactionId: string;
  /** Why it failed, when it did. */
  failure: Failure | null;
  /** The refund's id in RefundKit. */
  id: string;
  /** Through which door it came. */
  initiatedBy: InitiatedBy;
  /** The caller's own pairs. */
  metadata: Record<string, string | number | boolean> | null;
  /** The organization it belongs to. */
  organizationId: string;
  /** Who pays it out. */
  processor: ProcessorName;
  /** Why. */
  reason: RefundReason;
  /** Reserved; null. */
  returnId: string | null;
  /** When it reached `completed`, `failed` or `cancelled`. */
  settledAt: string | null;
  /** Reserved; null. */
  splitFromId: string | null;
  /** Where it stands, finely. */
  stage: RefundStage;
  /** Where it stands, coarsely. */
  status: RefundStatus;
  /** Reserved; null. */
  storeCreditId: string | null;
  /** The payment, as the caller named it (a charge or a PaymentIntent). */
  transactionId: string;
  /** When anything last changed. */
  updatedAt: string;
}

/** One entry of a refund's audit trail. */
export interface RefundEvent {
  /** By whom and through what. */
  actor: Actor;
  /** The number of the submission attempt that this belongs to. */
  attempt: number | null;
  /** When. */
  createdAt: string;
  /** The status before; null for the first entry. */
  fromStatus: RefundStatus | null;
  /** The entry's id; ids sort by time. */
  id: string;
  /** More in words: the processor's message, or what was decided and why. */
  message: string | null;
  /** The processor's id of the request that brought it about. */
  processorRequestId: string | null;
  /** The refund. */
  refundId: string;
  /** The stage after. */
  stage: RefundStage;
  /** The status after. */
  toStatus: RefundStatus;
  /** What happened. */
  type: RefundEventType;
}

/** How refunds are made on Stripe Connect. */
export interface StripeConnect {
  /**
   * The connected account that calls are made for (`acct_…`), sent as `Stripe-Account`. When it is set, an empty text takes it
   * away.
   */
  account?: string | null;
  /** Whether the application fee is given back in proportion. */
  refundApplicationFee?: boolean | null;
  /** Whether the transfer to the connected account is taken back in proportion. A charge with a transfer is refused until this says. */
  reverseTransfer?: boolean | null;
}

/** A payment as the processor has it at this moment, with what has been refunded of it and what is left. */
export interface Transaction {
  /** What was captured, in the processor's smallest unit; 0 while nothing is. */
  amount: number;
  /** When the payment was made. */
  createdAt: string;
  /** The currency. */
  currency: string;
  /** Whether the customer has disputed it. That alone does not forbid a refund; the processor decides. */
  disputed: boolean;
  /** The environment it lives in. */
  environment: Environment;
  /** The charge it resolved to. */
  externalTransactionId: string;
  /** Why not, in words, when it is not valid. */
  invalidReason: string | null;
  /** Whose payment it is. */
  processor: ProcessorName;
  /** What could be refunded now: captured less refunded, never below 0. */
  refundableAmount: number;
  /** What is refunded or on its way, made here or elsewhere. */
  refundedAmount: number;
  /** Its refunds, newest first, whoever made them. */
  refunds: Array<TransactionRefund>;
  /** The id as the caller gave it. */
  transactionId: string;
  /** Whether it is paid and not fully refunded. */
  valid: boolean;
}

/** One refund of a payment, as the processor lists it. */
export interface TransactionRefund {
  /** How much, in the processor's smallest unit. */
  amount: number;
  /** When it was made. */
  createdAt: string;
  /** The processor's id, null while the processor does not list it. */
  externalRefundId: string | null;
  /** RefundKit's id, when RefundKit made it. */
  refundId: string | null;
  /** Its status in RefundKit's words. */
  status: RefundStatus;
}

/** What `check_policy` takes. */
export interface CheckPolicyParams {
  /** How much, in the currency's smallest unit. Omitted: anything at all. */
  amount?: number;
  /** The payment: a Stripe charge (`ch_…`, `py_…`) or PaymentIntent (`pi_…`). */
  transactionId: string;
}

/** What `connect_stripe` takes. */
export interface ConnectStripeParams {
  /** How refunds are made on Stripe Connect; what is omitted in it is kept too. */
  connect?: { account?: string; refundApplicationFee?: boolean; reverseTransfer?: boolean };
  /** Replace the key although it cannot read the refunds that are open. */
  force?: boolean;
  /** Stripe's secret or restricted key: `sk_test_…`, `sk_live_…`, `rk_test_…` or `rk_live_…`. Needed the first time. */
  secretKey?: string;
  /**
   * The signing secret of the webhook endpoint at Stripe that sends to `webhookUrl`: `whsec_…`. Each one
   * that is replaced stays valid for 24 hours.
   */
  webhookSecret?: string;
}

/** What `create_api_key` takes. */
export interface CreateApiKeyParams {
  /** What you call it, 1 to 100 characters. */
  name: string;
  /** What it may do. */
  scope: Scope;
}

/** What `create_refund` takes. */
export interface CreateRefundParams {
  /** Refund although a refund of the same payment and amount exists already. */
  allowDuplicate?: boolean;
  /** How much, in the currency's smallest unit (2500 is $25.00). Omitted: all that is left. */
  amount?: number;
  /** The payment's currency, as a check. Omitted: whatever the payment's is. */
  currency?: string;
  /** Your own key-value pairs, kept with the refund and sent to the processor. */
  metadata?: Record<string, string | number | boolean>;
  /** The processor. Omitted: told from the payment's id. */
  processor?: ProcessorName;
  /** Why the customer is refunded. */
  reason: RefundReason;
  /** The payment: a Stripe charge (`ch_…`, `py_…`) or PaymentIntent (`pi_…`). */
  transactionId: string;
}

/** What `disconnect_stripe` takes. */
export interface DisconnectStripeParams {
  /** Disconnect although refunds are open. */
  force?: boolean;
}

/** What `get_transaction` takes. */
export interface GetTransactionParams {
  /** The processor. Omitted: told from the payment's id. */
  processor?: ProcessorName;
}

/** What `list_logs` takes. */
export interface ListLogsParams {
  /** The `nextCursor` of the page before. */
  cursor?: string;
  /** How many to a page, 1 to 100. Default 25. */
  limit?: number;
}

/** What `list_refund_events` takes. */
export interface ListRefundEventsParams {
  /** The `nextCursor` of the page before. */
  cursor?: string;
  /** How many to a page, 1 to 100. Default 25. */
  limit?: number;
}

/** What `list_refunds` takes. */
export interface ListRefundsParams {
  /** Only refunds of at most this amount. */
  amountMax?: number;
  /** Only refunds of at least this amount. */
  amountMin?: number;
  /** Only refunds created at or after this time. */
  createdAfter?: string;
  /** Only refunds created before this time. */
  createdBefore?: string;
  /** The `nextCursor` of the page before, with the same filters. Not together with `offset`. */
  cursor?: string;
  /** Only the refund with this id at the processor. */
  externalRefundId?: string;
  /** Only refunds that came through this door. */
  initiatedBy?: InitiatedBy;
  /** How many to a page, 1 to 100. Default 25. */
  limit?: number;
  /** How many to pass over, at most 10000. A cursor is better: it stays right while refunds arrive. */
  offset?: number;
  /** Only refunds through this processor. */
  processor?: ProcessorName;
  /** Only refunds for this reason. */
  reason?: RefundReason;
  /** Only refunds of this status. */
  status?: RefundStatus;
  /** Only refunds of this payment; either id of it finds them. */
  transactionId?: string;
}

/** What may be sent of a value, as far as it can be told without a server. */
export interface Rules {
  type?: string;
  words?: readonly string[];
  any?: readonly Rules[];
  pattern?: string;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  maxProperties?: number;
  keys?: string;
  fields?: Record<string, Rules>;
  required?: readonly string[];
  values?: Rules;
}

/** An operation: where it is, and what it takes. */
export interface Operation {
  method: string;
  path: string;
  /** Whether an idempotency key makes it repeatable. */
  keyed: boolean;
  ids: Record<string, Rules>;
  input: Rules;
}

/** The ids of the operations. */
export type OperationId = "cancel_refund" | "check_policy" | "connect_stripe" | "create_api_key" | "create_refund" | "disconnect_stripe" | "get_me" | "get_refund" | "get_transaction" | "list_api_keys" | "list_logs" | "list_processors" | "list_refund_events" | "list_refunds" | "revoke_api_key" | "test_stripe";

/** Every operation of the server, by its id. */
export const operations: { readonly [id in OperationId]: Operation } = {
  cancel_refund: {"method":"POST","path":"/v1/refunds/{id}/cancel","keyed":true,"ids":{"id":{"type":"string","pattern":"^ref_[0-7][0-9a-hjkmnp-tv-z]{25}$"}},"input":{"type":"object","fields":{}}},
  check_policy: {"method":"POST","path":"/v1/policies/check","keyed":false,"ids":{},"input":{"type":"object","fields":{"amount":{"type":"integer","minimum":1,"maximum":999999999999},"transactionId":{"type":"string","pattern":"^[A-Za-z0-9_-]{1,255}$"}},"required":["transactionId"]}},
  connect_stripe: {"method":"PUT","path":"/v1/processors/stripe","keyed":false,"ids":{},"input":{"type":"object","fields":{"connect":{"type":"object","fields":{"account":{"type":"string","pattern":"^(acct_[A-Za-z0-9]{1,64})?$"},"refundApplicationFee":{"type":"boolean"},"reverseTransfer":{"type":"boolean"}}},"force":{"type":"boolean"},"secretKey":{"type":"string","minLength":1,"maxLength":255},"webhookSecret":{"type":"string","minLength":1,"maxLength":255}}}},
  create_api_key: {"method":"POST","path":"/v1/api-keys","keyed":true,"ids":{},"input":{"type":"object","fields":{"name":{"type":"string","pattern":"^[^\\u0000-\\u001f\\u007f-\\u009f]*[^\\s\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]*$","maxLength":100},"scope":{"words":["read","write","admin"]}},"required":["name","scope"]}},
  create_refund: {"method":"POST","path":"/v1/refunds","keyed":true,"ids":{},"input":{"type":"object","fields":{"allowDuplicate":{"type":"boolean"},"amount":{"type":"integer","minimum":1,"maximum":999999999999},"currency":{"type":"string","pattern":"^([a-z]{3}|[A-Z]{3})$"},"metadata":{"type":"object","maxProperties":47,"keys":"^(?!refundkit_)[^\\[\\]]{1,40}$","values":{"any":[{"type":"string","maxLength":500},{"type":"integer"},{"type":"boolean"}]}},"processor":{"words":["stripe"]},"reason":{"words":["product_not_received","product_defective","wrong_product","duplicate_charge","subscription_cancelled","other","customer_request","agent_error","price_change","sizing_issue","item_not_as_described","order_cancelled","return_window_closing"]},"transactionId":{"type":"string","pattern":"^[A-Za-z0-9_-]{1,255}$"}},"required":["reason","transactionId"]}},
  disconnect_stripe: {"method":"DELETE","path":"/v1/processors/stripe","keyed":false,"ids":{},"input":{"type":"object","fields":{"force":{"type":"boolean"}}}},
  get_me: {"method":"GET","path":"/v1/me","keyed":false,"ids":{},"input":{"type":"object","fields":{}}},
  get_refund: {"method":"GET","path":"/v1/refunds/{id}","keyed":false,"ids":{"id":{"type":"string","pattern":"^ref_[0-7][0-9a-hjkmnp-tv-z]{25}$"}},"input":{"type":"object","fields":{}}},
  get_transaction: {"method":"GET","path":"/v1/transactions/{id}","keyed":false,"ids":{"id":{"type":"string","pattern":"^[A-Za-z0-9_-]{1,255}$"}},"input":{"type":"object","fields":{"processor":{"words":["stripe"]}}}},
  list_api_keys: {"method":"GET","path":"/v1/api-keys","keyed":false,"ids":{},"input":{"type":"object","fields":{}}},
  list_logs: {"method":"GET","path":"/v1/logs","keyed":false,"ids":{},"input":{"type":"object","fields":{"cursor":{"type":"string","pattern":"^[A-Za-z0-9_.-]{1,200}$"},"limit":{"type":"integer","minimum":1,"maximum":100}}}},
  list_processors: {"method":"GET","path":"/v1/processors","keyed":false,"ids":{},"input":{"type":"object","fields":{}}},
  list_refund_events: {"method":"GET","path":"/v1/refunds/{id}/events","keyed":false,"ids":{"id":{"type":"string","pattern":"^ref_[0-7][0-9a-hjkmnp-tv-z]{25}$"}},"input":{"type":"object","fields":{"cursor":{"type":"string","pattern":"^[A-Za-z0-9_.-]{1,200}$"},"limit":{"type":"integer","minimum":1,"maximum":100}}}},
  list_refunds: {"method":"GET","path":"/v1/refunds","keyed":false,"ids":{},"input":{"type":"object","fields":{"amountMax":{"type":"integer","minimum":1,"maximum":999999999999},"amountMin":{"type":"integer","minimum":1,"maximum":999999999999},"createdAfter":{"type":"string"},"createdBefore":{"type":"string"},"cursor":{"type":"string","pattern":"^[A-Za-z0-9_.-]{1,200}$"},"externalRefundId":{"type":"string","pattern":"^[A-Za-z0-9_-]{1,255}$","minLength":1,"maxLength":255},"initiatedBy":{"words":["api","mcp","dashboard","cli"]},"limit":{"type":"integer","minimum":1,"maximum":100},"offset":{"type":"integer","minimum":0,"maximum":10000},"processor":{"words":["stripe"]},"reason":{"words":["product_not_received","product_defective","wrong_product","duplicate_charge","subscription_cancelled","other","customer_request","agent_error","price_change","sizing_issue","item_not_as_described","order_cancelled","return_window_closing"]},"status":{"words":["pending","processing","completed","failed","cancelled"]},"transactionId":{"type":"string","pattern":"^[A-Za-z0-9_-]{1,255}$"}}}},
  revoke_api_key: {"method":"DELETE","path":"/v1/api-keys/{id}","keyed":false,"ids":{"id":{"type":"string","pattern":"^key_[0-7][0-9a-hjkmnp-tv-z]{25}$"}},"input":{"type":"object","fields":{}}},
  test_stripe: {"method":"POST","path":"/v1/processors/stripe/test","keyed":false,"ids":{},"input":{"type":"object","fields":{}}},
};

/** The calls below `refunds`. */
export class RefundsCalls {
  constructor(protected readonly transport: Transport) {}

  /**
   * Takes a refund back, where that is still possible.
   *
   * A refund that was not sent yet is cancelled here. One that waits for the customer is cancelled at the processor; without an
   * answer the request is remembered and the answer is 202. Card refunds at Stripe can practically never be taken back:
   * `refund_not_cancellable`.
   *
   * Needs a key with the scope `write`.
   */
  cancel(id: string, options?: RequestOptions): Promise<ApiResponse<Refund>> {
    return this.transport.call<Refund>(operations.cancel_refund, { id }, {}, options);
  }

  /**
   * Refunds a payment, once.
   *
   * The payment is read at the processor and checked, the refund is written down, sent under its own idempotency key, and
   * followed to its end. Answers 201 with the refund, or 202 when it is queued or its outcome is not known yet: then do not
   * create another one, and read this one again. A refund of the same payment and amount that is open or younger than 24 hours
   * is refused with `refund_already_processed` unless `allowDuplicate` is true.
   *
   * Needs a key with the scope `write`.
   */
  create(params: CreateRefundParams, options?: RequestOptions): Promise<ApiResponse<Refund>> {
    return this.transport.call<Refund>(operations.create_refund, {  }, params, options);
  }

  /**
   * Reads one refund: where it stands now and, when it failed, why.
   *
   * Needs a key with the scope `read`.
   */
  get(id: string, options?: RequestOptions): Promise<ApiResponse<Refund>> {
    return this.transport.call<Refund>(operations.get_refund, { id }, {}, options);
  }

  /**
   * Lists what happened to a refund, oldest first: what, when, by whom and through what.
   *
   * Needs a key with the scope `read`.
   */
  events(id: string, params: ListRefundEventsParams = {}, options?: RequestOptions): Promise<ListResponse<RefundEvent>> {
    return this.transport.list<RefundEvent>(operations.list_refund_events, { id }, params, options);
  }

  /** As `events`, one by one over all pages. Yields `{ data, error }` each; after an error it ends. */
  iterateEvents(id: string, params: ListRefundEventsParams = {}, options?: RequestOptions): AsyncGenerator<ApiResponse<RefundEvent>, void, undefined> {
    return this.transport.iterate<RefundEvent>(operations.list_refund_events, { id }, params, options);
  }

  /**
   * Lists refunds that pass all the filters given, newest first.
   *
   * Needs a key with the scope `read`.
   */
  list(params: ListRefundsParams = {}, options?: RequestOptions): Promise<ListResponse<Refund>> {
    return this.transport.list<Refund>(operations.list_refunds, {  }, params, options);
  }

  /** As `list`, one by one over all pages. Yields `{ data, error }` each; after an error it ends. */
  iterate(params: ListRefundsParams = {}, options?: RequestOptions): AsyncGenerator<ApiResponse<Refund>, void, undefined> {
    return this.transport.iterate<Refund>(operations.list_refunds, {  }, params, options);
  }
}

/** The calls below `policies`. */
export class PoliciesCalls {
  constructor(protected readonly transport: Transport) {}

  /**
   * Says whether a payment could be refunded now and how much of it. Reserves and promises nothing.
   *
   * Needs a key with the scope `read`.
   */
  check(params: CheckPolicyParams, options?: RequestOptions): Promise<ApiResponse<PolicyDecision>> {
    return this.transport.call<PolicyDecision>(operations.check_policy, {  }, params, options);
  }
}

/** The calls below `processors`. */
export class ProcessorsCalls {
  constructor(protected readonly transport: Transport) {}

  /**
   * Connects Stripe in this environment, or replaces the connection in place; omitted fields are kept.
   *
   * The key is tried with calls that change nothing before it is saved, then sealed and never shown again; so is the webhook secret,
   * with which Stripe signs the notifications that make a change known at once. Test keys belong to the test
   * environment, live keys to live; restricted keys work. While refunds are open, a key that cannot read one of them is refused
   * with `conflict` unless `force` is true.
   *
   * Needs a key with the scope `admin`.
   */
  connectStripe(params: ConnectStripeParams = {}, options?: RequestOptions): Promise<ApiResponse<ProcessorConnection>> {
    return this.transport.call<ProcessorConnection>(operations.connect_stripe, {  }, params, options);
  }

  /**
   * Disconnects Stripe: no new refunds; the open ones are followed to their end.
   *
   * While refunds are open this is refused with `conflict` unless `force` is true.
   *
   * Needs a key with the scope `admin`.
   */
  disconnectStripe(params: DisconnectStripeParams = {}, options?: RequestOptions): Promise<ApiResponse<ProcessorConnection>> {
    return this.transport.call<ProcessorConnection>(operations.disconnect_stripe, {  }, params, options);
  }

  /**
   * Lists the processor connections of this environment.
   *
   * Needs a key with the scope `read`.
   */
  list(options?: RequestOptions): Promise<ListResponse<ProcessorConnection>> {
    return this.transport.list<ProcessorConnection>(operations.list_processors, {  }, {}, options);
  }

  /**
   * Tries the saved Stripe key with calls that change nothing, and notes whether Stripe accepts it and what it lacks.
   *
   * Needs a key with the scope `admin`.
   */
  testStripe(options?: RequestOptions): Promise<ApiResponse<ProcessorConnection>> {
    return this.transport.call<ProcessorConnection>(operations.test_stripe, {  }, {}, options);
  }
}

/** The calls below `apiKeys`. */
export class ApiKeysCalls {
  constructor(protected readonly transport: Transport) {}

  /**
   * Makes an API key in the caller's environment. The key is shown this once.
   *
   * Needs a key with the scope `admin`.
   */
  create(params: CreateApiKeyParams, options?: RequestOptions): Promise<ApiResponse<CreatedApiKey>> {
    return this.transport.call<CreatedApiKey>(operations.create_api_key, {  }, params, options);
  }

  /**
   * Lists the API keys of this environment that are not revoked, newest first.
   *
   * Needs a key with the scope `admin`.
   */
  list(options?: RequestOptions): Promise<ListResponse<ApiKey>> {
    return this.transport.list<ApiKey>(operations.list_api_keys, {  }, {}, options);
  }

  /**
   * Revokes an API key at once. The last admin key of an environment cannot be revoked.
   *
   * Needs a key with the scope `admin`.
   */
  revoke(id: string, options?: RequestOptions): Promise<ApiResponse<ApiKey>> {
    return this.transport.call<ApiKey>(operations.revoke_api_key, { id }, {}, options);
  }
}

/** The calls below `transactions`. */
export class TransactionsCalls {
  constructor(protected readonly transport: Transport) {}

  /**
   * Reads a payment at its processor: what was captured, what is refunded, and what is left.
   *
   * Needs a key with the scope `read`.
   */
  get(id: string, params: GetTransactionParams = {}, options?: RequestOptions): Promise<ApiResponse<Transaction>> {
    return this.transport.call<Transaction>(operations.get_transaction, { id }, params, options);
  }
}

/** The calls below `logs`. */
export class LogsCalls {
  constructor(protected readonly transport: Transport) {}

  /**
   * Lists the calls made to this organization and environment, newest first, with secrets redacted.
   *
   * Needs a key with the scope `admin`.
   */
  list(params: ListLogsParams = {}, options?: RequestOptions): Promise<ListResponse<LogEntry>> {
    return this.transport.list<LogEntry>(operations.list_logs, {  }, params, options);
  }

  /** As `list`, one by one over all pages. Yields `{ data, error }` each; after an error it ends. */
  iterate(params: ListLogsParams = {}, options?: RequestOptions): AsyncGenerator<ApiResponse<LogEntry>, void, undefined> {
    return this.transport.iterate<LogEntry>(operations.list_logs, {  }, params, options);
  }
}

/** What every client has: a property for each noun. */
export class Calls {
  protected readonly transport: Transport;
  readonly refunds: RefundsCalls;
  readonly policies: PoliciesCalls;
  readonly processors: ProcessorsCalls;
  readonly apiKeys: ApiKeysCalls;
  readonly transactions: TransactionsCalls;
  readonly logs: LogsCalls;

  constructor(transport: Transport) {
    this.transport = transport;
    this.refunds = new RefundsCalls(transport);
    this.policies = new PoliciesCalls(transport);
    this.processors = new ProcessorsCalls(transport);
    this.apiKeys = new ApiKeysCalls(transport);
    this.transactions = new TransactionsCalls(transport);
    this.logs = new LogsCalls(transport);
  }

  /**
   * Says whose key this is, where it works and what it may do.
   *
   * Needs a key with the scope `read`.
   */
  me(options?: RequestOptions): Promise<ApiResponse<Identity>> {
    return this.transport.call<Identity>(operations.get_me, {  }, {}, options);
  }
}
