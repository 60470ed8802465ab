//! Every maximum the sandbox keeps, by name. What happens at each limit is said where the limit is used.

/// Largest request body read, in bytes.
pub const BODY_BYTES_MAX: usize = 256 * 1024;
/// Largest amount of one payment, in minor units: Stripe takes eight digits.
pub const AMOUNT_MAX: i64 = 99_999_999;
/// Largest balance that can be set by hand, in minor units; keeps every sum far away from overflow.
pub const BALANCE_MAX: i64 = 1_000_000_000_000_000;
/// Charges, PaymentIntents, refunds or disputes one account may hold in one mode; creating more is refused.
pub const OBJECTS_MAX: usize = 200_000;
/// Events kept for one account in one mode; the oldest go first.
pub const EVENTS_MAX: usize = 10_000;
/// How long an event stays readable: Stripe keeps them 30 days.
pub const EVENT_AGE_MAX_MS: i64 = 30 * 24 * 60 * 60 * 1000;
/// Idempotency records kept for one account in one mode; the oldest are forgotten first.
pub const IDEMPOTENCY_RECORDS_MAX: usize = 100_000;
/// Age at which an idempotency key is forgotten: Stripe promises 24 hours.
pub const IDEMPOTENCY_AGE_MAX_MS: i64 = 24 * 60 * 60 * 1000;
/// Longest idempotency key, in characters.
pub const IDEMPOTENCY_KEY_CHARS_MAX: usize = 255;
/// Requests remembered by the request log; the oldest go first.
pub const LOGGED_REQUESTS_MAX: usize = 2_000;
/// Body bytes kept of one logged request.
pub const LOGGED_BODY_BYTES_MAX: usize = 4 * 1024;
/// Webhook endpoints of one account in one mode: Stripe's own limit.
pub const WEBHOOK_ENDPOINTS_MAX: usize = 16;
/// Webhook deliveries waiting at once; a new one pushes out nothing and is dropped, like an endpoint that was down.
pub const DELIVERIES_MAX: usize = 50_000;
/// How often a webhook is tried before it counts as undelivered: three, as in Stripe's sandboxes.
pub const DELIVERY_ATTEMPTS_MAX: u32 = 3;
/// How long a delivery that was taken may stay unanswered before it is due again, in milliseconds.
pub const DELIVERY_LEASE_MS: i64 = 60_000;
/// Deliveries handed out by one call.
pub const DELIVERY_BATCH_MAX: usize = 100;
/// Fault rules that may be armed at once.
pub const FAULT_RULES_MAX: usize = 1_000;
/// Longest delay a fault may ask for, in milliseconds.
pub const FAULT_DELAY_MS_MAX: u64 = 10 * 60 * 1000;
/// Rows of one list page.
pub const PAGE_MAX: i64 = 100;
/// Rows of one list page when the caller does not say.
pub const PAGE_DEFAULT: i64 = 10;
/// Nesting of a form parameter such as `a[b][c]`.
pub const PARAM_DEPTH_MAX: usize = 5;
/// Paths in one `expand[]`, and steps in one path.
pub const EXPANSIONS_MAX: usize = 20;
/// Steps of one expansion path: Stripe follows four.
pub const EXPANSION_DEPTH_MAX: usize = 4;
/// Metadata keys of one object.
pub const METADATA_KEYS_MAX: usize = 50;
/// Characters of one metadata key.
pub const METADATA_KEY_CHARS_MAX: usize = 40;
/// Characters of one metadata value.
pub const METADATA_VALUE_CHARS_MAX: usize = 500;
