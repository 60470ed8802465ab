//! Refunds: the rows behind everything. A refund's `state` is the truth; `status` and `stage` beside it are for filters and
//! indexes.

use refundkit::{
    Amount, ConnectionId, Currency, InitiatedBy, KeyId, Metadata, ProcessorErrorDetail, ProcessorName, Refund,
    RefundId, RefundReason, RefundStage, RefundStatus, Timestamp, TransactionId, UserId, operations::ListRefunds,
    processor::PreparedRefund,
};
use refundkit_core::{eligibility::OwnRefund, lifecycle::State};
use serde::{Deserialize, Serialize};

use super::{
    Connection, StoreError, Tenant,
    connection::{Param, params},
    row::Row,
    to_json,
};
use crate::limits;

pub mod askers;
pub mod search;
pub mod state;

/// A refund with everything known of it.
#[derive(Debug, Clone)]
pub struct StoredRefund {
    /// Its id.
    pub id: RefundId,
    /// Whose it is.
    pub tenant: Tenant,
    /// The connection it goes through.
    pub connection_id: ConnectionId,
    /// The processor.
    pub processor: ProcessorName,
    /// The payment as the caller named it.
    pub transaction_id: TransactionId,
    /// The charge that it resolved to.
    pub external_transaction_id: String,
    /// The charge's PaymentIntent.
    pub payment_intent: Option<String>,
    /// How much.
    pub amount: Amount,
    /// In which currency.
    pub currency: Currency,
    /// Why.
    pub reason: RefundReason,
    /// The caller's pairs.
    pub metadata: Option<Metadata>,
    /// Where it stands.
    pub state: State,
    /// The request that makes it at the processor.
    pub prepared: PreparedRefund,
    /// What the processor said when it refused the first attempt.
    pub refusal: Option<Refusal>,
    /// The door it came through.
    pub initiated_by: InitiatedBy,
    /// The person who asked for it, when it was one.
    pub user_id: Option<UserId>,
    /// The API key that asked for it, when it was one.
    pub api_key_id: Option<KeyId>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When anything last changed.
    pub updated_at: Timestamp,
}

/// What the processor said when it refused the first attempt: kept, so that a repeat of the request gets the same answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Refusal {
    /// Its words.
    pub detail: ProcessorErrorDetail,
    /// What to do next.
    pub hint: Option<String>,
}

impl StoredRefund {
    /// The refund as callers see it.
    pub fn shown(&self) -> Refund {
        Refund {
            id: self.id,
            organization_id: self.tenant.organization_id,
            environment: self.tenant.environment,
            transaction_id: self.transaction_id.clone(),
            external_transaction_id: self.external_transaction_id.clone(),
            external_refund_id: self.state.external_refund_id().map(str::to_owned),
            amount: self.amount,
            currency: self.currency,
            reason: self.reason,
            status: self.state.status(),
            stage: self.state.stage(),
            processor: self.processor,
            metadata: self.metadata.clone(),
            initiated_by: self.initiated_by,
            failure: self.state.failure().cloned(),
            created_at: self.created_at,
            updated_at: self.updated_at,
            settled_at: self.state.settled_at(),
            return_id: None,
            approval_id: None,
            dispute_risk_score: None,
            split_from_id: None,
            store_credit_id: None,
        }
    }
}

/// The columns that [`read`] reads: what every SELECT here begins with.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, organization_id, environment, connection_id, processor, transaction_id, external_transaction_id, ",
            "payment_intent, amount, currency, reason, metadata, state, prepared, refusal, initiated_by, user_id, ",
            "api_key_id, created_at, updated_at FROM refunds ",
            $rest
        )
    };
}

fn read(row: &Row<'_>) -> Result<StoredRefund, StoreError> {
    let amount = Amount::new(row.integer("amount")?);
    Ok(StoredRefund {
        id: row.parse("id")?,
        tenant: Tenant { organization_id: row.parse("organization_id")?, environment: row.parse("environment")? },
        connection_id: row.parse("connection_id")?,
        processor: row.parse("processor")?,
        transaction_id: row.parse("transaction_id")?,
        external_transaction_id: row.text("external_transaction_id")?,
        payment_intent: row.optional_text("payment_intent")?,
        amount: amount.map_err(|error| StoreError::Row { column: "amount", message: error.to_string() })?,
        currency: row.parse("currency")?,
        reason: row.parse("reason")?,
        metadata: row.json_optional("metadata")?,
        state: row.json("state")?,
        prepared: row.json("prepared")?,
        refusal: row.json_optional("refusal")?,
        initiated_by: row.parse("initiated_by")?,
        user_id: row.parse_optional("user_id")?,
        api_key_id: row.parse_optional("api_key_id")?,
        created_at: row.timestamp("created_at")?,
        updated_at: row.timestamp("updated_at")?,
    })
}

