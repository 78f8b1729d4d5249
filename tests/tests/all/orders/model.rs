//! Any sequence of steps over a few orders, with crashes between them, ends as a plain model says.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tandem_tests::database::Engine;
use tandem_tests::proxy::Point;
use tandem_tests::stage::orders::{OFF, OFFER, Shop, Step, cancel, take_back};

use super::uses;

const ORDERS: usize = 5;
const STEPS: usize = 60;
/// Uses of the offer, of which each order takes one.
const OFFER_USES: usize = 3;
/// Uses of each code.
const CODE_USES: usize = 2;
const CODES: [&str; 2] = ["CODE-A", "CODE-B"];
const UNITS: i64 = 3;

/// What one order is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Known {
    state: &'static str,
    codes: Vec<&'static str>,
    back: i64,
    /// It was committed, and all of it has come back.
    over: bool,
}

impl Known {
    fn counts(&self) -> bool {
        matches!(self.state, "COMMITTED" | "PARTIALLY_RETURNED")
    }

    fn takes(&self) -> bool {
        self.counts() || self.state == "HELD"
    }
}

/// The plain model.
#[derive(Debug, Default)]
struct Model(BTreeMap<String, Known>);

impl Model {
    fn of(&self, order: &str) -> Known {
        self.0.get(order).cloned().unwrap_or_default()
    }

    /// Whether uses are left for an order with these codes, itself and `also` aside.
    fn room(&self, order: &str, also: Option<&str>, codes: &[&str]) -> (bool, bool) {
        let others =
            || self.0.iter().filter(|(id, one)| *id != order && Some(id.as_str()) != also && one.takes());
        let offer = others().count() < OFFER_USES;
        let code = |code: &&str| others().filter(|(_, one)| one.codes.contains(code)).count() < CODE_USES;
        (offer, codes.iter().all(code))
    }

    /// Keeps or counts; answers whether that is done.
    fn begin(&mut self, order: &str, state: &'static str, codes: &[&'static str], old: Option<&str>) -> bool {
        let known = self.of(order);
        if known.counts() {
            return state == "COMMITTED"
                && old.is_none()
                && known.state == "COMMITTED"
                && known.codes == codes;
        }
        if known.over || old.is_some_and(|old| !self.of(old).counts()) {
            return false;
        }
        let (offer, code) = self.room(order, old, codes);
        if !offer {
            return false;
        }
        if !code {
            self.0.insert(
                order.to_owned(),
                Known { state: "REFUSED", codes: codes.to_vec(), ..Known::default() },
            );
            return false;
        }
        self.0.insert(order.to_owned(), Known { state, codes: codes.to_vec(), ..Known::default() });
        if let Some(old) = old.and_then(|old| self.0.get_mut(old)) {
            (old.state, old.over) = ("CANCELLED", true);
        }
        true
    }

    fn cancel(&mut self, order: &str) -> bool {
        let Some(known) = self.0.get_mut(order) else { return false };
        let may = matches!(known.state, "HELD" | "COMMITTED" | "PARTIALLY_RETURNED" | "CANCELLED");
        if may {
            known.over |= known.counts();
            known.state = "CANCELLED";
        }
        may
    }

    fn take_back(&mut self, order: &str, units: i64) -> bool {
        let Some(known) = self.0.get_mut(order).filter(|known| known.counts()) else { return false };
        if known.back + units > UNITS {
            return false;
        }
        known.back += units;
        known.over = known.back == UNITS;
        known.state = if known.over { "RETURNED" } else { "PARTIALLY_RETURNED" };
        true
    }
}

