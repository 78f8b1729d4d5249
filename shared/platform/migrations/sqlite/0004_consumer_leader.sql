-- Which replica follows the other service's events. Takes nothing in twice even without it; it saves the others the work.
CREATE TABLE consumer_leader (
    consumer TEXT NOT NULL PRIMARY KEY,
    holder BLOB NOT NULL,
    expires INTEGER NOT NULL
) WITHOUT ROWID;
