-- Ids that stand for another customer: of customers who were merged into one, and of guests whom a customer has claimed.
CREATE TABLE customer_alias (
    tenant text COLLATE "C" NOT NULL,
    -- "c/{customer}" or "g/{guest key}".
    person text COLLATE "C" NOT NULL,
    -- Id of the customer who is kept: always the last, whoever was merged into whom before.
    merged_into text COLLATE "C" NOT NULL,
    principal text NOT NULL,
    merged timestamptz NOT NULL,
    -- What is moved next, and from when on; both null where everything is.
    step text,
    due timestamptz,
    PRIMARY KEY (tenant, person)
);

CREATE INDEX customer_alias_into ON customer_alias (tenant, merged_into, person);
-- Across tenants: what is still to be moved.
CREATE INDEX customer_alias_due ON customer_alias (due, tenant, person) WHERE due IS NOT NULL;

-- Ids of one person are erased together.
CREATE INDEX erasure_told ON erasure (tenant, told) WHERE told IS NOT NULL;

-- What guests have redeemed whom a customer has claimed already follows now.
INSERT INTO customer_alias (tenant, person, merged_into, principal, merged, step, due)
SELECT tenant, person, merged_into, '', to_timestamp(0), 'REDEMPTIONS', to_timestamp(0)
  FROM relationship WHERE merged_into IS NOT NULL;
