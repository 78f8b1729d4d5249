-- What a tenant declares of the attributes of its customers; what is not declared is a text.
CREATE TABLE attribute (
    tenant text NOT NULL,
    -- The key that customers have it under.
    id text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    display_name text NOT NULL,
    description text NOT NULL,
    value_type text NOT NULL,
    personal boolean NOT NULL,
    created timestamptz NOT NULL,
    updated timestamptz NOT NULL,
    PRIMARY KEY (tenant, id)
);

CREATE INDEX attribute_created ON attribute (tenant, created, id);
