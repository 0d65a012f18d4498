-- When an unanswered request goes to others: so that looking for what is due needs no reading of plans.
ALTER TABLE requests ADD COLUMN escalates_at BIGINT;

UPDATE requests SET escalates_at = created_at + 1000000 * json_extract(plan, '$.escalation.after_seconds')
WHERE state = 'pending';

CREATE INDEX requests_due ON requests (expires_at) WHERE state = 'pending';

-- What the code never does, the database does not let happen either.

CREATE TRIGGER requests_keep_what_was_asked BEFORE UPDATE ON requests
WHEN NEW.id IS NOT OLD.id OR NEW.requester IS NOT OLD.requester OR NEW.target IS NOT OLD.target
    OR NEW.database_name IS NOT OLD.database_name OR NEW.body IS NOT OLD.body OR NEW.plan IS NOT OLD.plan
    OR NEW.created_at IS NOT OLD.created_at OR NEW.expires_at IS NOT OLD.expires_at
    OR NEW.escalates_at IS NOT OLD.escalates_at
BEGIN
    SELECT RAISE(ABORT, 'what was asked does not change');
END;

CREATE TRIGGER requests_are_decided_once BEFORE UPDATE ON requests
WHEN NEW.version <> OLD.version + 1
    OR (OLD.state <> 'pending' AND (NEW.state <> OLD.state OR NEW.grant_id IS NOT OLD.grant_id
        OR NEW.decided_at IS NOT OLD.decided_at))
    OR (OLD.aftermath <> NEW.aftermath AND OLD.state <> 'pending'
        AND NOT (OLD.aftermath = 'open' AND NEW.aftermath = 'done'))
BEGIN
    SELECT RAISE(ABORT, 'a request is decided once');
END;

CREATE TRIGGER requests_stay BEFORE DELETE ON requests
BEGIN
    SELECT RAISE(ABORT, 'requests are history');
END;

CREATE TRIGGER reviews_stand BEFORE UPDATE ON reviews
BEGIN
    SELECT RAISE(ABORT, 'an answer stands');
END;

CREATE TRIGGER reviews_stay BEFORE DELETE ON reviews
BEGIN
    SELECT RAISE(ABORT, 'an answer stands');
END;

CREATE TRIGGER grants_come_of_approval BEFORE INSERT ON grants
WHEN NEW.request IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM requests
    WHERE id = NEW.request AND state = 'approved' AND grant_id = NEW.id AND requester = NEW.holder
)
BEGIN
    SELECT RAISE(ABORT, 'the request of a grant is approved, and for this grant');
END;

CREATE TRIGGER grants_do_not_change BEFORE UPDATE ON grants
WHEN NEW.id IS NOT OLD.id OR NEW.holder_kind IS NOT OLD.holder_kind OR NEW.holder IS NOT OLD.holder
    OR NEW.target IS NOT OLD.target OR NEW.database_name IS NOT OLD.database_name
    OR NEW.objects IS NOT OLD.objects OR NEW.permissions IS NOT OLD.permissions
    OR NEW.starts_at IS NOT OLD.starts_at OR NEW.ends_at IS NOT OLD.ends_at OR NEW.reason IS NOT OLD.reason
    OR NEW.created_at IS NOT OLD.created_at OR NEW.created_by IS NOT OLD.created_by
    OR NEW.request IS NOT OLD.request OR NEW.approvers IS NOT OLD.approvers
    OR NEW.statement IS NOT OLD.statement
    OR (OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS NOT OLD.revoked_at)
    OR (OLD.used_at IS NOT NULL AND NEW.used_at IS NOT OLD.used_at)
    OR (OLD.used_at IS NULL AND NEW.used_at IS NOT NULL AND (OLD.statement IS NULL OR OLD.revoked_at IS NOT NULL
        OR NEW.used_at < OLD.starts_at OR NEW.used_at >= OLD.ends_at))
BEGIN
    SELECT RAISE(ABORT, 'a grant is revoked once and used once, and does not change otherwise');
END;

CREATE TRIGGER grants_stay BEFORE DELETE ON grants
BEGIN
    SELECT RAISE(ABORT, 'grants are history');
END;
