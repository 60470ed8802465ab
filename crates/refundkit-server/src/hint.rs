//! What to do next, as a thing to do. Each interface says it in the words its callers use: fields and paths to programs and to agents
//! (whose tools take the same fields), flags and commands to people at a command line, what a page shows to people in the dashboard.
//! What went wrong is told alike everywhere.

use std::borrow::Cow;

use refundkit::{InitiatedBy, ProcessorName, RefundId, Scope};
use refundkit_core::eligibility::Refusal;

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// Something that every caller would call the same.
    Plain(Cow<'static, str>),
    /// Give an API key.
    GiveKey,
    /// A key of Stripe's was given where one of RefundKit's belongs.
    KeyIsStripes,
    /// Use a key of this scope.
    KeyOfScope(Scope),
    /// Connect the processor.
    Connect(ProcessorName),
    /// Make an endpoint for notifications at the processor, whose secret can be saved.
    MakeWebhookEndpoint,
    /// Replace a key although it cannot read what is open.
    ForceReplacement,
    /// Disconnect although refunds are open.
    ForceDisconnection,
    /// Make another API key in place of one that is gone.
    MakeAnotherKey,
    /// Begin the list again.
    BeginList,
    /// Look at this refund, and say so if there is to be a second one.
    AllowDuplicate(RefundId),
    /// Look at this refund, which explains the refusal.
    LookAt(RefundId),
    /// Ask for less.
    AtMost(i64),
    /// Say how much.
    GiveAmount,
    /// Let the payment say the currency.
    OmitCurrency,
    /// See what was refunded.
    ReadTransaction,
    /// Say who pays for refunds of charges that were passed on.
    SayWhoPays,
}

impl From<&'static str> for Hint {
    fn from(words: &'static str) -> Self {
        Self::Plain(Cow::Borrowed(words))
    }
}

impl From<String> for Hint {
    fn from(words: String) -> Self {
        Self::Plain(Cow::Owned(words))
    }
}

impl From<&Refusal> for Hint {
    fn from(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::EnvironmentMismatch { .. } => {
                "Use an API key of the charge's environment: rk_live_… for real money, rk_test_… for tests.".into()
            }
            Refusal::NotPaid => "Check that this is the payment the customer means; a failed one took no money.".into(),
            Refusal::AlreadyRefunded { refund_id: Some(refund_id) }
            | Refusal::MoreThanLeft { refund_id: Some(refund_id), .. } => Self::LookAt(*refund_id),
            Refusal::AlreadyRefunded { refund_id: None } => Self::ReadTransaction,
            Refusal::MoreThanLeft { refund_id: None, left, .. } => Self::AtMost(*left),
            Refusal::Uncaptured { payment_intent: Some(intent) } => {
                format!("Cancel PaymentIntent {intent} at the processor; no money was taken yet.").into()
            }
            Refusal::Uncaptured { payment_intent: None } => {
                "Release the authorisation at the processor; no money was taken yet.".into()
            }
            Refusal::CurrencyMismatch { .. } => Self::OmitCurrency,
            Refusal::AmountStep { step } => format!("Round the amount to a multiple of {step}.").into(),
            Refusal::TransferUndecided => Self::SayWhoPays,
            Refusal::Duplicate { refund_id } => Self::AllowDuplicate(*refund_id),
            Refusal::BeyondMaximum { .. } => Self::GiveAmount,
            Refusal::BeyondMember { limit: None, .. } => {
                "Ask an owner to set one at Settings > Organization, or an admin to make this refund.".into()
            }
            Refusal::BeyondMember { limit: Some(_), .. } => {
                "Refund less, or ask an admin or owner to make this refund.".into()
            }
        }
    }
}

