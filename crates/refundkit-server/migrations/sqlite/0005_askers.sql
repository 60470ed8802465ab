-- Who asked for a refund: beside the person (since 0003), the key of a program. Old refunds have it from the first line of their
-- audit trail.

ALTER TABLE refunds ADD COLUMN api_key_id TEXT;
UPDATE refunds SET api_key_id =
    (SELECT json_extract(refund_events.actor, '$.keyId') FROM refund_events
        WHERE refund_events.refund_id = refunds.id AND refund_events.organization_id = refunds.organization_id
            AND refund_events.environment = refunds.environment AND refund_events.type = 'refund.created'
        ORDER BY refund_events.id LIMIT 1)
    WHERE user_id IS NULL;

-- A person's refunds are found straight. Those of a key are tried one by one: most refunds are made by keys, and each of them would
-- pay for an index.
CREATE INDEX refunds_by_user ON refunds (organization_id, environment, user_id, id) WHERE user_id IS NOT NULL;
