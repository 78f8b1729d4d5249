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
    PRIMARY KEY (tenant, id)
);

CREATE INDEX campaign_created ON campaign (tenant, created, id);
CREATE INDEX campaign_objective ON campaign (tenant, objective, id);
CREATE INDEX campaign_catalogue_version ON campaign (tenant, catalogue_version);

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
