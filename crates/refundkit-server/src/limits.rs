//! Every maximum of the server in one place, with its reason.

use std::time::Duration;

/// The largest request body. The largest valid refund (47 metadata values of 500 escaped characters) fits in it.
pub const BODY_BYTES_MAX: usize = 512 * 1024;
/// How long a body may take to arrive.
pub const BODY_READ_MAX: Duration = Duration::from_secs(30);
/// The longest `Idempotency-Key`, as at Stripe.
pub const IDEMPOTENCY_KEY_CHARACTERS_MAX: usize = 255;
/// How long idempotency keys are kept.
pub const IDEMPOTENCY_KEY_DAYS: i64 = 30;
/// The longest `RefundKit-Client` header that is kept.
pub const CLIENT_HEADER_CHARACTERS_MAX: usize = 200;
/// How long the head of a request may take to arrive.
pub const HEADER_READ_MAX: Duration = Duration::from_secs(15);
/// How many connections are open at once; more wait to be accepted.
pub const CONNECTIONS_MAX: usize = 8192;
/// How long shutting down waits for connections: as long as an answer may take.
pub const CONNECTIONS_WAIT_MAX: Duration = Duration::from_secs(12);
/// How long a notification may take to arrive: Stripe sends it whole.
pub const NOTIFICATION_READ_MAX: Duration = Duration::from_secs(10);
/// How many notifications are read at once, from whoever sends them; more are answered 503, and come again.
pub const NOTIFICATIONS_READ_MAX: usize = 32;
/// How many requests are served at once; more are answered 503, so that memory stays bounded.
pub const REQUESTS_AT_ONCE_MAX: usize = 1024;

/// A second refund of the same payment and amount within this time counts as a duplicate.
pub const DUPLICATE_WINDOW_MS: i64 = 24 * 60 * 60 * 1000;

/// How long a claimed job belongs to its claimer. Longer than any call to a processor may take, so that two processes never
/// submit one refund at the same time.
pub const JOB_LEASE_MS: i64 = 60_000;
/// The longest a call to a processor may take, retries included. Shorter than the lease.
pub const PROCESSOR_CALL_MAX: Duration = Duration::from_secs(30);
/// How many due jobs are claimed at once.
pub const JOBS_CLAIMED_MAX: i64 = 32;
/// How many jobs run at once.
pub const JOBS_AT_ONCE_MAX: usize = 16;
/// How long the workers rest when nothing is due and nothing wakes them.
pub const WORKER_REST_MAX: Duration = Duration::from_secs(1);
/// How long shutting down waits for what is under way, before it hands it back.
pub const SHUTDOWN_WAIT_MAX: Duration = Duration::from_secs(35);

/// How many refunds are looked at in one list call: the most that Stripe puts on a page.
pub const LOOKS_TOGETHER_MAX: u32 = 100;
/// How many list calls and single looks are under way at once.
pub const LOOKS_AT_ONCE_MAX: usize = 16;
/// How many connections are asked for due looks in one round.
pub const CONNECTIONS_CLAIMED_MAX: i64 = 256;
/// How many answers to looks are recorded in one transaction: few enough that a create does not feel them.
pub const LOOKS_RECORDED_MAX: usize = 25;
/// How many refunds are read at once because of notifications.
pub const NEWS_ASKED_MAX: usize = 4;
/// After so many single looks, a connection whose refunds lie far apart is tried with a list again.
pub const SINGLE_LOOKS_MAX: u32 = 32;
/// Background calls a second for each connection unless said otherwise: a fraction of what Stripe allows an account, so that
/// creates and the merchant's own calls have the rest (<https://docs.stripe.com/rate-limits>).
pub const STRIPE_RATE_TEST: u32 = 10;
/// The same, with real money.
pub const STRIPE_RATE_LIVE: u32 = 40;
/// The first pause after a processor says that it is asked too often; it doubles with each further time.
pub const BACK_OFF_MS_MIN: i64 = 1_000;
/// The longest such pause, unless the processor asks for more.
pub const BACK_OFF_MS_MAX: i64 = 60_000;

