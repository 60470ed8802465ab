//! Stripe's secret keys: which are accepted, which mode they belong to, and where they may be sent.
//!
//! Whether a key is valid only Stripe can say. Pure: the same rules hold at the door of a server and in a program.

use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use crate::{Environment, Error, ErrorCode, api_key::is_valid_api_key_format};

/// The longest key that is accepted, in characters. Stripe's have about 107.
pub const KEY_CHARACTERS_MAX: usize = 255;
/// Where Stripe is.
pub const API_BASE: &str = "https://api.stripe.com";

const LIVE_HOST: &str = "api.stripe.com";
const ACCEPTED_PREFIXES: [(&str, Environment); 4] = [
    ("sk_test_", Environment::Test),
    ("rk_test_", Environment::Test),
    ("sk_live_", Environment::Live),
    ("rk_live_", Environment::Live),
];
/// A key's last characters are shown only where many more stay hidden.
const HINT_CHARACTERS: usize = 4;
const HIDDEN_CHARACTERS_MIN: usize = 8;

/// A secret or restricted key of Stripe's. Prints as its prefix and `***`, and is wiped when dropped.
#[derive(Clone)]
pub struct StripeKey {
    secret: SecretString,
    prefix: &'static str,
    environment: Environment,
}

impl StripeKey {
    /// Accepts `sk_test_…`, `sk_live_…`, `rk_test_…` and `rk_live_…`; anything else is a `validation_error` whose words say
    /// what was given instead. The key is never repeated in them.
    pub fn parse(secret: impl Into<SecretString>) -> Result<Self, Error> {
        let secret = secret.into();
        let key = secret.expose_secret();
        if key.is_empty() {
            return Err(refused("The Stripe secret key is empty.", COPY_IT));
        }
        if key.len() > KEY_CHARACTERS_MAX || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(refused(
                "This is not a Stripe secret key: it is too long, or has spaces or line breaks.",
                COPY_IT,
            ));
        }
        let Some((prefix, environment)) = ACCEPTED_PREFIXES.into_iter().find(|(prefix, _)| key.starts_with(prefix))
        else {
            return Err(other_key(key));
        };
        if key.len() == prefix.len() {
            return Err(refused("The Stripe secret key ends after its prefix.", COPY_IT));
        }
        Ok(Self { secret, prefix, environment })
    }

    /// The mode it belongs to.
    pub const fn environment(&self) -> Environment {
        self.environment
    }

    /// Whether it is a restricted key (`rk_…`), which needs "Charges and Refunds: Write".
    pub fn is_restricted(&self) -> bool {
        self.prefix.starts_with("rk_")
    }

    /// Enough to recognise it by: `sk_test_…4242`.
    pub fn hint(&self) -> String {
        let random = &self.secret.expose_secret()[self.prefix.len()..];
        let tail = random.len().checked_sub(HINT_CHARACTERS).filter(|hidden| *hidden >= HIDDEN_CHARACTERS_MIN);
        format!("{}…{}", self.prefix, tail.map_or("", |start| &random[start..]))
    }

    /// Whether it has the form of RefundKit's own keys: suspicious, since Stripe's restricted keys begin alike but are much
    /// longer. Only the server, which knows the hashes of its keys, can tell.
    pub fn looks_like_refundkit_key(&self) -> bool {
        is_valid_api_key_format(self.secret.expose_secret())
    }

    /// Refuses a live key in a test context and the reverse: `environment_mismatch`.
    pub fn check_environment(&self, expected: Environment) -> Result<(), Error> {
        if self.environment == expected {
            return Ok(());
        }
        let message = format!("This Stripe key is a {} key, but the environment is {expected}.", self.environment);
        let hint = format!("Use a {expected} key of Stripe's (sk_{expected}_…) with a {expected} key of RefundKit's.");
        Err(Error {
            field: Some(FIELD.to_owned()),
            hint: Some(hint),
            ..Error::new(ErrorCode::EnvironmentMismatch, message)
        })
    }

    /// Refuses to send a live key anywhere but to Stripe, over TLS: `validation_error`.
    pub fn check_destination(&self, api_base: &Url) -> Result<(), Error> {
        let is_stripe = api_base.scheme() == "https"
            && api_base.host_str() == Some(LIVE_HOST)
            && api_base.port_or_known_default() == Some(443);
        if self.environment == Environment::Test || is_stripe {
            return Ok(());
        }
        Err(refused(
            "A live Stripe key is only sent to https://api.stripe.com, and the API base is another.",
            "Use a test key here, or leave the API base as it is.",
        ))
    }

    pub(super) fn expose(&self) -> &str {
        self.secret.expose_secret()
    }
}

impl fmt::Debug for StripeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}***", self.prefix)
    }
}

/// Accepts the address of an API: http or https, a host, no credentials, no query. A path is kept.
pub(super) fn parse_api_base(text: &str) -> Result<Url, Error> {
    let wrong = || {
        Error::new(
            ErrorCode::ValidationError,
            "The Stripe API base must be an http or https URL such as https://api.stripe.com.",
        )
    };
    let url = Url::parse(text).map_err(|_| wrong())?;
    let plain =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    if matches!(url.scheme(), "http" | "https") && url.has_host() && plain { Ok(url) } else { Err(wrong()) }
}

/// What the key is called in requests.
const FIELD: &str = "secretKey";
const COPY_IT: &str = "Copy the secret key (sk_test_… or sk_live_…) from https://dashboard.stripe.com/apikeys.";

fn refused(message: &str, hint: &str) -> Error {
    Error {
        field: Some(FIELD.to_owned()),
        hint: Some(hint.to_owned()),
        ..Error::new(ErrorCode::ValidationError, message)
    }
}

