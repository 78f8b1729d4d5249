-- What the platform stores, for every service.

-- One row per request_id that changed something: the answer to its repetitions, kept 7 days. The free space in each
-- page lets the outcome be written beside the claim without touching an index.
CREATE TABLE request_claim (
    tenant text NOT NULL,
    method text NOT NULL,
    request_id text NOT NULL,
    hash bytea NOT NULL,
    outcome text,
    created timestamptz NOT NULL,
    PRIMARY KEY (tenant, method, request_id)
) WITH (fillfactor = 70);

CREATE INDEX request_claim_created ON request_claim (created);

-- The events of one transaction. The position is given after the commit, for each tenant by itself.
CREATE TABLE event_batch (
    tenant text COLLATE "C" NOT NULL,
    id uuid NOT NULL,
    position bigint,
    created timestamptz NOT NULL,
    payload bytea NOT NULL,
    PRIMARY KEY (tenant, id)
);

CREATE UNIQUE INDEX event_batch_position ON event_batch (tenant, position) WHERE position IS NOT NULL;
CREATE INDEX event_batch_unnumbered ON event_batch (tenant, created, id) WHERE position IS NULL;

-- One row per tenant that ever had an event, made when its first one is numbered; its lock elects the replica that
-- numbers. The row of nobody, '', is what a new row begins with.
CREATE TABLE relay (
    tenant text COLLATE "C" NOT NULL PRIMARY KEY,
    -- The last one given.
    position bigint NOT NULL,
    -- The last one that is no longer kept.
    forgotten bigint NOT NULL,
    -- When the second oldest transaction that is kept was decided: before it is old nothing can be forgotten. Null where
    -- there is none.
    second timestamptz,
    -- When the position was last raised.
    moved timestamptz NOT NULL
);

-- Across tenants: where something has happened of late, and where something is old.
CREATE INDEX relay_moved ON relay (moved);
CREATE INDEX relay_second ON relay (second) WHERE second IS NOT NULL;

INSERT INTO relay (tenant, position, forgotten, moved) VALUES ('', 0, 0, timestamptz 'epoch');

-- How far a consumer of the other service's events has come.
CREATE TABLE consumer_cursor (
    tenant text COLLATE "C" NOT NULL,
    consumer text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    seq integer NOT NULL,
    updated timestamptz NOT NULL,
    PRIMARY KEY (tenant, consumer)
);

-- Which events it has taken in, so that one that is sent twice counts once.
CREATE TABLE consumed_event (
    tenant text COLLATE "C" NOT NULL,
    consumer text COLLATE "C" NOT NULL,
    event_id uuid NOT NULL,
    consumed timestamptz NOT NULL,
    PRIMARY KEY (tenant, consumer, event_id)
);

CREATE INDEX consumed_event_consumed ON consumed_event (consumed);

-- Which it could not take in: kept whole until somebody has it tried again.
CREATE TABLE set_aside_event (
    tenant text COLLATE "C" NOT NULL,
    consumer text COLLATE "C" NOT NULL,
    event_id uuid NOT NULL,
    reason text NOT NULL,
    payload bytea NOT NULL,
    created timestamptz NOT NULL,
    PRIMARY KEY (tenant, consumer, event_id)
);
