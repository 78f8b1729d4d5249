-- The tables of this service, as the migrations before this one led to them; the platform's are not among them, which has
-- migrations of its own. A new database begins here, and the earlier numbers are only written down as done. One that
-- began before goes through them, and this one is written down.

-- One row per person. What is not known is empty, never null, except where nothing is a value of its own.
CREATE TABLE customer (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    version INTEGER NOT NULL,
    display_name TEXT NOT NULL,
    email TEXT NOT NULL,
    phone TEXT NOT NULL,
    locale TEXT NOT NULL,
    time_zone TEXT NOT NULL,
    country TEXT NOT NULL,
    -- All three null: not known. The year alone may be missing.
    birth_year INTEGER,
    birth_month INTEGER,
    birth_day INTEGER,
    attributes TEXT NOT NULL,
    tags TEXT NOT NULL,
    -- Null: since the row was created.
    since INTEGER,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    PRIMARY KEY (tenant, id)
) WITHOUT ROWID;

CREATE INDEX customer_created ON customer (tenant, created, id);

-- Groups of customers by rule. Who belongs is judged when it is asked for, never stored.
CREATE TABLE segment (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    version INTEGER NOT NULL,
    display_name TEXT NOT NULL,
    rule TEXT NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    PRIMARY KEY (tenant, id)
) WITHOUT ROWID;

CREATE INDEX segment_created ON segment (tenant, created, id);

-- One row per tenant, raised by every write to its segments: tells a process whether the rules it has compiled are
-- still the current ones.
CREATE TABLE segment_catalogue (
    tenant TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL
);

-- What a customer gets for a code, as it is now. The definition is one document; the columns beside it are what lists
-- and locks need.
CREATE TABLE incentive (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    version INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('ACTIVE', 'ARCHIVED')),
    definition TEXT NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    PRIMARY KEY (tenant, id)
) WITHOUT ROWID;

CREATE INDEX incentive_created ON incentive (tenant, created, id);

-- Every version there ever was; quotes name one, and it is honoured as sealed.
CREATE TABLE incentive_revision (
    tenant TEXT NOT NULL,
    incentive TEXT NOT NULL,
    version INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('ACTIVE', 'ARCHIVED')),
    definition TEXT NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    PRIMARY KEY (tenant, incentive, version)
) WITHOUT ROWID;

-- Which segments the active incentives name.
CREATE TABLE incentive_segment (
    tenant TEXT NOT NULL,
    segment TEXT NOT NULL,
    incentive TEXT NOT NULL,
    PRIMARY KEY (tenant, segment, incentive)
) WITHOUT ROWID;

CREATE INDEX incentive_segment_incentive ON incentive_segment (tenant, incentive);

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
-- Where a free code is found for a customer.
CREATE INDEX voucher_free ON voucher (tenant, incentive, code) WHERE customer IS NULL;

-- Generations of codes: what was asked for, and how far it is.
CREATE TABLE voucher_batch (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    incentive TEXT NOT NULL,
    -- The same request goes on where it stopped; another body under the same request_id is refused.
    request_id TEXT NOT NULL,
    request_hash BLOB NOT NULL,
    quantity INTEGER NOT NULL,
    done INTEGER NOT NULL DEFAULT 0,
    plan TEXT NOT NULL,
    created INTEGER NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX voucher_batch_request ON voucher_batch (tenant, request_id);

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
-- Across tenants: holds that have lapsed, wherever the tenants' rows lie.
CREATE INDEX redemption_expires ON redemption (expires) WHERE expires IS NOT NULL;
