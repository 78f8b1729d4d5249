-- Who was erased: what is still to be done of it, and what stands in their place afterwards.
CREATE TABLE erasure (
    tenant TEXT NOT NULL,
    -- A keyed hash of the id, the same for the same id.
    pseudonym TEXT NOT NULL,
    -- The id, while it is needed: until every ledger is rid of it, and the event that tells others of it is old.
    customer TEXT,
    principal TEXT NOT NULL,
    erased INTEGER NOT NULL,
    -- What is done next, and from where on; null where nothing is.
    step TEXT,
    place TEXT,
    -- When the last step was done.
    done INTEGER,
    -- The transaction that told of it, and when that is to be rid of the id; null where it is.
    told BLOB,
    forget INTEGER,
    PRIMARY KEY (tenant, pseudonym)
) WITHOUT ROWID;

-- Across tenants: what is still to be done.
CREATE INDEX erasure_open ON erasure (tenant, pseudonym) WHERE step IS NOT NULL;
CREATE INDEX erasure_forget ON erasure (forget) WHERE forget IS NOT NULL;
