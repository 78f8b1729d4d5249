-- What marketing wants to reach. target is minor units of target_currency, or a count where that is null.
-- Ids sort by their bytes, as they do on SQLite.
CREATE TABLE objective (
    tenant text NOT NULL,
    id text COLLATE "C" NOT NULL,
    display_name text NOT NULL,
    description text NOT NULL,
    metric text NOT NULL CHECK (metric IN ('REVENUE', 'ORDERS', 'REDEMPTIONS', 'CUSTOMERS')),
    target bigint NOT NULL,
    target_currency text,
    starts timestamptz,
    ends timestamptz,
    labels jsonb NOT NULL,
    state text NOT NULL CHECK (state IN ('ACTIVE', 'ARCHIVED')),
    version bigint NOT NULL,
    created timestamptz NOT NULL,
    updated timestamptz NOT NULL,
    PRIMARY KEY (tenant, id)
);

CREATE INDEX objective_created ON objective (tenant, created, id);
