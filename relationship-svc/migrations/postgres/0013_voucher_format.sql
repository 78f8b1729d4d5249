-- How the codes of a tenant look: what a customer mistypes is known as such without looking for it.
CREATE TABLE voucher_format (
    tenant text NOT NULL,
    -- Of the format; empty of the codes that have none.
    id text COLLATE "C" NOT NULL,
    -- Null: there are codes that were made elsewhere, and may look like anything.
    format jsonb,
    -- Nobody excludes codes any more by what was true before it.
    settled boolean NOT NULL DEFAULT false,
    PRIMARY KEY (tenant, id)
);
