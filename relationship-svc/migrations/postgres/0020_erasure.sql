-- Who was erased: what is still to be done of it, and what stands in their place afterwards.
CREATE TABLE erasure (
    tenant text COLLATE "C" NOT NULL,
    -- A keyed hash of the id, the same for the same id.
    pseudonym text COLLATE "C" NOT NULL,
    -- The id, while it is needed: until every ledger is rid of it, and the event that tells others of it is old.
    customer text COLLATE "C",
    principal text NOT NULL,
    erased timestamptz NOT NULL,
    -- What is done next, and from where on; null where nothing is.
    step text COLLATE "C",
    place text COLLATE "C",
    -- When the last step was done.
    done timestamptz,
    -- The transaction that told of it, and when that is to be rid of the id; null where it is.
    told uuid,
    forget timestamptz,
    PRIMARY KEY (tenant, pseudonym)
);

-- Across tenants: what is still to be done.
CREATE INDEX erasure_open ON erasure (tenant, pseudonym) WHERE step IS NOT NULL;
CREATE INDEX erasure_forget ON erasure (forget) WHERE forget IS NOT NULL;
