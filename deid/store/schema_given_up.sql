-- Which destinations never get an object, because a person has given its delivery up: it is not safe everywhere.

CREATE TABLE given_up (
    ticket      INTEGER NOT NULL REFERENCES tickets,
    destination TEXT NOT NULL,
    PRIMARY KEY (ticket, destination)
) WITHOUT ROWID;

PRAGMA user_version = 7;
