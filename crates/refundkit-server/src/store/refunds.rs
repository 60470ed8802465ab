//! Refunds: the rows behind everything. A refund's `state` is the truth; `status` beside it is for filters and indexes.

use refundkit::{
    Amount, ConnectionId, Currency, InitiatedBy, Metadata, ProcessorErrorDetail, ProcessorName, Refund, RefundId,
    RefundReason, RefundStatus, Timestamp, TransactionId, operations::ListRefunds, processor::PreparedRefund,
};
use refundkit_core::{eligibility::OwnRefund, lifecycle::State};
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, QueryBuilder, Sqlite};

use super::{Connection, StoreError, Tenant, parse, parse_json, to_json};
use crate::limits;

const TABLE: &str = "refunds";

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

#[derive(FromRow)]
struct Row {
    id: String,
    organization_id: String,
    environment: String,
    connection_id: String,
    processor: String,
    transaction_id: String,
    external_transaction_id: String,
    payment_intent: Option<String>,
    amount: i64,
    currency: String,
    reason: String,
    metadata: Option<String>,
    state: String,
    prepared: String,
    refusal: Option<String>,
    initiated_by: String,
    created_at: i64,
    updated_at: i64,
}

/// The columns of a [`Row`]: what every SELECT here begins with.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, organization_id, environment, connection_id, processor, transaction_id, external_transaction_id, ",
            "payment_intent, amount, currency, reason, metadata, state, prepared, refusal, initiated_by, created_at, ",
            "updated_at FROM refunds ",
            $rest
        )
    };
}

impl Row {
    fn into_refund(self) -> Result<StoredRefund, StoreError> {
        let amount = Amount::new(self.amount)
            .map_err(|error| StoreError::Row { table: TABLE, message: format!("amount {error}") })?;
        Ok(StoredRefund {
            id: parse(TABLE, &self.id)?,
            tenant: Tenant {
                organization_id: parse(TABLE, &self.organization_id)?,
                environment: parse(TABLE, &self.environment)?,
            },
            connection_id: parse(TABLE, &self.connection_id)?,
            processor: parse(TABLE, &self.processor)?,
            transaction_id: parse(TABLE, &self.transaction_id)?,
            external_transaction_id: self.external_transaction_id,
            payment_intent: self.payment_intent,
            amount,
            currency: parse(TABLE, &self.currency)?,
            reason: parse(TABLE, &self.reason)?,
            metadata: self.metadata.as_deref().map(|text| parse_json(TABLE, text)).transpose()?,
            state: parse_json(TABLE, &self.state)?,
            prepared: parse_json(TABLE, &self.prepared)?,
            refusal: self.refusal.as_deref().map(|text| parse_json(TABLE, text)).transpose()?,
            initiated_by: parse(TABLE, &self.initiated_by)?,
            created_at: Timestamp::from_millis(self.created_at),
            updated_at: Timestamp::from_millis(self.updated_at),
        })
    }
}

/// Inserts a refund.
pub async fn insert(connection: &mut Connection, refund: &StoredRefund) -> Result<(), StoreError> {
    const SQL: &str = "INSERT INTO refunds (id, organization_id, environment, connection_id, processor, transaction_id,
            external_transaction_id, payment_intent, external_refund_id, amount, currency, reason, metadata, status,
            state, prepared, initiated_by, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)";
    let metadata = refund.metadata.as_ref().map(|metadata| to_json(TABLE, metadata)).transpose()?;
    sqlx::query(SQL)
        .bind(refund.id.to_string())
        .bind(refund.tenant.organization_id.to_string())
        .bind(refund.tenant.environment.as_str())
        .bind(refund.connection_id.to_string())
        .bind(refund.processor.as_str())
        .bind(refund.transaction_id.as_str())
        .bind(&refund.external_transaction_id)
        .bind(&refund.payment_intent)
        .bind(refund.state.external_refund_id())
        .bind(refund.amount.minor())
        .bind(refund.currency.as_str())
        .bind(refund.reason.as_str())
        .bind(metadata)
        .bind(refund.state.status().as_str())
        .bind(to_json(TABLE, &refund.state)?)
        .bind(to_json(TABLE, &refund.prepared)?)
        .bind(refund.initiated_by.as_str())
        .bind(refund.created_at.as_millis())
        .bind(refund.updated_at.as_millis())
        .execute(connection)
        .await?;
    Ok(())
}

/// Finds a refund.
pub async fn find(
    connection: &mut Connection,
    tenant: Tenant,
    id: RefundId,
) -> Result<Option<StoredRefund>, StoreError> {
    const SQL: &str = select!("WHERE organization_id = $1 AND environment = $2 AND id = $3");
    let row = sqlx::query_as::<_, Row>(SQL)
        .bind(tenant.organization_id.to_string())
        .bind(tenant.environment.as_str())
        .bind(id.to_string())
        .fetch_optional(connection)
        .await?;
    row.map(Row::into_refund).transpose()
}

