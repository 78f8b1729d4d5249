-- The tables of this service, as the migrations before this one led to them; the platform's are not among them, which has
-- migrations of its own. A new database begins here, and the earlier numbers are only written down as done. One that
-- began before goes through them, and this one is written down.

-- One row per person. What is not known is empty, never null, except where nothing is a value of its own.
CREATE TABLE customer (
    tenant text NOT NULL,
    id text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    display_name text NOT NULL,
    email text NOT NULL,
    phone text NOT NULL,
    locale text NOT NULL,
    time_zone text NOT NULL,
    country text NOT NULL,
    -- All three null: not known. The year alone may be missing.
    birth_year bigint,
    birth_month bigint,
    birth_day bigint,
    attributes jsonb NOT NULL,
    tags jsonb NOT NULL,
    -- Null: since the row was created.
    since timestamptz,
    created timestamptz NOT NULL,
    updated timestamptz NOT NULL,
    PRIMARY KEY (tenant, id)
);

CREATE INDEX customer_created ON customer (tenant, created, id);

-- Groups of customers by rule. Who belongs is judged when it is asked for, never stored.
CREATE TABLE segment (
    tenant text NOT NULL,
    id text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    display_name text NOT NULL,
    rule text NOT NULL,
    created timestamptz NOT NULL,
    updated timestamptz NOT NULL,
    PRIMARY KEY (tenant, id)
);

CREATE INDEX segment_created ON segment (tenant, created, id);

-- One row per tenant, raised by every write to its segments: tells a process whether the rules it has compiled are
-- still the current ones.
CREATE TABLE segment_catalogue (
    tenant text NOT NULL PRIMARY KEY,
    version bigint NOT NULL
);

-- What a customer gets for a code, as it is now. The definition is one document; the columns beside it are what lists
-- and locks need.
CREATE TABLE incentive (
    tenant text NOT NULL,
    id text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    state text NOT NULL CHECK (state IN ('ACTIVE', 'ARCHIVED')),
    definition jsonb NOT NULL,
    created timestamptz NOT NULL,
    updated timestamptz NOT NULL,
    PRIMARY KEY (tenant, id)
);

CREATE INDEX incentive_created ON incentive (tenant, created, id);

-- Every version there ever was; quotes name one, and it is honoured as sealed.
CREATE TABLE incentive_revision (
    tenant text NOT NULL,
    incentive text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    state text NOT NULL CHECK (state IN ('ACTIVE', 'ARCHIVED')),
    definition jsonb NOT NULL,
    created timestamptz NOT NULL,
    updated timestamptz NOT NULL,
    PRIMARY KEY (tenant, incentive, version)
);

-- Which segments the active incentives name.
CREATE TABLE incentive_segment (
    tenant text NOT NULL,
    segment text COLLATE "C" NOT NULL,
    incentive text COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant, segment, incentive)
);

CREATE INDEX incentive_segment_incentive ON incentive_segment (tenant, incentive);

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
-- Where a free code is found for a customer.
CREATE INDEX voucher_free ON voucher (tenant, incentive, code) WHERE customer IS NULL;

-- Generations of codes: what was asked for, and how far it is.
CREATE TABLE voucher_batch (
    tenant text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    incentive text COLLATE "C" NOT NULL,
    -- The same request goes on where it stopped; another body under the same request_id is refused.
    request_id text COLLATE "C" NOT NULL,
    request_hash bytea NOT NULL,
    quantity bigint NOT NULL,
    done bigint NOT NULL DEFAULT 0,
    plan jsonb NOT NULL,
    created timestamptz NOT NULL,
    PRIMARY KEY (tenant, id)
);

CREATE UNIQUE INDEX voucher_batch_request ON voucher_batch (tenant, request_id);

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
-- Across tenants: holds that have lapsed, wherever the tenants' rows lie.
CREATE INDEX redemption_expires ON redemption (expires) WHERE expires IS NOT NULL;
