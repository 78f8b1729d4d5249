-- The counters that quotes look at: those of which four fifths are gone, which have refused an order, or of which
-- something was held. changed is the second in which one was last written: whoever keeps them in memory asks for what
-- has changed since, and a counter that every order writes moves in this index once a second.
CREATE TABLE near_limit (
    tenant TEXT NOT NULL,
    -- Before the owner: what is over lies apart from what is in force.
    period TEXT NOT NULL,
    kind INTEGER NOT NULL,
    owner TEXT NOT NULL,
    subject TEXT NOT NULL,
    changed INTEGER NOT NULL,
    PRIMARY KEY (tenant, period, kind, owner, subject)
) WITHOUT ROWID;

-- Across tenants: what has changed, and what is over.
CREATE INDEX near_limit_changed ON near_limit (changed);
CREATE INDEX near_limit_period ON near_limit (period) WHERE period <> '';

-- What is held of a limit says so itself from now on.
UPDATE counter SET told = 79 WHERE kind <= 2 AND held > 0 AND told < 79;

INSERT INTO near_limit (tenant, period, kind, owner, subject, changed)
SELECT tenant, period, kind, owner, subject, unixepoch() * 1000000 FROM counter
 WHERE kind <= 2 AND told >= 79 AND (period = '' OR substr(period, 2) >= date('now', '-33 days'));

DROP INDEX counter_near_limit;

-- Across tenants: counters of periods that are over, and campaigns that are over and whose counters are still there.
CREATE INDEX counter_period ON counter (period) WHERE period <> '';
ALTER TABLE campaign ADD COLUMN settled BOOLEAN NOT NULL DEFAULT 0;
CREATE INDEX campaign_unsettled ON campaign (ends) WHERE NOT settled;