/// Writes where a refund stands now.
pub async fn update_state(connection: &mut Connection, refund: &StoredRefund) -> Result<(), StoreError> {
    const SQL: &str =
        "UPDATE refunds SET status = $4, state = $5, external_refund_id = $6, refusal = $7, updated_at = $8
        WHERE organization_id = $1 AND environment = $2 AND id = $3";
    let refusal = refund.refusal.as_ref().map(|refusal| to_json(TABLE, refusal)).transpose()?;
    sqlx::query(SQL)
        .bind(refund.tenant.organization_id.to_string())
        .bind(refund.tenant.environment.as_str())
        .bind(refund.id.to_string())
        .bind(refund.state.status().as_str())
        .bind(to_json(TABLE, &refund.state)?)
        .bind(refund.state.external_refund_id())
        .bind(refusal)
        .bind(refund.updated_at.as_millis())
        .execute(connection)
        .await?;
    Ok(())
}

#[derive(FromRow)]
struct OwnRow {
    id: String,
    amount: i64,
    status: String,
    external_refund_id: Option<String>,
    created_at: i64,
}

/// Lists a charge's refunds by our own books: what the rules need of them.
pub async fn list_of_transaction(
    connection: &mut Connection,
    tenant: Tenant,
    connection_id: ConnectionId,
    external_transaction_id: &str,
) -> Result<Vec<OwnRefund>, StoreError> {
    const SQL: &str = "SELECT id, amount, status, external_refund_id, created_at FROM refunds
        WHERE connection_id = $3 AND external_transaction_id = $4 AND organization_id = $1 AND environment = $2
        ORDER BY id DESC LIMIT $5";
    let rows = sqlx::query_as::<_, OwnRow>(SQL)
        .bind(tenant.organization_id.to_string())
        .bind(tenant.environment.as_str())
        .bind(connection_id.to_string())
        .bind(external_transaction_id)
        .bind(limits::REFUNDS_PER_TRANSACTION_MAX + 1)
        .fetch_all(connection)
        .await?;
    if i64::try_from(rows.len()).unwrap_or(i64::MAX) > limits::REFUNDS_PER_TRANSACTION_MAX {
        let message = format!("{external_transaction_id} has more refunds than can be decided on");
        return Err(StoreError::Row { table: TABLE, message });
    }
    rows.into_iter()
        .map(|row| {
            Ok(OwnRefund {
                id: parse(TABLE, &row.id)?,
                amount: row.amount,
                status: parse(TABLE, &row.status)?,
                external_refund_id: row.external_refund_id,
                created_at: Timestamp::from_millis(row.created_at),
            })
        })
        .collect()
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
    let mut sql = QueryBuilder::<Sqlite>::new(select!("WHERE organization_id = "));
    sql.push_bind(tenant.organization_id.to_string());
    sql.push(" AND environment = ").push_bind(tenant.environment.as_str());
    let words = [
        (" AND status = ", filters.status.map(RefundStatus::as_str)),
        (" AND processor = ", filters.processor.map(ProcessorName::as_str)),
        (" AND reason = ", filters.reason.map(RefundReason::as_str)),
        (" AND initiated_by = ", filters.initiated_by.map(InitiatedBy::as_str)),
    ];
    for (clause, word) in words {
        if let Some(word) = word {
            sql.push(clause).push_bind(word);
        }
    }
    if let Some(id) = &filters.external_refund_id {
        sql.push(" AND external_refund_id = ").push_bind(id.as_str().to_owned());
    }
    if let Some(id) = &filters.transaction_id {
        // Any id of the payment: as given, the charge, or the PaymentIntent that a charge belongs to.
        let id = id.as_str().to_owned();
        sql.push(" AND (transaction_id = ").push_bind(id.clone());
        sql.push(" OR external_transaction_id = ").push_bind(id.clone());
        sql.push(" OR payment_intent = ").push_bind(id).push(")");
    }
    let numbers = [
        (" AND amount >= ", filters.amount_min.map(Amount::minor)),
        (" AND amount <= ", filters.amount_max.map(Amount::minor)),
        (" AND created_at >= ", filters.created_after.map(Timestamp::as_millis)),
        (" AND created_at < ", filters.created_before.map(Timestamp::as_millis)),
    ];
    for (clause, number) in numbers {
        if let Some(number) = number {
            sql.push(clause).push_bind(number);
        }
    }
    if let PageStart::Below(id) = start {
        sql.push(" AND id < ").push_bind(id.to_string());
    }
    sql.push(" ORDER BY id DESC LIMIT ").push_bind(i64::from(limit));
    if let PageStart::Offset(offset) = start {
        sql.push(" OFFSET ").push_bind(i64::from(offset));
    }
    let rows = sql.build_query_as::<Row>().fetch_all(connection).await?;
    rows.into_iter().map(Row::into_refund).collect()
}

/// Lists some of a connection's refunds that are open and that the processor has: to try whether a new key can read them.
pub async fn list_open_external_ids(
    connection: &mut Connection,
    tenant: Tenant,
    connection_id: ConnectionId,
    limit: u32,
) -> Result<Vec<Option<String>>, StoreError> {
    const SQL: &str = "SELECT external_refund_id FROM refunds
        WHERE connection_id = $3 AND organization_id = $1 AND environment = $2 AND status IN ('pending', 'processing')
        ORDER BY id DESC LIMIT $4";
    Ok(sqlx::query_scalar(SQL)
        .bind(tenant.organization_id.to_string())
        .bind(tenant.environment.as_str())
        .bind(connection_id.to_string())
        .bind(i64::from(limit))
        .fetch_all(connection)
        .await?)
}
