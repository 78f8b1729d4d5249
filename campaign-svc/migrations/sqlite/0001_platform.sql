-- What tandem_platform stores. Services copy this text into their migration 0001; a test compares the schemas.

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

-- The events of one transaction. The position is given after the commit.
CREATE TABLE event_batch (
    id BLOB NOT NULL PRIMARY KEY,
    position INTEGER,
    created INTEGER NOT NULL,
    payload BLOB NOT NULL
);

CREATE UNIQUE INDEX event_batch_position ON event_batch (position) WHERE position IS NOT NULL;
CREATE INDEX event_batch_unnumbered ON event_batch (created, id) WHERE position IS NULL;

-- One row, named 'events': the last position given.
CREATE TABLE relay (
    name TEXT NOT NULL PRIMARY KEY,
    position INTEGER NOT NULL
);

INSERT INTO relay (name, position) VALUES ('events', 0);

-- How far a consumer of the other service's events has come.
CREATE TABLE consumer_cursor (
    consumer TEXT NOT NULL PRIMARY KEY,
    position INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    updated INTEGER NOT NULL
);

-- Which events it has taken in, so that one that is sent twice counts once.
CREATE TABLE consumed_event (
    consumer TEXT NOT NULL,
    event_id BLOB NOT NULL,
    consumed INTEGER NOT NULL,
    PRIMARY KEY (consumer, event_id)
) WITHOUT ROWID;

CREATE INDEX consumed_event_consumed ON consumed_event (consumed);
