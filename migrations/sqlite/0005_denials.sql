-- Refusals that can be asked about, each by the one who was refused, for a day.
CREATE TABLE denials (
    principal TEXT NOT NULL,
    id        TEXT NOT NULL,
    body      TEXT NOT NULL,
    at        BIGINT NOT NULL,
    PRIMARY KEY (principal, id)
);

CREATE INDEX denials_by_age ON denials (at);
