-- One row per person. What is not known is empty, never null, except where nothing is a value of its own.
CREATE TABLE customer (
    tenant text NOT NULL,
    id text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    display_name text NOT NULL,
    email text NOT NULL,
    phone text NOT NULL,
    locale text NOT NULL,
    time_zone text NOT NULL,
    country text NOT NULL,
    -- All three null: not known. The year alone may be missing.
    birth_year bigint,
    birth_month bigint,
    birth_day bigint,
    attributes jsonb NOT NULL,
    tags jsonb NOT NULL,
    -- Null: since the row was created.
    since timestamptz,
    created timestamptz NOT NULL,
    updated timestamptz NOT NULL,
    PRIMARY KEY (tenant, id)
);

CREATE INDEX customer_created ON customer (tenant, created, id);
