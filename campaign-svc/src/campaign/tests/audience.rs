use tandem_kernel::discount::Kind;
use tandem_kernel::limits::{Dimension, Limits, ValueLimit};

use super::super::mix::{Mix, Offer};
use super::super::{Definition, audience};
use super::mix::offer;

fn by_segment() -> Limits {
    let limit = ValueLimit { dimension: Dimension::Segment, max_uses: Some(1), budgets: Default::default() };
    let place = ValueLimit { dimension: Dimension::Place, ..limit.clone() };
    Limits { per_value: vec![place, limit], ..Limits::default() }
}

/// The fields that are wrong, where campaign and offer are for these segments.
fn wrong(campaign: (&[&str], Limits), of_offer: (&[&str], Limits)) -> Vec<String> {
    let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
    let tenth = offer("ten", Kind::Percent { rate_ppm: 100_000 }, "");
    let tenth = Offer { segments: ids(of_offer.0), limits: of_offer.1, ..tenth };
    let mut mix = Mix::default();
    mix.price.offers.push(tenth);
    let definition = Definition { segments: ids(campaign.0), limits: campaign.1, ..Definition::default() };
    audience::problems(&definition, &mix).into_iter().map(|problem| problem.field).collect()
}

#[test]
fn limits_by_segment_need_segments_to_count_by() {
    let none = Limits::default;
    let limit = "mix.price.offers[0].limits.per_value[1].dimension";
    assert_eq!(wrong((&[], none()), (&[], by_segment())), [limit]);
    assert!(wrong((&["a"], none()), (&[], by_segment())).is_empty());
    assert!(wrong((&[], none()), (&["a"], by_segment())).is_empty());
    assert_eq!(wrong((&[], by_segment()), (&[], none())), ["segments"]);
    assert!(wrong((&["a"], by_segment()), (&[], by_segment())).is_empty());
}

#[test]
fn a_campaign_that_is_limited_by_segment_has_no_offer_for_others() {
    let none = Limits::default;
    assert_eq!(wrong((&["a"], by_segment()), (&["b"], none())), ["mix.price.offers[0].segments"]);
    assert!(wrong((&["a"], none()), (&["b"], none())).is_empty());
}
