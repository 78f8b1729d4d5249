-- Groups of customers by rule. Who belongs is judged when it is asked for, never stored.
CREATE TABLE segment (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    version INTEGER NOT NULL,
    display_name TEXT NOT NULL,
    rule TEXT NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    PRIMARY KEY (tenant, id)
) WITHOUT ROWID;

CREATE INDEX segment_created ON segment (tenant, created, id);

-- One row per tenant, raised by every write to its segments: tells a process whether the rules it has compiled are
-- still the current ones.
CREATE TABLE segment_catalogue (
    tenant TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL
);
