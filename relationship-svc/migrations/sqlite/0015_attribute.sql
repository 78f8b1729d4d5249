-- What a tenant declares of the attributes of its customers; what is not declared is a text.
CREATE TABLE attribute (
    tenant TEXT NOT NULL,
    -- The key that customers have it under.
    id TEXT NOT NULL,
    version INTEGER NOT NULL,
    display_name TEXT NOT NULL,
    description TEXT NOT NULL,
    value_type TEXT NOT NULL,
    personal BOOLEAN NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    PRIMARY KEY (tenant, id)
) WITHOUT ROWID;

CREATE INDEX attribute_created ON attribute (tenant, created, id);
