-- Across tenants: counters of periods that are over, and holds that have lapsed, wherever the tenants' rows lie.
CREATE INDEX counter_period ON counter (period) WHERE period <> '';
DROP INDEX redemption_expires;
CREATE INDEX redemption_expires ON redemption (expires) WHERE expires IS NOT NULL;