/// Inserts a refund.
pub async fn insert(connection: &mut Connection, refund: &StoredRefund) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO refunds (id, organization_id, environment, connection_id, processor, transaction_id,
            external_transaction_id, payment_intent, external_refund_id, amount, currency, reason, metadata, status,
            stage, state, prepared, initiated_by, created_at, updated_at, user_id, api_key_id)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)";
    let metadata = refund.metadata.as_ref().map(|metadata| to_json("metadata", metadata)).transpose()?;
    let params = params![
        refund.id,
        refund.tenant.organization_id,
        refund.tenant.environment,
        refund.connection_id,
        refund.processor,
        refund.transaction_id.as_str(),
        &refund.external_transaction_id,
        refund.payment_intent.as_ref(),
        refund.state.external_refund_id(),
        refund.amount.minor(),
        refund.currency.as_str(),
        refund.reason,
        metadata,
        refund.state.status(),
        refund.state.stage(),
        to_json("state", &refund.state)?,
        to_json("prepared", &refund.prepared)?,
        refund.initiated_by,
        refund.created_at,
        refund.updated_at,
        refund.user_id,
        refund.api_key_id,
    ];
    connection.queue(SQL, params).await
}

/// Finds a refund.
pub async fn find(
    connection: &mut Connection,
    tenant: Tenant,
    id: RefundId,
) -> Result<Option<StoredRefund>, StoreError> {
    const SQL: &str = select!("WHERE organization_id = $1 AND environment = $2 AND id = $3");
    connection.fetch_optional(SQL, params![tenant.organization_id, tenant.environment, id], read).await
}

/// Rows that are asked for by their ids, rounded up to these, so that few statements are prepared.
const READ_TOGETHER: [usize; 2] = [25, 100];

/// Reads refunds by their ids, at most a hundred, in this order. Those that do not exist are left out.
pub async fn read_many(
    connection: &mut Connection,
    tenant: Tenant,
    ids: &[RefundId],
) -> Result<Vec<StoredRefund>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut sql = Filtered::new(select!("WHERE"), tenant);
    sql.and_among(ids);
    let mut found = connection.fetch_all(&sql.text, &sql.params, read).await?;
    found.sort_by_cached_key(|refund| ids.iter().position(|id| *id == refund.id));
    Ok(found)
}

/// Lists a charge's refunds by our own books: what the rules need of them. Those that never came to anything are left out.
pub async fn list_of_transaction(
    connection: &mut Connection,
    tenant: Tenant,
    connection_id: ConnectionId,
    external_transaction_id: &str,
) -> Result<Vec<OwnRefund>, StoreError> {
    const SQL: &str = "SELECT id, amount, status, external_refund_id, created_at, user_id FROM refunds
        WHERE connection_id = $3 AND external_transaction_id = $4 AND organization_id = $1 AND environment = $2
            AND (status NOT IN ('failed', 'cancelled') OR external_refund_id IS NOT NULL)
        LIMIT $5";
    let (organization_id, environment) = (tenant.organization_id, tenant.environment);
    let most = limits::REFUNDS_PER_TRANSACTION_MAX;
    let params = params![organization_id, environment, connection_id, external_transaction_id, most + 1];
    let rows = connection.fetch_all(SQL, params, |row| {
        Ok(OwnRefund {
            id: row.parse("id")?,
            amount: row.integer("amount")?,
            status: row.parse("status")?,
            external_refund_id: row.optional_text("external_refund_id")?,
            created_at: row.timestamp("created_at")?,
            user_id: row.parse_optional("user_id")?,
        })
    });
    let mut rows = rows.await?;
    if i64::try_from(rows.len()).unwrap_or(i64::MAX) > most {
        return Err(StoreError::TooManyRefunds);
    }
    // Ordered here: an ORDER BY would lead the database to walk the tenant's refunds in order instead of the charge's.
    rows.sort_unstable_by_key(|own| std::cmp::Reverse(own.id));
    Ok(rows)
}

/// By how much an id may be ahead of its refund's creation: ids of a process go on where they were when its clock goes back.
const CLOCK_SLACK_MS: i64 = 24 * 60 * 60 * 1000;

