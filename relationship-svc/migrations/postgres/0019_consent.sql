-- Whom the business may write to.

-- What people said, for ever as it was: whoever changes their mind says something else. Ids ascend with the time of recording.
CREATE TABLE consent (
    tenant text COLLATE "C" NOT NULL,
    id uuid NOT NULL,
    customer text COLLATE "C" NOT NULL,
    -- A word of the caller's, or "all".
    purpose text COLLATE "C" NOT NULL,
    channel text COLLATE "C" NOT NULL,
    state text COLLATE "C" NOT NULL CHECK (state IN ('GRANTED', 'DENIED', 'WITHDRAWN', 'PENDING', 'EXPIRED')),
    basis text NOT NULL,
    text_version text NOT NULL,
    source text NOT NULL,
    proof jsonb NOT NULL,
    -- When it was said.
    said timestamptz NOT NULL,
    -- Its end; of PENDING the end of the link.
    expires timestamptz,
    -- Of a grant by a link: the PENDING record.
    confirms uuid,
    recorded timestamptz NOT NULL,
    principal text NOT NULL,
    PRIMARY KEY (tenant, id)
);

-- The same twice is one.
CREATE UNIQUE INDEX consent_once ON consent (tenant, customer, purpose, channel, said, state);
-- A link grants once.
CREATE UNIQUE INDEX consent_confirms ON consent (tenant, confirms) WHERE confirms IS NOT NULL;
CREATE INDEX consent_customer ON consent (tenant, customer, said, id);

-- What holds of it: the last word, and what was asked for last.
CREATE TABLE consent_state (
    tenant text COLLATE "C" NOT NULL,
    customer text COLLATE "C" NOT NULL,
    purpose text COLLATE "C" NOT NULL,
    channel text COLLATE "C" NOT NULL,
    -- Of the last word; all null where there is none.
    state text COLLATE "C" CHECK (state IN ('GRANTED', 'DENIED', 'WITHDRAWN')),
    record uuid,
    said timestamptz,
    expires timestamptz,
    -- Of what was asked for last; all null where there is nothing.
    asked uuid,
    asked_said timestamptz,
    asked_expires timestamptz,
    -- When it is to be told that the grant is over; null where nothing is to be told.
    due timestamptz,
    PRIMARY KEY (tenant, customer, purpose, channel)
);

-- Across tenants: what is over, and not told.
CREATE INDEX consent_state_due ON consent_state (due) WHERE due IS NOT NULL;

-- Addresses that are not written to. Nobody can read them here: the address is a keyed hash.
CREATE TABLE suppression (
    tenant text COLLATE "C" NOT NULL,
    address bytea NOT NULL,
    channel text COLLATE "C" NOT NULL,
    -- A word, or "all".
    purpose text COLLATE "C" NOT NULL,
    reason text COLLATE "C" NOT NULL
        CHECK (reason IN ('BOUNCE', 'COMPLAINT', 'MANUAL', 'UNSUBSCRIBE', 'ERASURE')),
    -- Which key hashed the address.
    key_id text COLLATE "C" NOT NULL,
    -- When it was suppressed and when that was lifted, each last: the later one holds.
    suppressed timestamptz,
    cleared timestamptz,
    note text NOT NULL,
    principal text NOT NULL,
    PRIMARY KEY (tenant, address, channel, purpose, reason)
);
