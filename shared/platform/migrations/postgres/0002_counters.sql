-- Limits as rows that are locked before they are judged.
--
-- kind    1 uses, 2 money, 3 uses by one customer, 4 uses by one customer within a period; the order of locking
-- owner   id of what the limit is on
-- subject kind 2: the currency; 3 and 4: who counts as the customer; else empty
-- period  the recurrence it counts, or empty
CREATE TABLE counter (
    tenant text COLLATE "C" NOT NULL,
    kind bigint NOT NULL,
    owner text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    period text COLLATE "C" NOT NULL,
    -- Uses, or minor units: used and not come back; held.
    used bigint NOT NULL,
    held bigint NOT NULL,
    -- The highest threshold, in per cent, that an event has told of.
    told bigint NOT NULL,
    PRIMARY KEY (tenant, kind, owner, subject, period)
) WITH (fillfactor = 80);

-- What a hold keeps of a counter, or (kind 0) of a row of the service's own that counts by itself, until when. Read and
-- written only under the lock of that row; one that has lapsed is taken off by whoever locks the row next.
CREATE TABLE hold_claim (
    tenant text COLLATE "C" NOT NULL,
    kind bigint NOT NULL,
    owner text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    period text COLLATE "C" NOT NULL,
    -- Id of whoever holds.
    holder uuid NOT NULL,
    uses bigint NOT NULL,
    amount bigint NOT NULL,
    expires timestamptz NOT NULL,
    PRIMARY KEY (tenant, kind, owner, subject, period, holder)
);

CREATE INDEX hold_claim_holder ON hold_claim (tenant, holder);

-- Across tenants: counters of periods that are over.
CREATE INDEX counter_period ON counter (period) WHERE period <> '';
