-- Events are numbered for each tenant by itself, and the other service follows all tenants by one stream. The servers are
-- stopped for this one.
--
-- Positions that were given stay: those of a tenant ascend with gaps where other tenants' were, and go on after the last
-- one given to anybody, so that a cursor given before the upgrade stays valid, whatever it points to.

ALTER TABLE event_batch RENAME TO old_event_batch;
ALTER TABLE old_event_batch DROP CONSTRAINT event_batch_pkey;
DROP INDEX event_batch_position;
DROP INDEX event_batch_unnumbered;

-- The events of one transaction. The position is given after the commit, for each tenant by itself.
CREATE TABLE event_batch (
    tenant text COLLATE "C" NOT NULL,
    id uuid NOT NULL,
    position bigint,
    created timestamptz NOT NULL,
    payload bytea NOT NULL,
    PRIMARY KEY (tenant, id)
);

-- A payload is an EventBatch: tag and length of its first event (`start` bytes), in which come the id (tag 10, 36
-- characters), then the tenant (tag 34 and length). What looks otherwise finds no tenant, and nothing is changed.
INSERT INTO event_batch (tenant, id, position, created, payload)
SELECT CASE WHEN get_byte(payload, start) = 10 AND get_byte(payload, start + 1) = 36
             AND get_byte(payload, start + 38) = 34
            THEN convert_from(substring(payload FROM start + 41 FOR get_byte(payload, start + 39)), 'UTF8') END,
       id, position, created, payload
  FROM (SELECT CASE WHEN get_byte(payload, 1) < 128 THEN 2
                    WHEN get_byte(payload, 2) < 128 THEN 3
                    WHEN get_byte(payload, 3) < 128 THEN 4
                    ELSE 5 END AS start, *
          FROM old_event_batch) AS laid_out;

DROP TABLE old_event_batch;

CREATE UNIQUE INDEX event_batch_position ON event_batch (tenant, position) WHERE position IS NOT NULL;
CREATE INDEX event_batch_unnumbered ON event_batch (tenant, created, id) WHERE position IS NULL;

ALTER TABLE relay RENAME TO old_relay;
ALTER TABLE old_relay DROP CONSTRAINT relay_pkey;

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

INSERT INTO relay (tenant, position, forgotten, second, moved)
SELECT '', position, coalesce((SELECT min(position) - 1 FROM event_batch WHERE position IS NOT NULL), position), NULL,
       now()
  FROM old_relay;

INSERT INTO relay (tenant, position, forgotten, second, moved)
SELECT owner.tenant, nobody.position, nobody.forgotten,
       (SELECT created FROM event_batch AS kept
         WHERE kept.tenant = owner.tenant AND kept.position IS NOT NULL ORDER BY kept.position LIMIT 1 OFFSET 1),
       nobody.moved
  FROM (SELECT DISTINCT tenant FROM event_batch) AS owner CROSS JOIN relay AS nobody
 WHERE nobody.tenant = '';

DROP TABLE old_relay;

-- A consumer was named "redemption/shop": what it follows and whose.
ALTER TABLE consumer_cursor RENAME TO old_consumer_cursor;
ALTER TABLE old_consumer_cursor DROP CONSTRAINT consumer_cursor_pkey;

-- How far a consumer of the other service's events has come.
CREATE TABLE consumer_cursor (
    tenant text COLLATE "C" NOT NULL,
    consumer text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    seq integer NOT NULL,
    updated timestamptz NOT NULL,
    PRIMARY KEY (tenant, consumer)
);

INSERT INTO consumer_cursor (tenant, consumer, position, seq, updated)
SELECT split_part(consumer, '/', 2), split_part(consumer, '/', 1), position, seq, updated
  FROM old_consumer_cursor;

DROP TABLE old_consumer_cursor;

ALTER TABLE consumed_event RENAME TO old_consumed_event;
ALTER TABLE old_consumed_event DROP CONSTRAINT consumed_event_pkey;
DROP INDEX consumed_event_consumed;

-- Which events it has taken in, so that one that is sent twice counts once.
CREATE TABLE consumed_event (
    tenant text COLLATE "C" NOT NULL,
    consumer text COLLATE "C" NOT NULL,
    event_id uuid NOT NULL,
    consumed timestamptz NOT NULL,
    PRIMARY KEY (tenant, consumer, event_id)
);

INSERT INTO consumed_event (tenant, consumer, event_id, consumed)
SELECT split_part(consumer, '/', 2), split_part(consumer, '/', 1), event_id, consumed
  FROM old_consumed_event;

DROP TABLE old_consumed_event;

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

-- One lease for all tenants now; the old ones run out within seconds.
DELETE FROM consumer_lease;
