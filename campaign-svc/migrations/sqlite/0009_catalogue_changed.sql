-- When the catalogue was last written, so that a replica asks for what has moved and not for every tenant there is; and
-- when prices of the tenant were last asked for, to within a day, so that a replica that starts reads those catalogues
-- first. A writer that does not know these columns yet is found by the full look that follows every few seconds.
ALTER TABLE catalogue_version ADD COLUMN changed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE catalogue_version ADD COLUMN used INTEGER NOT NULL DEFAULT 0;

-- Nobody knows who has been silent: all are taken to be alive once.
UPDATE catalogue_version SET used = unixepoch() * 1000000;

-- Across tenants: what runs without a caller looks for them.
CREATE INDEX catalogue_version_changed ON catalogue_version (changed);
