-- How each person stands with the business: figures, kept by the transaction that stores what changes them.
CREATE TABLE relationship (
    tenant TEXT NOT NULL,
    -- "c/{customer}" or "g/{guest key}".
    person TEXT NOT NULL,
    version INTEGER NOT NULL,
    -- Id of the customer who has claimed this guest.
    merged_into TEXT,
    orders INTEGER NOT NULL,
    first_order INTEGER,
    last_order INTEGER,
    -- Minor units net of returns, by currency.
    amounts TEXT NOT NULL,
    -- When the latest orders were, in microseconds, ascending.
    dates TEXT NOT NULL,
    last_activity INTEGER,
    ratings INTEGER NOT NULL,
    -- Parts per million of the scale.
    ratings_sum INTEGER NOT NULL,
    -- The latest, each with its time, ascending.
    ratings_latest TEXT NOT NULL,
    -- The stage that was told of last, and when the clock changes it.
    stage TEXT NOT NULL
        CHECK (stage IN ('PROSPECT', 'FIRST_PURCHASE', 'ACTIVE', 'LOYAL', 'AT_RISK', 'LAPSED', 'WON_BACK')),
    next_change INTEGER,
    PRIMARY KEY (tenant, person)
) WITHOUT ROWID;

-- Across tenants: whose stage the clock changes.
CREATE INDEX relationship_next_change ON relationship (next_change) WHERE next_change IS NOT NULL;

-- Guests that a customer has claimed.
CREATE INDEX relationship_merged ON relationship (tenant, merged_into) WHERE merged_into IS NOT NULL;
