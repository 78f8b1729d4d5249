-- The tables of this service, as the migrations before this one led to them; the platform's are not among them, which has
-- migrations of its own. A new database begins here, and the earlier numbers are only written down as done. One that
-- began before goes through them, and this one is written down.

-- What marketing wants to reach. target is minor units of target_currency, or a count where that is null.
-- Ids sort by their bytes, as they do on SQLite.
CREATE TABLE objective (
    tenant text NOT NULL,
    id text COLLATE "C" NOT NULL,
    display_name text NOT NULL,
    description text NOT NULL,
    metric text NOT NULL CHECK (metric IN ('REVENUE', 'ORDERS', 'REDEMPTIONS', 'CUSTOMERS')),
    target bigint NOT NULL,
    target_currency text,
    starts timestamptz,
    ends timestamptz,
    labels jsonb NOT NULL,
    state text NOT NULL CHECK (state IN ('ACTIVE', 'ARCHIVED')),
    version bigint NOT NULL,
    created timestamptz NOT NULL,
    updated timestamptz NOT NULL,
    PRIMARY KEY (tenant, id)
);

CREATE INDEX objective_created ON objective (tenant, created, id);

-- One counter per tenant. Every write to the catalogue bumps it first and so holds its lock to the commit: versions
-- become visible in their order, and a replica that has loaded up to one never misses a lower one.
CREATE TABLE catalogue_version (
    tenant text NOT NULL PRIMARY KEY,
    version bigint NOT NULL,
    -- When it was last written, so that a replica asks for what has moved and not for every tenant there is.
    changed timestamptz NOT NULL DEFAULT 'epoch',
    -- When prices of the tenant were last asked for, to within a day: a replica that starts reads those catalogues first.
    used timestamptz NOT NULL DEFAULT 'epoch'
);

-- Across tenants: what runs without a caller looks for them.
CREATE INDEX catalogue_version_changed ON catalogue_version (changed);

CREATE TABLE product (
    tenant text NOT NULL,
    id text COLLATE "C" NOT NULL,
    display_name text NOT NULL,
    categories jsonb NOT NULL,
    attributes jsonb NOT NULL,
    prices jsonb NOT NULL,
    unit_costs jsonb NOT NULL,
    tax_rate_ppm bigint NOT NULL,
    state text NOT NULL CHECK (state IN ('ACTIVE', 'ARCHIVED')),
    version bigint NOT NULL,
    catalogue_version bigint NOT NULL,
    created timestamptz NOT NULL,
    updated timestamptz NOT NULL,
    PRIMARY KEY (tenant, id)
);

CREATE INDEX product_created ON product (tenant, created, id);
CREATE INDEX product_catalogue_version ON product (tenant, catalogue_version);

-- List prices as they were: each from its instant on, null where there was none any more.
CREATE TABLE price_history (
    tenant text NOT NULL,
    product text COLLATE "C" NOT NULL,
    place text COLLATE "C" NOT NULL,
    currency text COLLATE "C" NOT NULL,
    effective timestamptz NOT NULL,
    minor bigint,
    catalogue_version bigint NOT NULL,
    PRIMARY KEY (tenant, product, place, currency, effective)
);

CREATE INDEX price_history_effective ON price_history (tenant, product, effective, place, currency);
CREATE INDEX price_history_catalogue_version ON price_history (tenant, catalogue_version);

-- Operational campaigns. step is what was last done by hand; SCHEDULED, RUNNING and ENDED follow from it, the window
-- and the clock. phases says when its offers could be had, for the lowest price of the last 30 days. A deleted draft
-- leaves its row, so that replicas learn of it and a second life of the same id goes on counting versions.
CREATE TABLE campaign (
    tenant text NOT NULL,
    id text COLLATE "C" NOT NULL,
    display_name text NOT NULL,
    description text NOT NULL,
    objective text NOT NULL,
    starts timestamptz NOT NULL,
    ends timestamptz NOT NULL,
    time_zone text NOT NULL,
    segments jsonb NOT NULL,
    budgets jsonb NOT NULL,
    limits jsonb NOT NULL,
    labels jsonb NOT NULL,
    step text NOT NULL CHECK (step IN ('DRAFT', 'OPEN', 'PAUSED', 'ENDED', 'CANCELLED', 'ARCHIVED')),
    launched timestamptz,
    phases jsonb NOT NULL,
    latest_revision bigint NOT NULL,
    deleted boolean NOT NULL,
    version bigint NOT NULL,
    catalogue_version bigint NOT NULL,
    created timestamptz NOT NULL,
    updated timestamptz NOT NULL,
    -- It is over, and its counters are forgotten.
    settled boolean NOT NULL DEFAULT false,
    PRIMARY KEY (tenant, id)
);

