-- Which replica follows the other service's events. Takes nothing in twice even without it; it saves the others the work.
CREATE TABLE consumer_leader (
    consumer text COLLATE "C" NOT NULL PRIMARY KEY,
    holder uuid NOT NULL,
    expires timestamptz NOT NULL
);
