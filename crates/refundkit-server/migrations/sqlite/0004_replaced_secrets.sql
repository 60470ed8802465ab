-- Every webhook secret that was replaced stays valid for a day, not only the last one: a JSON array of
-- {"sealed": hexadecimal, "validUntil": milliseconds}, newest first.

ALTER TABLE connections ADD COLUMN replaced_webhook_secrets TEXT;
UPDATE connections SET replaced_webhook_secrets = json_array(json_object(
        'sealed', lower(hex(sealed_webhook_secret_before)), 'validUntil', webhook_secret_before_until))
    WHERE sealed_webhook_secret_before IS NOT NULL AND webhook_secret_before_until IS NOT NULL;
ALTER TABLE connections DROP COLUMN sealed_webhook_secret_before;
ALTER TABLE connections DROP COLUMN webhook_secret_before_until;