fn other_key(key: &str) -> Error {
    if key.starts_with("pk_") {
        refused("This is Stripe's publishable key, which cannot make refunds.", COPY_IT)
    } else if key.starts_with("whsec_") {
        refused("This is a webhook signing secret, not a secret key.", COPY_IT)
    } else {
        refused(
            "This is not a Stripe secret key: it does not begin with sk_test_, sk_live_, rk_test_ or rk_live_.",
            COPY_IT,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectors;

    fn refusal(key: &str) -> Error {
        StripeKey::parse(key).unwrap_err()
    }

    #[derive(serde::Deserialize)]
    struct Given {
        key: String,
        environment: Option<Environment>,
        message: Option<String>,
    }

    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Destination {
        key: String,
        api_base: String,
        allowed: bool,
    }

    #[test]
    fn keys_are_known_by_their_form_and_sent_where_they_belong() {
        for given in vectors::read::<Given>("stripeKeys") {
            let (environment, message) = match StripeKey::parse(given.key.as_str()) {
                Ok(key) => (Some(key.environment()), None),
                Err(error) => (None, Some(error.message)),
            };
            assert_eq!((environment, message), (given.environment, given.message), "{}", given.key);
        }
        for given in vectors::read::<Destination>("stripeDestinations") {
            let key = StripeKey::parse(given.key.as_str()).unwrap();
            let allowed = parse_api_base(&given.api_base).and_then(|url| key.check_destination(&url)).is_ok();
            assert_eq!(allowed, given.allowed, "{} {}", given.key, given.api_base);
        }
    }

    #[test]
    fn secret_and_restricted_keys_are_accepted_with_their_mode() {
        for (key, environment, restricted) in [
            ("sk_test_your_stripe_secret_key", Environment::Test, false),
            ("sk_live_51Habcdefgh", Environment::Live, false),
            ("rk_test_51Habcdefgh", Environment::Test, true),
            ("rk_live_51Habcdefgh", Environment::Live, true),
        ] {
            let parsed = StripeKey::parse(key).unwrap();
            assert_eq!((parsed.environment(), parsed.is_restricted()), (environment, restricted), "{key}");
        }
    }

    #[test]
    fn other_secrets_are_refused_in_words_that_do_not_repeat_them() {
        for (key, words) in [
            ("", "empty"),
            ("pk_test_51Habcdefgh", "publishable"),
            ("whsec_abcdefgh", "webhook signing secret"),
            ("rkcs_test_abcdefgh", "does not begin with"),
            ("sk_abcdefgh", "does not begin with"),
            ("sk_test_", "ends after its prefix"),
            ("sk_test_51Habc\n", "line breaks"),
            ("sk_test_51Häbc", "spaces or line breaks"),
            (&format!("sk_test_{}", "x".repeat(300)), "too long"),
        ] {
            let error = refusal(key);
            assert!(error.message.contains(words), "{key}: {error}");
            assert_eq!((error.code, error.field.as_deref()), (ErrorCode::ValidationError, Some("secretKey")));
            assert!(!format!("{error:?}").contains("51H"), "{error:?}");
        }
    }

    #[test]
    fn a_hint_shows_four_characters_of_a_long_key_and_none_of_a_short_one() {
        assert_eq!(StripeKey::parse("sk_test_51Habcdefghijkl4242").unwrap().hint(), "sk_test_…4242");
        assert_eq!(StripeKey::parse("sk_test_12344242").unwrap().hint(), "sk_test_…");
        assert_eq!(format!("{:?}", StripeKey::parse("sk_test_51Habcdefghijkl4242").unwrap()), "sk_test_***");
    }

    #[test]
    fn only_the_form_of_a_refundkit_key_is_suspicious() {
        let ours = format!("rk_test_{}", "a".repeat(32));
        assert!(StripeKey::parse(ours).unwrap().looks_like_refundkit_key());
        let theirs = format!("rk_test_51{}", "a".repeat(97));
        assert!(!StripeKey::parse(theirs).unwrap().looks_like_refundkit_key());
    }

    #[test]
    fn a_key_of_the_other_mode_is_an_environment_mismatch() {
        let live = StripeKey::parse("sk_live_51Habcdefgh").unwrap();
        assert_eq!(live.check_environment(Environment::Test).unwrap_err().code, ErrorCode::EnvironmentMismatch);
        live.check_environment(Environment::Live).unwrap();
        let test = StripeKey::parse("sk_test_51Habcdefgh").unwrap();
        let error = test.check_environment(Environment::Live).unwrap_err();
        assert_eq!(error.message, "This Stripe key is a test key, but the environment is live.");
    }

    #[test]
    fn a_live_key_goes_to_stripe_over_tls_and_nowhere_else() {
        let live = StripeKey::parse("sk_live_51Habcdefgh").unwrap();
        let test = StripeKey::parse("sk_test_51Habcdefgh").unwrap();
        live.check_destination(&parse_api_base(API_BASE).unwrap()).unwrap();
        for base in [
            "http://api.stripe.com",
            "http://127.0.0.1:9",
            "https://api.stripe.com.example.org",
            "https://api.stripe.com:8443",
            "https://localhost",
        ] {
            let base = parse_api_base(base).unwrap();
            assert!(live.check_destination(&base).is_err(), "{base}");
            test.check_destination(&base).unwrap();
        }
    }

    #[test]
    fn an_api_base_is_a_plain_http_address() {
        for text in [
            "",
            "api.stripe.com",
            "ftp://x",
            "https://user:pw@api.stripe.com",
            "https://x/?q=1",
            "https://x/#f",
            "file:///x",
        ] {
            assert!(parse_api_base(text).is_err(), "{text}");
        }
    }
}
