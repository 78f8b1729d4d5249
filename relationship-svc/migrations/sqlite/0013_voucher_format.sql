-- How the codes of a tenant look: what a customer mistypes is known as such without looking for it.
CREATE TABLE voucher_format (
    tenant TEXT NOT NULL,
    -- Of the format; empty of the codes that have none.
    id TEXT NOT NULL,
    -- Null: there are codes that were made elsewhere, and may look like anything.
    format TEXT,
    -- Nobody excludes codes any more by what was true before it.
    settled BOOLEAN NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant, id)
) WITHOUT ROWID;
