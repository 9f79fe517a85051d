-- What a destination did not take although it had taken another object since the last time: then the object is to blame.

ALTER TABLE declined ADD COLUMN blamed INTEGER NOT NULL DEFAULT 0;  -- so many of the times
ALTER TABLE declined ADD COLUMN blamed_since REAL NOT NULL DEFAULT 0;

PRAGMA user_version = 8;
