-- The codes of incentives, and what counts their uses.
CREATE TABLE voucher (
    tenant TEXT NOT NULL,
    code TEXT NOT NULL,
    incentive TEXT NOT NULL,
    -- The batch it was generated in.
    batch TEXT,
    -- Whose it is, what it was given for, and when.
    customer TEXT,
    source_id TEXT,
    assigned INTEGER,
    -- Its own dates within those of the incentive.
    starts INTEGER,
    ends INTEGER,
    -- Null: unlimited.
    max_uses INTEGER,
    uses INTEGER NOT NULL DEFAULT 0,
    uses_held INTEGER NOT NULL DEFAULT 0,
    -- Of a gift card, in minor units.
    currency TEXT,
    initial_balance INTEGER NOT NULL DEFAULT 0,
    spent INTEGER NOT NULL DEFAULT 0,
    spent_held INTEGER NOT NULL DEFAULT 0,
    -- A use came back after its end: valid until then all the same.
    restored_until INTEGER,
    disabled BOOLEAN NOT NULL DEFAULT 0,
    created INTEGER NOT NULL,
    version INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (tenant, code)
) WITHOUT ROWID;

CREATE INDEX voucher_incentive ON voucher (tenant, incentive, code);
CREATE UNIQUE INDEX voucher_source ON voucher (tenant, incentive, source_id) WHERE source_id IS NOT NULL;
CREATE INDEX voucher_customer ON voucher (tenant, customer, code) WHERE customer IS NOT NULL;
