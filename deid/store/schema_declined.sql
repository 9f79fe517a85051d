-- What a destination did not store, again and again: it answered so while it stored others, or it broke off.

CREATE TABLE declined (
    ticket      INTEGER NOT NULL REFERENCES tickets,
    destination TEXT NOT NULL,
    times       INTEGER NOT NULL,
    since       REAL NOT NULL,               -- seconds since 1970
    PRIMARY KEY (ticket, destination)
) WITHOUT ROWID;

PRAGMA user_version = 6;
