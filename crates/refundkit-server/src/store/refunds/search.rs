//! Searching refunds at a cost that does not grow with their number.
//!
//! What an index finds is read straight. Every other filter is tried on so many refunds, the newest first, and then the search says how
//! far it came: the next page goes on from there. Ids are found first and rows read after, so that no database is led to walk a
//! tenant's refunds in their order where it should look a few of them up.

use refundkit::{Amount, RefundId, RefundStage, RefundStatus, Timestamp, UserId, metadata};

use super::{Filtered, StoredRefund, first_id_of, read_many};
use crate::{
    limits,
    operations::{SearchRefunds, askers::AskerId},
    store::{Connection, StoreError, Tenant},
};

/// What a text names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named<'a> {
    /// This refund.
    Refund(RefundId),
    /// The refunds of a payment, by any id of it.
    Payment(&'a str),
    /// The refund that the processor knows under this id.
    External(&'a str),
    /// The refunds that have a metadata value: under this key, when there is one.
    Metadata {
        /// The value, as text.
        value: &'a str,
        /// The key.
        key: Option<&'a str>,
    },
}

/// What a search found.
#[derive(Debug)]
pub struct Found {
    /// The refunds, newest first: at most as many as were asked for.
    pub refunds: Vec<StoredRefund>,
    /// Below which refund the next page begins; none when there is no more.
    pub next_below: Option<RefundId>,
    /// When the last refund that was examined was asked for, if the search ended before the page was full.
    pub searched_to: Option<Timestamp>,
}

/// By how much an id may be ahead of its refund's creation for a search: as much as clocks are set back while a server runs. A
/// search by time begins so much above it, and examines what is there.
const CLOCK_SLACK_MS: i64 = 5 * 60 * 1000;
/// How many refunds are examined at first; each time that is not enough, so many times as many.
const EXAMINED_FIRST: u32 = 250;
const EXAMINED_GROWTH: u32 = 4;
/// Says that one of the stages with an index is meant, in the words of that index.
pub(super) const IS_NEEDING: &str = " AND stage IN ('outcome_unknown', 'requires_action')";

/// Whether anything has this name, whatever else is asked for.
pub async fn finds(connection: &mut Connection, tenant: Tenant, named: Named<'_>) -> Result<bool, StoreError> {
    let mut sql = Filtered::new("SELECT id FROM refunds WHERE", tenant);
    match named {
        Named::Refund(id) => sql.and("id =", Some(id)),
        Named::Payment(id) => sql.and_of_payment(id),
        Named::External(id) => sql.and("external_refund_id =", Some(id)),
        Named::Metadata { value, .. } => {
            sql = Filtered::new("SELECT refund_id FROM refund_metadata WHERE", tenant);
            sql.and("value =", Some(value));
            // In the order of the index: a value that many have would else be looked for in all rows, from the first one on.
            sql.push(&[" ORDER BY refund_id"]);
        }
    }
    sql.push(&[" LIMIT 1"]);
    Ok(connection.fetch_optional(&sql.text, &sql.params, |_| Ok(())).await?.is_some())
}

/// Searches refunds that pass the filters and have the name, newest first, below this one.
pub async fn search(
    connection: &mut Connection,
    tenant: Tenant,
    named: Option<Named<'_>>,
    filters: &SearchRefunds,
    below: Option<RefundId>,
    limit: u32,
) -> Result<Found, StoreError> {
    let search = Search { tenant, named, filters };
    let wanted = limit + 1;
    let mut walk = Walk { below, ids: Vec::new(), ended_at: None };
    match named {
        Some(Named::Refund(_) | Named::Payment(_) | Named::External(_)) => {
            walk.ids = search.few(connection, below).await?;
        }
        None | Some(Named::Metadata { .. }) if search.is_by_index_alone() => {
            walk.ids = search.straight(connection, below, wanted).await?;
        }
        None | Some(Named::Metadata { .. }) => search.walk(connection, &mut walk, wanted).await?,
    }
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let is_full = walk.ids.len() > limit;
    walk.ids.truncate(limit);
    let refunds = read_many(connection, tenant, &walk.ids).await?;
    let (next_below, searched_to) = match walk.ended_at.filter(|_| !is_full) {
        Some((id, at)) => (Some(id), Some(at)),
        None => (walk.ids.last().copied().filter(|_| is_full), None),
    };
    Ok(Found { refunds, next_below, searched_to })
}

/// How far a search has come.
struct Walk {
    /// What is examined next is below it.
    below: Option<RefundId>,
    /// What was found.
    ids: Vec<RefundId>,
    /// The last refund that was examined, once as many were as may be.
    ended_at: Option<(RefundId, Timestamp)>,
}

#[derive(Clone, Copy)]
struct Search<'a> {
    tenant: Tenant,
    named: Option<Named<'a>>,
    filters: &'a SearchRefunds,
}

