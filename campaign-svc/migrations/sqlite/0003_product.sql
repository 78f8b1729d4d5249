-- One counter per tenant. Every write to the catalogue bumps it first and so holds its lock to the commit: versions
-- become visible in their order, and a replica that has loaded up to one never misses a lower one.
CREATE TABLE catalogue_version (
    tenant TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL
);

CREATE TABLE product (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    display_name TEXT NOT NULL,
    categories TEXT NOT NULL,
    attributes TEXT NOT NULL,
    prices TEXT NOT NULL,
    unit_costs TEXT NOT NULL,
    tax_rate_ppm INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('ACTIVE', 'ARCHIVED')),
    version INTEGER NOT NULL,
    catalogue_version INTEGER NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    PRIMARY KEY (tenant, id)
);

CREATE INDEX product_created ON product (tenant, created, id);
CREATE INDEX product_catalogue_version ON product (tenant, catalogue_version);

-- List prices as they were: each from its instant on, null where there was none any more.
CREATE TABLE price_history (
    tenant TEXT NOT NULL,
    product TEXT NOT NULL,
    place TEXT NOT NULL,
    currency TEXT NOT NULL,
    effective INTEGER NOT NULL,
    minor INTEGER,
    catalogue_version INTEGER NOT NULL,
    PRIMARY KEY (tenant, product, place, currency, effective)
);

CREATE INDEX price_history_effective ON price_history (tenant, product, effective, place, currency);
CREATE INDEX price_history_catalogue_version ON price_history (tenant, catalogue_version);
