-- One row per person. What is not known is empty, never null, except where nothing is a value of its own.
CREATE TABLE customer (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    version INTEGER NOT NULL,
    display_name TEXT NOT NULL,
    email TEXT NOT NULL,
    phone TEXT NOT NULL,
    locale TEXT NOT NULL,
    time_zone TEXT NOT NULL,
    country TEXT NOT NULL,
    -- All three null: not known. The year alone may be missing.
    birth_year INTEGER,
    birth_month INTEGER,
    birth_day INTEGER,
    attributes TEXT NOT NULL,
    tags TEXT NOT NULL,
    -- Null: since the row was created.
    since INTEGER,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    PRIMARY KEY (tenant, id)
) WITHOUT ROWID;

CREATE INDEX customer_created ON customer (tenant, created, id);
