-- Groups as a directory keeps them, and who is in them. They count for decisions under their names, where policy has a
-- group of that name.
CREATE TABLE directory_groups (
    id          TEXT COLLATE "C" PRIMARY KEY,
    name        TEXT COLLATE "C" NOT NULL UNIQUE,
    external_id TEXT,
    created_at  BIGINT NOT NULL
);

CREATE TABLE directory_members (
    directory_group TEXT COLLATE "C" NOT NULL REFERENCES directory_groups (id) ON DELETE CASCADE,
    principal       TEXT COLLATE "C" NOT NULL REFERENCES principals (name) ON DELETE CASCADE,
    PRIMARY KEY (directory_group, principal)
);

CREATE INDEX directory_members_by_principal ON directory_members (principal);
