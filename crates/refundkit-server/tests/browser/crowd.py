"""Fills a SQLite database of RefundKit with many refunds, for pages that must not mind.

    python3 crowd.py DATABASE COUNT

Begins from the newest refund that is there: everything that is not varied here is as the server wrote it. The server must not be
running. Days, statuses, currencies, reasons, pairs and who asked are spread by the refund's number, the same on every run. Keys and
people who asked are added: a shop, an agent, a shop whose key is revoked and that made the oldest, and Bob; Zoe left.
"""

import json
import sqlite3
import sys
import time

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
DAY_MS = 24 * 60 * 60 * 1000
DAYS = 60
CURRENCIES = ["usd"] * 8 + ["eur"] * 3 + ["jpy"]
REASONS = ["customer_request", "product_defective", "product_not_received", "duplicate_charge", "other", "order_cancelled"]
DOORS = ["api"] * 5 + ["mcp"] * 4 + ["dashboard"]

# The oldest refunds are of a key that is revoked, and one in so many of a person's is Zoe's.
OLD_SHOP_REFUNDS = 1000
ZOE_EVERY = 100


def encoded(prefix, bits):
    return prefix + "".join(ALPHABET[(bits >> (5 * place)) & 31] for place in range(25, -1, -1))


def refund_id(at_ms, number):
    return encoded("ref_", (at_ms << 80) | (7 << 76) | (0b10 << 62) | (number & ((1 << 62) - 1)))


SHOP, AGENT, OLD_SHOP = (encoded("key_", number) for number in (1, 2, 3))
BOB, ZOE = (encoded("usr_", number) for number in (1, 2))


def asker(number, owner):
    """The person and the key who asked: one of both."""
    door = DOORS[number % len(DOORS)]
    if door == "mcp":
        return None, AGENT
    if door == "api":
        return None, OLD_SHOP if number < OLD_SHOP_REFUNDS else SHOP
    of_people = number // len(DOORS)
    return ZOE if of_people % ZOE_EVERY == 0 else BOB if of_people % 2 else owner, None


def fate(number):
    """Status, stage, and the state behind them."""
    accepted = {"external_refund_id": f"re_crowd{number}", "cancel_requested": False, "contradiction": None}
    if number % 50 == 7:
        return "failed", "settled", "failed", accepted
    if number % 400 == 11:
        return "cancelled", "settled", "cancelled", accepted
    if number % 200 == 13:
        return "processing", "awaiting_processor", "processing", accepted
    return "completed", "settled", "completed", accepted


def rfc3339(ms):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ms // 1000)) + f".{ms % 1000:03d}Z"


def rows(template, columns, count, now_ms):
    first_ms = now_ms - DAYS * DAY_MS
    for number in range(count):
        at = first_ms + number * (DAYS * DAY_MS) // count
        status, stage, state, accepted = fate(number)
        settled_at = min(at + 1000 + number % 7919 * 100, now_ms)
        document = {"state": state, "accepted": accepted}
        if stage == "settled":
            document["settled_at"] = rfc3339(settled_at)
        if state == "failed":
            document["failure"] = {"code": "expired_or_canceled_card", "message": "The customer's card expired."}
        user_id, api_key_id = asker(number, template["user_id"])
        currency = CURRENCIES[number % len(CURRENCIES)]
        varied = {
            "id": refund_id(at, number),
            "transaction_id": f"ch_crowd{number}",
            "external_transaction_id": f"ch_crowd{number}",
            "payment_intent": f"pi_crowd{number}",
            "external_refund_id": accepted["external_refund_id"],
            "amount": 500 + number % 9973 * (1 if currency == "jpy" else 3),
            "currency": currency,
            "reason": REASONS[number % len(REASONS)],
            "metadata": json.dumps({"order": f"order-{number}"}) if number % 10 == 0 else None,
            "status": status,
            "stage": stage,
            "state": json.dumps(document),
            "initiated_by": DOORS[number % len(DOORS)],
            "user_id": user_id,
            "api_key_id": api_key_id,
            "created_at": at,
            "updated_at": settled_at,
        }
        yield [varied.get(column, template[column]) for column in columns]


def add_askers(database, template, now_ms):
    tenant = (template["organization_id"], template["environment"])
    for key, name, revoked_at in [(SHOP, "Shop", None), (AGENT, "Support agent", None), (OLD_SHOP, "Old shop", now_ms)]:
        database.execute(
            """INSERT INTO api_keys (id, organization_id, environment, scope, name, prefix, hash, created_at, revoked_at)
               VALUES (?, ?, ?, 'write', ?, ?, ?, ?, ?)""",
            (key, *tenant, name, f"rk_test_{key[-8:]}", f"nobody has {name}", now_ms, revoked_at),
        )
    database.execute(
        """INSERT INTO users (id, organization_id, email, role, password_hash, created_at)
           VALUES (?, ?, 'bob@acme.example', 'member', 'nobody signs in by this', ?)""",
        (BOB, tenant[0], now_ms),
    )


def main(path, count):
    database = sqlite3.connect(path)
    database.row_factory = sqlite3.Row
    database.executescript("PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF; PRAGMA cache_size = -200000;")
    template = database.execute("SELECT * FROM refunds ORDER BY id DESC LIMIT 1").fetchone()
    if template is None:
        sys.exit("there is no refund to begin from")
    columns = template.keys()
    now_ms = int(template["created_at"])
    places = ", ".join("?" for _ in columns)
    with database:
        add_askers(database, template, now_ms)
        database.executemany(f"INSERT INTO refunds ({', '.join(columns)}) VALUES ({places})", rows(template, columns, count, now_ms))
        database.execute("DELETE FROM refund_days")
        database.execute(
            """INSERT INTO refund_days (organization_id, environment, day, currency, slot, completed, completed_amount, settle_ms, failed, cancelled)
               SELECT organization_id, environment, updated_at / 86400000, currency, 0, SUM(status = 'completed'),
                   SUM(CASE WHEN status = 'completed' THEN amount ELSE 0 END),
                   SUM(CASE WHEN status = 'completed' THEN updated_at - created_at ELSE 0 END),
                   SUM(status = 'failed'), SUM(status = 'cancelled')
               FROM refunds WHERE status IN ('completed', 'failed', 'cancelled')
               GROUP BY organization_id, environment, updated_at / 86400000, currency"""
        )
        database.execute(
            """INSERT INTO refund_metadata (organization_id, environment, value, key, refund_id)
               SELECT refunds.organization_id, refunds.environment, pairs.value, pairs.key, refunds.id
               FROM refunds, json_each(refunds.metadata) AS pairs WHERE refunds.metadata IS NOT NULL
               ON CONFLICT DO NOTHING"""
        )
    database.execute("PRAGMA optimize")
    database.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
