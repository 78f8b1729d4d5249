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
