-- The tables of SQLite's migrations 1 to 5; from 10 on, a number means the same in both folders.
-- Instants are microseconds since 1970-01-01 UTC. Lists (groups, objects, permissions, scopes) are JSON texts. Names are
-- compared byte by byte, whatever the database's collation is.

CREATE TABLE meta (
    name       TEXT COLLATE "C" PRIMARY KEY,
    value      BYTEA NOT NULL,
    changed_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()
);

-- Other gateways hear of every change that makes a Snapshot when it is committed.
CREATE FUNCTION tell_of_snapshot() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    NEW.changed_at := clock_timestamp();
    IF NEW.name = 'snapshot_version' THEN
        PERFORM pg_notify('tidegate_snapshot', '');
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER meta_tells BEFORE INSERT OR UPDATE ON meta FOR EACH ROW EXECUTE FUNCTION tell_of_snapshot();

-- Salt and rounds are shared by the password and the tokens of one principal; keys are SCRAM's, never a password.
-- native_key is SHA-1 of SHA-1, for mysql_native_password.
CREATE TABLE principals (
    name       TEXT COLLATE "C" PRIMARY KEY,
    member_of  TEXT NOT NULL,
    disabled   BOOLEAN NOT NULL,
    salt       BYTEA,
    iterations BIGINT,
    stored_key BYTEA,
    server_key BYTEA,
    created_at BIGINT NOT NULL,
    native_key BYTEA,
    CHECK ((salt IS NULL) = (iterations IS NULL)),
    CHECK ((stored_key IS NULL) = (server_key IS NULL)),
    CHECK (stored_key IS NULL OR salt IS NOT NULL)
);

CREATE TABLE tokens (
    id         TEXT COLLATE "C" PRIMARY KEY,
    principal  TEXT COLLATE "C" NOT NULL REFERENCES principals (name) ON DELETE CASCADE,
    name       TEXT NOT NULL,
    stored_key BYTEA NOT NULL,
    server_key BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    ends_at    BIGINT NOT NULL,
    revoked_at BIGINT,
    native_key BYTEA
);

CREATE INDEX tokens_by_principal ON tokens (principal);

CREATE TABLE service_keys (
    id         TEXT COLLATE "C" PRIMARY KEY,
    name       TEXT NOT NULL,
    sha256     BYTEA NOT NULL UNIQUE,
    scopes     TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    ends_at    BIGINT,
    revoked_at BIGINT,
    principal  TEXT COLLATE "C"
);

-- What was asked never changes (body, plan); where it stands does, and every change names the version that it saw.
CREATE TABLE requests (
    id            TEXT COLLATE "C" PRIMARY KEY,
    requester     TEXT COLLATE "C" NOT NULL,
    target        TEXT COLLATE "C" NOT NULL,
    database_name TEXT COLLATE "C" NOT NULL,
    body          TEXT NOT NULL,
    plan          TEXT NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('approved', 'cancelled', 'denied', 'expired', 'pending')),
    aftermath     TEXT NOT NULL CHECK (aftermath IN ('none', 'open', 'done')),
    grant_id      TEXT COLLATE "C" UNIQUE,
    created_at    BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL,
    decided_at    BIGINT,
    escalated_at  BIGINT,
    version       BIGINT NOT NULL,
    escalates_at  BIGINT,
    CHECK ((state = 'pending') = (decided_at IS NULL)),
    CHECK ((state = 'approved') = (grant_id IS NOT NULL)),
    CHECK (aftermath = 'none' OR state = 'approved')
);

CREATE INDEX requests_by_requester ON requests (requester, created_at);
CREATE INDEX requests_by_state ON requests (state);
CREATE INDEX requests_by_aftermath ON requests (aftermath);
CREATE INDEX requests_due ON requests (expires_at) WHERE state = 'pending';

-- One person, one answer; a second one when they look back on a request that its requester approved alone.
CREATE TABLE reviews (
    request    TEXT COLLATE "C" NOT NULL REFERENCES requests (id),
    reviewer   TEXT COLLATE "C" NOT NULL,
    afterwards BOOLEAN NOT NULL,
    step       BIGINT NOT NULL,
    verdict    TEXT NOT NULL,
    comment    TEXT NOT NULL,
    given_at   BIGINT NOT NULL,
    PRIMARY KEY (request, reviewer, afterwards)
);

-- A grant outlives the principal it was made for: it is history. A request becomes one grant, whoever approves it at the
-- same instant.
CREATE TABLE grants (
    id            TEXT COLLATE "C" PRIMARY KEY,
    holder_kind   TEXT NOT NULL CHECK (holder_kind IN ('principal', 'group')),
    holder        TEXT COLLATE "C" NOT NULL,
    target        TEXT COLLATE "C" NOT NULL,
    database_name TEXT COLLATE "C" NOT NULL,
    objects       TEXT NOT NULL,
    permissions   TEXT NOT NULL,
    starts_at     BIGINT NOT NULL,
    ends_at       BIGINT NOT NULL,
    reason        TEXT NOT NULL,
    created_at    BIGINT NOT NULL,
    created_by    TEXT NOT NULL,
    revoked_at    BIGINT,
    revoked_by    TEXT,
    revoke_reason TEXT,
    request       TEXT COLLATE "C" UNIQUE REFERENCES requests (id),
    approvers     TEXT,
    statement     TEXT,
    used_at       BIGINT,
    announced_at  BIGINT,
    CHECK (starts_at < ends_at),
    CHECK ((revoked_at IS NULL) = (revoked_by IS NULL)),
    CHECK ((revoked_at IS NULL) = (revoke_reason IS NULL))
);