impl Hint {
    /// One sentence, for who came through this door.
    pub fn told_to(&self, door: InitiatedBy) -> Cow<'static, str> {
        match door {
            InitiatedBy::Api | InitiatedBy::Mcp => self.to_programs(),
            InitiatedBy::Dashboard => self.in_dashboard(),
            InitiatedBy::Cli => self.at_command_line(),
        }
    }

    fn to_programs(&self) -> Cow<'static, str> {
        match self {
            Self::Plain(words) => words.clone(),
            Self::GiveKey => "Send the header `Authorization: Bearer rk_test_…` with a key of RefundKit.".into(),
            Self::KeyIsStripes => "This looks like a key of Stripe's. Calls to RefundKit carry a RefundKit key (rk_test_… or rk_live_…); Stripe's key is saved once with PUT /v1/processors/stripe.".into(),
            Self::KeyOfScope(scope) => format!("Use a key with the scope `{scope}`, made by an admin with POST /v1/api-keys.").into(),
            Self::Connect(name) => format!("Connect one with an admin key of this environment: PUT /v1/processors/{name} with its secret key.").into(),
            Self::MakeWebhookEndpoint => "Make an endpoint for `webhookUrl` in Stripe (Developers, Webhooks) and paste the signing secret it shows.".into(),
            Self::ForceReplacement => "Use a key of the same account, wait until the open refunds have settled, or send `force: true`.".into(),
            Self::ForceDisconnection => "Wait until they have settled, or send `force=true`: they will still be followed to their end.".into(),
            Self::MakeAnotherKey => "It was revoked since. Make another one under a new Idempotency-Key.".into(),
            Self::BeginList => "Repeat the filters unchanged, or leave `cursor` out to begin at the first page.".into(),
            Self::AllowDuplicate(id) => format!("Look at refund {id} first; to refund the same amount once more, send `allowDuplicate: true`.").into(),
            Self::LookAt(id) => format!("Look at refund {id} of the same payment first.").into(),
            Self::AtMost(left) => format!("Ask for at most {left}.").into(),
            Self::GiveAmount => "Give an `amount`, and make several refunds.".into(),
            Self::OmitCurrency => "Omit `currency` to use the charge's.".into(),
            Self::ReadTransaction => "Read the transaction to see its refunds; there is nothing left to refund.".into(),
            Self::SayWhoPays => "Set `connect.reverseTransfer` of the processor connection to true or false.".into(),
        }
    }

    fn at_command_line(&self) -> Cow<'static, str> {
        match self {
            Self::Plain(words) => words.clone(),
            Self::GiveKey => "Give a key of RefundKit: in REFUNDKIT_API_KEY, or with `--api-key-file`.".into(),
            Self::KeyIsStripes => "This looks like a key of Stripe's. Give a key of RefundKit (rk_test_… or rk_live_…) here; Stripe's is saved once with `refundkit processors connect stripe`.".into(),
            Self::KeyOfScope(scope) => format!("Use a key with the scope `{scope}`; an admin makes one with `refundkit keys create NAME --scope {scope}`.").into(),
            Self::Connect(name) => format!("Connect one with an admin key of this environment: `refundkit processors connect {name}`.").into(),
            Self::MakeWebhookEndpoint => "Make an endpoint in Stripe (Developers, Webhooks) for the webhook URL that `refundkit processors test` shows, and give the signing secret it shows.".into(),
            Self::ForceReplacement => "Use a key of the same account, wait until the open refunds have settled, or repeat the command with `--force`.".into(),
            Self::ForceDisconnection => "Wait until they have settled, or repeat the command with `--force`: they will still be followed to their end.".into(),
            Self::MakeAnotherKey => "It was revoked since. Make another one with `refundkit keys create`.".into(),
            Self::BeginList => "Repeat the filters unchanged, or leave `--cursor` out to begin at the first page.".into(),
            Self::AllowDuplicate(id) => format!("Look at it first: `refundkit refunds get {id}`; to refund the same amount once more, repeat the command with `--allow-duplicate`.").into(),
            Self::LookAt(id) => format!("Look at that refund of the same payment first: `refundkit refunds get {id}`.").into(),
            Self::AtMost(left) => format!("Ask for at most `--amount {left}`, or leave `--amount` out to refund all that is left.").into(),
            Self::GiveAmount => "Say how much with `--amount`, and make several refunds.".into(),
            Self::OmitCurrency => "Leave `--currency` out to use the charge's.".into(),
            Self::ReadTransaction => "There is nothing left to refund; `refundkit transactions get` shows the payment's refunds.".into(),
            Self::SayWhoPays => "Say who pays: `refundkit processors connect stripe --keep-key --reverse-transfer true` (or false).".into(),
        }
    }

    fn in_dashboard(&self) -> Cow<'static, str> {
        match self {
            Self::Plain(words) => words.clone(),
            Self::GiveKey | Self::KeyIsStripes | Self::KeyOfScope(_) => "Sign in again.".into(),
            Self::Connect(_) => "An admin of the organization connects one in the settings.".into(),
            Self::MakeWebhookEndpoint => "Make an endpoint in Stripe (Developers, Webhooks) for the webhook URL that is shown here, and paste the signing secret it shows.".into(),
            Self::ForceReplacement => "Use a key of the same account, wait until the open refunds have settled, or replace it all the same.".into(),
            Self::ForceDisconnection => "Wait until they have settled, or disconnect all the same: they will still be followed to their end.".into(),
            Self::MakeAnotherKey => "It was revoked since. Make another one.".into(),
            Self::BeginList => "Begin again at the first page.".into(),
            Self::AllowDuplicate(id) => format!("Look at refund {id} first, and allow a duplicate only if the same amount is to be refunded once more.").into(),
            Self::LookAt(id) => format!("Look at refund {id} of the same payment first.").into(),
            Self::AtMost(left) => format!("Ask for at most {left}, or refund all that is left.").into(),
            Self::GiveAmount => "Give an amount, and make several refunds.".into(),
            Self::OmitCurrency => "Leave the currency to the payment.".into(),
            Self::ReadTransaction => "Look at the payment's refunds; there is nothing left to refund.".into(),
            Self::SayWhoPays => "Say in the settings of the processor whether transfers are taken back.".into(),
        }
    }
}
