-- What people and programs are told of: written in the transaction of the change that it tells of, read in order, and
-- pruned by age. `audience` says who may hear of it beside those who may read everything.
CREATE TABLE events (
    seq      BIGINT PRIMARY KEY NOT NULL,
    at       BIGINT NOT NULL,
    kind     TEXT NOT NULL,
    subject  TEXT NOT NULL,
    audience TEXT NOT NULL,
    body     TEXT NOT NULL
);

CREATE INDEX events_by_age ON events (at);

-- When the beginning and the end of a grant were told of; beside `announced_at`, that it ends soon. Of grants that are
-- older than this table, what is past is not told any more.
ALTER TABLE grants ADD COLUMN start_told_at BIGINT;
ALTER TABLE grants ADD COLUMN end_told_at BIGINT;
UPDATE grants SET start_told_at = starts_at WHERE starts_at <= CAST(strftime('%s', 'now') AS BIGINT) * 1000000;
UPDATE grants SET end_told_at = ends_at WHERE ends_at <= CAST(strftime('%s', 'now') AS BIGINT) * 1000000;

CREATE INDEX grants_to_tell_of ON grants (ends_at) WHERE end_told_at IS NULL;

-- What the database reckons that the statement of a request would cost.
ALTER TABLE requests ADD COLUMN estimate TEXT;
