-- What tandem_platform stores. Services copy this text into their migration 0001; a test compares the schemas.

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

-- The events of one transaction. The position is given after the commit.
CREATE TABLE event_batch (
    id uuid NOT NULL PRIMARY KEY,
    position bigint,
    created timestamptz NOT NULL,
    payload bytea NOT NULL
);

CREATE UNIQUE INDEX event_batch_position ON event_batch (position) WHERE position IS NOT NULL;
CREATE INDEX event_batch_unnumbered ON event_batch (created, id) WHERE position IS NULL;

-- One row, named 'events': the last position given. Its lock elects the replica that numbers.
CREATE TABLE relay (
    name text NOT NULL PRIMARY KEY,
    position bigint NOT NULL
);

INSERT INTO relay (name, position) VALUES ('events', 0);

-- How far a consumer of the other service's events has come.
CREATE TABLE consumer_cursor (
    consumer text NOT NULL PRIMARY KEY,
    position bigint NOT NULL,
    seq integer NOT NULL,
    updated timestamptz NOT NULL
);

-- Which events it has taken in, so that one that is sent twice counts once.
CREATE TABLE consumed_event (
    consumer text NOT NULL,
    event_id uuid NOT NULL,
    consumed timestamptz NOT NULL,
    PRIMARY KEY (consumer, event_id)
);

CREATE INDEX consumed_event_consumed ON consumed_event (consumed);