/// The smallest id that a refund created at this time can have.
pub fn first_id_of(at: Timestamp) -> RefundId {
    let millis = u128::try_from(at.as_millis()).unwrap_or_default();
    RefundId::from_bits(millis << 80)
}

/// Where a page of refunds begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageStart {
    /// At the newest.
    Newest,
    /// Below this refund.
    Below(RefundId),
    /// After passing over so many.
    Offset(u32),
}

/// Lists refunds that pass the filters, newest first.
pub async fn list(
    connection: &mut Connection,
    tenant: Tenant,
    filters: &ListRefunds,
    start: PageStart,
    limit: u32,
) -> Result<Vec<StoredRefund>, StoreError> {
    let mut sql = Filtered::new(select!("WHERE"), tenant);
    sql.and("status =", filters.status);
    sql.and("processor =", filters.processor);
    sql.and("reason =", filters.reason);
    sql.and("initiated_by =", filters.initiated_by);
    sql.and("external_refund_id =", filters.external_refund_id.as_ref().map(TransactionId::as_str));
    if let Some(id) = &filters.transaction_id {
        sql.and_of_payment(id.as_str());
    }
    sql.and("amount >=", filters.amount_min.map(Amount::minor));
    sql.and("amount <=", filters.amount_max.map(Amount::minor));
    sql.and("created_at >=", filters.created_after);
    sql.and("created_at <", filters.created_before);
    // Ids sort by creation, so that a time also bounds where the list is read.
    sql.and("id >=", filters.created_after.map(first_id_of));
    sql.and("id <", filters.created_before.map(|before| first_id_of(before.plus_millis(CLOCK_SLACK_MS))));
    if let PageStart::Below(id) = start {
        sql.and("id <", Some(id));
    }
    let offset = if let PageStart::Offset(offset) = start { offset } else { 0 };
    let (limit, offset) = (sql.bind(limit), sql.bind(offset));
    sql.push(&[" ORDER BY id DESC LIMIT ", &limit, " OFFSET ", &offset]);
    connection.fetch_all(&sql.text, &sql.params, read).await
}

/// A SELECT that grows by a clause for each filter that is given.
struct Filtered<'a> {
    text: String,
    params: Vec<Param<'a>>,
}

impl<'a> Filtered<'a> {
    /// The statement that begins so, up to its WHERE, on a tenant's rows.
    fn new(head: &str, tenant: Tenant) -> Self {
        Self {
            text: [head, " organization_id = $1 AND environment = $2"].concat(),
            params: vec![tenant.organization_id.into(), tenant.environment.into()],
        }
    }

    fn push(&mut self, parts: &[&str]) {
        self.text.extend(parts.iter().copied());
    }

    /// Adds a parameter, and answers its place.
    fn bind(&mut self, value: impl Into<Param<'a>>) -> String {
        self.params.push(value.into());
        format!("${}", self.params.len())
    }

    /// Adds a comparison, when there is something to compare with.
    fn and(&mut self, comparison: &str, value: Option<impl Into<Param<'a>>>) {
        if let Some(value) = value {
            let place = self.bind(value);
            self.push(&[" AND ", comparison, " ", &place]);
        }
    }

    /// Only these refunds: one at least, at most a hundred.
    fn and_among(&mut self, ids: &[RefundId]) {
        let places = READ_TOGETHER.into_iter().find(|most| ids.len() <= *most).unwrap_or(ids.len());
        let again = ids.last().into_iter().cycle();
        let bound: Vec<_> = ids.iter().chain(again).take(places).map(|id| self.bind(*id)).collect();
        self.push(&[" AND id IN (", &bound.join(", "), ")"]);
    }

    /// Only refunds of this payment, by any id of it: the charge, the PaymentIntent that it belongs to, or what it was called.
    /// Each has its index.
    fn and_of_payment(&mut self, id: &'a str) {
        let place = self.bind(id);
        let called = "transaction_id <> external_transaction_id AND transaction_id";
        let found_by = ["external_transaction_id", "payment_intent", called].map(|column| {
            format!("SELECT id FROM refunds WHERE organization_id = $1 AND environment = $2 AND {column} = {place}")
        });
        self.push(&[" AND id IN (", &found_by.join(" UNION "), ")"]);
    }
}

/// Of what refunds are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Of this status.
    Status(RefundStatus),
    /// In a stage that needs a person.
    Needing(RefundStage),
}

