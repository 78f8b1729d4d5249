//! The rules of relationships: the stage by examples and by properties, figures that commute, changes told once.

mod ruled;
mod told;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use tandem_kernel::money::Currency;
use tandem_kernel::rule::{Facts, Rule, Vocabulary};

use super::stage::days;
use super::{BEST, Journey, MAX_DATES, Relationship, Satisfaction, Stage, StageRules, Who, Why, facts};

const BEGIN: Timestamp = Timestamp::constant(1_700_000_000, 0);

/// Days since some beginning.
fn day(number: i64) -> Timestamp {
    BEGIN + SignedDuration::from_hours(number * 24)
}

fn dates(numbers: &[i64]) -> Vec<Timestamp> {
    numbers.iter().map(|number| day(*number)).collect()
}

fn journey(dates: &[Timestamp]) -> Journey<'_> {
    Journey { dates, orders: i64::try_from(dates.len()).unwrap() }
}

fn ada() -> Who {
    Who::Customer("ada".to_owned())
}

#[test]
fn the_first_rule_that_holds_is_the_stage() {
    let rules = StageRules::default();
    for (orders, now, expected) in [
        (&[][..], 0, Stage::Prospect),
        (&[5], 4, Stage::Prospect),
        (&[5], 5, Stage::FirstPurchase),
        (&[5], 94, Stage::FirstPurchase),
        (&[5], 95, Stage::AtRisk),
        (&[5], 185, Stage::Lapsed),
        (&[5, 60], 60, Stage::Active),
        (&[5, 60, 61], 61, Stage::Loyal),
        (&[5, 60, 61], 151, Stage::AtRisk),
        (&[0, 179], 179, Stage::Active),
        (&[0, 180], 180, Stage::WonBack),
        (&[0, 180], 269, Stage::WonBack),
        (&[0, 180], 270, Stage::AtRisk),
        (&[0, 180, 260], 270, Stage::Loyal),
        (&[0, 180, 200], 271, Stage::Loyal),
        (&[0, 1, 2, 182], 182, Stage::WonBack),
        (&[0, 300, 380], 380, Stage::WonBack),
        (&[0, 300, 380], 390, Stage::Active),
    ] {
        assert_eq!(journey(&dates(orders)).stage(&rules, day(now)), expected, "{orders:?} on day {now}");
    }
}

#[test]
fn a_stage_says_why_and_since_when_and_what_comes_next() {
    let rules = StageRules::default();
    let orders = dates(&[0, 200]);
    let won = journey(&orders);
    assert_eq!(won.at(&rules, day(201)).1, Why::CameBack { back: day(200), quiet_days: 200 });
    assert_eq!(won.since(&rules, day(250)), Some(day(200)));
    assert_eq!(won.next(&rules, day(201)), Some((day(290), Stage::AtRisk)));
    assert_eq!(won.next(&rules, day(290)), Some((day(380), Stage::Lapsed)));
    assert_eq!(won.next(&rules, day(380)), None);
    assert_eq!(won.since(&rules, day(1_000)), Some(day(380)));
    let orders = dates(&[0, 10, 20, 100]);
    let loyal = journey(&orders);
    assert_eq!(loyal.at(&rules, day(100)), (Stage::Loyal, Why::ManyOrders(4)));
    assert_eq!(loyal.since(&rules, day(100)), Some(day(20)), "the day of the third");
    assert_eq!(journey(&[]).since(&rules, day(1)), None);
}

#[test]
fn an_order_that_comes_late_makes_the_stage_that_it_would_have_made_in_time() {
    let rules = StageRules::default();
    let mut late = Relationship::new(ada());
    late.ordered(day(0));
    late.ordered(day(200));
    assert_eq!(late.journey().stage(&rules, day(200)), Stage::WonBack);
    late.ordered(day(100));
    assert_eq!(late.journey().stage(&rules, day(200)), Stage::Loyal, "there was no long silence");
    assert!(!late.unordered(day(100)));
    assert_eq!(late.journey().stage(&rules, day(200)), Stage::WonBack);
}

