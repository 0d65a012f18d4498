-- What was asked never changes (body, plan); where it stands does, and every change names the version that it saw.
CREATE TABLE requests (
    id            TEXT PRIMARY KEY NOT NULL,
    requester     TEXT NOT NULL,
    target        TEXT NOT NULL,
    database_name TEXT NOT NULL,
    body          TEXT NOT NULL,
    plan          TEXT NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('approved', 'cancelled', 'denied', 'expired', 'pending')),
    aftermath     TEXT NOT NULL CHECK (aftermath IN ('none', 'open', 'done')),
    grant_id      TEXT UNIQUE,
    created_at    BIGINT NOT NULL,
    expires_at    BIGINT NOT NULL,
    decided_at    BIGINT,
    escalated_at  BIGINT,
    version       BIGINT NOT NULL,
    CHECK ((state = 'pending') = (decided_at IS NULL)),
    CHECK ((state = 'approved') = (grant_id IS NOT NULL)),
    CHECK (aftermath = 'none' OR state = 'approved')
);

CREATE INDEX requests_by_requester ON requests (requester, created_at);
CREATE INDEX requests_by_state ON requests (state);
CREATE INDEX requests_by_aftermath ON requests (aftermath);

-- One person, one answer; a second one when they look back on a request that its requester approved alone.
CREATE TABLE reviews (
    request    TEXT NOT NULL REFERENCES requests (id),
    reviewer   TEXT NOT NULL,
    afterwards BOOLEAN NOT NULL,
    step       BIGINT NOT NULL,
    verdict    TEXT NOT NULL,
    comment    TEXT NOT NULL,
    given_at   BIGINT NOT NULL,
    PRIMARY KEY (request, reviewer, afterwards)
);

ALTER TABLE grants ADD COLUMN request TEXT;
ALTER TABLE grants ADD COLUMN approvers TEXT;
ALTER TABLE grants ADD COLUMN statement TEXT;
ALTER TABLE grants ADD COLUMN used_at BIGINT;
ALTER TABLE grants ADD COLUMN announced_at BIGINT;

-- A request becomes one grant, whoever approves it at the same instant.
CREATE UNIQUE INDEX grants_by_request ON grants (request);

ALTER TABLE service_keys ADD COLUMN principal TEXT;

-- What a repeated call is answered with, instead of being done twice.
CREATE TABLE idempotency_keys (
    owner      TEXT NOT NULL,
    name       TEXT NOT NULL,
    sha256     BLOB NOT NULL,
    request    TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (owner, name)
);

CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);
