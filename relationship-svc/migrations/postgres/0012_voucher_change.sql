-- What is done to codes by hand.

ALTER TABLE voucher
    -- Of a gift card: what was added by hand, less what was taken, in minor units.
    ADD COLUMN adjusted bigint NOT NULL DEFAULT 0,
    -- Of that, what had been when the code came from elsewhere: the ledger knows nothing of it.
    ADD COLUMN adjusted_before bigint NOT NULL DEFAULT 0;

-- The ledger of it: who did what, and why. Ids ascend with time.
CREATE TABLE voucher_change (
    tenant text COLLATE "C" NOT NULL,
    code text COLLATE "C" NOT NULL,
    id uuid NOT NULL,
    principal text NOT NULL,
    reason text NOT NULL,
    -- Fields with what they said before and after.
    fields jsonb NOT NULL,
    -- Added to a gift card, or taken where it is below 0, in minor units. Null: its balance was left alone.
    amount bigint,
    created timestamptz NOT NULL,
    PRIMARY KEY (tenant, code, id)
);
