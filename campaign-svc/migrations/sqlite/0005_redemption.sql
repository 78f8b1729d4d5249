-- What relationship-svc says of its redemptions: one row each, as of the newest event. campaign is empty where the
-- incentive serves none.
CREATE TABLE redemption_feedback (
    tenant TEXT NOT NULL,
    redemption TEXT NOT NULL,
    order_id TEXT NOT NULL,
    campaign TEXT NOT NULL,
    incentive TEXT NOT NULL,
    customer TEXT NOT NULL,
    currency TEXT NOT NULL,
    amount INTEGER NOT NULL,
    returned INTEGER NOT NULL,
    tender BOOLEAN NOT NULL,
    order_total INTEGER,
    state TEXT NOT NULL CHECK (state IN ('REDEEMED', 'PARTIALLY_ROLLED_BACK', 'ROLLED_BACK')),
    version INTEGER NOT NULL,
    occurred INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    PRIMARY KEY (tenant, redemption)
);

CREATE INDEX redemption_feedback_campaign ON redemption_feedback (tenant, campaign, order_id);

-- Which replica follows the peer's events. Takes nothing in twice even without it; it saves the others the work.
CREATE TABLE consumer_lease (
    consumer TEXT NOT NULL PRIMARY KEY,
    holder BLOB NOT NULL,
    expires INTEGER NOT NULL
);
