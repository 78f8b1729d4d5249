-- Whom relationship-svc has erased: what is still to be done of it here, and what stands in their place.
CREATE TABLE erasure (
    tenant text COLLATE "C" NOT NULL,
    -- As relationship-svc tells it.
    pseudonym text COLLATE "C" NOT NULL,
    -- A keyed hash of the id, by which who comes back under it is found.
    who text COLLATE "C" NOT NULL,
    -- The id, until everything here is rid of it.
    customer text COLLATE "C",
    -- When relationship-svc erased them, and when this service heard of it.
    erased timestamptz NOT NULL,
    heard timestamptz NOT NULL,
    -- What is done next, and from where on; null where nothing is.
    step text COLLATE "C",
    place text COLLATE "C",
    -- When all of it is done once more, for what was on its way; null where it has been.
    again timestamptz,
    PRIMARY KEY (tenant, pseudonym)
);

CREATE INDEX erasure_who ON erasure (tenant, who);
-- Across tenants: what is still to be done.
CREATE INDEX erasure_open ON erasure (tenant, pseudonym) WHERE step IS NOT NULL;
CREATE INDEX erasure_again ON erasure (again) WHERE again IS NOT NULL;

CREATE INDEX redemption_feedback_customer ON redemption_feedback (tenant, customer) WHERE customer <> '';