/// One random step, and whether the model does it.
fn step(shop: &Shop, model: &mut Model, random: &mut StdRng, number: usize) -> (Step, bool) {
    let order = format!("o{}", random.random_range(0..ORDERS));
    let codes: Vec<&'static str> = CODES.into_iter().filter(|_| random.random_bool(0.5)).collect();
    let renamed = |step: Step| match step {
        Step::Hold(mut hold) => {
            hold.request_id = format!("r{number}");
            Step::Hold(hold)
        }
        Step::Commit(mut commit) => {
            commit.request_id = format!("r{number}");
            Step::Commit(commit)
        }
        Step::Cancel(mut cancel) => {
            cancel.request_id = format!("r{number}");
            Step::Cancel(cancel)
        }
        other => other,
    };
    let (step, done) = match random.random_range(0..10) {
        0..2 => (shop.hold(&order, &codes), model.begin(&order, "HELD", &codes, None)),
        2..6 => (shop.commit(&order, &codes), model.begin(&order, "COMMITTED", &codes, None)),
        6 => {
            let old = format!("o{}", random.random_range(0..ORDERS));
            if old == order {
                (cancel(&order), model.cancel(&order))
            } else {
                let done = model.begin(&order, "COMMITTED", &codes, Some(&old));
                (shop.replace(&order, &old, &codes), done)
            }
        }
        7 => (cancel(&order), model.cancel(&order)),
        _ => {
            let units = random.random_range(1..=2);
            (take_back(&order, &format!("r{number}"), units), model.take_back(&order, units))
        }
    };
    (renamed(step), done)
}

/// Sends a step; now and then it is stopped on its way, before or after it is done, and the services may die there.
async fn sent(shop: &mut Shop, random: &mut StdRng, step: &Step) -> bool {
    if random.random_bool(0.3) {
        let point = if random.random_bool(0.5) { Point::Asked } else { Point::Answered };
        shop.network.stop_at(point);
        let mut call = shop.orders(0).send_meanwhile(step);
        // A step that needs no codes never comes by.
        tokio::select! {
            _ = call.join_next() => {}
            _ = shop.network.stopped() => {
                match random.random_range(0..4) {
                    0 => { shop.campaigns[0].kill(); shop.network.cut(true); shop.campaigns[0].restart(); }
                    1 => { shop.relationships[0].kill(); shop.network.cut(true); shop.relationships[0].restart(); }
                    _ => shop.network.cut(true),
                }
                shop.network.cut(false);
                call.join_next().await;
            }
        }
        shop.network.pass();
    }
    shop.orders(0).insist(step).await.is_ok()
}

async fn any_sequence(engine: Engine, seed: u64) {
    let mut shop = Shop::open(engine, uses(OFFER_USES as i64)).await;
    shop.codes(&CODES, CODE_USES as i64).await;
    let (mut random, mut model) = (StdRng::seed_from_u64(seed), Model::default());
    for number in 0..STEPS {
        let (step, expected) = step(&shop, &mut model, &mut random, number);
        let done = sent(&mut shop, &mut random, &step).await;
        assert_eq!(done, expected, "seed {seed}, step {number}: {step:?}\n{model:#?}");
    }
    let books = shop.books().await;
    for (id, known) in &model.0 {
        assert_eq!(books.orders[id].state, known.state, "seed {seed}, {id}");
    }
    let uses = model.0.values().filter(|known| known.counts()).count() as i64;
    let money = |known: &Known| OFF - (OFF * known.back * 2 + UNITS) / (UNITS * 2);
    let money: i64 = model.0.values().filter(|known| known.counts()).map(money).sum();
    assert_eq!(books.counted(OFFER), (uses, money), "seed {seed}");
    for code in CODES {
        let uses = model.0.values().filter(|known| known.counts() && known.codes.contains(&code)).count();
        assert_eq!(books.ledger.voucher(code).uses, uses as i64, "seed {seed}, {code}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_sequence_with_crashes_ends_as_the_model_says_on_sqlite() {
    for seed in [1, 2] {
        any_sequence(Engine::Sqlite, seed).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_sequence_with_crashes_ends_as_the_model_says_on_postgres() {
    for seed in [3, 4] {
        any_sequence(Engine::Postgres, seed).await;
    }
}
