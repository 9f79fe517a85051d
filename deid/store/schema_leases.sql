-- Who works at a received ticket, as long as he says that he does.

ALTER TABLE tickets ADD COLUMN leased_until REAL NOT NULL DEFAULT 0;  -- seconds since 1970; nobody else gets it before

PRAGMA user_version = 9;
