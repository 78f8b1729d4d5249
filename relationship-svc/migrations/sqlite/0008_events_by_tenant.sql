-- Events are numbered for each tenant by itself, and the other service follows all tenants by one stream. The servers are
-- stopped for this one.
--
-- Positions that were given stay: those of a tenant ascend with gaps where other tenants' were, and go on after the last
-- one given to anybody, so that a cursor given before the upgrade stays valid, whatever it points to.

ALTER TABLE event_batch RENAME TO old_event_batch;
DROP INDEX event_batch_position;
DROP INDEX event_batch_unnumbered;

-- The events of one transaction. The position is given after the commit, for each tenant by itself.
CREATE TABLE event_batch (
    tenant TEXT NOT NULL,
    id BLOB NOT NULL,
    position INTEGER,
    created INTEGER NOT NULL,
    payload BLOB NOT NULL,
    PRIMARY KEY (tenant, id)
);

-- A payload is an EventBatch: tag and length of its first event (`start` bytes), in which come the id (tag 10, 36
-- characters), then the tenant (tag 34 and length). What looks otherwise finds no tenant, and nothing is changed.
INSERT INTO event_batch (tenant, id, position, created, payload)
SELECT CASE WHEN hex(substr(payload, start + 1, 2)) = '0A24' AND hex(substr(payload, start + 39, 1)) = '22'
            THEN CAST(substr(payload, start + 41,
                             16 * (instr('0123456789ABCDEF', substr(hex(substr(payload, start + 40, 1)), 1, 1)) - 1)
                                + (instr('0123456789ABCDEF', substr(hex(substr(payload, start + 40, 1)), 2, 1)) - 1))
                      AS TEXT) END,
       id, position, created, payload
  FROM (SELECT CASE WHEN hex(substr(payload, 2, 1)) < '80' THEN 2
                    WHEN hex(substr(payload, 3, 1)) < '80' THEN 3
                    WHEN hex(substr(payload, 4, 1)) < '80' THEN 4
                    ELSE 5 END AS start, *
          FROM old_event_batch) AS laid_out;

DROP TABLE old_event_batch;

CREATE UNIQUE INDEX event_batch_position ON event_batch (tenant, position) WHERE position IS NOT NULL;
CREATE INDEX event_batch_unnumbered ON event_batch (tenant, created, id) WHERE position IS NULL;

ALTER TABLE relay RENAME TO old_relay;

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

INSERT INTO relay (tenant, position, forgotten, second, moved)
SELECT '', position, coalesce((SELECT min(position) - 1 FROM event_batch WHERE position IS NOT NULL), position), NULL,
       CAST(unixepoch('subsec') * 1000000 AS INTEGER)
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

-- How far a consumer of the other service's events has come.
CREATE TABLE consumer_cursor (
    tenant TEXT NOT NULL,
    consumer TEXT NOT NULL,
    position INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    PRIMARY KEY (tenant, consumer)
);

INSERT INTO consumer_cursor (tenant, consumer, position, seq, updated)
SELECT substr(consumer, instr(consumer, '/') + 1), substr(consumer, 1, instr(consumer, '/') - 1), position, seq, updated
  FROM old_consumer_cursor;

DROP TABLE old_consumer_cursor;

ALTER TABLE consumed_event RENAME TO old_consumed_event;
DROP INDEX consumed_event_consumed;

-- Which events it has taken in, so that one that is sent twice counts once.
CREATE TABLE consumed_event (
    tenant TEXT NOT NULL,
    consumer TEXT NOT NULL,
    event_id BLOB NOT NULL,
    consumed INTEGER NOT NULL,
    PRIMARY KEY (tenant, consumer, event_id)
) WITHOUT ROWID;

INSERT INTO consumed_event (tenant, consumer, event_id, consumed)
SELECT substr(consumer, instr(consumer, '/') + 1), substr(consumer, 1, instr(consumer, '/') - 1), event_id, consumed
  FROM old_consumed_event;

DROP TABLE old_consumed_event;

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
