// Stripe's ids: which are plainly not payments. Prefixes are no contract of Stripe's: what is not plainly something else is asked.
import { invalid } from '../error.js';

const FORM = /^[A-Za-z0-9_-]{1,255}$/;
const NAME_A_PAYMENT = 'Pass the charge (ch_… or py_…) or the PaymentIntent (pi_…) that was paid.';
const SEE_PAYMENT_INTENT = 'Pass its `payment_intent` (pi_…).';
const SEE_CHARGE = 'Pass its `charge` (ch_… or py_…).';
const SEE_INVOICE = 'Pass the PaymentIntent (pi_…) of the invoice that was paid.';
const ROLL_IT = 'Never send a key as an id; if this one is real, roll it.';

/** Prefix, what it names, where the payment is. */
const OTHER_IDS: readonly (readonly [string, string, string])[] = [
  ['re_', 'a refund', SEE_CHARGE],
  ['pyr_', 'a refund', SEE_CHARGE],
  ['ref_', 'a refund in RefundKit', 'Pass its `transactionId`.'],
  ['du_', 'a dispute', SEE_CHARGE],
  ['dp_', 'a dispute', SEE_CHARGE],
  ['cs_', 'a Checkout Session', SEE_PAYMENT_INTENT],
  ['plink_', 'a payment link', NAME_A_PAYMENT],
  ['in_', 'an invoice', SEE_INVOICE],
  ['ii_', 'an invoice item', SEE_INVOICE],
  ['sub_', 'a subscription', SEE_INVOICE],
  ['si_', 'a subscription item', SEE_INVOICE],
  ['seti_', 'a SetupIntent, which moves no money', NAME_A_PAYMENT],
  ['pm_', 'a payment method', NAME_A_PAYMENT],
  ['src_', 'a payment source', NAME_A_PAYMENT],
  ['tok_', 'a card token', NAME_A_PAYMENT],
  ['card_', 'a card', NAME_A_PAYMENT],
  ['ba_', 'a bank account', NAME_A_PAYMENT],
  ['cus_', 'a customer', NAME_A_PAYMENT],
  ['acct_', 'an account', NAME_A_PAYMENT],
  ['txn_', 'a balance transaction', 'Pass its `source` (ch_… or py_…).'],
  ['po_', 'a payout', NAME_A_PAYMENT],
  ['tr_', 'a transfer', 'Pass its `source_transaction` (ch_… or py_…).'],
  ['fee_', 'an application fee', SEE_CHARGE],
  ['prod_', 'a product', NAME_A_PAYMENT],
  ['price_', 'a price', NAME_A_PAYMENT],
  ['evt_', 'an event', NAME_A_PAYMENT],
  ['req_', 'a request', NAME_A_PAYMENT],
  ['sk_', 'a secret key', ROLL_IT],
  ['rk_', 'a secret key', ROLL_IT],
  ['whsec_', 'a webhook secret', 'Never send a secret as an id; if this one is real, roll it.'],
  ['pk_', 'a publishable key', NAME_A_PAYMENT],
];

/** Refuses an id that cannot be, or plainly is not, a payment's. What passes may still be unknown to Stripe. */
export function checkTransactionId(id: unknown): asserts id is string {
  if (typeof id !== 'string' || !FORM.test(id)) throw invalid('transactionId', 'A transaction id has 1 to 255 characters: letters, digits, _ and -.');
  const other = OTHER_IDS.find(([prefix]) => id.startsWith(prefix));
  if (other) throw invalid('transactionId', `This is ${other[1]}, not a payment.`, other[2]);
}
