"""Drives the sandbox with Stripe's Python client: python python.py PORT KEY."""

import json
import sys
import time
import urllib.request

import stripe

port, key = sys.argv[1:3]
base = f"http://127.0.0.1:{port}"
stripe.api_base = base
stripe.api_key = key
CHARGE = "ch_1N4HbSKz9cXRvFYr"


def refusal(kind, call, *positional, **arguments):
    try:
        call(*positional, **arguments)
    except kind as error:
        return error
    raise AssertionError(f"{arguments} was not refused")


def control(path, **body):
    request = urllib.request.Request(f"{base}/_sandbox/{path}", data=json.dumps(body).encode(), method="POST")
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def wait_for(refund, status):
    deadline = time.monotonic() + 15
    while stripe.Refund.retrieve(refund).status != status:
        assert time.monotonic() < deadline, f"{refund} did not become {status}"
        time.sleep(0.05)


# Read a charge, refund part of it, read it back.
charge = stripe.Charge.retrieve(CHARGE, expand=["refunds"])
assert charge.amount == 10000 and charge.refunds.data == []
order = dict(charge=CHARGE, amount=2500, reason="duplicate", metadata={"order": "7"}, idempotency_key="python-1")
refund = stripe.Refund.create(**order)
assert refund.status == "succeeded" and refund.metadata["order"] == "7"
assert stripe.Refund.create(**order).id == refund.id
assert stripe.Charge.retrieve(CHARGE).amount_refunded == 2500
assert stripe.Refund.modify(refund.id, metadata={"order": "8"}).metadata["order"] == "8"

# Refusals arrive as the client's own error classes.
refusal(stripe.IdempotencyError, stripe.Refund.create, **{**order, "amount": 2600})
missing = refusal(stripe.InvalidRequestError, stripe.Charge.retrieve, id="ch_invalid")
assert missing.code == "resource_missing" and missing.http_status == 404
too_much = refusal(stripe.InvalidRequestError, stripe.Refund.create, charge=CHARGE, amount=9000)
assert too_much.param == "amount" and too_much.code is None
assert too_much.request_id.startswith("req_")
refusal(stripe.AuthenticationError, stripe.Refund.list, api_key="sk_test_stranger_0000")
refusal(stripe.PermissionError, stripe.Refund.create, charge=CHARGE, api_key="rk_test_sandbox_read_only")
unsupported = refusal(stripe.InvalidRequestError, stripe.Refund.cancel, refund.id)
assert unsupported.user_message == "Canceling this refund is unsupported."

# A lost answer is fetched again by the client itself, and money moves once.
control("faults", method="POST", path_prefix="/v1/refunds", fault={"kind": "drop_after_effect"})
assert stripe.Refund.create(charge=CHARGE, amount=100).amount == 100
assert stripe.Charge.retrieve(CHARGE).amount_refunded == 2600
control("faults", path_prefix="/v1/refunds", fault={"kind": "rate_limit"})
refusal(stripe.RateLimitError, stripe.Refund.create, charge=CHARGE, amount=1)

# PaymentIntents, and pages of a list walked by the client.
intent = stripe.PaymentIntent.create(
    amount=2000, currency="usd", payment_method="pm_card_visa", confirm=True, expand=["latest_charge"]
)
assert intent.status == "succeeded" and intent.latest_charge.paid
for _ in range(5):
    stripe.Refund.create(payment_intent=intent.id, amount=10)
pages = stripe.Refund.list(payment_intent=intent.id, limit=2, created={"gte": 0})
assert [row.amount for row in pages.auto_paging_iter()] == [10] * 5
declined = refusal(
    stripe.CardError,
    stripe.PaymentIntent.create,
    amount=2000,
    currency="usd",
    payment_method="pm_card_chargeDeclined",
    confirm=True,
)
assert declined.code == "card_declined"

# Refunds that move on by themselves.
pending = stripe.Refund.create(charge="ch_1SandboxPending")
assert pending.status == "pending"
failing = stripe.Refund.create(charge="ch_1SandboxFails")
assert failing.status == "succeeded"
wait_for(pending.id, "succeeded")
wait_for(failing.id, "failed")
waiting = stripe.Refund.create(charge="py_1SandboxActionNeeded")
assert waiting.status == "requires_action"
assert stripe.Refund.TestHelpers.expire(waiting.id).status == "failed"

events = stripe.Event.list(types=["refund.failed"])
assert {event.data.object.id for event in events.data} == {failing.id, waiting.id}
assert stripe.Balance.retrieve().livemode is False
assert stripe.Account.retrieve().id.startswith("acct_")
