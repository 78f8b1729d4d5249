-- Whom the business may write to.

-- What people said, for ever as it was: whoever changes their mind says something else. Ids ascend with the time of recording.
CREATE TABLE consent (
    tenant TEXT NOT NULL,
    id BLOB NOT NULL,
    customer TEXT NOT NULL,
    -- A word of the caller's, or "all".
    purpose TEXT NOT NULL,
    channel TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('GRANTED', 'DENIED', 'WITHDRAWN', 'PENDING', 'EXPIRED')),
    basis TEXT NOT NULL,
    text_version TEXT NOT NULL,
    source TEXT NOT NULL,
    proof TEXT NOT NULL,
    -- When it was said.
    said INTEGER NOT NULL,
    -- Its end; of PENDING the end of the link.
    expires INTEGER,
    -- Of a grant by a link: the PENDING record.
    confirms BLOB,
    recorded INTEGER NOT NULL,
    principal TEXT NOT NULL,
    PRIMARY KEY (tenant, id)
) WITHOUT ROWID;

-- The same twice is one.
CREATE UNIQUE INDEX consent_once ON consent (tenant, customer, purpose, channel, said, state);
-- A link grants once.
CREATE UNIQUE INDEX consent_confirms ON consent (tenant, confirms) WHERE confirms IS NOT NULL;
CREATE INDEX consent_customer ON consent (tenant, customer, said, id);

-- What holds of it: the last word, and what was asked for last.
CREATE TABLE consent_state (
    tenant TEXT NOT NULL,
    customer TEXT NOT NULL,
    purpose TEXT NOT NULL,
    channel TEXT NOT NULL,
    -- Of the last word; all null where there is none.
    state TEXT CHECK (state IN ('GRANTED', 'DENIED', 'WITHDRAWN')),
    record BLOB,
    said INTEGER,
    expires INTEGER,
    -- Of what was asked for last; all null where there is nothing.
    asked BLOB,
    asked_said INTEGER,
    asked_expires INTEGER,
    -- When it is to be told that the grant is over; null where nothing is to be told.
    due INTEGER,
    PRIMARY KEY (tenant, customer, purpose, channel)
) WITHOUT ROWID;

-- Across tenants: what is over, and not told.
CREATE INDEX consent_state_due ON consent_state (due) WHERE due IS NOT NULL;

-- Addresses that are not written to. Nobody can read them here: the address is a keyed hash.
CREATE TABLE suppression (
    tenant TEXT NOT NULL,
    address BLOB NOT NULL,
    channel TEXT NOT NULL,
    -- A word, or "all".
    purpose TEXT NOT NULL,
    reason TEXT NOT NULL
        CHECK (reason IN ('BOUNCE', 'COMPLAINT', 'MANUAL', 'UNSUBSCRIBE', 'ERASURE')),
    -- Which key hashed the address.
    key_id TEXT NOT NULL,
    -- When it was suppressed and when that was lifted, each last: the later one holds.
    suppressed INTEGER,
    cleared INTEGER,
    note TEXT NOT NULL,
    principal TEXT NOT NULL,
    PRIMARY KEY (tenant, address, channel, purpose, reason)
) WITHOUT ROWID;
