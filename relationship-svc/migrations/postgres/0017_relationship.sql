-- How each person stands with the business: figures, kept by the transaction that stores what changes them.
CREATE TABLE relationship (
    tenant text COLLATE "C" NOT NULL,
    -- "c/{customer}" or "g/{guest key}".
    person text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    -- Id of the customer who has claimed this guest.
    merged_into text COLLATE "C",
    orders bigint NOT NULL,
    first_order timestamptz,
    last_order timestamptz,
    -- Minor units net of returns, by currency.
    amounts jsonb NOT NULL,
    -- When the latest orders were, in microseconds, ascending.
    dates jsonb NOT NULL,
    last_activity timestamptz,
    ratings bigint NOT NULL,
    -- Parts per million of the scale.
    ratings_sum bigint NOT NULL,
    -- The latest, each with its time, ascending.
    ratings_latest jsonb NOT NULL,
    -- The stage that was told of last, and when the clock changes it.
    stage text NOT NULL
        CHECK (stage IN ('PROSPECT', 'FIRST_PURCHASE', 'ACTIVE', 'LOYAL', 'AT_RISK', 'LAPSED', 'WON_BACK')),
    next_change timestamptz,
    PRIMARY KEY (tenant, person)
);

-- Across tenants: whose stage the clock changes.
CREATE INDEX relationship_next_change ON relationship (next_change) WHERE next_change IS NOT NULL;

-- Guests that a customer has claimed.
CREATE INDEX relationship_merged ON relationship (tenant, merged_into) WHERE merged_into IS NOT NULL;
