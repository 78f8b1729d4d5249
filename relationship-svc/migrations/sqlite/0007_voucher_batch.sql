-- Generations of codes: what was asked for, and how far it is.
CREATE TABLE voucher_batch (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    incentive TEXT NOT NULL,
    -- The same request goes on where it stopped; another body under the same request_id is refused.
    request_id TEXT NOT NULL,
    request_hash BLOB NOT NULL,
    quantity INTEGER NOT NULL,
    done INTEGER NOT NULL DEFAULT 0,
    plan TEXT NOT NULL,
    created INTEGER NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX voucher_batch_request ON voucher_batch (tenant, request_id);

-- Where a free code is found for a customer.
CREATE INDEX voucher_free ON voucher (tenant, incentive, code) WHERE customer IS NULL;
