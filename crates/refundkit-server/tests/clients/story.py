"""What every client of the tools must be able to do; the same story as in story.mjs."""

import json
import os
import sys

NAMES = [
    "refundkit_process_refund",
    "refundkit_check_refund_status",
    "refundkit_list_refunds",
    "refundkit_cancel_refund",
    "refundkit_get_policy",
]
CHARGE = "ch_1N4HbSKz9cXRvFYr"
URL = os.environ["REFUNDKIT_BASE_URL"]
KEY = os.environ["REFUNDKIT_API_KEY"]
PROGRAM = os.environ["REFUNDKIT_PROGRAM"]
ENVIRONMENT = {"REFUNDKIT_BASE_URL": URL, "REFUNDKIT_API_KEY": KEY}
# An amount for each story: the same one again would be a duplicate.
AMOUNTS = [int(amount) for amount in sys.argv[1:]]


async def story(call, amount):
    """`call(name, arguments)` answers (is_error, text, structured)."""
    ask = {"transactionId": CHARGE, "amount": amount, "reason": "other"}
    _, _, policy = await call("refundkit_get_policy", {"transactionId": CHARGE})
    assert policy["eligible"] is True, policy
    is_error, text, refund = await call("refundkit_process_refund", ask)
    assert not is_error and refund["amount"] == amount and refund["id"] in text, text
    is_error, text, _ = await call("refundkit_process_refund", ask)
    error = json.loads(text)["error"]
    assert is_error and error["code"] == "refund_already_processed" and error["refundId"] == refund["id"], text
    _, _, status = await call("refundkit_check_refund_status", {"refundId": refund["id"]})
    assert status["customerMessage"], status
