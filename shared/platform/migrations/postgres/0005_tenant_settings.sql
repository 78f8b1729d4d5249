-- What each tenant has set for itself, over the defaults of the process.
CREATE TABLE tenant_settings (
    tenant text COLLATE "C" PRIMARY KEY,
    -- Counts its changes from 1.
    version bigint NOT NULL,
    document jsonb NOT NULL,
    updated timestamptz NOT NULL
);

-- Across tenants: every replica looks for what was changed lately.
CREATE INDEX tenant_settings_updated ON tenant_settings (updated);
