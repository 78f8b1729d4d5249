//! The rules of redemptions, on both engines.

mod changing;
mod conclusive;
mod costly;
mod hold;
mod late;
mod limits;
mod plain;
mod quote;
mod race;
mod redeem;
mod rename;
mod replace;
mod roll_back;
mod segments;
mod settings;
mod usable;
mod values;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::{SignedDuration, Timestamp};
use tandem_kernel::clock::{Clock, FixedClock, SystemIds};
use tandem_kernel::discount::{AmountPer, Base, Discount, GroupPolicy, Kind, Scope, Stage};
use tandem_kernel::limits::{CustomerPeriod, Limits};
use tandem_kernel::money::{Amounts, Currency, Money};
use tandem_kernel::period::{Recurrence, Window, Zone};
use tandem_platform::db::Writes;
use tandem_platform::resource::{self, Change, Touch};
use tandem_platform::{Call, Db, Fault, Outcome, Violations, grpc, transact};
use tandem_proto::common::v1::{self as common, QuoteClaims, SealedCode, SealedLine, SealedShare};
use tandem_proto::convert::{seal_claims, to_timestamp};
use tandem_proto::relationship::v1;

use super::{Redemption, audit, past, rpc};
use crate::incentive::{self, Definition, Incentive, ReturnPolicy};
use crate::voucher::{self, Balance, Voucher};
use crate::{App, Config};

/// A service with its clock, and short ways to ask it.
#[derive(Clone)]
struct Shop {
    app: Arc<App>,
    clock: Arc<FixedClock>,
    call: Call,
}

static REQUESTS: AtomicU64 = AtomicU64::new(0);

fn request_id() -> String {
    format!("request-{}", REQUESTS.fetch_add(1, Ordering::Relaxed))
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn eur() -> Currency {
    Currency::new("EUR").unwrap()
}

fn amounts(minor: i64) -> Amounts {
    Amounts::new(vec![Money::new(minor, eur())]).unwrap()
}

fn minor(money: &Option<common::Money>) -> i64 {
    let money = money.as_ref().unwrap();
    money.units * 100 + i64::from(money.nanos) / 10_000_000
}

/// So much off the order, without a limit.
fn off(minor: i64) -> Definition {
    let kind = Kind::Amount { amounts: amounts(minor), per: AmountPer::Order };
    defined(kind, Stage::Order)
}

fn gift_card() -> Definition {
    let definition = defined(Kind::GiftCard { max_per_order: Amounts::default() }, Stage::Tender);
    Definition { max_uses_per_code: None, ..definition }
}

fn defined(kind: Kind, stage: Stage) -> Definition {
    let discount = Discount {
        kind,
        scope: Scope::default(),
        stage,
        base: Base::default(),
        group: 0,
        group_policy: GroupPolicy::default(),
        priority: 0,
        exclusive: false,
        stop: false,
        minimum_spend: Amounts::default(),
        minimum_spend_base: Default::default(),
        max_discount: Amounts::default(),
        margin_floor_ppm: 0,
    };
    Definition {
        display_name: String::new(),
        titles: BTreeMap::new(),
        discount,
        validity: Window::default(),
        limits: Limits::default(),
        max_uses_per_code: Some(1),
        segments: Vec::new(),
        condition: String::new(),
        campaign: None,
        return_policy: ReturnPolicy::OnFullReturn,
        one_code_per_customer: false,
        assigned_only: false,
        labels: BTreeMap::new(),
    }
}

fn limited(definition: Definition, limits: Limits) -> Definition {
    Definition { limits, ..definition }
}

fn until(definition: Definition, end: &str) -> Definition {
    Definition { validity: Window::new(None, Some(at(end)), Zone::utc()).unwrap(), ..definition }
}

/// What a quote of an order says: three units of 10.00 in one line `a`, so much off by each code.
struct Quoted<'a> {
    order: &'a str,
    customer: &'a str,
    guest: &'a str,
    codes: Vec<(&'a str, &'a str, i64)>,
    valid: SignedDuration,
    degraded: bool,
}

