-- Groups of customers by rule. Who belongs is judged when it is asked for, never stored.
CREATE TABLE segment (
    tenant text NOT NULL,
    id text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    display_name text NOT NULL,
    rule text NOT NULL,
    created timestamptz NOT NULL,
    updated timestamptz NOT NULL,
    PRIMARY KEY (tenant, id)
);

CREATE INDEX segment_created ON segment (tenant, created, id);

-- One row per tenant, raised by every write to its segments: tells a process whether the rules it has compiled are
-- still the current ones.
CREATE TABLE segment_catalogue (
    tenant text NOT NULL PRIMARY KEY,
    version bigint NOT NULL
);
