-- The ledger. What identifies stands here only sealed (BLOB, AES-256-GCM) or as keyed hash (BLOB, 16 bytes).

CREATE TABLE ledger (key_check BLOB NOT NULL);  -- tells whether the key at hand is the one this ledger was written with

CREATE TABLE journeys (
    number    INTEGER PRIMARY KEY,
    hash      BLOB NOT NULL UNIQUE,          -- of input folder, output folder and plan
    folders   BLOB NOT NULL,                 -- sealed: input folder, NUL, output folder
    plan      TEXT NOT NULL,                 -- digest of the plan
    enrolment INTEGER NOT NULL DEFAULT 0,    -- how often its input folder was listed
    chosen    TEXT NOT NULL DEFAULT ''       -- JSON: the profile in words; empty where an earlier program wrote it
);

CREATE TABLE changes (                       -- one row for all objects to which the same was done
    number  INTEGER PRIMARY KEY,
    hash    BLOB NOT NULL UNIQUE,
    changes TEXT NOT NULL                    -- JSON: [[attribute, action, because], ...]
);

CREATE TABLE tickets (
    number      INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given twice: people refer to it
    journey     INTEGER NOT NULL REFERENCES journeys,
    enrolment   INTEGER NOT NULL,            -- the listing that saw the source last
    source_hash BLOB NOT NULL,
    source      BLOB NOT NULL,               -- sealed
    fingerprint BLOB NOT NULL,               -- keyed hash of source, size and times of modification and change
    state       TEXT NOT NULL DEFAULT 'received'
                CHECK (state IN ('received', 'released', 'held', 'duplicate', 'unreadable', 'discarded', 'dicomdir')),
    reason      TEXT NOT NULL DEFAULT '',
    leak        INTEGER NOT NULL DEFAULT 0,
    findings    TEXT NOT NULL DEFAULT '[]',  -- JSON: [[attribute, of], ...]
    accepted    TEXT NOT NULL DEFAULT '[]',  -- JSON: [attribute, ...]
    instance    BLOB,                        -- keyed hash of the original SOP Instance UID
    path        BLOB,                        -- sealed: with UIDs retained (PS3.15 E.3.9) it holds original ones
    changes     INTEGER REFERENCES changes,
    pixels      TEXT NOT NULL DEFAULT '',    -- JSON: what was searched and masked; empty where nothing was asked for
    ended       INTEGER NOT NULL DEFAULT 0,  -- it was an end other than unreadable once: never to be forgotten
    superseded  INTEGER NOT NULL DEFAULT 0,  -- released; its file has changed since, and has another ticket
    CHECK (state <> 'released' OR (instance IS NOT NULL AND path IS NOT NULL)),
    CHECK (state <> 'duplicate' OR instance IS NOT NULL)
);

CREATE UNIQUE INDEX tickets_by_source ON tickets (journey, source_hash) WHERE NOT superseded;
CREATE INDEX duplicates ON tickets (journey, instance) WHERE state = 'duplicate';
CREATE INDEX tickets_by_state ON tickets (journey, state);
CREATE UNIQUE INDEX released_once ON tickets (journey, instance) WHERE state = 'released';

CREATE TABLE crosswalk (
    number           INTEGER PRIMARY KEY,
    kind             TEXT NOT NULL,
    original_hash    BLOB NOT NULL,
    replacement_hash BLOB NOT NULL,
    pair             BLOB NOT NULL,          -- sealed: original, NUL, replacement
    UNIQUE (original_hash, replacement_hash, kind)
);

CREATE INDEX crosswalk_by_replacement ON crosswalk (replacement_hash);

PRAGMA user_version = 3;
