-- One counter per tenant. Every write to the catalogue bumps it first and so holds its lock to the commit: versions
-- become visible in their order, and a replica that has loaded up to one never misses a lower one.
CREATE TABLE catalogue_version (
    tenant text NOT NULL PRIMARY KEY,
    version bigint NOT NULL
);

CREATE TABLE product (
    tenant text NOT NULL,
    id text COLLATE "C" NOT NULL,
    display_name text NOT NULL,
    categories jsonb NOT NULL,
    attributes jsonb NOT NULL,
    prices jsonb NOT NULL,
    unit_costs jsonb NOT NULL,
    tax_rate_ppm bigint NOT NULL,
    state text NOT NULL CHECK (state IN ('ACTIVE', 'ARCHIVED')),
    version bigint NOT NULL,
    catalogue_version bigint NOT NULL,
    created timestamptz NOT NULL,
    updated timestamptz NOT NULL,
    PRIMARY KEY (tenant, id)
);

CREATE INDEX product_created ON product (tenant, created, id);
CREATE INDEX product_catalogue_version ON product (tenant, catalogue_version);

-- List prices as they were: each from its instant on, null where there was none any more.
CREATE TABLE price_history (
    tenant text NOT NULL,
    product text COLLATE "C" NOT NULL,
    place text COLLATE "C" NOT NULL,
    currency text COLLATE "C" NOT NULL,
    effective timestamptz NOT NULL,
    minor bigint,
    catalogue_version bigint NOT NULL,
    PRIMARY KEY (tenant, product, place, currency, effective)
);

CREATE INDEX price_history_effective ON price_history (tenant, product, effective, place, currency);
CREATE INDEX price_history_catalogue_version ON price_history (tenant, catalogue_version);