CREATE INDEX campaign_created ON campaign (tenant, created, id);
CREATE INDEX campaign_objective ON campaign (tenant, objective, id);
CREATE INDEX campaign_catalogue_version ON campaign (tenant, catalogue_version);
-- Across tenants: campaigns that are over and whose counters are still there.
CREATE INDEX campaign_unsettled ON campaign (ends) WHERE NOT settled;

-- What a campaign's mix is from an instant on. Never changed; gone only with a deleted draft.
CREATE TABLE mix_revision (
    tenant text NOT NULL,
    campaign text NOT NULL,
    revision bigint NOT NULL,
    mix jsonb NOT NULL,
    effective timestamptz NOT NULL,
    author text NOT NULL,
    reason text NOT NULL,
    cause text NOT NULL,
    created timestamptz NOT NULL,
    PRIMARY KEY (tenant, campaign, revision)
);

-- What relationship-svc says of its redemptions: one row each, as of the newest event. campaign is empty where the
-- incentive serves none.
CREATE TABLE redemption_feedback (
    tenant text NOT NULL,
    redemption text COLLATE "C" NOT NULL,
    order_id text NOT NULL,
    campaign text COLLATE "C" NOT NULL,
    incentive text NOT NULL,
    customer text NOT NULL,
    currency text NOT NULL,
    amount bigint NOT NULL,
    returned bigint NOT NULL,
    tender boolean NOT NULL,
    order_total bigint,
    state text NOT NULL CHECK (state IN ('REDEEMED', 'PARTIALLY_ROLLED_BACK', 'ROLLED_BACK')),
    version bigint NOT NULL,
    occurred timestamptz NOT NULL,
    updated timestamptz NOT NULL,
    PRIMARY KEY (tenant, redemption)
);

CREATE INDEX redemption_feedback_campaign ON redemption_feedback (tenant, campaign, order_id);

-- Which replica follows the peer's events. Takes nothing in twice even without it; it saves the others the work.
CREATE TABLE consumer_lease (
    consumer text NOT NULL PRIMARY KEY,
    holder uuid NOT NULL,
    expires timestamptz NOT NULL
);

-- Orders: what was sold, and what it counts in. Written once and read whole: as text it is a third smaller, so that a row
-- that moves on finds room on its page.
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
    sold json NOT NULL,
    -- Only while it is held.
    expires timestamptz,
    first_held timestamptz,
    committed timestamptz,
    replaces text COLLATE "C",
    replaced_by text COLLATE "C",
    created timestamptz NOT NULL,
    updated timestamptz NOT NULL,
    version bigint NOT NULL,
    PRIMARY KEY (tenant, id)
) WITH (fillfactor = 80);

CREATE INDEX sales_order_created ON sales_order (tenant, created, id);
CREATE INDEX sales_order_customer ON sales_order (tenant, customer, created, id) WHERE customer IS NOT NULL;
-- Across tenants: what runs without a caller looks for them.
CREATE INDEX sales_order_expires ON sales_order (expires) WHERE expires IS NOT NULL;

-- The step of an order that waits for relationship-svc, in a table of its own: it comes and goes, and the order beside it
-- keeps its place, its indexes and its document. due is when somebody else may take it up; tries counts how often somebody
-- has.
CREATE TABLE order_step (
    tenant text COLLATE "C" NOT NULL,
    order_id text COLLATE "C" NOT NULL,
    pending json NOT NULL,
    due timestamptz NOT NULL,
    tries bigint NOT NULL,
    PRIMARY KEY (tenant, order_id)
);

-- Across tenants: what runs without a caller looks for them.
CREATE INDEX order_step_due ON order_step (due);

-- The counters that quotes look at: those of which four fifths are gone, which have refused an order, or of which
-- something was held. changed is the second in which one was last written: whoever keeps them in memory asks for what
-- has changed since, and a counter that every order writes moves in this index once a second.
CREATE TABLE near_limit (
    tenant text COLLATE "C" NOT NULL,
    -- Before the owner: what is over lies apart from what is in force.
    period text COLLATE "C" NOT NULL,
    kind bigint NOT NULL,
    owner text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    changed timestamptz NOT NULL,
    PRIMARY KEY (tenant, period, kind, owner, subject)
) WITH (fillfactor = 80);

-- Across tenants: what has changed, and what is over.
CREATE INDEX near_limit_changed ON near_limit (changed);
CREATE INDEX near_limit_period ON near_limit (period) WHERE period <> '';
