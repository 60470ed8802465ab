// What the tests look at although the package does not export it. Bundled for them by scripts/test-sdk.
export { operations } from '../src/generated.js';
export { check, checkFields } from '../src/input.js';
export { currencyCode, formatAmount, isAmount } from '../src/money.js';
export { sha256Hex } from '../src/sha256.js';
export { refundStatus } from '../src/stripe/answers.js';
export { processorError, scrub } from '../src/stripe/errors.js';
export { checkTransactionId } from '../src/stripe/ids.js';
export { concluded } from '../src/stripe/index.js';
export { apiBaseFor, keyEnvironment } from '../src/stripe/keys.js';
export { API_VERSION, refundBody, stripeReason } from '../src/stripe/requests.js';
export { nextDelay, proof } from '../src/stripe/retry.js';
export { understood, waitAfter } from '../src/transport.js';