CREATE INDEX grants_by_end ON grants (ends_at);
CREATE INDEX grants_by_holder ON grants (holder_kind, holder);

-- What a repeated call is answered with, instead of being done twice.
CREATE TABLE idempotency_keys (
    owner      TEXT COLLATE "C" NOT NULL,
    name       TEXT COLLATE "C" NOT NULL,
    sha256     BYTEA NOT NULL,
    request    TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (owner, name)
);

CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

-- Refusals that can be asked about, each by the one who was refused, for a day.
CREATE TABLE denials (
    principal TEXT COLLATE "C" NOT NULL,
    id        TEXT COLLATE "C" NOT NULL,
    body      TEXT NOT NULL,
    at        BIGINT NOT NULL,
    PRIMARY KEY (principal, id)
);

CREATE INDEX denials_by_age ON denials (at);

-- What the code never does, the database does not let happen either.

CREATE FUNCTION refuse() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'check_violation', MESSAGE = TG_ARGV[0], TABLE = TG_TABLE_NAME;
END
$$;

CREATE TRIGGER requests_keep_what_was_asked BEFORE UPDATE ON requests FOR EACH ROW
WHEN ((NEW.id, NEW.requester, NEW.target, NEW.database_name, NEW.body, NEW.plan, NEW.created_at, NEW.expires_at,
    NEW.escalates_at) IS DISTINCT FROM (OLD.id, OLD.requester, OLD.target, OLD.database_name, OLD.body, OLD.plan,
    OLD.created_at, OLD.expires_at, OLD.escalates_at))
EXECUTE FUNCTION refuse('what was asked does not change');

CREATE TRIGGER requests_are_decided_once BEFORE UPDATE ON requests FOR EACH ROW
WHEN (NEW.version <> OLD.version + 1
    OR (OLD.state <> 'pending' AND (NEW.state, NEW.grant_id, NEW.decided_at)
        IS DISTINCT FROM (OLD.state, OLD.grant_id, OLD.decided_at))
    OR (OLD.aftermath <> NEW.aftermath AND OLD.state <> 'pending'
        AND NOT (OLD.aftermath = 'open' AND NEW.aftermath = 'done')))
EXECUTE FUNCTION refuse('a request is decided once');

CREATE TRIGGER requests_stay BEFORE DELETE ON requests FOR EACH ROW
EXECUTE FUNCTION refuse('requests are history');

CREATE TRIGGER reviews_stand BEFORE UPDATE OR DELETE ON reviews FOR EACH ROW
EXECUTE FUNCTION refuse('an answer stands');

CREATE FUNCTION check_origin() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM requests
        WHERE id = NEW.request AND state = 'approved' AND grant_id = NEW.id AND requester = NEW.holder
    ) THEN
        RAISE EXCEPTION USING ERRCODE = 'check_violation',
            MESSAGE = 'the request of a grant is approved, and for this grant';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER grants_come_of_approval BEFORE INSERT ON grants FOR EACH ROW WHEN (NEW.request IS NOT NULL)
EXECUTE FUNCTION check_origin();

CREATE TRIGGER grants_do_not_change BEFORE UPDATE ON grants FOR EACH ROW
WHEN ((NEW.id, NEW.holder_kind, NEW.holder, NEW.target, NEW.database_name, NEW.objects, NEW.permissions, NEW.starts_at,
        NEW.ends_at, NEW.reason, NEW.created_at, NEW.created_by, NEW.request, NEW.approvers, NEW.statement)
        IS DISTINCT FROM (OLD.id, OLD.holder_kind, OLD.holder, OLD.target, OLD.database_name, OLD.objects,
        OLD.permissions, OLD.starts_at, OLD.ends_at, OLD.reason, OLD.created_at, OLD.created_by, OLD.request,
        OLD.approvers, OLD.statement)
    OR (OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS DISTINCT FROM OLD.revoked_at)
    OR (OLD.used_at IS NOT NULL AND NEW.used_at IS DISTINCT FROM OLD.used_at)
    OR (OLD.used_at IS NULL AND NEW.used_at IS NOT NULL AND (OLD.statement IS NULL OR OLD.revoked_at IS NOT NULL
        OR NEW.used_at < OLD.starts_at OR NEW.used_at >= OLD.ends_at)))
EXECUTE FUNCTION refuse('a grant is revoked once and used once, and does not change otherwise');

CREATE TRIGGER grants_stay BEFORE DELETE ON grants FOR EACH ROW
EXECUTE FUNCTION refuse('grants are history');

-- The gateways that share the store: what each said last of its sessions, and which of them it is asked to end. Names
-- are for people; an instance is one run of one gateway.

CREATE TABLE gateways (
    instance TEXT COLLATE "C" PRIMARY KEY,
    name     TEXT NOT NULL,
    sessions TEXT NOT NULL,
    seen_at  TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE terminations (
    session  TEXT COLLATE "C" PRIMARY KEY,
    instance TEXT COLLATE "C" NOT NULL,
    actor    TEXT NOT NULL
);

CREATE FUNCTION tell_of_termination() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('tidegate_snapshot', '');
    RETURN NEW;
END
$$;

CREATE TRIGGER terminations_tell AFTER INSERT ON terminations FOR EACH ROW EXECUTE FUNCTION tell_of_termination();