impl<'a> Search<'a> {
    /// The person who asked, when the index of persons is read: before any other but that of metadata.
    fn person(&self) -> Option<UserId> {
        match self.filters.asked_by {
            Some(AskerId::Person(id)) if self.named.is_none() => Some(id),
            _ => None,
        }
    }

    /// The stage, when it has an index.
    fn needing(&self) -> Option<RefundStage> {
        let has_index =
            |stage: &RefundStage| matches!(stage, RefundStage::OutcomeUnknown | RefundStage::RequiresAction);
        self.filters.stage.filter(has_index)
    }

    /// The status, when its index is used: where the stage has none, or says which status it is.
    fn status(&self) -> Option<RefundStatus> {
        let of_stage = match self.filters.stage {
            Some(RefundStage::Queued | RefundStage::Submitting) => Some(RefundStatus::Pending),
            _ => None,
        };
        self.filters.status.or(of_stage).filter(|_| self.needing().is_none())
    }

    /// Whether all that is asked for is what the index finds.
    fn is_by_index_alone(&self) -> bool {
        let SearchRefunds {
            query: _,
            status,
            stage,
            processor: None,
            reason: None,
            initiated_by: None,
            asked_by,
            currency: None,
            amount_min: None,
            amount_max: None,
            created_after: None,
            created_before: None,
            limit: _,
            cursor: _,
        } = self.filters
        else {
            return false;
        };
        match (self.named, asked_by) {
            (None, None) => {
                (stage.is_none() && *status == self.status()) || (status.is_none() && *stage == self.needing())
            }
            (None, Some(AskerId::Person(_))) => status.is_none() && stage.is_none(),
            (Some(Named::Metadata { key, .. }), None) => key.is_none() && status.is_none() && stage.is_none(),
            (None | Some(_), Some(_)) | (Some(Named::Refund(_) | Named::Payment(_) | Named::External(_)), None) => {
                false
            }
        }
    }

    /// What holds for every id that can be found.
    fn and_between(&self, sql: &mut Filtered<'a>, column: &str, below: Option<RefundId>, end: Option<RefundId>) {
        let (from, below) = self.bounds(below, end);
        sql.and(&format!("{column} <"), below);
        sql.and(&format!("{column} >="), from);
    }

    /// From which id on there is something to find, and below which.
    fn bounds(&self, below: Option<RefundId>, end: Option<RefundId>) -> (Option<RefundId>, Option<RefundId>) {
        let SearchRefunds { created_after, created_before, .. } = self.filters;
        let before = created_before.map(|before| first_id_of(before.plus_millis(CLOCK_SLACK_MS)));
        (end.or(created_after.map(first_id_of)), below.into_iter().chain(before).min())
    }

    /// What the index of refunds says.
    fn and_in_index(&self, sql: &mut Filtered<'a>) {
        if let Some(stage) = self.needing() {
            sql.push(&[IS_NEEDING, " AND stage = '", stage.as_str(), "'"]);
        }
        sql.and("status =", self.status());
    }

