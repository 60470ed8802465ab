-- Every webhook secret that was replaced stays valid for a day, not only the last one: a JSON array of
-- {"sealed": hexadecimal, "validUntil": milliseconds}, newest first.

ALTER TABLE connections ADD COLUMN replaced_webhook_secrets TEXT COLLATE "C";
UPDATE connections SET replaced_webhook_secrets = json_build_array(json_build_object(
        'sealed', encode(sealed_webhook_secret_before, 'hex'), 'validUntil', webhook_secret_before_until))::text
    WHERE sealed_webhook_secret_before IS NOT NULL AND webhook_secret_before_until IS NOT NULL;
ALTER TABLE connections DROP COLUMN sealed_webhook_secret_before;
ALTER TABLE connections DROP COLUMN webhook_secret_before_until;
