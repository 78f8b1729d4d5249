//! Vouchers with everything that stands for or against their use, in one round trip: a quote asks for it.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tandem_kernel::money::Currency;
use tandem_kernel::period::Recurrence;
use tandem_platform::db::{BindColumns, Column, Session, Statement};
use tandem_platform::{Outcome, Tenant, on_engine};

use super::super::{CounterKind, Person, Tally, counter};
use crate::voucher::Voucher;
use crate::voucher::store::Row as VoucherRow;

macro_rules! find {
    ($codes:literal) => {
        concat!(
            "SELECT v.code, v.incentive, v.batch, v.customer, v.source_id, v.assigned, v.starts, v.ends, v.max_uses,
                    v.uses, v.uses_held, v.currency, v.initial_balance, v.spent, v.spent_held, v.restored_until,
                    v.disabled, v.created, v.version, i.version AS incentive_version,
                    total.used AS total_used, total.held AS total_held,
                    money.used AS money_used, money.held AS money_held,
                    person.used AS person_used, person.held AS person_held,
                    recent.used AS recent_used, recent.held AS recent_held
               FROM voucher AS v
               LEFT JOIN incentive AS i ON i.tenant = $1 AND i.id = v.incentive
               LEFT JOIN counter AS total
                 ON total.tenant = $1 AND total.kind = 1 AND total.owner = v.incentive AND total.subject = ''
                AND total.period = CASE i.recurrence WHEN 'DAY' THEN $4 WHEN 'WEEK' THEN $5 WHEN 'MONTH' THEN $6
                                                     ELSE '' END
               LEFT JOIN counter AS money
                 ON money.tenant = $1 AND money.kind = 2 AND money.owner = v.incentive AND money.subject = $2
                AND money.period = CASE i.recurrence WHEN 'DAY' THEN $4 WHEN 'WEEK' THEN $5 WHEN 'MONTH' THEN $6
                                                     ELSE '' END
               LEFT JOIN counter AS person
                 ON person.tenant = $1 AND person.kind = 3 AND person.owner = v.incentive AND person.subject = $3
                AND person.period = ''
               LEFT JOIN counter AS recent
                 ON recent.tenant = $1 AND recent.kind = 4 AND recent.owner = v.incentive AND recent.subject = $3
                AND recent.period = CASE i.customer_period WHEN 'DAY' THEN $4 WHEN 'WEEK' THEN $5
                                                           WHEN 'MONTH' THEN $6 ELSE '' END
              WHERE v.tenant = $1 AND v.code ",
            $codes
        )
    };
}

const FIND: Statement =
    Statement::pair(find!("= ANY($7::text[])"), find!("IN (SELECT value->>0 FROM json_each($7))"));

/// Every statement, for the test that prepares them on both engines.
pub const STATEMENTS: &[(&str, Statement)] = &[("standing::find", FIND)];

#[derive(Debug, sqlx::FromRow)]
struct Row {
    #[sqlx(flatten)]
    voucher: VoucherRow,
    incentive_version: Option<i64>,
    total_used: Option<i64>,
    total_held: Option<i64>,
    money_used: Option<i64>,
    money_held: Option<i64>,
    person_used: Option<i64>,
    person_held: Option<i64>,
    recent_used: Option<i64>,
    recent_held: Option<i64>,
}

/// A voucher, the version of its incentive and the counters that a use now would count in.
#[derive(Debug)]
pub struct Found {
    /// The voucher.
    pub voucher: Voucher,
    /// The version of its incentive; `None` where there is none.
    pub version: Option<i64>,
    /// Those counters that exist.
    pub tallies: Vec<(CounterKind, Tally)>,
}

impl Row {
    fn found(self) -> Outcome<Found> {
        let tallies = [
            (CounterKind::Uses, self.total_used, self.total_held),
            (CounterKind::Budget, self.money_used, self.money_held),
            (CounterKind::Customer, self.person_used, self.person_held),
            (CounterKind::CustomerPeriod, self.recent_used, self.recent_held),
        ];
        let tallies = tallies.into_iter().filter_map(|(kind, used, held)| {
            Some((kind, Tally { used: used?, held: held?, ..Tally::default() }))
        });
        Ok(Found {
            tallies: tallies.collect(),
            version: self.incentive_version,
            voucher: self.voucher.try_into()?,
        })
    }
}

/// The vouchers with these stored codes, for a use at `now` by `person` in `currency`; in no order.
pub async fn find(
    session: &mut impl Session,
    tenant: &Tenant,
    codes: &[String],
    person: &Person,
    currency: Currency,
    (now, zone): (Timestamp, &TimeZone),
) -> Outcome<Vec<Found>> {
    let subject = person.subject().unwrap_or_default();
    let period = |recurrence| counter::period(recurrence, now, zone);
    let (day, week, month) = (period(Recurrence::Day), period(Recurrence::Week), period(Recurrence::Month));
    let columns = [Column::Text(codes.to_vec())];
    let rows: Vec<Row> = on_engine!(session, FIND, |sql, conn| {
        let query = sqlx::query_as(sql).bind(tenant.as_str()).bind(currency.code()).bind(&*subject);
        query.bind(&day).bind(&week).bind(&month).bind_columns(&columns).fetch_all(conn).await
    })?;
    rows.into_iter().map(Row::found).collect()
}
