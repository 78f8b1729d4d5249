-- What people did and what was done for them: all but orders. The id is the caller's.
CREATE TABLE interaction (
    tenant TEXT NOT NULL,
    event_id TEXT NOT NULL,
    -- "c/{customer}" or "g/{guest key}".
    person TEXT NOT NULL,
    type TEXT NOT NULL,
    happened INTEGER NOT NULL,
    recorded INTEGER NOT NULL,
    -- Of what was sent: the same id with another one is refused.
    hash BLOB NOT NULL,
    currency TEXT,
    -- In minor units.
    amount INTEGER,
    order_id TEXT,
    -- Parts per million of its scale.
    rating INTEGER,
    -- What nobody searches by.
    details TEXT NOT NULL,
    PRIMARY KEY (tenant, event_id)
) WITHOUT ROWID;

CREATE INDEX interaction_person ON interaction (tenant, person, happened, event_id);
-- Across tenants: what is older than its type is kept.
CREATE INDEX interaction_type ON interaction (type, happened);

-- Orders as they count for a relationship: sent by hand, told by campaign-svc, or both.
CREATE TABLE customer_order (
    tenant TEXT NOT NULL,
    -- The checkout's own id.
    order_id TEXT NOT NULL,
    person TEXT NOT NULL,
    -- Null: only a return of it is known yet.
    placed INTEGER,
    recorded INTEGER NOT NULL,
    -- Of what was sent by hand; null: nothing was.
    hash BLOB,
    currency TEXT,
    -- In minor units.
    amount INTEGER NOT NULL,
    -- Of these what came back, as campaign-svc tells.
    returned INTEGER NOT NULL,
    -- The same as it was sent by hand, by currency.
    returned_by_hand TEXT NOT NULL,
    cancelled BOOLEAN NOT NULL,
    -- Of campaign-svc's order, which counts over what was sent by hand; 0: it has told of none.
    told_version INTEGER NOT NULL,
    details TEXT NOT NULL,
    PRIMARY KEY (tenant, order_id)
) WITHOUT ROWID;

CREATE INDEX customer_order_person ON customer_order (tenant, person, placed, order_id);

-- Redemptions of a guest, for the timeline and for whoever claims the guest.
CREATE INDEX redemption_guest ON redemption (tenant, guest, id) WHERE guest IS NOT NULL;
