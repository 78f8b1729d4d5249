-- What relationship-svc says of its redemptions: one row each, as of the newest event. campaign is empty where the
-- incentive serves none.
CREATE TABLE redemption_feedback (
    tenant text NOT NULL,
    redemption text COLLATE "C" NOT NULL,
    order_id text NOT NULL,
    campaign text COLLATE "C" NOT NULL,
    incentive text NOT NULL,
    customer text NOT NULL,
    currency text NOT NULL,
    amount bigint NOT NULL,
    returned bigint NOT NULL,
    tender boolean NOT NULL,
    order_total bigint,
    state text NOT NULL CHECK (state IN ('REDEEMED', 'PARTIALLY_ROLLED_BACK', 'ROLLED_BACK')),
    version bigint NOT NULL,
    occurred timestamptz NOT NULL,
    updated timestamptz NOT NULL,
    PRIMARY KEY (tenant, redemption)
);

CREATE INDEX redemption_feedback_campaign ON redemption_feedback (tenant, campaign, order_id);

-- Which replica follows the peer's events. Takes nothing in twice even without it; it saves the others the work.
CREATE TABLE consumer_lease (
    consumer text NOT NULL PRIMARY KEY,
    holder uuid NOT NULL,
    expires timestamptz NOT NULL
);