/// The largest notification that is read; Stripe's are a few KiB.
pub const NOTIFICATION_BYTES_MAX: usize = refundkit::processors::stripe::webhook::PAYLOAD_BYTES_MAX;
/// The longest id or type that is kept of a notification, by Stripe's rule for ids.
pub const EXTERNAL_ID_CHARACTERS_MAX: usize = 255;
/// How long a replaced webhook secret stays valid.
pub const WEBHOOK_SECRET_OVERLAP_MS: i64 = 24 * 60 * 60 * 1000;
/// How many replaced webhook secrets of a connection are valid at once: each is tried on every notification that is forged.
pub const WEBHOOK_SECRETS_REPLACED_MAX: usize = 4;
/// How long notifications are kept, digested or not: as long as Stripe keeps its events.
pub const NOTIFICATION_DAYS: i64 = 30;
/// Notifications claimed at once to be digested.
pub const NOTIFICATIONS_DIGESTED_MAX: i64 = 64;
/// Notifications digested at the same time.
pub const NOTIFICATIONS_AT_ONCE_MAX: usize = 8;
/// How often it is asked whether a day has passed since books were last compared.
pub const RECONCILE_REST: Duration = Duration::from_secs(10);
/// How many connections are compared at once. One that its processor keeps waiting holds up none of the others.
pub const COMPARISONS_AT_ONCE_MAX: usize = 8;
/// Refunds made elsewhere that one comparison tells of one by one; more are counted.
pub const DRIFT_TOLD_MAX: usize = 1000;

/// Units of work that may wait for the writer.
pub const WRITES_QUEUED_MAX: usize = 4096;
/// Units of work committed together.
pub const WRITES_GROUPED_MAX: usize = 256;
/// How long a writer waits for another process that holds the database.
pub const DATABASE_BUSY_WAIT: Duration = Duration::from_secs(5);
/// Connections that read.
pub const READERS_MAX: usize = 4;
/// Prepared statements that each connection keeps.
pub const STATEMENTS_CACHED_MAX: usize = 128;
/// API keys, and connections, that are remembered at once; beyond that all are forgotten and read again.
pub const REMEMBERED_MAX: usize = 4096;
/// Memory for pages that the writer keeps, in KiB: the busy ends of its indexes stay in it. Not more than they need, because SQLite goes
/// through all pages that it keeps at every commit in which some of them changed places.
pub const WRITER_CACHE_KIB: i64 = 4 * 1024;
/// Pages in the write-ahead log after which it is folded into the database.
pub const CHECKPOINT_PAGES: i64 = 4000;

/// Sessions that a process holds at PostgreSQL. Its server's own limit is often 100 for all.
pub const SESSIONS_MAX: usize = 20;
/// How long a request waits for a session.
pub const SESSION_WAIT_MAX: Duration = Duration::from_secs(5);
/// How long connecting to PostgreSQL may take.
pub const DATABASE_CONNECT_MAX: Duration = Duration::from_secs(5);
/// Bytes of rows that travel to PostgreSQL at once when a database is copied there.
pub const COPY_PIECE_BYTES: usize = 64 * 1024;
/// How many such pieces may wait to be sent.
pub const COPY_PIECES_WAITING_MAX: usize = 8;
/// Statements of a unit of work that travel to PostgreSQL together.
pub const STATEMENTS_QUEUED_MAX: usize = 24;

/// Refunds that a search examines for a page where no index finds them: few enough that a page is there in some milliseconds.
pub const SEARCH_EXAMINED_MAX: u32 = 5000;
/// The same, of refunds with a metadata value that is searched for, or of one person: each is looked up.
pub const SEARCH_VALUES_EXAMINED_MAX: u32 = 1500;
/// Log entries that a search examines for a page.
pub const LOG_ENTRIES_EXAMINED_MAX: u32 = 2000;
/// How far refunds are counted that stand in some way: more are told as more.
pub const REFUNDS_COUNTED_MAX: i64 = 10_000;
/// Days of the overview, today included.
pub const OVERVIEW_DAYS: i64 = 30;
/// Days, today included, in which a failed refund needs a person.
pub const FAILED_DAYS: i64 = 7;
/// The newest refunds that the overview shows.
pub const OVERVIEW_REFUNDS: u32 = 8;
/// The newest notifications of a processor that are shown.
pub const NOTIFICATIONS_SHOWN: u32 = 20;

