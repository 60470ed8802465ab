//! How a client is set up: where the server is, with which key, and how patient it is.

use std::{net::IpAddr, sync::Arc, time::Duration};

use reqwest::{Certificate, Url, header::HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};

use super::{Inner, RefundKit, request::host};
use crate::{Environment, Error, ErrorCode, api_key::api_key_environment};

/// Where the server is when nothing is said.
pub const BASE_URL_DEFAULT: &str = "http://127.0.0.1:8080";
/// How long one attempt may take when nothing is said.
pub const TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);
/// How often a call is sent again when nothing is said.
pub const MAX_RETRIES_DEFAULT: u32 = 2;
/// How long making the connection may take, within the timeout of the attempt.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The settings of a [`RefundKit`] client.
#[derive(Debug, Clone)]
pub struct RefundKitBuilder {
    api_key: SecretString,
    base_url: String,
    timeout: Duration,
    max_retries: u32,
    client_kind: String,
    client_product: String,
    client_version: String,
}

impl Default for RefundKitBuilder {
    fn default() -> Self {
        Self {
            api_key: SecretString::default(),
            base_url: BASE_URL_DEFAULT.to_owned(),
            timeout: TIMEOUT_DEFAULT,
            max_retries: MAX_RETRIES_DEFAULT,
            client_kind: "sdk".to_owned(),
            client_product: "refundkit".to_owned(),
            client_version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

impl RefundKitBuilder {
    /// The API key: `rk_test_…` or `rk_live_…`. Never shown in errors, `Debug` or logs.
    #[must_use]
    pub fn api_key(mut self, key: impl Into<SecretString>) -> Self {
        self.api_key = key.into();
        self
    }

    /// Where the server is; `http://127.0.0.1:8080` when nothing is said. May have a path.
    #[must_use]
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = url.into();
        self
    }

    /// How long one attempt may take, from connecting to the last byte of the answer; 30 seconds when nothing is said.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How often a call that may be repeated is sent again; 2 when nothing is said.
    #[must_use]
    pub const fn max_retries(mut self, retries: u32) -> Self {
        self.max_retries = retries;
        self
    }

    /// What to call oneself in the server's audit trail: the kind (`sdk`, `cli`, `mcp`) and a version. It widens no right.
    #[must_use]
    pub fn client_name(mut self, kind: impl Into<String>, version: impl Into<String>) -> Self {
        self.client_kind = kind.into();
        self.client_version = version.into();
        self
    }

    /// On whose behalf it calls, in the server's audit trail: another program's name and version. It widens no right.
    #[must_use]
    pub fn on_behalf_of(mut self, name: impl Into<String>, version: impl Into<String>) -> Self {
        self.client_product = name.into();
        self.client_version = version.into();
        self
    }

    /// Makes the client. Nothing is sent yet.
    ///
    /// `invalid_api_key` when the key is missing or cannot be one of RefundKit's; `validation_error` when the base URL is not
    /// usable, or would carry a live key over plain http to another machine. Neither has a status: no server was asked.
    pub fn build(self) -> Result<RefundKit, Error> {
        let environment = check_key(&self.api_key)?;
        let base_url = parse_base_url(&self.base_url)?;
        if base_url.scheme() == "http" && environment == Environment::Live && !is_loopback(&base_url) {
            return Err(Error {
                field: Some("baseUrl".to_owned()),
                hint: Some("Use https, or a test key.".to_owned()),
                ..Error::new(
                    ErrorCode::ValidationError,
                    format!(
                        "A live key is not sent over plain http to {}: anyone on the way could read it.",
                        host(&base_url)
                    ),
                )
            });
        }
        let client_name = format!("{}; {}; {}", self.client_kind, self.client_product, self.client_version);
        let client_name = HeaderValue::from_str(&client_name).map_err(|_| {
            Error::new(ErrorCode::ValidationError, "The client's name and version must be visible ASCII characters.")
        })?;
        let http = http_client(&base_url, self.timeout)?;
        Ok(RefundKit(Arc::new(Inner {
            http,
            base_url,
            api_key: self.api_key,
            client_name,
            max_retries: self.max_retries,
        })))
    }
}

/// Tells a key's environment. A text that cannot be a RefundKit key is never sent: it may be somebody's Stripe key.
fn check_key(key: &SecretString) -> Result<Environment, Error> {
    let refused = |message: &str, hint: &str| Error {
        hint: Some(hint.to_owned()),
        ..Error::new(ErrorCode::InvalidApiKey, message)
    };
    let key = key.expose_secret();
    if key.is_empty() {
        return Err(refused(
            "An API key is needed.",
            "Give a RefundKit key (rk_test_… or rk_live_…), usually from the environment variable REFUNDKIT_API_KEY.",
        ));
    }
    api_key_environment(key).ok_or_else(|| {
        refused(
            "This is not a RefundKit API key; nothing was sent.",
            "RefundKit keys are rk_test_ or rk_live_ and exactly 32 more characters; a Stripe key (restricted ones begin with rk_ too) belongs into the processor connection.",
        )
    })
}

pub(super) fn parse_base_url(text: &str) -> Result<Url, Error> {
    let refused = |what: &str| Error {
        field: Some("baseUrl".to_owned()),
        hint: Some("Give the server's address, such as https://refunds.example.com.".to_owned()),
        ..Error::new(ErrorCode::ValidationError, format!("The base URL {what}."))
    };
    let url = Url::parse(text).map_err(|_| refused("is not a URL"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(refused("must begin with https:// or http://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused("must not carry a user name or password"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refused("must end with its path: no ? and no #"));
    }
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    let Some(host) = url.host_str() else { return false };
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || host.ends_with(".localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// The connections of a client. Redirects are not followed (the key would go along), and loopback is never sent through a proxy.
///
/// Certificates are checked against the system's roots and Mozilla's, so that company CAs and bare containers both work.
pub(super) fn http_client(base_url: &Url, timeout: Duration) -> Result<reqwest::Client, Error> {
    // Fails only when the program has installed one already, which then is the one to use.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("refundkit/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .timeout(timeout)
        .connect_timeout(CONNECT_TIMEOUT.min(timeout));
    if is_loopback(base_url) {
        builder = builder.no_proxy();
    }
    builder = if base_url.scheme() == "https" {
        let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter();
        builder.tls_certs_merge(roots.filter_map(|root| Certificate::from_der(root).ok()))
    } else {
        // Plain http needs no roots, and reading them takes longer than the call.
        builder.tls_certs_only([])
    };
    builder
        .build()
        .map_err(|error| Error::new(ErrorCode::NetworkError, format!("The HTTP client cannot be set up: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIVE: &str = "rk_live_0123456789abcdefghijABCDEFGHIJ_-";
    const TEST: &str = "rk_test_0123456789abcdefghijABCDEFGHIJ_-";

    fn refusal(key: &str, base_url: &str) -> Error {
        RefundKit::builder().api_key(key).base_url(base_url).build().unwrap_err()
    }

    #[test]
    fn a_live_key_travels_over_https_or_not_at_all() {
        for base_url in ["http://refunds.example.com", "http://10.0.0.1:8080", "http://localhost.example.com"] {
            let error = refusal(LIVE, base_url);
            assert_eq!(error.code, ErrorCode::ValidationError, "{base_url}");
            assert!(error.message.contains("plain http"), "{error}");
            RefundKit::builder().api_key(TEST).base_url(base_url).build().unwrap();
        }
        for base_url in
            ["http://127.0.0.1:8080", "http://[::1]:8080", "http://localhost", "https://refunds.example.com/rk/"]
        {
            RefundKit::builder().api_key(LIVE).base_url(base_url).build().unwrap();
        }
    }

    #[test]
    fn what_cannot_be_our_key_is_refused_unsent_and_unshown() {
        for key in ["", "sk_test_abcdef", "rk_test_51HabcdefghijklmnopqrstuvwxyzABCDEFG", "rk_test_short\r\nX: y"] {
            let error = refusal(key, BASE_URL_DEFAULT);
            assert_eq!((error.code, error.status_code), (ErrorCode::InvalidApiKey, None), "{key}");
            assert!(key.is_empty() || !format!("{error:?}").contains(key), "{key}");
        }
    }

    #[test]
    fn base_urls_are_plain_web_addresses() {
        for base_url in
            ["", "127.0.0.1:8080", "ftp://host", "https://user:pw@host", "https://host/?a=b", "https://host/#a"]
        {
            assert_eq!(refusal(TEST, base_url).field.as_deref(), Some("baseUrl"), "{base_url}");
        }
    }

    #[test]
    fn the_key_is_in_no_debug_output() {
        let builder = RefundKit::builder().api_key(TEST);
        assert!(!format!("{builder:?}").contains("0123456789"), "{builder:?}");
        let client = builder.build().unwrap();
        assert!(!format!("{client:?}").contains("0123456789"), "{client:?}");
    }
}
