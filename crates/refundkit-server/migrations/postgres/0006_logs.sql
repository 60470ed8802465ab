-- Entries of the log are read within one organization and environment, newest first, and written with every call: one index
-- instead of two.
ALTER TABLE logs DROP CONSTRAINT logs_pkey;
ALTER TABLE logs ADD PRIMARY KEY (organization_id, environment, id);
DROP INDEX logs_by_tenant;
