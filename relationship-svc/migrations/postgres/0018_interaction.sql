-- What people did and what was done for them: all but orders. The id is the caller's.
CREATE TABLE interaction (
    tenant text COLLATE "C" NOT NULL,
    event_id text COLLATE "C" NOT NULL,
    -- "c/{customer}" or "g/{guest key}".
    person text COLLATE "C" NOT NULL,
    type text NOT NULL,
    happened timestamptz NOT NULL,
    recorded timestamptz NOT NULL,
    -- Of what was sent: the same id with another one is refused.
    hash bytea NOT NULL,
    currency text,
    -- In minor units.
    amount bigint,
    order_id text COLLATE "C",
    -- Parts per million of its scale.
    rating bigint,
    -- What nobody searches by.
    details jsonb NOT NULL,
    PRIMARY KEY (tenant, event_id)
);

CREATE INDEX interaction_person ON interaction (tenant, person, happened, event_id);
-- Across tenants: what is older than its type is kept.
CREATE INDEX interaction_type ON interaction (type, happened);

-- Orders as they count for a relationship: sent by hand, told by campaign-svc, or both.
CREATE TABLE customer_order (
    tenant text COLLATE "C" NOT NULL,
    -- The checkout's own id.
    order_id text COLLATE "C" NOT NULL,
    person text COLLATE "C" NOT NULL,
    -- Null: only a return of it is known yet.
    placed timestamptz,
    recorded timestamptz NOT NULL,
    -- Of what was sent by hand; null: nothing was.
    hash bytea,
    currency text,
    -- In minor units.
    amount bigint NOT NULL,
    -- Of these what came back, as campaign-svc tells.
    returned bigint NOT NULL,
    -- The same as it was sent by hand, by currency.
    returned_by_hand jsonb NOT NULL,
    cancelled boolean NOT NULL,
    -- Of campaign-svc's order, which counts over what was sent by hand; 0: it has told of none.
    told_version bigint NOT NULL,
    details jsonb NOT NULL,
    PRIMARY KEY (tenant, order_id)
);

CREATE INDEX customer_order_person ON customer_order (tenant, person, placed, order_id);

-- Redemptions of a guest, for the timeline and for whoever claims the guest.
CREATE INDEX redemption_guest ON redemption (tenant, guest, id) WHERE guest IS NOT NULL;
