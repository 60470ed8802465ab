-- People: who signs in, what their organization allows, and what pages need to answer at once however many refunds there are.

-- People get ids: addresses change.
CREATE TABLE users_with_ids (
    id              TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    email           TEXT NOT NULL UNIQUE,
    role            TEXT NOT NULL,
    password_hash   TEXT NOT NULL,
    created_at      INTEGER NOT NULL,
    signed_in_at    INTEGER
) STRICT;
INSERT INTO users_with_ids (id, organization_id, email, role, password_hash, created_at)
    SELECT 'usr_0' || substr(lower(hex(randomblob(16))), 1, 25), organization_id, lower(email), role, password_hash, created_at
    FROM users;
DROP TABLE users;
ALTER TABLE users_with_ids RENAME TO users;
CREATE INDEX users_by_organization ON users (organization_id, id);

-- Somebody who is signed in, by the SHA-256 of what their browser holds.
CREATE TABLE sessions (
    token_hash  TEXT PRIMARY KEY,
    user_id     TEXT NOT NULL REFERENCES users (id),
    environment TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    seen_at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_user ON sessions (user_id);
CREATE INDEX sessions_by_age ON sessions (seen_at);

-- Somebody who may become a member, by the SHA-256 of what their link holds.
CREATE TABLE invitations (
    token_hash      TEXT PRIMARY KEY,
    id              TEXT NOT NULL UNIQUE,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    email           TEXT NOT NULL,
    role            TEXT NOT NULL,
    invited_by      TEXT NOT NULL,
    created_at      INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX invitations_by_organization ON invitations (organization_id, id);

-- Null: what RefundKit does when nobody has said otherwise. member_limits: by currency, the most that a member may refund.
ALTER TABLE organizations ADD COLUMN duplicate_window_ms INTEGER;
ALTER TABLE organizations ADD COLUMN member_limits TEXT;

-- The person who asked for a refund, when it was one: what a member may refund is counted by it.
ALTER TABLE refunds ADD COLUMN user_id TEXT;

-- How a refund stands, finer than its status: those that need a person are found by it.
ALTER TABLE refunds ADD COLUMN stage TEXT NOT NULL DEFAULT 'settled';
UPDATE refunds SET stage = CASE json_extract(state, '$.state')
        WHEN 'unrecognised' THEN 'awaiting_processor'
        WHEN 'processing' THEN 'awaiting_processor'
        ELSE json_extract(state, '$.state')
    END
    WHERE status IN ('pending', 'processing');
CREATE INDEX refunds_needing ON refunds (organization_id, environment, stage, id)
    WHERE stage IN ('outcome_unknown', 'requires_action');

-- With what refunds are searched by, none of which changes: what does not pass is not read from the table.
DROP INDEX refunds_by_tenant;
CREATE INDEX refunds_by_tenant ON refunds
    (organization_id, environment, id, reason, initiated_by, processor, currency, amount, created_at);
DROP INDEX refunds_by_status;
CREATE INDEX refunds_by_status ON refunds
    (organization_id, environment, status, id, reason, initiated_by, processor, currency, amount, created_at);

-- What came to an end on each day (days since 1970, UTC), counted in the transaction that ended it. A success that the processor
-- takes back is taken from the day on which it was counted. settle_ms: how long completed ones took, together. The rows of a day
-- and currency that differ by slot are added up: transactions that end refunds at the same time rarely meet in one.
CREATE TABLE refund_days (
    organization_id  TEXT NOT NULL,
    environment      TEXT NOT NULL,
    day              INTEGER NOT NULL,
    currency         TEXT NOT NULL,
    slot             INTEGER NOT NULL,
    completed        INTEGER NOT NULL,
    completed_amount INTEGER NOT NULL,
    settle_ms        INTEGER NOT NULL,
    failed           INTEGER NOT NULL,
    cancelled        INTEGER NOT NULL,
    PRIMARY KEY (organization_id, environment, day, currency, slot)
) STRICT, WITHOUT ROWID;
INSERT INTO refund_days
    SELECT organization_id, environment, settled_at / 86400000, currency, 0,
        SUM(status = 'completed'), SUM(CASE WHEN status = 'completed' THEN amount ELSE 0 END),
        SUM(CASE WHEN status = 'completed' THEN MAX(settled_at - created_at, 0) ELSE 0 END),
        SUM(status = 'failed'), SUM(status = 'cancelled')
    FROM (SELECT *, CAST(strftime('%s', json_extract(state, '$.settled_at')) AS INTEGER) * 1000
            + CAST(substr(json_extract(state, '$.settled_at'), 21, 3) AS INTEGER) AS settled_at
        FROM refunds WHERE status IN ('completed', 'failed', 'cancelled'))
    GROUP BY organization_id, environment, settled_at / 86400000, currency;

-- The callers' own pairs, to be searched by. A pair with a zero character is left out: PostgreSQL has no such texts.
CREATE TABLE refund_metadata (
    organization_id TEXT NOT NULL,
    environment     TEXT NOT NULL,
    value           TEXT NOT NULL,
    refund_id       TEXT NOT NULL,
    key             TEXT NOT NULL,
    PRIMARY KEY (organization_id, environment, value, refund_id, key)
) STRICT, WITHOUT ROWID;
INSERT INTO refund_metadata
    SELECT refunds.organization_id, refunds.environment,
        CASE pairs.type WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' ELSE CAST(pairs.value AS TEXT) END,
        refunds.id, pairs.key
    FROM refunds, json_each(refunds.metadata) AS pairs
    WHERE refunds.metadata IS NOT NULL AND instr(refunds.metadata, '\u0000') = 0;

-- The newest notifications of a connection: whether they arrive.
CREATE INDEX processor_events_by_connection ON processor_events (connection_id, received_at);

-- What the account is called at its processor, and what its key was found to lack when it was last tried, as a JSON list.
ALTER TABLE connections ADD COLUMN account_name TEXT;
ALTER TABLE connections ADD COLUMN missing_permissions TEXT;
