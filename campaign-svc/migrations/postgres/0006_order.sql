-- Orders: what was sold, and what it counts in. due is when somebody else may take up the open step; tries counts how
-- often somebody has.
CREATE TABLE sales_order (
    tenant text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    -- Under which a hold keeps what it keeps.
    holder uuid NOT NULL,
    state text COLLATE "C" NOT NULL
        CHECK (state IN ('HOLDING', 'HELD', 'COMMITTING', 'COMMITTED', 'PARTIALLY_RETURNED', 'RETURNED', 'CANCELLING',
                         'CANCELLED', 'RETURNING', 'REFUSED', 'EXPIRED')),
    customer text COLLATE "C",
    guest text COLLATE "C",
    sold jsonb NOT NULL,
    -- Only while it is held.
    expires timestamptz,
    first_held timestamptz,
    committed timestamptz,
    replaces text COLLATE "C",
    replaced_by text COLLATE "C",
    -- The step that waits for relationship-svc.
    pending jsonb,
    created timestamptz NOT NULL,
    updated timestamptz NOT NULL,
    version bigint NOT NULL,
    due timestamptz,
    tries bigint NOT NULL,
    PRIMARY KEY (tenant, id)
) WITH (fillfactor = 80);

CREATE INDEX sales_order_created ON sales_order (tenant, created, id);
CREATE INDEX sales_order_customer ON sales_order (tenant, customer, created, id) WHERE customer IS NOT NULL;
-- Across tenants: what runs without a caller looks for them.
CREATE INDEX sales_order_expires ON sales_order (expires) WHERE expires IS NOT NULL;
CREATE INDEX sales_order_due ON sales_order (due) WHERE due IS NOT NULL;

-- Every limit of an offer or a campaign, as a row that is locked before it is judged.
--
-- kind    1 uses, 2 money, 3 uses by one customer, 4 uses by one customer within a period; the order in which they are
--         locked
-- owner   "campaigns/{campaign}/offers/{offer}" or "campaigns/{campaign}"
-- subject kind 2: the currency; 3 and 4: "c/{customer}" or "g/{guest key}"; else empty
-- period  the recurrence it counts, or empty
CREATE TABLE counter (
    tenant text COLLATE "C" NOT NULL,
    kind bigint NOT NULL,
    owner text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    period text COLLATE "C" NOT NULL,
    -- Uses, or minor units: counted and not come back; held.
    used bigint NOT NULL,
    held bigint NOT NULL,
    -- The highest threshold, in per cent, that an event has told of; 79: none, but it has refused an order.
    told bigint NOT NULL,
    PRIMARY KEY (tenant, kind, owner, subject, period)
) WITH (fillfactor = 80);

-- Across tenants: what quotes have to know of limits.
CREATE INDEX counter_near_limit ON counter (kind) WHERE told >= 79 OR held > 0;

-- What a hold keeps of a counter, until when. Read and written only under the lock of that row; one that has lapsed is
-- taken off by whoever locks the row next.
CREATE TABLE hold_claim (
    tenant text COLLATE "C" NOT NULL,
    kind bigint NOT NULL,
    owner text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    period text COLLATE "C" NOT NULL,
    holder uuid NOT NULL,
    uses bigint NOT NULL,
    amount bigint NOT NULL,
    expires timestamptz NOT NULL,
    PRIMARY KEY (tenant, kind, owner, subject, period, holder)
);

CREATE INDEX hold_claim_holder ON hold_claim (tenant, holder);
