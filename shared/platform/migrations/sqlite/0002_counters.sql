-- Limits as rows that are locked before they are judged.
--
-- kind    1 uses, 2 money, 3 uses by one customer, 4 uses by one customer within a period; the order of locking
-- owner   id of what the limit is on
-- subject kind 2: the currency; 3 and 4: who counts as the customer; else empty
-- period  the recurrence it counts, or empty
CREATE TABLE counter (
    tenant TEXT NOT NULL,
    kind INTEGER NOT NULL,
    owner TEXT NOT NULL,
    subject TEXT NOT NULL,
    period TEXT NOT NULL,
    -- Uses, or minor units: used and not come back; held.
    used INTEGER NOT NULL,
    held INTEGER NOT NULL,
    -- The highest threshold, in per cent, that an event has told of.
    told INTEGER NOT NULL,
    PRIMARY KEY (tenant, kind, owner, subject, period)
) WITHOUT ROWID;

-- What a hold keeps of a counter, or (kind 0) of a row of the service's own that counts by itself, until when. Read and
-- written only under the lock of that row; one that has lapsed is taken off by whoever locks the row next.
CREATE TABLE hold_claim (
    tenant TEXT NOT NULL,
    kind INTEGER NOT NULL,
    owner TEXT NOT NULL,
    subject TEXT NOT NULL,
    period TEXT NOT NULL,
    -- Id of whoever holds.
    holder BLOB NOT NULL,
    uses INTEGER NOT NULL,
    amount INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    PRIMARY KEY (tenant, kind, owner, subject, period, holder)
) WITHOUT ROWID;

CREATE INDEX hold_claim_holder ON hold_claim (tenant, holder);

-- Across tenants: counters of periods that are over.
CREATE INDEX counter_period ON counter (period) WHERE period <> '';
