-- How far those who pass events on have come, and which gateway does it for each: until held_until (microseconds, by the
-- clock of the store's server; without meaning where there is one gateway alone) no other does.
CREATE TABLE event_cursors (
    consumer   TEXT PRIMARY KEY NOT NULL,
    seq        BIGINT NOT NULL,
    holder     TEXT,
    held_until BIGINT NOT NULL
);
