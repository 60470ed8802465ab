-- News from processors: webhook secrets, the events that arrive, and jobs that can be looked at together.

ALTER TABLE connections ADD COLUMN sealed_webhook_secret BYTEA;
ALTER TABLE connections ADD COLUMN webhook_secret_hint TEXT COLLATE "C";
-- The secret before, which stays valid for a day after it was replaced.
ALTER TABLE connections ADD COLUMN sealed_webhook_secret_before BYTEA;
ALTER TABLE connections ADD COLUMN webhook_secret_before_until BIGINT;
-- When its refunds were last compared with the processor's; counted from when it was made.
ALTER TABLE connections ADD COLUMN reconciled_at BIGINT;

-- Jobs that watch a refund (kind 'poll') say where it lies at the processor, so that neighbours are read in one call: through
-- which connection, when it was made there, and from when on a look in company is welcome. wanted_at: news that
-- came since the last claim ask for a look then. news_at: when news last asked for one.
ALTER TABLE jobs ADD COLUMN connection_id TEXT COLLATE "C";
ALTER TABLE jobs ADD COLUMN external_created_at BIGINT;
ALTER TABLE jobs ADD COLUMN look_from BIGINT;
ALTER TABLE jobs ADD COLUMN wanted_at BIGINT;
ALTER TABLE jobs ADD COLUMN news_at BIGINT;
UPDATE jobs SET look_from = run_at, connection_id =
    (SELECT refunds.connection_id FROM refunds WHERE refunds.id = jobs.refund_id) WHERE kind = 'poll';
DROP INDEX jobs_due;
CREATE INDEX jobs_to_submit ON jobs (run_at) WHERE kind = 'submit';
CREATE INDEX jobs_to_poll ON jobs (connection_id, run_at) WHERE kind = 'poll';
CREATE INDEX jobs_neighbours ON jobs (connection_id, external_created_at) WHERE kind = 'poll';

-- Events that a processor sent: what they name, not what they say. due_at is null once one is digested; looked_at is when the
-- refund was looked at because of it.
CREATE TABLE processor_events (
    connection_id      TEXT COLLATE "C" NOT NULL REFERENCES connections (id),
    external_event_id  TEXT COLLATE "C" NOT NULL,
    organization_id    TEXT COLLATE "C" NOT NULL,
    environment        TEXT COLLATE "C" NOT NULL,
    type               TEXT COLLATE "C" NOT NULL,
    received_at        BIGINT NOT NULL,
    external_refund_id TEXT COLLATE "C",
    reported           TEXT COLLATE "C",
    refund_id          TEXT COLLATE "C",
    charge             TEXT COLLATE "C",
    due_at             BIGINT,
    outcome            TEXT COLLATE "C" NOT NULL,
    looked_at          BIGINT,
    PRIMARY KEY (connection_id, external_event_id)
);
CREATE INDEX processor_events_due ON processor_events (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX processor_events_looked ON processor_events (connection_id, external_refund_id, looked_at)
    WHERE looked_at IS NOT NULL;
CREATE INDEX processor_events_by_age ON processor_events (received_at);

-- Refunds that were made at the processor by somebody else, as they were last seen there.
CREATE TABLE outside_refunds (
    connection_id          TEXT COLLATE "C" NOT NULL REFERENCES connections (id),
    external_refund_id     TEXT COLLATE "C" NOT NULL,
    organization_id        TEXT COLLATE "C" NOT NULL,
    environment            TEXT COLLATE "C" NOT NULL,
    external_transaction_id TEXT COLLATE "C",
    amount                 BIGINT NOT NULL,
    currency               TEXT COLLATE "C" NOT NULL,
    status                 TEXT COLLATE "C" NOT NULL,
    external_created_at    BIGINT NOT NULL,
    imported_at            BIGINT NOT NULL,
    PRIMARY KEY (connection_id, external_refund_id)
);
