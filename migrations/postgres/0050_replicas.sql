-- The numbers of the gateways that share the store. A session's number says which of them it is at, so no two gateways
-- have the same at one time; that of one that was not heard of is free when its lease is over.
CREATE TABLE replicas (
    number       BIGINT PRIMARY KEY CHECK (number BETWEEN 1 AND 1023),
    instance     TEXT COLLATE "C" NOT NULL UNIQUE,
    name         TEXT NOT NULL,
    leased_until TIMESTAMPTZ NOT NULL
);

-- What clients ask at one gateway of sessions at another, for some seconds. Nobody misses them after a crash. What is
-- asked holds no key, only what proves one.
CREATE UNLOGGED TABLE errands (
    id       TEXT COLLATE "C" PRIMARY KEY,
    replica  BIGINT NOT NULL,
    body     TEXT NOT NULL,
    asked_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    taken    BOOLEAN NOT NULL DEFAULT FALSE,
    found    BOOLEAN
);

CREATE INDEX errands_to_take ON errands (replica) WHERE NOT taken;
CREATE INDEX errands_by_age ON errands (asked_at);

-- Gateways hear of them when they are committed, once for each of those asked.
CREATE FUNCTION tell_of_errand() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('tidegate_errands', NEW.replica::TEXT);
    RETURN NEW;
END
$$;

CREATE TRIGGER errands_tell AFTER INSERT ON errands FOR EACH ROW EXECUTE FUNCTION tell_of_errand();
