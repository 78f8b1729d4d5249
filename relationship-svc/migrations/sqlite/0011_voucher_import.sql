-- What is true of a code that was brought in from elsewhere.

-- For callers; null is none.
ALTER TABLE voucher ADD COLUMN labels TEXT;
-- Of uses and spent, what had been when the code came: the ledger knows nothing of it.
ALTER TABLE voucher ADD COLUMN uses_before INTEGER NOT NULL DEFAULT 0;
ALTER TABLE voucher ADD COLUMN spent_before INTEGER NOT NULL DEFAULT 0;
