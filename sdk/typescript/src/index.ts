// What the package exports: the client, the Stripe processor, errors, webhooks, keys, and the types of the API.
import { RefundKit } from './client.js';

export { RefundKit };
export default RefundKit;
export { RefundKitError } from './error.js';
export { StripeProcessor } from './stripe/index.js';
export { webhooks } from './webhooks.js';
export { formatAmount } from './money.js';
export { generateApiKey, getApiKeyEnvironment, hashApiKey, isValidApiKeyFormat } from './keys.js';

export { ErrorCode } from './generated.js';
export type * from './generated.js';
export type { ErrorDetails } from './error.js';
export type { RefundKitOptions, Refunds, WaitOptions } from './client.js';
export type { ApiFailure, ApiResponse, ApiSuccess, ListResponse, RequestOptions } from './transport.js';
export type { StripeProcessorOptions } from './stripe/index.js';
export type { GeneratedApiKey } from './keys.js';
export type { VerifyOptions, WebhookEvent, WebhookEventType, WebhookHeaders } from './webhooks.js';
export type { CancelledRefund, PaymentProcessor, ProcessRefundRequest, ProcessedRefund, RefundStatusReport, ValidatedTransaction } from './processor.js';