    /// What is tried on each refund.
    fn and_passes(&self, sql: &mut Filtered<'a>) {
        let filters = self.filters;
        if self.status() != filters.status {
            sql.and("status =", filters.status);
        }
        if self.needing().is_none() {
            sql.and("stage =", filters.stage);
        }
        sql.and("processor =", filters.processor);
        sql.and("reason =", filters.reason);
        sql.and("initiated_by =", filters.initiated_by);
        match filters.asked_by {
            // Put so that no database reads the index of persons here: it would try all refunds of that person.
            Some(AskerId::Person(id)) if self.person().is_none() => sql.and("COALESCE(user_id, '') =", Some(id)),
            Some(AskerId::Key(id)) => sql.and("api_key_id =", Some(id)),
            Some(AskerId::Person(_)) | None => {}
        }
        sql.and("currency =", filters.currency.as_ref().map(refundkit::Currency::as_str));
        sql.and("amount >=", filters.amount_min.map(Amount::minor));
        sql.and("amount <=", filters.amount_max.map(Amount::minor));
        sql.and("created_at >=", filters.created_after);
        sql.and("created_at <", filters.created_before);
    }

    /// Those of a name that few refunds have: all of them that pass.
    async fn few(&self, connection: &mut Connection, below: Option<RefundId>) -> Result<Vec<RefundId>, StoreError> {
        let mut sql = Filtered::new("SELECT id FROM refunds WHERE", self.tenant);
        match self.named {
            Some(Named::Refund(id)) => sql.and("id =", Some(id)),
            Some(Named::Payment(id)) => sql.and_of_payment(id),
            Some(Named::External(id)) => sql.and("external_refund_id =", Some(id)),
            Some(Named::Metadata { .. }) | None => {}
        }
        self.and_in_index(&mut sql);
        self.and_passes(&mut sql);
        sql.and("id <", below);
        newest_first(connection, &sql).await
    }

    /// The newest that the index finds.
    async fn straight(
        &self,
        connection: &mut Connection,
        below: Option<RefundId>,
        wanted: u32,
    ) -> Result<Vec<RefundId>, StoreError> {
        let mut sql = self.index(below);
        let wanted = sql.bind(wanted);
        sql.push(&[" LIMIT ", &wanted]);
        newest_first(connection, &sql).await
    }

