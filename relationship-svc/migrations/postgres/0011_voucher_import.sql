-- What is true of a code that was brought in from elsewhere.
ALTER TABLE voucher
    -- For callers; null is none.
    ADD COLUMN labels jsonb,
    -- Of uses and spent, what had been when the code came: the ledger knows nothing of it.
    ADD COLUMN uses_before bigint NOT NULL DEFAULT 0,
    ADD COLUMN spent_before bigint NOT NULL DEFAULT 0;

-- Only for who names an incentive. While a table is young PostgreSQL takes an index over (tenant, incentive, code) for as good
-- as the primary key where only the code is asked for, keeps that plan, and reads every code of the tenant for each one as
-- the table grows. An index that the condition of such a statement does not imply cannot be taken for it.
DROP INDEX voucher_incentive;
CREATE INDEX voucher_incentive ON voucher (tenant, incentive, code) WHERE incentive <> '';