#[test]
fn what_the_clock_has_changed_is_told_step_by_step_and_once() {
    let rules = StageRules::default();
    let mut ada = Relationship::new(ada());
    ada.ordered(day(0));
    let first = ada.tell(&rules, day(1));
    assert_eq!(
        first.iter().map(|change| (change.from, change.to)).collect::<Vec<_>>(),
        [(Stage::Prospect, Stage::FirstPurchase)]
    );
    assert_eq!(ada.next_change, Some(day(90)));
    assert!(ada.tell(&rules, day(89)).is_empty());
    let late = ada.tell(&rules, day(500));
    let steps: Vec<_> = late.iter().map(|change| (change.to, change.at, change.version)).collect();
    assert_eq!(steps, [(Stage::AtRisk, day(90), 2), (Stage::Lapsed, day(180), 3)]);
    assert_eq!((ada.next_change, ada.tell(&rules, day(900)).len()), (None, 0));
}

#[test]
fn satisfaction_is_the_mean_of_ratings_of_all_and_of_late() {
    let mut ada = Relationship::new(ada());
    for (at, rating) in [(0, 0), (400, BEST), (410, BEST / 2)] {
        ada.rated(day(at), rating);
    }
    assert_eq!(ada.ratings.ever(), Satisfaction { count: 3, mean: BEST / 2 });
    assert_eq!(ada.ratings.of_late(day(420)), Satisfaction { count: 2, mean: BEST * 3 / 4 });
    assert_eq!(ada.ratings.of_late(day(2_000)), Satisfaction::default());
}

#[test]
fn rules_read_what_is_declared_of_a_relationship() {
    let vocabulary = Vocabulary::new().with(facts::NAME, facts::kind());
    let mut ada = Relationship::new(ada());
    ada.ordered(day(0));
    ada.rated(day(0), BEST * 3 / 4);
    let holds = |of: &Relationship, rule: &str| {
        let rule = Rule::compile(rule, &vocabulary).unwrap();
        rule.matches(&Facts::new().with(facts::NAME, facts::fact(of, &StageRules::default(), day(100))))
    };
    assert!(holds(&ada, "relationship.stage == 'AT_RISK' && relationship.recency_days == 100"));
    assert!(holds(&ada, "relationship.frequency == 1 && relationship.satisfaction == 75"));
    let nobody = Relationship::new(Who::Customer("eve".to_owned()));
    assert!(holds(&nobody, "relationship.stage == 'PROSPECT' && relationship.satisfaction == -1"));
    assert!(holds(&nobody, "relationship.inactive_days > 10000 && relationship.ratings == 0"));
}

/// What happens to one person's figures.
#[derive(Debug, Clone)]
enum Step {
    Ordered(i64, i64),
    Cancelled(usize),
    Rated(i64, i64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..1_000_i64, 1..10_000_i64).prop_map(|(at, minor)| Step::Ordered(at, minor)),
        1 => (0..64_usize).prop_map(Step::Cancelled),
        1 => (0..1_000_i64, 0..=BEST).prop_map(|(at, rating)| Step::Rated(at, rating)),
    ]
}

/// The figures by a second way: the orders that are left, sorted.
fn naive(orders: &[(Timestamp, i64)], ratings: &[(Timestamp, i64)]) -> Relationship {
    let euro = Currency::new("EUR").unwrap();
    let mut sorted: Vec<Timestamp> = orders.iter().map(|(at, _)| *at).collect();
    sorted.sort_unstable();
    let mut of = Relationship::new(ada());
    of.orders = i64::try_from(sorted.len()).unwrap();
    (of.first_order, of.last_order) = (sorted.first().copied(), sorted.last().copied());
    let sum: i64 = orders.iter().map(|(_, minor)| minor).sum();
    if sum != 0 {
        of.amounts.insert(euro, sum);
    }
    of.dates = sorted.split_off(sorted.len().saturating_sub(MAX_DATES));
    let mut ratings = ratings.to_vec();
    ratings.sort_unstable();
    (of.ratings.count, of.ratings.sum) =
        (i64::try_from(ratings.len()).unwrap(), ratings.iter().map(|(_, rating)| rating).sum());
    of.ratings.latest = ratings.split_off(ratings.len().saturating_sub(super::MAX_RATINGS));
    of
}

