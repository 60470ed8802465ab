//! Searching refunds, and reading several at once.

use refundkit::metadata;

use super::{askers, pages};
use crate::{
    error::Error,
    operations::{AskedRefund, ReadRefunds, SearchRefunds, SearchText, Searched},
    registry::{Answer, Context, Handle},
    store::{
        Connection, Tenant, refunds,
        refunds::search::{self, Named},
    },
};

/// How ids of payments and of refunds begin at Stripe.
const PAYMENT_PREFIXES: [&str; 3] = ["ch_", "py_", "pi_"];
const EXTERNAL_REFUND_PREFIXES: [&str; 2] = ["re_", "pyr_"];

impl Handle for SearchRefunds {
    async fn handle(self, context: &Context) -> Result<Answer<Searched<AskedRefund>>, Error> {
        if (self.amount_min.is_some() || self.amount_max.is_some()) && self.currency.is_none() {
            let message = "`currency` is missing: an amount is one of a currency.";
            return Err(Error::validation("currency", message)
                .hint("Say in which currency the amounts are, or leave the amounts out."));
        }
        let filters = Self { limit: None, cursor: None, ..self.clone() };
        let below = pages::read_cursor(self.cursor.as_ref(), &filters)?;
        let tenant = context.caller.tenant;
        let mut connection = context.app.store.read().await?;
        let named = match self.query.as_ref().and_then(SearchText::trimmed) {
            Some(text) => Some(what_is_named(&mut connection, tenant, text).await?),
            None => None,
        };
        let limit = self.limit.unwrap_or_default().get();
        let found = search::search(&mut connection, tenant, named, &filters, below, limit).await?;
        let shown = askers::asked(&mut connection, tenant, &found.refunds).await?;
        Ok(Answer::ok(pages::searched(shown, found.next_below, found.searched_to, &filters)))
    }
}

/// An id before a metadata value, and a whole value before a pair of key and value: the first of them that there is.
async fn what_is_named<'a>(connection: &mut Connection, tenant: Tenant, text: &'a str) -> Result<Named<'a>, Error> {
    if let Some(id) = as_id(text)
        && search::finds(connection, tenant, id).await?
    {
        return Ok(id);
    }
    let value = Named::Metadata { value: text, key: None };
    match as_pair(text) {
        Some(pair) if !search::finds(connection, tenant, value).await? => Ok(pair),
        _ => Ok(value),
    }
}

fn as_id(text: &str) -> Option<Named<'_>> {
    let begins_with = |prefixes: &[&str]| prefixes.iter().any(|prefix| text.starts_with(prefix));
    if let Ok(id) = text.parse() {
        return Some(Named::Refund(id));
    }
    if begins_with(&PAYMENT_PREFIXES) {
        return Some(Named::Payment(text));
    }
    begins_with(&EXTERNAL_REFUND_PREFIXES).then_some(Named::External(text))
}

/// `key:value` or `key=value`, whichever sign comes first.
fn as_pair(text: &str) -> Option<Named<'_>> {
    let (key, value) = text.split_once([':', '='])?;
    let (key, value) = (key.trim(), value.trim());
    let is_pair = !key.is_empty() && key.chars().count() <= metadata::KEY_CHARACTERS_MAX && !value.is_empty();
    is_pair.then_some(Named::Metadata { value, key: Some(key) })
}

impl Handle for ReadRefunds {
    async fn handle(self, context: &Context) -> Result<Answer<Vec<AskedRefund>>, Error> {
        let tenant = context.caller.tenant;
        let mut connection = context.app.store.read().await?;
        let found = refunds::read_many(&mut connection, tenant, self.ids.as_slice()).await?;
        Ok(Answer::ok(askers::asked(&mut connection, tenant, &found).await?))
    }
}
