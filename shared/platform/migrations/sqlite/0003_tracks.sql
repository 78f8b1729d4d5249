-- In what the uses of an owner are counted beside their number and their money for ever: words of `Tracks`, on the row of
-- kind 1 without a period, which every use locks. `late`: those of them in which earlier uses are still being counted.
ALTER TABLE counter ADD COLUMN tracks TEXT;
ALTER TABLE counter ADD COLUMN late TEXT;

-- Every use counts without a period too from now on. What periods have counted is what is known of it.
INSERT INTO counter (tenant, kind, owner, subject, period, used, held, told)
SELECT tenant, kind, owner, subject, '', sum(used), 0, 0 FROM counter WHERE kind IN (1, 2) AND period <> ''
 GROUP BY tenant, kind, owner, subject
ON CONFLICT (tenant, kind, owner, subject, period) DO UPDATE SET used = counter.used + excluded.used;
