//! How an organization's refunds stand: from figures that are kept, and counts that an index answers.

use std::{cmp::Reverse, collections::BTreeMap};

use refundkit::{ConnectionStatus, Currency, RefundStage, RefundStatus, operations::ListRefunds};
use refundkit_core::days::{Counts, Day, Tally};

use super::askers;
use crate::{
    error::Error,
    limits,
    operations::{
        BoundedCount, GetOverview,
        overview::{CredentialTrouble, CurrencyOverview, DayOverview, NeedsPerson, Overview, Totals},
    },
    registry::{Answer, Context, Handle},
    store::{
        Connection, Tenant, connections, refund_days, refunds,
        refunds::{PageStart, Standing},
    },
};

/// Parts of a whole in which rates are told.
const BASIS_POINTS: i64 = 10_000;

impl Handle for GetOverview {
    async fn handle(self, context: &Context) -> Result<Answer<Overview>, Error> {
        let tenant = context.caller.tenant;
        let to = Day::of(context.app.env.now());
        let from = to.back(limits::OVERVIEW_DAYS - 1);
        let mut connection = context.app.store.read().await?;
        let connection = &mut connection;
        let ended = refund_days::since(connection, tenant, from).await?;
        let recent = ListRefunds::default();
        let recent = refunds::list(connection, tenant, &recent, PageStart::Newest, limits::OVERVIEW_REFUNDS).await?;
        let pending = count(connection, tenant, Standing::Status(RefundStatus::Pending)).await?;
        let processing = count(connection, tenant, Standing::Status(RefundStatus::Processing)).await?;
        let credential_trouble = connections::list(connection, tenant).await?.into_iter();
        let credential_trouble =
            credential_trouble.filter(|found| found.status == ConnectionStatus::Invalid).map(|found| {
                CredentialTrouble { processor: found.processor, connection_id: found.id, status: found.status }
            });
        let needs_person = NeedsPerson {
            outcome_unknown: count(connection, tenant, Standing::Needing(RefundStage::OutcomeUnknown)).await?,
            requires_action: count(connection, tenant, Standing::Needing(RefundStage::RequiresAction)).await?,
            failed_last7_days: failed_since(&ended, to.back(limits::FAILED_DAYS - 1)),
            credential_trouble: credential_trouble.collect(),
        };
        Ok(Answer::ok(Overview {
            from,
            to,
            currencies: currencies(&ended, from, to),
            totals: totals(&ended),
            in_progress: together(pending, processing),
            needs_person,
            recent: askers::asked(connection, tenant, &recent).await?,
        }))
    }
}

async fn count(connection: &mut Connection, tenant: Tenant, standing: Standing) -> Result<BoundedCount, Error> {
    let most = limits::REFUNDS_COUNTED_MAX;
    Ok(bounded(refunds::count_up_to(connection, tenant, standing, most + 1).await?))
}

fn bounded(count: i64) -> BoundedCount {
    let most = limits::REFUNDS_COUNTED_MAX;
    BoundedCount { count: count.min(most), is_more: count > most }
}

fn together(one: BoundedCount, other: BoundedCount) -> BoundedCount {
    let sum = bounded(one.count + other.count);
    BoundedCount { is_more: sum.is_more || one.is_more || other.is_more, ..sum }
}

fn sum(counts: impl Iterator<Item = Counts>) -> Counts {
    counts.fold(Counts::default(), Counts::plus)
}

fn failed_since(ended: &Tally, first: Day) -> i64 {
    sum(ended.iter().filter(|(day, _, _)| *day >= first).map(|(_, _, counts)| counts)).failed
}

/// A mean, where there is something to take it of.
fn average(total: i64, count: i64) -> Option<i64> {
    (count > 0).then(|| total / count)
}

fn totals(ended: &Tally) -> Totals {
    let all = sum(ended.iter().map(|(_, _, counts)| counts));
    Totals {
        completed: all.completed,
        failed: all.failed,
        cancelled: all.cancelled,
        success_rate_basis_points: average(
            all.completed.saturating_mul(BASIS_POINTS),
            all.completed.saturating_add(all.failed),
        ),
        average_settle_ms: average(all.settle_ms, all.completed),
    }
}

fn currencies(ended: &Tally, from: Day, to: Day) -> Vec<CurrencyOverview> {
    let mut by_currency: BTreeMap<Currency, BTreeMap<Day, Counts>> = BTreeMap::new();
    for (day, currency, counts) in ended.iter() {
        by_currency.entry(currency).or_default().insert(day, counts);
    }
    let mut currencies: Vec<_> =
        by_currency.into_iter().map(|(currency, days)| of_currency(currency, &days, from, to)).collect();
    currencies.sort_by_key(|one| (Reverse(one.completed), one.currency));
    currencies
}

fn of_currency(currency: Currency, ended: &BTreeMap<Day, Counts>, from: Day, to: Day) -> CurrencyOverview {
    let all = sum(ended.values().copied());
    let days = (from.number()..=to.number()).map(Day::from_number).map(|day| {
        let counts = ended.get(&day).copied().unwrap_or_default();
        DayOverview {
            day,
            completed_amount: counts.completed_amount,
            completed: counts.completed,
            failed: counts.failed,
        }
    });
    CurrencyOverview {
        currency,
        completed_amount: all.completed_amount,
        completed: all.completed,
        failed: all.failed,
        cancelled: all.cancelled,
        average_settle_ms: average(all.settle_ms, all.completed),
        days: days.collect(),
    }
}
