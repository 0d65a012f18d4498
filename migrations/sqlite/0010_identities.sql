-- What identity providers and directories say of a principal. One subject is one principal. A directory keeps people
-- out by a mark of its own, so that it lets nobody in whom the gateway's people keep out. removed_at is when it took
-- somebody out: the name stays, so that a token that is still good makes nobody anew.
CREATE TABLE identities (
    principal   TEXT PRIMARY KEY NOT NULL REFERENCES principals (name) ON DELETE CASCADE,
    issuer      TEXT,
    subject     TEXT,
    member_of   TEXT NOT NULL,
    external_id TEXT,
    deactivated BOOLEAN NOT NULL,
    removed_at  BIGINT,
    CHECK ((issuer IS NULL) = (subject IS NULL))
);

CREATE UNIQUE INDEX identities_by_subject ON identities (issuer, subject);