proptest! {
    #[test]
    fn figures_are_those_of_a_second_program_whatever_the_order(
        steps in proptest::collection::vec(step(), 0..200),
    ) {
        let euro = Currency::new("EUR").unwrap();
        let (mut of, mut orders, mut ratings) = (Relationship::new(ada()), Vec::new(), Vec::new());
        for step in steps {
            match step {
                Step::Ordered(at, minor) => {
                    of.ordered(day(at));
                    of.paid(euro, minor);
                    orders.push((day(at), minor));
                }
                Step::Cancelled(which) if !orders.is_empty() => {
                    let (at, minor) = orders.swap_remove(which % orders.len());
                    of.paid(euro, -minor);
                    if of.unordered(at) {
                        let again = naive(&orders, &[]);
                        of.read_again(again.dates, again.first_order);
                    }
                }
                Step::Cancelled(_) => {}
                Step::Rated(at, rating) => {
                    of.rated(day(at), rating);
                    ratings.push((day(at), rating));
                }
            }
            prop_assert_eq!(&of, &naive(&orders, &ratings));
        }
    }

    #[test]
    fn a_claim_makes_what_would_have_been_had_all_come_for_the_customer(
        ours in proptest::collection::vec((0..1_000_i64, 1..10_000_i64), 0..100),
        theirs in proptest::collection::vec((0..1_000_i64, 1..10_000_i64), 0..100),
    ) {
        let euro = Currency::new("EUR").unwrap();
        let of = |who: Who, orders: &[(i64, i64)]| {
            let mut one = Relationship::new(who);
            for (at, minor) in orders {
                one.ordered(day(*at));
                one.paid(euro, *minor);
                one.rated(day(*at), minor * 100);
                one.seen(day(*at));
            }
            one
        };
        let mut claimed = of(ada(), &ours);
        claimed.claim(&of(Who::Guest("guest".to_owned()), &theirs));
        prop_assert_eq!(claimed, of(ada(), &[ours, theirs].concat()));
    }

    #[test]
    fn the_next_change_is_the_first_moment_at_which_the_stage_differs(
        mut numbers in proptest::collection::vec(0..1_000_i64, 0..12),
        now in 0..1_400_i64,
        at_risk in 1..200_u32,
        more in 1..200_u32,
        won_back in 1..400_u32,
        loyal_orders in 2..6_u32,
        loyal_days in 1..500_u32,
    ) {
        let rules = StageRules {
            loyal_orders, loyal_days, at_risk_days: at_risk, lapsed_days: at_risk + more, won_back_days: won_back,
        };
        numbers.sort_unstable();
        let orders = dates(&numbers);
        let of = journey(&orders);
        let stage = of.stage(&rules, day(now));
        // All that matters happens at a whole day here.
        let looked = (now + 1..2_200).find(|later| of.stage(&rules, day(*later)) != stage);
        prop_assert_eq!(of.next(&rules, day(now)).map(|(at, _)| at), looked.map(day));
        let mut begin = now;
        while begin > -1 && of.stage(&rules, day(begin - 1)) == stage {
            begin -= 1;
        }
        let since = (stage != Stage::Prospect).then(|| day(begin));
        prop_assert_eq!(of.since(&rules, day(now)), since);
    }
}

#[test]
fn a_span_of_days_is_of_24_hours() {
    assert_eq!(days(2).as_hours(), 48);
}
