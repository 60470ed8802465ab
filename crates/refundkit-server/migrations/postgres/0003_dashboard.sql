-- People: who signs in, what their organization allows, and what pages need to answer at once however many refunds there are.

-- People get ids: addresses change.
CREATE TABLE users_with_ids (
    id              TEXT COLLATE "C" PRIMARY KEY,
    organization_id TEXT COLLATE "C" NOT NULL REFERENCES organizations (id),
    email           TEXT COLLATE "C" NOT NULL UNIQUE,
    role            TEXT COLLATE "C" NOT NULL,
    password_hash   TEXT COLLATE "C" NOT NULL,
    created_at      BIGINT NOT NULL,
    signed_in_at    BIGINT
);
INSERT INTO users_with_ids (id, organization_id, email, role, password_hash, created_at)
    SELECT 'usr_0' || substr(replace(gen_random_uuid()::text, '-', ''), 1, 25), organization_id, lower(email), role, password_hash, created_at
    FROM users;
DROP TABLE users;
ALTER TABLE users_with_ids RENAME TO users;
CREATE INDEX users_by_organization ON users (organization_id, id);

-- Somebody who is signed in, by the SHA-256 of what their browser holds.
CREATE TABLE sessions (
    token_hash  TEXT COLLATE "C" PRIMARY KEY,
    user_id     TEXT COLLATE "C" NOT NULL REFERENCES users (id),
    environment TEXT COLLATE "C" NOT NULL,
    created_at  BIGINT NOT NULL,
    seen_at     BIGINT NOT NULL
);
CREATE INDEX sessions_by_user ON sessions (user_id);
CREATE INDEX sessions_by_age ON sessions (seen_at);

-- Somebody who may become a member, by the SHA-256 of what their link holds.
CREATE TABLE invitations (
    token_hash      TEXT COLLATE "C" PRIMARY KEY,
    id              TEXT COLLATE "C" NOT NULL UNIQUE,
    organization_id TEXT COLLATE "C" NOT NULL REFERENCES organizations (id),
    email           TEXT COLLATE "C" NOT NULL,
    role            TEXT COLLATE "C" NOT NULL,
    invited_by      TEXT COLLATE "C" NOT NULL,
    created_at      BIGINT NOT NULL,
    expires_at      BIGINT NOT NULL
);
CREATE INDEX invitations_by_organization ON invitations (organization_id, id);

-- Null: what RefundKit does when nobody has said otherwise. member_limits: by currency, the most that a member may refund.
ALTER TABLE organizations ADD COLUMN duplicate_window_ms BIGINT;
ALTER TABLE organizations ADD COLUMN member_limits TEXT COLLATE "C";

-- The person who asked for a refund, when it was one: what a member may refund is counted by it.
ALTER TABLE refunds ADD COLUMN user_id TEXT COLLATE "C";

-- How a refund stands, finer than its status: those that need a person are found by it.
ALTER TABLE refunds ADD COLUMN stage TEXT COLLATE "C" NOT NULL DEFAULT 'settled';
UPDATE refunds SET stage = CASE state::jsonb ->> 'state'
        WHEN 'unrecognised' THEN 'awaiting_processor'
        WHEN 'processing' THEN 'awaiting_processor'
        ELSE state::jsonb ->> 'state'
    END
    WHERE status IN ('pending', 'processing');
ALTER TABLE refunds ALTER COLUMN stage DROP DEFAULT;
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
    organization_id  TEXT COLLATE "C" NOT NULL,
    environment      TEXT COLLATE "C" NOT NULL,
    day              BIGINT NOT NULL,
    currency         TEXT COLLATE "C" NOT NULL,
    slot             BIGINT NOT NULL,
    completed        BIGINT NOT NULL,
    completed_amount BIGINT NOT NULL,
    settle_ms        BIGINT NOT NULL,
    failed           BIGINT NOT NULL,
    cancelled        BIGINT NOT NULL,
    PRIMARY KEY (organization_id, environment, day, currency, slot)
);
INSERT INTO refund_days
    SELECT organization_id, environment, settled_at / 86400000, currency, 0,
        COUNT(*) FILTER (WHERE status = 'completed'),
        COALESCE(SUM(amount) FILTER (WHERE status = 'completed'), 0),
        COALESCE(SUM(GREATEST(settled_at - created_at, 0)) FILTER (WHERE status = 'completed'), 0),
        COUNT(*) FILTER (WHERE status = 'failed'), COUNT(*) FILTER (WHERE status = 'cancelled')
    FROM (SELECT *, ROUND(EXTRACT(EPOCH FROM (state::jsonb ->> 'settled_at')::timestamptz) * 1000)::bigint AS settled_at
        FROM refunds WHERE status IN ('completed', 'failed', 'cancelled')) AS settled
    GROUP BY organization_id, environment, settled_at / 86400000, currency;

-- The callers' own pairs, to be searched by. A pair with a zero character is left out: PostgreSQL has no such texts.
CREATE TABLE refund_metadata (
    organization_id TEXT COLLATE "C" NOT NULL,
    environment     TEXT COLLATE "C" NOT NULL,
    value           TEXT COLLATE "C" NOT NULL,
    refund_id       TEXT COLLATE "C" NOT NULL,
    key             TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (organization_id, environment, value, refund_id, key)
);
INSERT INTO refund_metadata
    SELECT refunds.organization_id, refunds.environment, pairs.value, refunds.id, pairs.key
    FROM refunds, jsonb_each_text(CASE WHEN position('\u0000' IN metadata) = 0 THEN metadata::jsonb ELSE '{}' END) AS pairs
    WHERE refunds.metadata IS NOT NULL;

-- The newest notifications of a connection: whether they arrive.
CREATE INDEX processor_events_by_connection ON processor_events (connection_id, received_at);

-- What the account is called at its processor, and what its key was found to lack when it was last tried, as a JSON list.
ALTER TABLE connections ADD COLUMN account_name TEXT COLLATE "C";
ALTER TABLE connections ADD COLUMN missing_permissions TEXT COLLATE "C";