/// Log entries that may wait to be written; more are dropped and counted.
pub const LOG_ENTRIES_QUEUED_MAX: usize = 8192;
/// Log entries written in one statement.
pub const LOG_ENTRIES_WRITTEN_MAX: usize = 100;
/// How long log entries wait for company before they are written.
pub const LOG_WRITE_DELAY: Duration = Duration::from_millis(250);
/// The longest input kept in the log, in characters.
pub const LOG_INPUT_CHARACTERS_MAX: usize = 4096;
/// How long log entries are kept.
pub const LOG_DAYS: i64 = 30;
/// Rows deleted at once when old ones are cleared away.
pub const RETAIN_BATCH: i64 = 1000;
/// How often old rows are cleared away.
pub const RETAIN_EVERY: Duration = Duration::from_mins(10);

/// How long a session lasts that nobody uses.
pub const SESSION_IDLE_MS: i64 = 12 * 60 * 60 * 1000;
/// How long a session lasts at most.
pub const SESSION_MS_MAX: i64 = 7 * 24 * 60 * 60 * 1000;
/// How exactly it is known when somebody was last seen: so that looking at a page seldom writes.
pub const SESSION_SEEN_MS: i64 = 5 * 60 * 1000;
/// The longest name of an organization.
pub const NAME_CHARACTERS_MAX: usize = 100;
/// The longest e-mail address, by RFC 5321.
pub const EMAIL_BYTES_MAX: usize = 254;
/// The shortest password.
pub const PASSWORD_CHARACTERS_MIN: usize = 12;
/// The longest password: hashing takes as long as the text.
pub const PASSWORD_CHARACTERS_MAX: usize = 200;
/// Passwords that are checked at the same time: each takes 19 MiB and some 50 ms of a core.
pub const PASSWORDS_AT_ONCE_MAX: usize = 2;
/// How long signing in waits for others that do.
pub const PASSWORD_WAIT_MAX: Duration = Duration::from_secs(10);
/// Tries to sign in with one address from one network address, before somebody has to wait there.
pub const SIGN_INS_MAX: u32 = 10;
/// How long one such try counts.
pub const SIGN_IN_EVERY: Duration = Duration::from_mins(1);
/// Tries from one network address, with any addresses: as many people as may sit behind one.
pub const SIGN_INS_FROM_MAX: u32 = 60;
/// How long one such try counts.
pub const SIGN_IN_FROM_EVERY: Duration = Duration::from_secs(5);
/// Tries with one address from everywhere together: more than any one place can use up, so that nobody is locked out from one.
pub const SIGN_INS_ANYWHERE_MAX: u32 = 100;
/// How long one such try counts.
pub const SIGN_IN_ANYWHERE_EVERY: Duration = Duration::from_secs(15);
/// Tries from one large network of IPv6 (48 bits), with any addresses: one customer often has it all, or many have it together.
pub const SIGN_INS_FROM_WIDE_MAX: u32 = 240;
/// How long one such try counts.
pub const SIGN_IN_FROM_WIDE_EVERY: Duration = Duration::from_secs(2);
/// Tries with one address from one such network: fewer than use up what counts everywhere.
pub const SIGN_INS_WIDE_MAX: u32 = 30;
/// How long one such try counts.
pub const SIGN_IN_WIDE_EVERY: Duration = Duration::from_secs(30);
/// Places that are remembered because somebody signed in there; the oldest is forgotten for a new one.
pub const SIGN_IN_PLACES_MAX: usize = 10_000;
/// How long such a place is remembered.
pub const SIGN_IN_PLACE_KNOWN: Duration = Duration::from_hours(30 * 24);
/// Networks whose word about addresses is believed.
pub const TRUSTED_PROXIES_MAX: usize = 64;
/// The hops of an `X-Forwarded-For` that are looked at, from the nearest.
pub const FORWARDED_HOPS_MAX: usize = 16;
/// How long an invitation's link can be used.
pub const INVITATION_MS: i64 = 7 * 24 * 60 * 60 * 1000;
/// Invitations of an organization that are open at once.
pub const INVITATIONS_MAX: usize = 100;
/// Members of an organization.
pub const MEMBERS_MAX: usize = 1000;
/// The longest duplicate window: a month, after which the same refund is hardly a repeat.
pub const DUPLICATE_WINDOW_HOURS_MAX: i64 = 720;
/// Currencies for which members have a limit: more than there are.
pub const MEMBER_LIMITS_MAX: usize = 200;
/// The largest form that is read.
pub const FORM_BYTES_MAX: usize = 64 * 1024;
/// The largest form that is carried through signing in, as it is sent: more than people type, and little enough for an address, which
/// proxies often bound to 8 KiB.
pub const FORM_CARRIED_BYTES_MAX: usize = 3 * 1024;
/// For how long it can go on after somebody signed in for it.
pub const FORM_CARRIED_MS: i64 = 10 * 60 * 1000;

