-- Times are milliseconds since 1970. Documents are JSON in TEXT. Every tenant row carries organization and environment.

CREATE TABLE organizations (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE users (
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    email           TEXT NOT NULL UNIQUE,
    role            TEXT NOT NULL,
    password_hash   TEXT NOT NULL,
    created_at      INTEGER NOT NULL
) STRICT;

CREATE TABLE api_keys (
    id              TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id),
    environment     TEXT NOT NULL,
    scope           TEXT NOT NULL,
    name            TEXT NOT NULL,
    prefix          TEXT NOT NULL,
    hash            TEXT NOT NULL UNIQUE,
    created_at      INTEGER NOT NULL,
    last_used_at    INTEGER,
    revoked_at      INTEGER
) STRICT;
CREATE INDEX api_keys_by_tenant ON api_keys (organization_id, environment, id) WHERE revoked_at IS NULL;

CREATE TABLE connections (
    id                TEXT PRIMARY KEY,
    organization_id   TEXT NOT NULL REFERENCES organizations (id),
    environment       TEXT NOT NULL,
    processor         TEXT NOT NULL,
    status            TEXT NOT NULL,
    sealed_secret_key BLOB NOT NULL,
    secret_key_hint   TEXT NOT NULL,
    account           TEXT,
    connect           TEXT,
    created_at        INTEGER NOT NULL,
    updated_at        INTEGER NOT NULL,
    UNIQUE (organization_id, environment, processor)
) STRICT;

CREATE TABLE refunds (
    id                      TEXT PRIMARY KEY,
    organization_id         TEXT NOT NULL,
    environment             TEXT NOT NULL,
    connection_id           TEXT NOT NULL REFERENCES connections (id),
    processor               TEXT NOT NULL,
    transaction_id          TEXT NOT NULL,
    external_transaction_id TEXT NOT NULL,
    payment_intent          TEXT,
    external_refund_id      TEXT,
    amount                  INTEGER NOT NULL CHECK (amount > 0),
    currency                TEXT NOT NULL,
    reason                  TEXT NOT NULL,
    metadata                TEXT,
    status                  TEXT NOT NULL,
    state                   TEXT NOT NULL,
    prepared                TEXT NOT NULL,
    refusal                 TEXT,
    initiated_by            TEXT NOT NULL,
    created_at              INTEGER NOT NULL,
    updated_at              INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
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
    id                   TEXT NOT NULL,
    organization_id      TEXT NOT NULL,
    environment          TEXT NOT NULL,
    refund_id            TEXT NOT NULL,
    type                 TEXT NOT NULL,
    created_at           INTEGER NOT NULL,
    actor                TEXT NOT NULL,
    from_status          TEXT,
    to_status            TEXT NOT NULL,
    stage                TEXT NOT NULL,
    attempt              INTEGER,
    processor_request_id TEXT,
    message              TEXT,
    PRIMARY KEY (refund_id, id)
) STRICT, WITHOUT ROWID;

-- At most one job for a refund: look at it again at run_at. A claim moves run_at past the lease.
CREATE TABLE jobs (
    refund_id       TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL,
    environment     TEXT NOT NULL,
    kind            TEXT NOT NULL,
    run_at          INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX jobs_due ON jobs (run_at);

CREATE TABLE idempotency_keys (
    organization_id TEXT NOT NULL,
    environment     TEXT NOT NULL,
    key             TEXT NOT NULL,
    operation       TEXT NOT NULL,
    fingerprint     TEXT NOT NULL,
    resource_id     TEXT NOT NULL,
    created_at      INTEGER NOT NULL,
    PRIMARY KEY (organization_id, environment, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

CREATE TABLE logs (
    id              TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL,
    environment     TEXT NOT NULL,
    created_at      INTEGER NOT NULL,
    entry           TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX logs_by_tenant ON logs (organization_id, environment, id);

-- One row: a value sealed under the master key, to notice at start that the key is another one.
CREATE TABLE master_key_check (
    sealed BLOB NOT NULL
) STRICT;
