//! Ready-made worlds: the accounts, keys and charges a sandbox begins with.

use serde::{Deserialize, Serialize};

use crate::model::{ApiKey, Model};
use crate::model::{Fixture, Payment};

/// The account every world has.
pub const DEV_ACCOUNT: &str = "acct_1SandboxRefundKit";
/// An account connected to [`DEV_ACCOUNT`]: name it in `Stripe-Account`.
pub const DEV_CONNECTED_ACCOUNT: &str = "acct_1SandboxConnected";
/// The key that may do everything in test mode.
pub const DEV_SECRET_KEY: &str = "sk_test_your_stripe_secret_key";
/// A restricted key that may read everything and refund nothing.
pub const DEV_READ_ONLY_KEY: &str = "rk_test_sandbox_read_only";
/// A key that was rolled.
pub const DEV_EXPIRED_KEY: &str = "sk_test_sandbox_expired";
/// A live-mode key; no money moves here either.
pub const DEV_LIVE_KEY: &str = "sk_live_sandbox_not_a_real_key";
/// A charge that exists in live mode only.
pub const DEV_LIVE_CHARGE: &str = "ch_1SandboxLiveOnly";

/// What a sandbox holds when it is first opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum World {
    /// The accounts, the keys and [`DEV_CHARGES`].
    #[default]
    Dev,
    /// The accounts and keys, without any payment.
    Empty,
}

/// A charge of [`World::Dev`], and what it is there to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DevCharge {
    /// What to pass as the transaction: a charge or a PaymentIntent.
    pub id: &'static str,
    /// Its amount in minor units.
    pub amount: i64,
    /// Its currency, in lower case.
    pub currency: &'static str,
    /// What a refund of it shows.
    pub shows: &'static str,
    payment: Payment,
}

const fn card(id: &'static str, amount: i64, currency: &'static str, shows: &'static str) -> DevCharge {
    DevCharge { id, amount, currency, shows, payment: Payment::Charge { token: "tok_visa" } }
}

const fn token(
    id: &'static str,
    token: &'static str,
    amount: i64,
    currency: &'static str,
    shows: &'static str,
) -> DevCharge {
    DevCharge { id, amount, currency, shows, payment: Payment::Charge { token } }
}

/// The charges of [`World::Dev`], in the order they were paid.
pub const DEV_CHARGES: &[DevCharge] = &[
    card("ch_1N4HbSKz9cXRvFYr", 10_000, "usd", "a plain card payment: the refund succeeds at once"),
    card("ch_1SandboxFirstRefund", 4_200, "usd", "another plain card payment"),
    DevCharge {
        payment: Payment::PartlyRefunded { token: "tok_visa", refunded: 3_000 },
        ..card("ch_1SandboxPartlyRefunded", 10_000, "usd", "30.00 of 100.00 are refunded already")
    },
    card("ch_1SandboxYen", 12_000, "jpy", "a currency without decimals: 12000 is 12,000 yen"),
    card("ch_1SandboxDinar", 5_120, "kwd", "a currency with three decimals, the last always zero: 5120 is 5.120"),
    DevCharge {
        payment: Payment::Intent { token: "pm_card_visa", charge: "ch_1SandboxOfIntent", capture_later: false },
        ..card("pi_1SandboxIntent", 2_500, "usd", "a PaymentIntent; its charge is ch_1SandboxOfIntent")
    },
    token("py_1SandboxSepaDebit", "tok_sandbox_sepaDebit", 3_000, "eur", "a bank debit: charge py_, refund pyr_"),
    token("ch_1SandboxPending", "tok_pendingRefund", 6_000, "usd", "the refund is pending first, then succeeds"),
    token("ch_1SandboxFails", "tok_refundFail", 7_000, "usd", "the refund succeeds first, then fails"),
    token(
        "py_1SandboxActionNeeded",
        "tok_sandbox_requiresActionHeld",
        8_000,
        "jpy",
        "the refund waits for the customer's bank details, and can be canceled",
    ),
    DevCharge {
        payment: Payment::Intent { token: "pm_card_chargeDeclined", charge: "ch_1SandboxUnpaid", capture_later: false },
        ..card("pi_1SandboxUnpaid", 1_500, "usd", "the payment failed: nothing to refund (ch_1SandboxUnpaid)")
    },
    DevCharge {
        payment: Payment::Intent { token: "pm_card_visa", charge: "ch_1SandboxUncaptured", capture_later: true },
        ..card(
            "pi_1SandboxUncaptured",
            9_000,
            "usd",
            "authorized, not captured: cancel it instead (ch_1SandboxUncaptured)",
        )
    },
    token("ch_1SandboxDisputed", "tok_createDispute", 5_500, "usd", "disputed by the cardholder: refunds are refused"),
];

const HOUR_MS: i64 = 60 * 60 * 1000;

impl World {
    /// Builds the world as of `now_ms`: its payments lie in the hours before.
    pub fn build(self, seed: u64, now_ms: i64) -> Model {
        let mut model = Model::new(seed);
        let hours = i64::try_from(DEV_CHARGES.len()).unwrap_or(0) + 1;
        let opened_at_ms = now_ms.saturating_sub(hours * HOUR_MS);
        let created = opened_at_ms.div_euclid(1000);
        model.add_account(DEV_ACCOUNT, None, created);
        model.add_account(DEV_CONNECTED_ACCOUNT, Some(DEV_ACCOUNT), created);
        for api_key in dev_api_keys() {
            model.add_api_key(api_key);
        }
        if self == World::Dev {
            let mut paid_at_ms = opened_at_ms;
            let live = card(DEV_LIVE_CHARGE, 1_000, "usd", "");
            model.add_fixture(DEV_ACCOUNT, true, &live.fixture(), paid_at_ms);
            for charge in DEV_CHARGES {
                paid_at_ms += HOUR_MS;
                model.add_fixture(DEV_ACCOUNT, false, &charge.fixture(), paid_at_ms);
            }
        }
        model
    }
}

impl DevCharge {
    fn fixture(&self) -> Fixture {
        Fixture { id: self.id, amount: self.amount, currency: self.currency, payment: self.payment }
    }
}

fn dev_api_keys() -> [ApiKey; 4] {
    let key = |secret: &str| ApiKey {
        secret: secret.to_owned(),
        account: DEV_ACCOUNT.to_owned(),
        livemode: false,
        missing_permissions: Vec::new(),
        expired: false,
    };
    let missing = ["rak_charge_write", "rak_payment_intent_write", "rak_webhook_write", "rak_accounts_kyc_basic_read"];
    [
        key(DEV_SECRET_KEY),
        ApiKey { missing_permissions: missing.map(str::to_owned).to_vec(), ..key(DEV_READ_ONLY_KEY) },
        ApiKey { expired: true, ..key(DEV_EXPIRED_KEY) },
        ApiKey { livemode: true, ..key(DEV_LIVE_KEY) },
    ]
}
