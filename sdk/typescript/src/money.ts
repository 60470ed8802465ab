// Money as people read it: whole numbers in the unit Stripe counts in (https://docs.stripe.com/currencies, not ISO's table).
// No floating point, and no conversion.

/** The largest amount that RefundKit handles. */
const AMOUNT_MAX = 999_999_999_999;

const NO_DECIMALS = 'bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf'.split(' ');
const HUNDREDTHS_ON_THE_WIRE = ['isk', 'ugx'];
const THREE_DECIMALS = ['bhd', 'jod', 'kwd', 'omr', 'tnd'];

/** Whether a number is an amount to move: an integer from 1 to 999999999999. */
export function isAmount(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= AMOUNT_MAX;
}

/** A currency code in lower case; undefined for what is none. Accepted in either case, mixtures refused. */
export function currencyCode(text: unknown): string | undefined {
  return typeof text === 'string' && /^([a-z]{3}|[A-Z]{3})$/.test(text) ? text.toLowerCase() : undefined;
}

/** Writes an amount as people do: `25.00 USD`, `500 JPY`, `1.230 KWD`, `5 ISK`. */
export function formatAmount(amount: number, currency: string): string {
  const code = currency.toLowerCase();
  const decimals = NO_DECIMALS.includes(code) ? 0 : THREE_DECIMALS.includes(code) ? 3 : 2;
  const digits = String(Math.abs(amount)).padStart(decimals + 1, '0');
  const [whole, rest] = [digits.slice(0, digits.length - decimals), digits.slice(digits.length - decimals)];
  const shown = rest === '' || (HUNDREDTHS_ON_THE_WIRE.includes(code) && rest === '00') ? whole : `${whole}.${rest}`;
  return `${amount < 0 ? '-' : ''}${shown} ${code.toUpperCase()}`;
}
