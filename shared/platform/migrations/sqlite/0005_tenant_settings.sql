-- What each tenant has set for itself, over the defaults of the process.
CREATE TABLE tenant_settings (
    tenant TEXT NOT NULL PRIMARY KEY,
    -- Counts its changes from 1.
    version INTEGER NOT NULL,
    document TEXT NOT NULL,
    updated INTEGER NOT NULL
) WITHOUT ROWID;

-- Across tenants: every replica looks for what was changed lately.
CREATE INDEX tenant_settings_updated ON tenant_settings (updated);
