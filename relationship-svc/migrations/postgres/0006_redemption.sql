-- What one code did for one order: the ledger. The allocation is one document.
--
-- `ordinal` counts the rows of an order from 0, over its whole life. Whoever adds a row states how many there are, so
-- two writers that do not see each other's rows collide on the unique index: that serialises an order without a row of
-- its own, makes (order, code) unique among live redemptions, and serves every look-up by order.
CREATE TABLE redemption (
    tenant text COLLATE "C" NOT NULL,
    id uuid NOT NULL,
    order_id text COLLATE "C" NOT NULL,
    ordinal bigint NOT NULL,
    code text COLLATE "C" NOT NULL,
    incentive text COLLATE "C" NOT NULL,
    incentive_version bigint NOT NULL,
    -- Who counts as the customer: the id, else the guest's key.
    customer text COLLATE "C",
    guest text COLLATE "C",
    state text COLLATE "C" NOT NULL
        CHECK (state IN ('HELD', 'REDEEMED', 'PARTIALLY_ROLLED_BACK', 'ROLLED_BACK', 'RELEASED', 'EXPIRED')),
    currency text COLLATE "C" NOT NULL,
    amount bigint NOT NULL,
    returned bigint NOT NULL,
    details jsonb NOT NULL,
    -- Only while it is held.
    expires timestamptz,
    created timestamptz NOT NULL,
    updated timestamptz NOT NULL,
    version bigint NOT NULL,
    PRIMARY KEY (tenant, id)
) WITH (fillfactor = 90);

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
    tenant text COLLATE "C" NOT NULL,
    kind bigint NOT NULL,
    owner text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    period text COLLATE "C" NOT NULL,
    -- Uses, or minor units: redeemed and not come back; held.
    used bigint NOT NULL,
    held bigint NOT NULL,
    -- The highest threshold, in per cent, that an event has told of.
    told bigint NOT NULL,
    PRIMARY KEY (tenant, kind, owner, subject, period)
) WITH (fillfactor = 80);

-- What a hold keeps of a counter or (kind 0, owner the code) of a voucher, until when. Read and written only under the
-- lock of that row; one that has lapsed is taken off by whoever locks the row next.
CREATE TABLE hold_claim (
    tenant text COLLATE "C" NOT NULL,
    kind bigint NOT NULL,
    owner text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    period text COLLATE "C" NOT NULL,
    -- Id of the redemption that holds.
    holder uuid NOT NULL,
    uses bigint NOT NULL,
    amount bigint NOT NULL,
    expires timestamptz NOT NULL,
    PRIMARY KEY (tenant, kind, owner, subject, period, holder)
);

CREATE INDEX hold_claim_holder ON hold_claim (tenant, holder);