/// Counts refunds that stand so: `most` of them, when there are more.
pub async fn count_up_to(
    connection: &mut Connection,
    tenant: Tenant,
    standing: Standing,
    most: i64,
) -> Result<i64, StoreError> {
    // Spelled out: how many are to be expected differs widely, and a plan for any of them may be a walk through the tenant.
    let mut sql = Filtered::new("SELECT COUNT(*) AS count FROM (SELECT 1 FROM refunds WHERE", tenant);
    match standing {
        Standing::Status(status) => sql.push(&[" AND status = '", status.as_str(), "'"]),
        Standing::Needing(stage) => sql.push(&[search::IS_NEEDING, " AND stage = '", stage.as_str(), "'"]),
    }
    let most = sql.bind(most);
    sql.push(&[" LIMIT ", &most, ") AS counted"]);
    connection.fetch_optional(&sql.text, &sql.params, |row| row.integer("count")).await?.ok_or(StoreError::NoRow)
}

/// An open refund, as far as it takes to ask a processor for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenRefund {
    /// Its id.
    pub id: RefundId,
    /// The charge.
    pub charge: String,
    /// Its id at the processor, where that is known.
    pub external_refund_id: Option<String>,
}

/// Lists some of a connection's open refunds (up to `limit` of each status), sent or not: to try whether a new key can read them.
pub async fn list_open(
    connection: &mut Connection,
    tenant: Tenant,
    connection_id: ConnectionId,
    limit: u32,
) -> Result<Vec<OpenRefund>, StoreError> {
    // One status at a time: with both in one statement the database walks all refunds of the tenant.
    const SQL: &str = "SELECT id, external_transaction_id, external_refund_id FROM refunds
        WHERE organization_id = $1 AND environment = $2 AND connection_id = $3 AND status = $4 LIMIT $5";
    let mut found = Vec::new();
    for status in [RefundStatus::Processing, RefundStatus::Pending] {
        let params = params![tenant.organization_id, tenant.environment, connection_id, status, limit];
        let open = connection.fetch_all(SQL, params, |row| {
            Ok(OpenRefund {
                id: row.parse("id")?,
                charge: row.text("external_transaction_id")?,
                external_refund_id: row.optional_text("external_refund_id")?,
            })
        });
        found.extend(open.await?);
    }
    Ok(found)
}

/// Whether a refund was written down through a connection since a time, and is open.
pub async fn any_open_since(
    connection: &mut Connection,
    tenant: Tenant,
    connection_id: ConnectionId,
    since: Timestamp,
) -> Result<bool, StoreError> {
    const SQL: &str = "SELECT EXISTS (SELECT 1 FROM refunds
        WHERE organization_id = $1 AND environment = $2 AND connection_id = $3
            AND status IN ('pending', 'processing') AND created_at >= $4) AS found";
    let params = params![tenant.organization_id, tenant.environment, connection_id, since];
    connection.fetch_one(SQL, params, |row| Ok(row.integer("found")? == 1)).await
}

/// Whether any refund of a connection is open, sent or not.
pub async fn any_open(
    connection: &mut Connection,
    tenant: Tenant,
    connection_id: ConnectionId,
) -> Result<bool, StoreError> {
    const SQL: &str = "SELECT EXISTS (SELECT 1 FROM refunds
        WHERE organization_id = $1 AND environment = $2 AND connection_id = $3
            AND status IN ('pending', 'processing')) AS found";
    let params = params![tenant.organization_id, tenant.environment, connection_id];
    connection.fetch_one(SQL, params, |row| Ok(row.integer("found")? == 1)).await
}

/// Finds the refund that a connection's processor knows under this id.
pub async fn find_by_external_id(
    connection: &mut Connection,
    tenant: Tenant,
    connection_id: ConnectionId,
    external_refund_id: &str,
) -> Result<Option<StoredRefund>, StoreError> {
    const SQL: &str =
        select!("WHERE organization_id = $1 AND environment = $2 AND external_refund_id = $3 AND connection_id = $4");
    let params = params![tenant.organization_id, tenant.environment, external_refund_id, connection_id];
    connection.fetch_optional(SQL, params, read).await
}

/// Lists a connection's refunds in the order they were made, after this one: a page of all of them.
pub async fn list_after(
    connection: &mut Connection,
    tenant: Tenant,
    connection_id: ConnectionId,
    after: RefundId,
    limit: u32,
) -> Result<Vec<StoredRefund>, StoreError> {
    const SQL: &str = select!(
        "WHERE organization_id = $1 AND environment = $2 AND id > $4 AND connection_id = $3 ORDER BY id LIMIT $5"
    );
    let params = params![tenant.organization_id, tenant.environment, connection_id, after, limit];
    connection.fetch_all(SQL, params, read).await
}
