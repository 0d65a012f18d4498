-- Instants are microseconds since 1970-01-01 UTC. Lists (groups, objects, permissions, scopes) are JSON texts.

CREATE TABLE meta (
    name  TEXT PRIMARY KEY NOT NULL,
    value BLOB NOT NULL
);

-- Salt and rounds are shared by the password and the tokens of one principal; keys are SCRAM's, never a password.
CREATE TABLE principals (
    name       TEXT PRIMARY KEY NOT NULL,
    member_of  TEXT NOT NULL,
    disabled   BOOLEAN NOT NULL,
    salt       BLOB,
    iterations BIGINT,
    stored_key BLOB,
    server_key BLOB,
    created_at BIGINT NOT NULL,
    CHECK ((salt IS NULL) = (iterations IS NULL)),
    CHECK ((stored_key IS NULL) = (server_key IS NULL)),
    CHECK (stored_key IS NULL OR salt IS NOT NULL)
);

CREATE TABLE tokens (
    id         TEXT PRIMARY KEY NOT NULL,
    principal  TEXT NOT NULL REFERENCES principals (name) ON DELETE CASCADE,
    name       TEXT NOT NULL,
    stored_key BLOB NOT NULL,
    server_key BLOB NOT NULL,
    created_at BIGINT NOT NULL,
    ends_at    BIGINT NOT NULL,
    revoked_at BIGINT
);

CREATE INDEX tokens_by_principal ON tokens (principal);

-- A grant outlives the principal it was made for: it is history, so it refers to no other table.
CREATE TABLE grants (
    id            TEXT PRIMARY KEY NOT NULL,
    holder_kind   TEXT NOT NULL CHECK (holder_kind IN ('principal', 'group')),
    holder        TEXT NOT NULL,
    target        TEXT NOT NULL,
    database_name TEXT NOT NULL,
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
    CHECK (starts_at < ends_at),
    CHECK ((revoked_at IS NULL) = (revoked_by IS NULL)),
    CHECK ((revoked_at IS NULL) = (revoke_reason IS NULL))
);

CREATE INDEX grants_by_end ON grants (ends_at);
CREATE INDEX grants_by_holder ON grants (holder_kind, holder);

CREATE TABLE service_keys (
    id         TEXT PRIMARY KEY NOT NULL,
    name       TEXT NOT NULL,
    sha256     BLOB NOT NULL UNIQUE,
    scopes     TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    ends_at    BIGINT,
    revoked_at BIGINT
);
