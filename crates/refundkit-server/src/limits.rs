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
/// Memory for pages that the writer keeps, in KiB: the busy ends of its indexes stay in it.
pub const WRITER_CACHE_KIB: i64 = 8 * 1024;
/// Pages in the write-ahead log after which it is folded into the database.
pub const CHECKPOINT_PAGES: i64 = 4000;

/// Sessions that a process holds at PostgreSQL. Its server's own limit is often 100 for all.
pub const SESSIONS_MAX: usize = 20;
/// How long a request waits for a session.
pub const SESSION_WAIT_MAX: Duration = Duration::from_secs(5);
/// How long connecting to PostgreSQL may take.
pub const DATABASE_CONNECT_MAX: Duration = Duration::from_secs(5);
/// Statements of a unit of work that travel to PostgreSQL together.
pub const STATEMENTS_QUEUED_MAX: usize = 24;

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

/// Refunds of one transaction that are looked at when a new one is decided. Stripe itself keeps no payment with so many.
pub const REFUNDS_PER_TRANSACTION_MAX: i64 = 1000;
