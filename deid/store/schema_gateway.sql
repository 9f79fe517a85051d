-- What the gateway needs beside the ledger of batches. No sealed values: what identifies stands in the ticket.

CREATE TABLE arrivals (                      -- what came over the network, beside its ticket
    ticket   INTEGER PRIMARY KEY REFERENCES tickets,
    journey  INTEGER NOT NULL REFERENCES journeys,
    instance BLOB NOT NULL,                  -- keyed hash of the original SOP Instance UID
    content  BLOB NOT NULL,                  -- keyed hash of transfer syntax and data set
    peer     TEXT NOT NULL,                  -- the AE title that sent it
    arrived  REAL NOT NULL,                  -- seconds since 1970
    gone     INTEGER NOT NULL DEFAULT 0      -- its files were deleted: nobody needs them any more
);

CREATE INDEX arrivals_by_instance ON arrivals (journey, instance);
CREATE INDEX arrivals_here ON arrivals (arrived) WHERE NOT gone;

CREATE TABLE deliveries (                    -- where a released object has to go
    ticket      INTEGER NOT NULL REFERENCES tickets,
    destination TEXT NOT NULL,
    state       TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'failed')),
    attempts    INTEGER NOT NULL DEFAULT 0,
    due         REAL NOT NULL DEFAULT 0,     -- not before; while somebody is at it, the end of the lease
    reason      TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (ticket, destination)
) WITHOUT ROWID;

CREATE INDEX deliveries_due ON deliveries (destination, state, due);

PRAGMA user_version = 4;
