-- What is true of a code that was brought in from elsewhere.
ALTER TABLE voucher
    -- For callers; null is none.
    ADD COLUMN labels jsonb,
    -- Of uses and spent, what had been when the code came: the ledger knows nothing of it.
    ADD COLUMN uses_before bigint NOT NULL DEFAULT 0,
    ADD COLUMN spent_before bigint NOT NULL DEFAULT 0;
