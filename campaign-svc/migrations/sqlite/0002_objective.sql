-- What marketing wants to reach. target is minor units of target_currency, or a count where that is null.
CREATE TABLE objective (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    display_name TEXT NOT NULL,
    description TEXT NOT NULL,
    metric TEXT NOT NULL CHECK (metric IN ('REVENUE', 'ORDERS', 'REDEMPTIONS', 'CUSTOMERS')),
    target INTEGER NOT NULL,
    target_currency TEXT,
    starts INTEGER,
    ends INTEGER,
    labels TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('ACTIVE', 'ARCHIVED')),
    version INTEGER NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    PRIMARY KEY (tenant, id)
);

CREATE INDEX objective_created ON objective (tenant, created, id);
