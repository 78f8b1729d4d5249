-- What is done to codes by hand.

-- Of a gift card: what was added by hand, less what was taken, in minor units.
ALTER TABLE voucher ADD COLUMN adjusted INTEGER NOT NULL DEFAULT 0;
-- Of that, what had been when the code came from elsewhere: the ledger knows nothing of it.
ALTER TABLE voucher ADD COLUMN adjusted_before INTEGER NOT NULL DEFAULT 0;

-- The ledger of it: who did what, and why. Ids ascend with time.
CREATE TABLE voucher_change (
    tenant TEXT NOT NULL,
    code TEXT NOT NULL,
    id BLOB NOT NULL,
    principal TEXT NOT NULL,
    reason TEXT NOT NULL,
    -- Fields with what they said before and after.
    fields TEXT NOT NULL,
    -- Added to a gift card, or taken where it is below 0, in minor units. Null: its balance was left alone.
    amount INTEGER,
    created INTEGER NOT NULL,
    PRIMARY KEY (tenant, code, id)
) WITHOUT ROWID;
