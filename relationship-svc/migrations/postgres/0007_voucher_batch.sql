-- Generations of codes: what was asked for, and how far it is.
CREATE TABLE voucher_batch (
    tenant text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    incentive text COLLATE "C" NOT NULL,
    -- The same request goes on where it stopped; another body under the same request_id is refused.
    request_id text COLLATE "C" NOT NULL,
    request_hash bytea NOT NULL,
    quantity bigint NOT NULL,
    done bigint NOT NULL DEFAULT 0,
    plan jsonb NOT NULL,
    created timestamptz NOT NULL,
    PRIMARY KEY (tenant, id)
);

CREATE UNIQUE INDEX voucher_batch_request ON voucher_batch (tenant, request_id);

-- Where a free code is found for a customer.
CREATE INDEX voucher_free ON voucher (tenant, incentive, code) WHERE customer IS NULL;
