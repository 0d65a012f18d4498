-- Events on their way to webhooks: one row for each event and webhook that was tried, so that a repeated attempt carries
-- the same identifier, and for each trial by hand (without seq). Kept for a while when it is over.
CREATE TABLE webhook_deliveries (
    id       TEXT COLLATE "C" PRIMARY KEY NOT NULL,
    webhook  TEXT COLLATE "C" NOT NULL,
    seq      BIGINT,
    at       BIGINT NOT NULL,
    body     TEXT NOT NULL,
    state    TEXT NOT NULL CHECK (state IN ('trying', 'delivered', 'dead')),
    attempts BIGINT NOT NULL,
    tried_at BIGINT,
    status   BIGINT,
    problem  TEXT
);

CREATE UNIQUE INDEX webhook_deliveries_by_event ON webhook_deliveries (webhook, seq);
CREATE INDEX webhook_deliveries_by_state ON webhook_deliveries (webhook, state, id);
CREATE INDEX webhook_deliveries_by_age ON webhook_deliveries (at);

-- Webhooks that are told nothing more, until somebody enables them.
CREATE TABLE disabled_webhooks (
    webhook     TEXT COLLATE "C" PRIMARY KEY NOT NULL,
    disabled_at BIGINT NOT NULL
);
