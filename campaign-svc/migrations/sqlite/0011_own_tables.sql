-- The tables of this service, as the migrations before this one led to them; the platform's are not among them, which has
-- migrations of its own. A new database begins here, and the earlier numbers are only written down as done. One that
-- began before goes through them, and this one is written down.

-- What marketing wants to reach. target is minor units of target_currency, or a count where that is null.
CREATE TABLE objective (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    display_name TEXT NOT NULL,
    description TEXT NOT NULL,
    metric TEXT NOT NULL CHECK (metric IN ('REVENUE', 'ORDERS', 'REDEMPTIONS', 'CUSTOMERS')),
    target INTEGER NOT NULL,
    target_currency TEXT,
    starts INTEGER,
    ends INTEGER,
    labels TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('ACTIVE', 'ARCHIVED')),
    version INTEGER NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    PRIMARY KEY (tenant, id)
);

CREATE INDEX objective_created ON objective (tenant, created, id);

-- One counter per tenant. Every write to the catalogue bumps it first and so holds its lock to the commit: versions
-- become visible in their order, and a replica that has loaded up to one never misses a lower one.
CREATE TABLE catalogue_version (
    tenant TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    -- When it was last written, so that a replica asks for what has moved and not for every tenant there is.
    changed INTEGER NOT NULL DEFAULT 0,
    -- When prices of the tenant were last asked for, to within a day: a replica that starts reads those catalogues first.
    used INTEGER NOT NULL DEFAULT 0
);

-- Across tenants: what runs without a caller looks for them.
CREATE INDEX catalogue_version_changed ON catalogue_version (changed);

CREATE TABLE product (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    display_name TEXT NOT NULL,
    categories TEXT NOT NULL,
    attributes TEXT NOT NULL,
    prices TEXT NOT NULL,
    unit_costs TEXT NOT NULL,
    tax_rate_ppm INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('ACTIVE', 'ARCHIVED')),
    version INTEGER NOT NULL,
    catalogue_version INTEGER NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    PRIMARY KEY (tenant, id)
);

CREATE INDEX product_created ON product (tenant, created, id);
CREATE INDEX product_catalogue_version ON product (tenant, catalogue_version);

-- List prices as they were: each from its instant on, null where there was none any more.
CREATE TABLE price_history (
    tenant TEXT NOT NULL,
    product TEXT NOT NULL,
    place TEXT NOT NULL,
    currency TEXT NOT NULL,
    effective INTEGER NOT NULL,
    minor INTEGER,
    catalogue_version INTEGER NOT NULL,
    PRIMARY KEY (tenant, product, place, currency, effective)
);

CREATE INDEX price_history_effective ON price_history (tenant, product, effective, place, currency);
CREATE INDEX price_history_catalogue_version ON price_history (tenant, catalogue_version);

-- Operational campaigns. step is what was last done by hand; SCHEDULED, RUNNING and ENDED follow from it, the window
-- and the clock. phases says when its offers could be had, for the lowest price of the last 30 days. A deleted draft
-- leaves its row, so that replicas learn of it and a second life of the same id goes on counting versions.
CREATE TABLE campaign (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    display_name TEXT NOT NULL,
    description TEXT NOT NULL,
    objective TEXT NOT NULL,
    starts INTEGER NOT NULL,
    ends INTEGER NOT NULL,
    time_zone TEXT NOT NULL,
    segments TEXT NOT NULL,
    budgets TEXT NOT NULL,
    limits TEXT NOT NULL,
    labels TEXT NOT NULL,
    step TEXT NOT NULL CHECK (step IN ('DRAFT', 'OPEN', 'PAUSED', 'ENDED', 'CANCELLED', 'ARCHIVED')),
    launched INTEGER,
    phases TEXT NOT NULL,
    latest_revision INTEGER NOT NULL,
    deleted BOOLEAN NOT NULL,
    version INTEGER NOT NULL,
    catalogue_version INTEGER NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    -- It is over, and its counters are forgotten.
    settled BOOLEAN NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant, id)
);

CREATE INDEX campaign_created ON campaign (tenant, created, id);
CREATE INDEX campaign_objective ON campaign (tenant, objective, id);
CREATE INDEX campaign_catalogue_version ON campaign (tenant, catalogue_version);
-- Across tenants: campaigns that are over and whose counters are still there.
CREATE INDEX campaign_unsettled ON campaign (ends) WHERE NOT settled;

