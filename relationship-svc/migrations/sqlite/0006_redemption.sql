-- What one code did for one order: the ledger. The allocation is one document.
--
-- `ordinal` counts the rows of an order from 0, over its whole life. Whoever adds a row states how many there are, so
-- two writers that do not see each other's rows collide on the unique index: that serialises an order without a row of
-- its own, makes (order, code) unique among live redemptions, and serves every look-up by order.
CREATE TABLE redemption (
    tenant TEXT NOT NULL,
    id BLOB NOT NULL,
    order_id TEXT NOT NULL,
    ordinal INTEGER NOT NULL,
    code TEXT NOT NULL,
    incentive TEXT NOT NULL,
    incentive_version INTEGER NOT NULL,
    -- Who counts as the customer: the id, else the guest's key.
    customer TEXT,
    guest TEXT,
    state TEXT NOT NULL
        CHECK (state IN ('HELD', 'REDEEMED', 'PARTIALLY_ROLLED_BACK', 'ROLLED_BACK', 'RELEASED', 'EXPIRED')),
    currency TEXT NOT NULL,
    amount INTEGER NOT NULL,
    returned INTEGER NOT NULL,
    details TEXT NOT NULL,
    -- Only while it is held.
    expires INTEGER,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (tenant, id)
) WITHOUT ROWID;

CREATE UNIQUE INDEX redemption_order ON redemption (tenant, order_id, ordinal);
CREATE INDEX redemption_code ON redemption (tenant, code, id);
CREATE INDEX redemption_customer ON redemption (tenant, customer, id) WHERE customer IS NOT NULL;
CREATE INDEX redemption_expires ON redemption (tenant, expires, id) WHERE expires IS NOT NULL;

-- Every limit beyond the voucher's own, as a row that is locked before it is judged.
--
-- kind    1 uses of the incentive, 2 its money, 3 uses by one customer, 4 uses by one customer within a period; the
--         order in which they are locked
-- owner   the incentive
-- subject kind 2: the currency; 3 and 4: "c/{customer}" or "g/{guest key}"; else empty
-- period  the recurrence it counts, or empty
CREATE TABLE counter (
    tenant TEXT NOT NULL,
    kind INTEGER NOT NULL,
    owner TEXT NOT NULL,
    subject TEXT NOT NULL,
    period TEXT NOT NULL,
    -- Uses, or minor units: redeemed and not come back; held.
    used INTEGER NOT NULL,
    held INTEGER NOT NULL,
    -- The highest threshold, in per cent, that an event has told of.
    told INTEGER NOT NULL,
    PRIMARY KEY (tenant, kind, owner, subject, period)
) WITHOUT ROWID;

-- What a hold keeps of a counter or (kind 0, owner the code) of a voucher, until when. Read and written only under the
-- lock of that row; one that has lapsed is taken off by whoever locks the row next.
CREATE TABLE hold_claim (
    tenant TEXT NOT NULL,
    kind INTEGER NOT NULL,
    owner TEXT NOT NULL,
    subject TEXT NOT NULL,
    period TEXT NOT NULL,
    -- Id of the redemption that holds.
    holder BLOB NOT NULL,
    uses INTEGER NOT NULL,
    amount INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    PRIMARY KEY (tenant, kind, owner, subject, period, holder)
) WITHOUT ROWID;

CREATE INDEX hold_claim_holder ON hold_claim (tenant, holder);
