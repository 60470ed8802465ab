-- Times are milliseconds since 1970. Documents are JSON in TEXT. Every tenant row carries organization and environment.

CREATE TABLE organizations (
    id         TEXT COLLATE "C" PRIMARY KEY,
    name       TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE users (
    organization_id TEXT COLLATE "C" NOT NULL REFERENCES organizations (id),
    email           TEXT COLLATE "C" NOT NULL UNIQUE,
    role            TEXT COLLATE "C" NOT NULL,
    password_hash   TEXT COLLATE "C" NOT NULL,
    created_at      BIGINT NOT NULL
);

CREATE TABLE api_keys (
    id              TEXT COLLATE "C" PRIMARY KEY,
    organization_id TEXT COLLATE "C" NOT NULL REFERENCES organizations (id),
    environment     TEXT COLLATE "C" NOT NULL,
    scope           TEXT COLLATE "C" NOT NULL,
    name            TEXT COLLATE "C" NOT NULL,
    prefix          TEXT COLLATE "C" NOT NULL,
    hash            TEXT COLLATE "C" NOT NULL UNIQUE,
    created_at      BIGINT NOT NULL,
    last_used_at    BIGINT,
    revoked_at      BIGINT
);
CREATE INDEX api_keys_by_tenant ON api_keys (organization_id, environment, id) WHERE revoked_at IS NULL;

CREATE TABLE connections (
    id                TEXT COLLATE "C" PRIMARY KEY,
    organization_id   TEXT COLLATE "C" NOT NULL REFERENCES organizations (id),
    environment       TEXT COLLATE "C" NOT NULL,
    processor         TEXT COLLATE "C" NOT NULL,
    status            TEXT COLLATE "C" NOT NULL,
    sealed_secret_key BYTEA NOT NULL,
    secret_key_hint   TEXT COLLATE "C" NOT NULL,
    account           TEXT COLLATE "C",
    connect           TEXT COLLATE "C",
    created_at        BIGINT NOT NULL,
    updated_at        BIGINT NOT NULL,
    UNIQUE (organization_id, environment, processor)
);

CREATE TABLE refunds (
    id                      TEXT COLLATE "C" PRIMARY KEY,
    organization_id         TEXT COLLATE "C" NOT NULL,
    environment             TEXT COLLATE "C" NOT NULL,
    connection_id           TEXT COLLATE "C" NOT NULL REFERENCES connections (id),
    processor               TEXT COLLATE "C" NOT NULL,
    transaction_id          TEXT COLLATE "C" NOT NULL,
    external_transaction_id TEXT COLLATE "C" NOT NULL,
    payment_intent          TEXT COLLATE "C",
    external_refund_id      TEXT COLLATE "C",
    amount                  BIGINT NOT NULL CHECK (amount > 0),
    currency                TEXT COLLATE "C" NOT NULL,
    reason                  TEXT COLLATE "C" NOT NULL,
    metadata                TEXT COLLATE "C",
    status                  TEXT COLLATE "C" NOT NULL,
    state                   TEXT COLLATE "C" NOT NULL,
    prepared                TEXT COLLATE "C" NOT NULL,
    refusal                 TEXT COLLATE "C",
    initiated_by            TEXT COLLATE "C" NOT NULL,
    created_at              BIGINT NOT NULL,
    updated_at              BIGINT NOT NULL
);
CREATE INDEX refunds_by_tenant ON refunds (organization_id, environment, id);
CREATE INDEX refunds_by_charge ON refunds (organization_id, environment, external_transaction_id);
-- A payment named by its charge is found by the charge.
CREATE INDEX refunds_by_transaction ON refunds (organization_id, environment, transaction_id)
    WHERE transaction_id <> external_transaction_id;
CREATE INDEX refunds_by_status ON refunds (organization_id, environment, status, id);
CREATE INDEX refunds_by_external_id ON refunds (organization_id, environment, external_refund_id)
    WHERE external_refund_id IS NOT NULL;
CREATE INDEX refunds_by_payment_intent ON refunds (organization_id, environment, payment_intent)
    WHERE payment_intent IS NOT NULL;

CREATE TABLE refund_events (
    id                   TEXT COLLATE "C" NOT NULL,
    organization_id      TEXT COLLATE "C" NOT NULL,
    environment          TEXT COLLATE "C" NOT NULL,
    refund_id            TEXT COLLATE "C" NOT NULL,
    type                 TEXT COLLATE "C" NOT NULL,
    created_at           BIGINT NOT NULL,
    actor                TEXT COLLATE "C" NOT NULL,
    from_status          TEXT COLLATE "C",
    to_status            TEXT COLLATE "C" NOT NULL,
    stage                TEXT COLLATE "C" NOT NULL,
    attempt              BIGINT,
    processor_request_id TEXT COLLATE "C",
    message              TEXT COLLATE "C",
    PRIMARY KEY (refund_id, id)
);

-- At most one job for a refund: look at it again at run_at. A claim moves run_at past the lease.
CREATE TABLE jobs (
    refund_id       TEXT COLLATE "C" PRIMARY KEY,
    organization_id TEXT COLLATE "C" NOT NULL,
    environment     TEXT COLLATE "C" NOT NULL,
    kind            TEXT COLLATE "C" NOT NULL,
    run_at          BIGINT NOT NULL
);
CREATE INDEX jobs_due ON jobs (run_at);

CREATE TABLE idempotency_keys (
    organization_id TEXT COLLATE "C" NOT NULL,
    environment     TEXT COLLATE "C" NOT NULL,
    key             TEXT COLLATE "C" NOT NULL,
    operation       TEXT COLLATE "C" NOT NULL,
    fingerprint     TEXT COLLATE "C" NOT NULL,
    resource_id     TEXT COLLATE "C" NOT NULL,
    created_at      BIGINT NOT NULL,
    PRIMARY KEY (organization_id, environment, key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

CREATE TABLE logs (
    id              TEXT COLLATE "C" PRIMARY KEY,
    organization_id TEXT COLLATE "C" NOT NULL,
    environment     TEXT COLLATE "C" NOT NULL,
    created_at      BIGINT NOT NULL,
    entry           TEXT COLLATE "C" NOT NULL
);
CREATE INDEX logs_by_tenant ON logs (organization_id, environment, id);

-- One row: a value sealed under the master key, to notice at start that the key is another one.
CREATE TABLE master_key_check (
    sealed BYTEA NOT NULL
);