    /// The ids of the index that is read, the newest first.
    fn index(&self, below: Option<RefundId>) -> Filtered<'a> {
        if let Some(person) = self.person() {
            return self.of_person(person, below, None);
        }
        let (mut sql, column) = match self.named {
            Some(Named::Metadata { value, .. }) => {
                let mut sql = Filtered::new("SELECT DISTINCT refund_id AS id FROM refund_metadata WHERE", self.tenant);
                sql.and("value =", Some(value));
                (sql, "refund_id")
            }
            _ => {
                let mut sql = Filtered::new("SELECT id FROM refunds WHERE", self.tenant);
                self.and_in_index(&mut sql);
                (sql, "id")
            }
        };
        self.and_between(&mut sql, column, below, None);
        sql.push(&[" ORDER BY ", column, " DESC"]);
        sql
    }

    /// The ids of a person's refunds, the newest first.
    fn of_person(&self, person: UserId, below: Option<RefundId>, end: Option<RefundId>) -> Filtered<'a> {
        let (from, below) = self.bounds(below, end);
        of_person(self.tenant, person, from, below)
    }

    /// Examines refunds until enough are found, none is left, or as many were examined as may be.
    async fn walk(&self, connection: &mut Connection, walk: &mut Walk, wanted: u32) -> Result<(), StoreError> {
        let most = match (self.named, self.person()) {
            (Some(Named::Metadata { .. }), _) | (_, Some(_)) => limits::SEARCH_VALUES_EXAMINED_MAX,
            _ => limits::SEARCH_EXAMINED_MAX,
        };
        let (mut size, mut left) = (EXAMINED_FIRST, most);
        loop {
            size = size.min(left);
            let end = self.end(connection, walk.below, size).await?;
            let found = self.passing(connection, walk.below, end.map(|(id, _)| id), size, wanted).await?;
            walk.ids.extend(found);
            left -= size;
            walk.below = end.map(|(id, _)| id);
            let is_over = walk.below.is_none() || walk.ids.len() >= usize::try_from(wanted).unwrap_or(usize::MAX);
            if is_over {
                return Ok(());
            }
            if left == 0 {
                walk.ended_at = end;
                return Ok(());
            }
            size = size.saturating_mul(EXAMINED_GROWTH);
        }
    }

    /// The last of so many refunds; none when there are fewer.
    async fn end(
        &self,
        connection: &mut Connection,
        below: Option<RefundId>,
        size: u32,
    ) -> Result<Option<(RefundId, Timestamp)>, StoreError> {
        let mut sql = self.index(below);
        let offset = (size - 1).to_string();
        sql.push(&[" LIMIT 1 OFFSET ", &offset]);
        let last = format!(
            "SELECT id, created_at FROM refunds WHERE organization_id = $1 AND environment = $2 AND id = ({})",
            sql.text
        );
        connection.fetch_optional(&last, &sql.params, |row| Ok((row.parse("id")?, row.timestamp("created_at")?))).await
    }

    /// The ids of which each is looked up to be tried, from below one to another: those of a metadata value, and those of a person.
    fn few_to_look_up(&self, below: Option<RefundId>, end: Option<RefundId>) -> Option<Filtered<'a>> {
        let Some(Named::Metadata { value, key }) = self.named else {
            return Some(self.of_person(self.person()?, below, end));
        };
        let mut sql = Filtered::new("SELECT refund_id FROM refund_metadata WHERE", self.tenant);
        sql.and("value =", Some(value));
        sql.and("key =", key);
        self.and_between(&mut sql, "refund_id", below, end);
        sql.push(&[" ORDER BY refund_id DESC"]);
        Some(sql)
    }

    /// Those that pass, from below one to another: at least the newest that are wanted.
    async fn passing(
        &self,
        connection: &mut Connection,
        below: Option<RefundId>,
        end: Option<RefundId>,
        size: u32,
        wanted: u32,
    ) -> Result<Vec<RefundId>, StoreError> {
        let mut sql = Filtered::new("SELECT id FROM refunds WHERE", self.tenant);
        if let Some(mut few) = self.few_to_look_up(below, end) {
            // As many as there can be: it tells the database that they are few.
            let most = (u64::from(size) + metadata::KEYS_MAX as u64).to_string();
            few.push(&[" LIMIT ", &most]);
            let examined = ["WITH examined (id) AS MATERIALIZED (", &few.text, ") ", &sql.text].concat();
            sql = Filtered { text: examined, params: few.params };
            sql.push(&[" AND id IN (SELECT id FROM examined)"]);
            self.and_in_index(&mut sql);
            self.and_passes(&mut sql);
            return newest_first(connection, &sql).await;
        }
        self.and_in_index(&mut sql);
        self.and_passes(&mut sql);
        self.and_between(&mut sql, "id", below, end);
        let wanted = sql.bind(wanted);
        sql.push(&[" ORDER BY id DESC LIMIT ", &wanted]);
        newest_first(connection, &sql).await
    }
}

/// The ids of a person's refunds from one on and below another, the newest first, to be cut off somewhere. Person and id are compared
/// and ordered together: only the index of persons has that order. By the id alone, PostgreSQL would rather walk through everybody's
/// refunds until it met enough of this person's.
pub(super) fn of_person<'a>(
    tenant: Tenant,
    person: UserId,
    from: Option<RefundId>,
    below: Option<RefundId>,
) -> Filtered<'a> {
    let mut sql = Filtered::new("SELECT id FROM refunds WHERE", tenant);
    let person = sql.bind(person);
    let from = sql.bind(from.unwrap_or(RefundId::from_bits(0)));
    let below = sql.bind(below.unwrap_or(RefundId::from_bits(u128::MAX)));
    sql.push(&[" AND user_id IS NOT NULL AND (user_id, id) >= (", &person, ", ", &from, ")"]);
    sql.push(&[" AND (user_id, id) < (", &person, ", ", &below, ") ORDER BY user_id DESC, id DESC"]);
    sql
}

async fn newest_first(connection: &mut Connection, sql: &Filtered<'_>) -> Result<Vec<RefundId>, StoreError> {
    let mut ids: Vec<RefundId> = connection.fetch_all(&sql.text, &sql.params, |row| row.parse("id")).await?;
    ids.sort_unstable_by_key(|id| std::cmp::Reverse(*id));
    Ok(ids)
}