/// Pages that live at the same time in this process: each holds a connection.
pub const LIVE_STREAMS_MAX: usize = 64;
/// Pages of one person that live at the same time.
pub const LIVE_STREAMS_OF_ONE_MAX: usize = 8;
/// How long a page lives; after that it says so, and lives again when it is loaded again.
pub const LIVE_STREAM_MAX: Duration = Duration::from_mins(30);
/// How often a page that lives looks for news.
pub const LIVE_LOOK_EVERY: Duration = Duration::from_secs(2);
/// How often a page that lives and has no news is told so: a connection whose other end is gone is noticed by it.
pub const LIVE_KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How often a page that shows refunds on their way looks for news of them.
pub const REFUNDS_LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long after it settled the page of a refund still looks: what completed can fail late, and is seen to.
pub const COMPLETED_WATCHED_MS: i64 = 60 * 60 * 1000;
/// When a page that could not be kept up to date comes back.
pub const LIVE_AGAIN_AFTER: Duration = Duration::from_secs(15);

/// Refunds on a page of the dashboard.
pub const PAGE_ROWS: u32 = 25;
/// People, and API keys, that the filter of refunds offers: others are found by their id in the address.
pub const ASKERS_OFFERED_MAX: usize = 100;
/// Refunds that an export reads at once.
pub const EXPORT_ROWS: u32 = 100;
/// Exports under way at the same time; each reads as fast as it is fetched.
pub const EXPORTS_AT_ONCE_MAX: usize = 4;
/// Exports of one person under way at the same time.
pub const EXPORTS_OF_ONE_MAX: usize = 2;
/// How long an export waits for somebody who does not fetch it, before it is given up.
pub const EXPORT_STALL_MAX: Duration = Duration::from_secs(30);
/// How long a form waits for its double, which was sent a moment earlier.
pub const DOUBLE_WAIT_MAX: Duration = Duration::from_secs(15);
/// The first pause in that wait; each is twice as long as the one before.
pub const DOUBLE_PAUSE: Duration = Duration::from_millis(250);

/// How often keys that have not called for a while are forgotten by the rate limit.
pub const CALLERS_FORGOTTEN_EVERY: Duration = Duration::from_mins(10);
/// The longest text of others that an agent is shown, in characters.
pub const AGENT_TEXT_CHARACTERS_MAX: usize = 500;
/// The longest metadata key or value that an agent is shown, in characters.
pub const AGENT_METADATA_CHARACTERS_MAX: usize = 100;
/// The most metadata pairs that an agent is shown.
pub const AGENT_METADATA_PAIRS_MAX: usize = 10;
/// The longest name and version of an agent's client that are kept, in characters each.
pub const AGENT_NAME_CHARACTERS_MAX: usize = 80;
/// How long `refundkit mcp` waits to learn what its key may do, before it lists all tools. A client would not wait much longer.
pub const AGENT_SCOPE_WAIT_MAX: Duration = Duration::from_secs(5);
/// How long `refundkit mcp` tries to get its last answers out when it ends.
pub const AGENT_LAST_WORDS_MAX: Duration = Duration::from_secs(1);
/// How long an agent's client may keep the list of tools, in milliseconds: a key's scope never changes, tools do with a release.
pub const AGENT_CACHE_MS: u64 = 300_000;

/// Refunds of one transaction that are looked at when a new one is decided. Stripe itself keeps no payment with so many.
pub const REFUNDS_PER_TRANSACTION_MAX: i64 = 1000;
