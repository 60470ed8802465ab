//! The filters of refunds: as an address has them, as people see them in the form, and as the search asks for them.

use refundkit::{Currency, ErrorCode, InitiatedBy, ProcessorName, RefundReason, RefundStage, RefundStatus};
use serde_json::{Map, Value};

use super::{
    form::{Entered, Form},
    show,
    typed::{Edge, parse_day, parse_money},
};
use crate::{
    error::Error,
    operations::askers::{Asker, AskerId, Askers},
};

/// The fields, in the order of the form.
const FIELDS: [&str; 12] = [
    "query",
    "status",
    "stage",
    "processor",
    "reason",
    "initiatedBy",
    "askedBy",
    "currency",
    "amountMin",
    "amountMax",
    "createdAfter",
    "createdBefore",
];

/// What somebody looks for, as typed.
pub(super) struct Filters {
    form: Form,
}

/// One of the values that a field can have.
pub(super) struct Choice {
    pub(super) value: &'static str,
    pub(super) name: String,
}

/// Choices of one kind, under its name.
pub(super) struct Group {
    pub(super) name: &'static str,
    pub(super) choices: Vec<AskerChoice>,
}

/// Somebody who asks for refunds, to choose from.
pub(super) struct AskerChoice {
    pub(super) value: String,
    pub(super) name: String,
}

impl Filters {
    /// Reads them from the query of an address. What is no filter is passed over.
    pub(super) fn of_address(address: &str) -> Self {
        let query = address.split_once('?').map_or("", |(_, query)| query);
        Self { form: Form::of_query(query) }
    }

    /// Whether anything is filtered at all.
    pub(super) fn is_any(&self) -> bool {
        FIELDS.iter().any(|field| self.form.given(field).is_some())
    }

    /// How many filters hold, beside what is searched for.
    pub(super) fn narrowing(&self) -> usize {
        FIELDS.iter().filter(|field| **field != "query" && self.form.given(field).is_some()).count()
    }

    /// Whose refunds are looked for, where that is somebody's id.
    pub(super) fn asked_by(&self) -> Option<AskerId> {
        self.form.given("askedBy")?.parse().ok()
    }

    /// Where to go on, if the address says.
    pub(super) fn cursor(&self) -> Option<&str> {
        self.form.given("cursor")
    }

    /// The filters as the query of an address, with `more` behind them; empty or beginning with `?`.
    pub(super) fn query(&self, more: &[(&str, &str)]) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(FIELDS.iter().filter_map(|field| Some((*field, self.form.given(field)?))));
        query.extend_pairs(more);
        let query = query.finish();
        if query.is_empty() { query } else { format!("?{query}") }
    }

    /// The input of the search.
    pub(super) fn input(&self) -> Result<Map<String, Value>, Error> {
        let mut input = Map::new();
        for field in FIELDS {
            let Some(text) = self.form.given(field) else { continue };
            let value = match field {
                "amountMin" | "amountMax" => self.amount(field, text)?,
                "createdAfter" => day(field, text, Edge::Begin)?,
                "createdBefore" => day(field, text, Edge::End)?,
                _ => text.into(),
            };
            input.insert(field.to_owned(), value);
        }
        Ok(input)
    }

    fn amount(&self, field: &str, text: &str) -> Result<Value, Error> {
        let Some(currency) = self.form.given("currency") else {
            return Err(Error::validation("currency", "The currency is missing: an amount is one of a currency."));
        };
        let currency: Currency =
            currency.parse().map_err(|error| Error::validation("currency", format!("The currency {error}.")))?;
        let amount = parse_money(ProcessorName::Stripe, text, currency);
        amount.map(|amount| amount.minor().into()).map_err(|wrong| Error::validation(field, wrong))
    }

    /// The form again, with what is wrong.
    pub(super) fn entered(self, error: Option<Error>) -> Entered {
        Entered::of(self.form, error)
    }
}

fn day(field: &str, text: &str, edge: Edge) -> Result<Value, Error> {
    let at = parse_day(text, edge).ok_or_else(|| Error::validation(field, "Type a day as 2026-02-22."))?;
    Ok(at.to_string().into())
}

/// Whether an error is about what was looked for, so that it is shown in the form.
pub(super) fn is_about_filters(error: &Error) -> bool {
    error.code() == ErrorCode::ValidationError
}

/// The statuses to choose from.
pub(super) fn statuses() -> Vec<Choice> {
    let choice = |status: &RefundStatus| Choice { value: status.as_str(), name: show::status(*status).to_owned() };
    RefundStatus::ALL.iter().map(choice).collect()
}

/// The stages to choose from: those that say more than a status.
pub(super) fn stages() -> Vec<Choice> {
    let choice = |stage: &RefundStage| Some(Choice { value: stage.as_str(), name: show::stage(*stage)?.to_owned() });
    RefundStage::ALL.iter().filter_map(choice).collect()
}

/// The reasons to choose from.
pub(super) fn reasons() -> Vec<Choice> {
    RefundReason::ALL.iter().map(|reason| Choice { value: reason.as_str(), name: show::reason(*reason) }).collect()
}

/// The doors to choose from.
pub(super) fn doors() -> Vec<Choice> {
    let choice = |door: &InitiatedBy| Choice { value: door.as_str(), name: show::door(*door).to_owned() };
    InitiatedBy::ALL.iter().map(choice).collect()
}

/// Those who ask for refunds, to choose from: a key by its first characters too, because names of keys repeat.
pub(super) fn askers(askers: Askers) -> Vec<Group> {
    let choice = |asker: Asker| {
        let mut name = asker.name;
        if let Some(prefix) = asker.key_prefix {
            name = format!("{name} ({prefix}…)");
        }
        if asker.is_gone {
            name.push_str(if matches!(asker.id, AskerId::Key(_)) { ", revoked" } else { ", no longer a member" });
        }
        AskerChoice { value: asker.id.to_string(), name }
    };
    let group = |name, askers: Vec<Asker>| Group { name, choices: askers.into_iter().map(choice).collect() };
    let groups = [group("People", askers.people), group("API keys", askers.keys)];
    groups.into_iter().filter(|group| !group.choices.is_empty()).collect()
}

/// The processors to choose from.
pub(super) fn processors() -> Vec<Choice> {
    let choice = |name: &ProcessorName| Choice { value: name.as_str(), name: show::processor(*name).to_owned() };
    ProcessorName::ALL.iter().map(choice).collect()
}
