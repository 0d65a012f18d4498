-- Who is who in Slack: one account there is one principal here, and the other way round. linked_by is 'code' or 'email'.
CREATE TABLE slack_links (
    team       TEXT COLLATE "C" NOT NULL,
    slack_user TEXT COLLATE "C" NOT NULL,
    principal  TEXT COLLATE "C" NOT NULL,
    linked_at  BIGINT NOT NULL,
    linked_by  TEXT NOT NULL,
    PRIMARY KEY (team, slack_user)
);

CREATE UNIQUE INDEX slack_links_by_principal ON slack_links (principal);

-- Codes by which an account is to be linked, until somebody confirms one of them; label is what Slack calls its owner.
CREATE TABLE slack_codes (
    team       TEXT COLLATE "C" NOT NULL,
    slack_user TEXT COLLATE "C" NOT NULL,
    label      TEXT NOT NULL,
    sha256     BYTEA NOT NULL,
    ends_at    BIGINT NOT NULL,
    PRIMARY KEY (team, slack_user)
);

CREATE UNIQUE INDEX slack_codes_by_sha256 ON slack_codes (sha256);

-- Messages about requests: 'channel' is the one that is kept up to date, all others are told once. shown is the SHA-256 of
-- what a message shows.
CREATE TABLE slack_messages (
    request TEXT NOT NULL,
    part    TEXT NOT NULL,
    channel TEXT NOT NULL,
    ts      TEXT NOT NULL,
    shown   BYTEA NOT NULL,
    PRIMARY KEY (request, part)
);