impl<'a> Quoted<'a> {
    fn new(order: &'a str, codes: &[(&'a str, &'a str, i64)]) -> Self {
        Self {
            order,
            customer: "",
            guest: "",
            codes: codes.to_vec(),
            valid: SignedDuration::from_mins(15),
            degraded: false,
        }
    }

    fn by(self, customer: &'a str) -> Self {
        Self { customer, ..self }
    }
}

impl Shop {
    fn new(db: Db) -> Self {
        Self::with(db, Arc::new(FixedClock::at(at("2026-07-01T12:00:00Z"))), Config::default())
    }

    /// With random ids, because two processes may share a database.
    fn with(db: Db, clock: Arc<FixedClock>, config: Config) -> Self {
        let app = App::new(db, clock.clone(), Arc::new(SystemIds), config).unwrap();
        Self { app, clock, call: Call::system("default") }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn later(&self, span: SignedDuration) {
        self.clock.advance(span);
    }

    async fn incentive(&self, id: &str, definition: Definition) {
        self.keep(Incentive::new(id.to_owned(), definition, self.now())).await;
    }

    async fn revise(&self, id: &str, definition: Definition) {
        let before = self.current(id).await;
        self.keep(before.revised(definition, self.now())).await;
    }

    /// Gives an incentive other limits, as UpdateIncentive does.
    async fn limit(&self, id: &str, limits: Limits) {
        self.limit_counted(id, &limits).await;
        self.revise(id, limited(self.current(id).await.definition, limits)).await;
    }

    /// What UpdateIncentive does before it writes.
    async fn limit_counted(&self, id: &str, limits: &Limits) {
        let mut v = Violations::new();
        let paths = prost_types::FieldMask { paths: vec!["limits".to_owned()] };
        let mask = grpc::field_mask(&mut v, Some(&paths), &["limits"], &[]);
        let touch = Touch { id: id.to_owned(), ..Touch::default() };
        let change = Change::new(touch, incentive::FIELDS, mask, limited(off(1_000), limits.clone()));
        past::count(&self.app, &self.call.tenant, &change).await.unwrap();
    }

    /// How many redemptions of a customer count.
    async fn redeemed_by(&self, customer: &str) -> usize {
        let mut reader = self.app.db.read().await.unwrap();
        let by = super::store::By::Customer(customer);
        let newest = super::store::newest(&mut reader, &self.call.tenant, by, uuid::Uuid::max(), 1_000);
        newest.await.unwrap().iter().filter(|one| one.state.is_redeemed()).count()
    }

    async fn archive(&self, id: &str) {
        let before = self.current(id).await;
        self.keep(before.archived(self.now())).await;
    }

    async fn current(&self, id: &str) -> Incentive {
        resource::find(&self.app, &self.call, id).await.unwrap()
    }

    async fn keep(&self, incentive: Incentive) {
        let stored = transact!(self.app.db, |tx| {
            let mut writes = Writes::of(&self.call.tenant);
            writes.push(incentive::store::INCENTIVES.save(std::slice::from_ref(&incentive), None)?);
            writes.push(incentive::store::keep_revision(&incentive)?);
            writes.run(tx).await
        });
        stored.unwrap();
    }

    async fn codes(&self, vouchers: Vec<Voucher>) {
        let stored = transact!(self.app.db, |tx| {
            voucher::store::insert_many(tx, &self.call.tenant, &vouchers).await
        });
        stored.unwrap();
    }

    fn code(&self, code: &str, incentive: &str) -> Voucher {
        Voucher::new(code.to_owned(), incentive.to_owned(), self.now())
    }

    fn card(&self, code: &str, incentive: &str, initial: i64) -> Voucher {
        let balance = Some(Balance::new(initial, eur()));
        Voucher { max_uses: None, balance, ..self.code(code, incentive) }
    }

    /// One incentive `spring` of 10.00 off with one code `SPRING` of so many uses.
    async fn spring(&self, max_uses: Option<i64>, limits: Limits) {
        self.incentive("spring", limited(off(1_000), limits)).await;
        self.codes(vec![Voucher { max_uses, ..self.code("SPRING", "spring") }]).await;
    }

    async fn voucher(&self, code: &str) -> Voucher {
        let mut reader = self.app.db.read().await.unwrap();
        voucher::store::find(&mut reader, &self.call.tenant, code).await.unwrap().unwrap()
    }

    async fn uses(&self, code: &str) -> i64 {
        self.voucher(code).await.usage.uses
    }

    fn claims(&self, quoted: &Quoted<'_>) -> QuoteClaims {
        let lines = vec![SealedLine {
            id: "a".to_owned(),
            product: "products/7".to_owned(),
            quantity: 3,
            list_minor: 3_000,
            initial_minor: 3_000,
            final_minor: 3_000 - quoted.codes.iter().map(|code| code.2).sum::<i64>().min(3_000),
            price_rule: String::new(),
            revision: 0,
            ..Default::default()
        }];
        let code = |(code, incentive, amount): &(&str, &str, i64)| SealedCode {
            code: (*code).to_owned(),
            incentive: format!("incentives/{incentive}"),
            version: 1,
            amount_minor: *amount,
            shares: vec![SealedShare { line: 0, minor: *amount }],
            ..SealedCode::default()
        };
        let customer =
            if quoted.customer.is_empty() { "".to_owned() } else { format!("customers/{}", quoted.customer) };
        QuoteClaims {
            tenant: self.call.tenant.to_string(),
            order_id: quoted.order.to_owned(),
            order_digest: vec![7; 32].into(),
            customer,
            guest_key: quoted.guest.to_owned(),
            currency_code: "EUR".to_owned(),
            issue_time: Some(to_timestamp(self.now())),
            expire_time: Some(to_timestamp(self.now() + quoted.valid)),
            degraded: quoted.degraded,
            list_minor: 3_000,
            total_minor: lines[0].final_minor,
            lines,
            codes: quoted.codes.iter().map(code).collect(),
            ..QuoteClaims::default()
        }
    }

    fn token(&self, quoted: &Quoted<'_>) -> String {
        seal_claims(&self.claims(quoted), &self.app.keys)
    }

    /// A gift card's token pays instead of reducing.
    fn paying(&self, quoted: &Quoted<'_>) -> String {
        let mut claims = self.claims(quoted);
        claims.lines[0].final_minor = 3_000;
        claims.total_minor = 3_000;
        for code in &mut claims.codes {
            code.tender = true;
            code.shares.clear();
        }
        seal_claims(&claims, &self.app.keys)
    }

    fn redeem_request(&self, order: &str, token: String) -> v1::RedeemVouchersRequest {
        v1::RedeemVouchersRequest {
            order_id: order.to_owned(),
            what: Some(v1::redeem_vouchers_request::What::QuoteToken(token)),
            request_id: request_id(),
            ..v1::RedeemVouchersRequest::default()
        }
    }

    async fn redeem_as(&self, request: v1::RedeemVouchersRequest) -> Outcome<v1::RedeemVouchersResponse> {
        rpc::redeem(&self.app, &self.call, request).await
    }

    /// Redeems what was quoted for the order.
    async fn redeem(&self, quoted: &Quoted<'_>) -> Outcome<v1::RedeemVouchersResponse> {
        self.redeem_as(self.redeem_request(quoted.order, self.token(quoted))).await
    }

    /// Redeems one code of 10.00 off for the order.
    async fn redeem_one(
        &self,
        order: &str,
        code: &str,
        incentive: &str,
    ) -> Outcome<v1::RedeemVouchersResponse> {
        self.redeem(&Quoted::new(order, &[(code, incentive, 1_000)])).await
    }

    /// Redeems what the order holds.
    async fn redeem_held(&self, order: &str) -> Outcome<v1::RedeemVouchersResponse> {
        let what = None;
        let request = v1::RedeemVouchersRequest { what, ..self.redeem_request(order, String::new()) };
        self.redeem_as(request).await
    }

    fn hold_request(&self, order: &str, token: String, ttl_s: i64) -> v1::HoldVouchersRequest {
        v1::HoldVouchersRequest {
            order_id: order.to_owned(),
            what: Some(v1::hold_vouchers_request::What::QuoteToken(token)),
            ttl: (ttl_s > 0).then_some(prost_types::Duration { seconds: ttl_s, nanos: 0 }),
            request_id: request_id(),
            ..v1::HoldVouchersRequest::default()
        }
    }

    async fn hold_as(&self, request: v1::HoldVouchersRequest) -> Outcome<v1::HoldVouchersResponse> {
        rpc::hold(&self.app, &self.call, request).await
    }

    /// Holds what was quoted for the order, for 15 minutes.
    async fn hold(&self, quoted: &Quoted<'_>) -> Outcome<v1::HoldVouchersResponse> {
        self.hold_as(self.hold_request(quoted.order, self.token(quoted), 0)).await
    }

    async fn hold_one(&self, order: &str, code: &str, incentive: &str) -> Outcome<v1::HoldVouchersResponse> {
        self.hold(&Quoted::new(order, &[(code, incentive, 1_000)])).await
    }

    async fn release(&self, order: &str) -> Vec<v1::Redemption> {
        let request =
            v1::ReleaseHoldRequest { order_id: order.to_owned(), request_id: request_id(), of_order: false };
        rpc::release(&self.app, &self.call, request).await.unwrap().redemptions
    }

    fn roll_back_request(
        &self,
        order: &str,
        lines: &[(&str, i64)],
        reason: v1::RollbackReason,
    ) -> v1::RollbackRedemptionRequest {
        let line = |(line, quantity): &(&str, i64)| v1::ReturnedLine {
            line_id: (*line).to_owned(),
            quantity: *quantity,
        };
        v1::RollbackRedemptionRequest {
            order_id: order.to_owned(),
            lines: lines.iter().map(line).collect(),
            reason: reason.into(),
            request_id: request_id(),
            code: String::new(),
            gift_cards: None,
            of_order: false,
        }
    }

    async fn roll_back_as(
        &self,
        request: v1::RollbackRedemptionRequest,
    ) -> Outcome<v1::RollbackRedemptionResponse> {
        rpc::roll_back(&self.app, &self.call, request).await
    }

    async fn roll_back(
        &self,
        order: &str,
        lines: &[(&str, i64)],
        reason: v1::RollbackReason,
    ) -> Outcome<v1::RollbackRedemptionResponse> {
        self.roll_back_as(self.roll_back_request(order, lines, reason)).await
    }

    async fn of_order(&self, order: &str) -> Vec<Redemption> {
        let mut reader = self.app.db.read().await.unwrap();
        super::store::of_orders(&mut reader, &self.call.tenant, vec![order.to_owned()]).await.unwrap()
    }

    /// Counts everything again; fails where counters and ledger disagree.
    async fn audit(&self) -> audit::Audit {
        let audit = audit::audit(&self.app.db, &self.call.tenant).await.unwrap();
        assert!(audit.faults.is_empty(), "{:#?}", audit.faults);
        audit
    }

    /// Types of all events so far, in order, with the aggregate's version.
    async fn events(&self) -> Vec<String> {
        use prost::Message;
        use tandem_platform::{Statement, on_engine};
        const ALL: Statement = Statement::same("SELECT payload FROM event_batch ORDER BY created, id");
        let mut reader = self.app.db.read().await.unwrap();
        let batches: Vec<Vec<u8>> =
            on_engine!(&mut reader, ALL, |sql, conn| sqlx::query_scalar(sql).fetch_all(conn).await).unwrap();
        let events =
            batches.iter().flat_map(|batch| common::EventBatch::decode(batch.as_slice()).unwrap().events);
        events.map(|event| event.r#type.trim_start_matches("tandem.relationship.v1.").to_owned()).collect()
    }
}

fn per_customer(most: i64) -> Limits {
    Limits { max_uses_per_customer: Some(most), ..Limits::default() }
}

fn per_customer_period(most: i64, period: Recurrence) -> Limits {
    Limits { per_customer_period: Some(CustomerPeriod { max_uses: most, period }), ..Limits::default() }
}

fn uses(most: i64) -> Limits {
    Limits { max_uses: Some(most), ..Limits::default() }
}

fn budget(minor: i64) -> Limits {
    Limits { budgets: amounts(minor), ..Limits::default() }
}

fn reason<T>(outcome: Outcome<T>) -> &'static str {
    outcome.err().map_or("OK", |fault| fault.reason())
}

fn refusal(fault: &Fault) -> String {
    format!("{fault:?}")
}
