-- Storage Commitment (PS3.4 Annex J) in both roles. What identifies stands here only sealed or as keyed hash.

ALTER TABLE arrivals ADD COLUMN sop_class TEXT NOT NULL DEFAULT '';  -- empty where an earlier program wrote the row

CREATE INDEX arrivals_of_peer ON arrivals (instance, peer);

CREATE TABLE commitment_requests (           -- what peers have asked for, until they were told the result
    number   INTEGER PRIMARY KEY,
    peer     TEXT NOT NULL,                  -- its AE title
    hash     BLOB NOT NULL UNIQUE,           -- keyed hash of peer and Transaction UID
    request  BLOB NOT NULL,                  -- sealed: the Transaction UID and the objects
    asked    REAL NOT NULL,                  -- seconds since 1970
    due      REAL NOT NULL,                  -- not before; while somebody is at it, the end of the lease
    attempts INTEGER NOT NULL DEFAULT 0      -- to tell the result
);

CREATE INDEX commitment_requests_due ON commitment_requests (peer, due);

CREATE TABLE custody (                       -- what a destination has been sent and has not said yet that it keeps
    ticket      INTEGER NOT NULL REFERENCES tickets,
    destination TEXT NOT NULL,
    request     TEXT NOT NULL DEFAULT '',    -- our Transaction UID; empty: it has not been asked
    due         REAL NOT NULL,               -- not asked, or asked again, before
    attempts    INTEGER NOT NULL DEFAULT 0,  -- that came to nothing
    PRIMARY KEY (ticket, destination)
) WITHOUT ROWID;

CREATE INDEX custody_due ON custody (destination, due);
CREATE INDEX custody_by_request ON custody (request) WHERE request <> '';

PRAGMA user_version = 5;
