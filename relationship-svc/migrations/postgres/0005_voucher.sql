-- The codes of incentives, and what counts their uses. Codes compare byte by byte on both engines.
--
-- A redemption rewrites the counters of its voucher, so pages keep room for one more version of each row, and no index
-- holds a column that a redemption changes.
CREATE TABLE voucher (
    tenant text COLLATE "C" NOT NULL,
    code text COLLATE "C" NOT NULL,
    incentive text COLLATE "C" NOT NULL,
    -- The batch it was generated in.
    batch text COLLATE "C",
    -- Whose it is, what it was given for, and when.
    customer text COLLATE "C",
    source_id text COLLATE "C",
    assigned timestamptz,
    -- Its own dates within those of the incentive.
    starts timestamptz,
    ends timestamptz,
    -- Null: unlimited.
    max_uses bigint,
    uses bigint NOT NULL DEFAULT 0,
    uses_held bigint NOT NULL DEFAULT 0,
    -- Of a gift card, in minor units.
    currency text COLLATE "C",
    initial_balance bigint NOT NULL DEFAULT 0,
    spent bigint NOT NULL DEFAULT 0,
    spent_held bigint NOT NULL DEFAULT 0,
    -- A use came back after its end: valid until then all the same.
    restored_until timestamptz,
    disabled boolean NOT NULL DEFAULT false,
    created timestamptz NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (tenant, code)
) WITH (fillfactor = 80);

CREATE INDEX voucher_incentive ON voucher (tenant, incentive, code);
CREATE UNIQUE INDEX voucher_source ON voucher (tenant, incentive, source_id) WHERE source_id IS NOT NULL;
CREATE INDEX voucher_customer ON voucher (tenant, customer, code) WHERE customer IS NOT NULL;
