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
