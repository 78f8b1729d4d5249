-- A segment is kept as a list, or found by a rule; who comes and goes is told where it is watched.
ALTER TABLE segment ADD COLUMN kind TEXT NOT NULL DEFAULT 'RULE';
ALTER TABLE segment ADD COLUMN watched BOOLEAN NOT NULL DEFAULT 0;
CREATE INDEX segment_watched ON segment (tenant) WHERE watched;

-- Who is in a list. What is no customer any more counts for nothing.
CREATE TABLE segment_member (
    tenant TEXT NOT NULL,
    segment TEXT NOT NULL,
    customer TEXT NOT NULL,
    PRIMARY KEY (tenant, segment, customer)
) WITHOUT ROWID;

CREATE INDEX segment_member_customer ON segment_member (tenant, customer, segment);

-- Who was told to be in a watched segment, whichever kind it is.
CREATE TABLE segment_watched_member (
    tenant TEXT NOT NULL,
    customer TEXT NOT NULL,
    segment TEXT NOT NULL,
    PRIMARY KEY (tenant, customer, segment)
) WITHOUT ROWID;

-- Customers of whom it is to be found out, once it is due, which watched segments they are in. None where none is watched.
CREATE TABLE customer_look (
    tenant TEXT NOT NULL,
    customer TEXT NOT NULL,
    due INTEGER NOT NULL,
    PRIMARY KEY (tenant, customer)
) WITHOUT ROWID;

CREATE INDEX customer_look_due ON customer_look (due, tenant, customer);

-- A tenant's customers are to be looked at one after the other, since what is watched has changed.
CREATE TABLE segment_sweep (
    tenant TEXT NOT NULL PRIMARY KEY,
    begun INTEGER NOT NULL,
    -- Those behind this one are still to come; null: only those who were being written when it began.
    after TEXT
);
