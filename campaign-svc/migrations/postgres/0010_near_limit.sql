-- The counters that quotes look at: those of which four fifths are gone, which have refused an order, or of which
-- something was held. changed is the second in which one was last written: whoever keeps them in memory asks for what
-- has changed since, and a counter that every order writes moves in this index once a second.
CREATE TABLE near_limit (
    tenant text COLLATE "C" NOT NULL,
    -- Before the owner: what is over lies apart from what is in force.
    period text COLLATE "C" NOT NULL,
    kind bigint NOT NULL,
    owner text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    changed timestamptz NOT NULL,
    PRIMARY KEY (tenant, period, kind, owner, subject)
) WITH (fillfactor = 80);

-- Across tenants: what has changed, and what is over.
CREATE INDEX near_limit_changed ON near_limit (changed);
CREATE INDEX near_limit_period ON near_limit (period) WHERE period <> '';

-- What is held of a limit says so itself from now on.
UPDATE counter SET told = 79 WHERE kind <= 2 AND held > 0 AND told < 79;

INSERT INTO near_limit (tenant, period, kind, owner, subject, changed)
SELECT tenant, period, kind, owner, subject, now() FROM counter
 WHERE kind <= 2 AND told >= 79 AND (period = '' OR substr(period, 2) >= to_char(now() - interval '33 days', 'YYYY-MM-DD'));

DROP INDEX counter_near_limit;

-- Across tenants: counters of periods that are over, and campaigns that are over and whose counters are still there.
CREATE INDEX counter_period ON counter (period) WHERE period <> '';
ALTER TABLE campaign ADD COLUMN settled boolean NOT NULL DEFAULT false;
CREATE INDEX campaign_unsettled ON campaign (ends) WHERE NOT settled;
