-- What the platform stores, for every service.

-- One row per request_id that changed something: the answer to its repetitions, kept 7 days.
CREATE TABLE request_claim (
    tenant TEXT NOT NULL,
    method TEXT NOT NULL,
    request_id TEXT NOT NULL,
    hash BLOB NOT NULL,
    outcome TEXT,
    created INTEGER NOT NULL,
    PRIMARY KEY (tenant, method, request_id)
) WITHOUT ROWID;

CREATE INDEX request_claim_created ON request_claim (created);

-- The events of one transaction. The position is given after the commit, for each tenant by itself.
CREATE TABLE event_batch (
    tenant TEXT NOT NULL,
    id BLOB NOT NULL,
    position INTEGER,
    created INTEGER NOT NULL,
    payload BLOB NOT NULL,
    PRIMARY KEY (tenant, id)
);

CREATE UNIQUE INDEX event_batch_position ON event_batch (tenant, position) WHERE position IS NOT NULL;
CREATE INDEX event_batch_unnumbered ON event_batch (tenant, created, id) WHERE position IS NULL;

-- One row per tenant that ever had an event, made when its first one is numbered; its lock elects the replica that
-- numbers. The row of nobody, '', is what a new row begins with.
CREATE TABLE relay (
    tenant TEXT NOT NULL PRIMARY KEY,
    -- The last one given.
    position INTEGER NOT NULL,
    -- The last one that is no longer kept.
    forgotten INTEGER NOT NULL,
    -- When the second oldest transaction that is kept was decided: before it is old nothing can be forgotten. Null where
    -- there is none.
    second INTEGER,
    -- When the position was last raised.
    moved INTEGER NOT NULL
);

-- Across tenants: where something has happened of late, and where something is old.
CREATE INDEX relay_moved ON relay (moved);
CREATE INDEX relay_second ON relay (second) WHERE second IS NOT NULL;

INSERT INTO relay (tenant, position, forgotten, moved) VALUES ('', 0, 0, 0);

-- How far a consumer of the other service's events has come.
CREATE TABLE consumer_cursor (
    tenant TEXT NOT NULL,
    consumer TEXT NOT NULL,
    position INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    PRIMARY KEY (tenant, consumer)
);

-- Which events it has taken in, so that one that is sent twice counts once.
CREATE TABLE consumed_event (
    tenant TEXT NOT NULL,
    consumer TEXT NOT NULL,
    event_id BLOB NOT NULL,
    consumed INTEGER NOT NULL,
    PRIMARY KEY (tenant, consumer, event_id)
) WITHOUT ROWID;

CREATE INDEX consumed_event_consumed ON consumed_event (consumed);

-- Which it could not take in: kept whole until somebody has it tried again.
CREATE TABLE set_aside_event (
    tenant TEXT NOT NULL,
    consumer TEXT NOT NULL,
    event_id BLOB NOT NULL,
    reason TEXT NOT NULL,
    payload BLOB NOT NULL,
    created INTEGER NOT NULL,
    PRIMARY KEY (tenant, consumer, event_id)
);