-- What a campaign's mix is from an instant on. Never changed; gone only with a deleted draft.
CREATE TABLE mix_revision (
    tenant TEXT NOT NULL,
    campaign TEXT NOT NULL,
    revision INTEGER NOT NULL,
    mix TEXT NOT NULL,
    effective INTEGER NOT NULL,
    author TEXT NOT NULL,
    reason TEXT NOT NULL,
    cause TEXT NOT NULL,
    created INTEGER NOT NULL,
    PRIMARY KEY (tenant, campaign, revision)
);

-- What relationship-svc says of its redemptions: one row each, as of the newest event. campaign is empty where the
-- incentive serves none.
CREATE TABLE redemption_feedback (
    tenant TEXT NOT NULL,
    redemption TEXT NOT NULL,
    order_id TEXT NOT NULL,
    campaign TEXT NOT NULL,
    incentive TEXT NOT NULL,
    customer TEXT NOT NULL,
    currency TEXT NOT NULL,
    amount INTEGER NOT NULL,
    returned INTEGER NOT NULL,
    tender BOOLEAN NOT NULL,
    order_total INTEGER,
    state TEXT NOT NULL CHECK (state IN ('REDEEMED', 'PARTIALLY_ROLLED_BACK', 'ROLLED_BACK')),
    version INTEGER NOT NULL,
    occurred INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    PRIMARY KEY (tenant, redemption)
);

CREATE INDEX redemption_feedback_campaign ON redemption_feedback (tenant, campaign, order_id);

-- Which replica follows the peer's events. Takes nothing in twice even without it; it saves the others the work.
CREATE TABLE consumer_lease (
    consumer TEXT NOT NULL PRIMARY KEY,
    holder BLOB NOT NULL,
    expires INTEGER NOT NULL
);

-- Orders: what was sold, and what it counts in.
CREATE TABLE sales_order (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    -- Under which a hold keeps what it keeps.
    holder BLOB NOT NULL,
    state TEXT NOT NULL
        CHECK (state IN ('HOLDING', 'HELD', 'COMMITTING', 'COMMITTED', 'PARTIALLY_RETURNED', 'RETURNED', 'CANCELLING',
                         'CANCELLED', 'RETURNING', 'REFUSED', 'EXPIRED')),
    customer TEXT,
    guest TEXT,
    sold TEXT NOT NULL,
    -- Only while it is held.
    expires INTEGER,
    first_held INTEGER,
    committed INTEGER,
    replaces TEXT,
    replaced_by TEXT,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (tenant, id)
);

CREATE INDEX sales_order_created ON sales_order (tenant, created, id);
CREATE INDEX sales_order_customer ON sales_order (tenant, customer, created, id) WHERE customer IS NOT NULL;
-- Across tenants: what runs without a caller looks for them.
CREATE INDEX sales_order_expires ON sales_order (expires) WHERE expires IS NOT NULL;

-- The step of an order that waits for relationship-svc, in a table of its own: it comes and goes, and the order beside it
-- keeps its place, its indexes and its document. due is when somebody else may take it up; tries counts how often somebody
-- has.
CREATE TABLE order_step (
    tenant TEXT NOT NULL,
    order_id TEXT NOT NULL,
    pending TEXT NOT NULL,
    due INTEGER NOT NULL,
    tries INTEGER NOT NULL,
    PRIMARY KEY (tenant, order_id)
);

-- Across tenants: what runs without a caller looks for them.
CREATE INDEX order_step_due ON order_step (due);

-- The counters that quotes look at: those of which four fifths are gone, which have refused an order, or of which
-- something was held. changed is the second in which one was last written: whoever keeps them in memory asks for what
-- has changed since, and a counter that every order writes moves in this index once a second.
CREATE TABLE near_limit (
    tenant TEXT NOT NULL,
    -- Before the owner: what is over lies apart from what is in force.
    period TEXT NOT NULL,
    kind INTEGER NOT NULL,
    owner TEXT NOT NULL,
    subject TEXT NOT NULL,
    changed INTEGER NOT NULL,
    PRIMARY KEY (tenant, period, kind, owner, subject)
) WITHOUT ROWID;

-- Across tenants: what has changed, and what is over.
CREATE INDEX near_limit_changed ON near_limit (changed);
CREATE INDEX near_limit_period ON near_limit (period) WHERE period <> '';
