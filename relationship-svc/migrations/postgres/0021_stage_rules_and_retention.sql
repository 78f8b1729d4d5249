-- A tenant's rules of stages have changed: its people are gone through one after the other, and once more when no replica goes
-- by the rules from before any more.
CREATE TABLE relationship_sweep (
    tenant text COLLATE "C" NOT NULL PRIMARY KEY,
    -- When it goes on.
    due timestamptz NOT NULL,
    -- The first time through, or the second.
    round bigint NOT NULL,
    -- Those behind this one are still to come.
    after text COLLATE "C" NOT NULL
);

-- When it is looked what of a type a tenant has kept for long enough.
CREATE TABLE interaction_due (
    tenant text COLLATE "C" NOT NULL,
    type text NOT NULL,
    -- Nothing that is kept is older, but for what was being written when this was found out.
    oldest timestamptz NOT NULL,
    due timestamptz NOT NULL,
    PRIMARY KEY (tenant, type)
);

CREATE INDEX interaction_due_due ON interaction_due (due, tenant, type);

DROP INDEX interaction_type;
CREATE INDEX interaction_type ON interaction (tenant, type, happened);

INSERT INTO interaction_due (tenant, type, oldest, due)
SELECT tenant, type, min(happened), min(happened) FROM interaction GROUP BY tenant, type;
