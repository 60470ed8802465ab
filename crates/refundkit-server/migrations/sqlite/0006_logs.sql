-- Entries of the log are read within one organization and environment, newest first, and written with every call: in one tree
-- instead of two.
CREATE TABLE logs_of_tenants (
    id              TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    environment     TEXT NOT NULL,
    created_at      INTEGER NOT NULL,
    entry           TEXT NOT NULL,
    PRIMARY KEY (organization_id, environment, id)
) STRICT, WITHOUT ROWID;
INSERT INTO logs_of_tenants SELECT id, organization_id, environment, created_at, entry FROM logs;
DROP TABLE logs;
ALTER TABLE logs_of_tenants RENAME TO logs;
