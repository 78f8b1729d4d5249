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
    PRIMARY KEY (tenant, id)
);

CREATE INDEX campaign_created ON campaign (tenant, created, id);
CREATE INDEX campaign_objective ON campaign (tenant, objective, id);
CREATE INDEX campaign_catalogue_version ON campaign (tenant, catalogue_version);

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
