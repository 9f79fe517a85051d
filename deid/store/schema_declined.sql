-- What a destination has answered that it does not store now, again and again, while it stored others.

CREATE TABLE declined (
    ticket      INTEGER NOT NULL REFERENCES tickets,
    destination TEXT NOT NULL,
    times       INTEGER NOT NULL,
    since       REAL NOT NULL,               -- seconds since 1970
    PRIMARY KEY (ticket, destination)
) WITHOUT ROWID;

PRAGMA user_version = 6;
