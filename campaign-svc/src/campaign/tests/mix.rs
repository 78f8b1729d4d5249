use std::collections::BTreeMap;

use tandem_kernel::discount::{Discount, Kind, Scope, Stage};
use tandem_kernel::limits::Limits;
use tandem_kernel::money::Amounts;

use super::super::mix::{Channel, Medium, Mix, Offer, repeated};

pub(super) fn offer(id: &str, kind: Kind, condition: &str) -> Offer {
    let stage = if matches!(kind, Kind::GiftCard { .. }) { Stage::Tender } else { Stage::Line };
    Offer {
        id: id.to_owned(),
        titles: BTreeMap::new(),
        discount: Discount {
            kind,
            scope: Scope::default(),
            stage,
            base: Default::default(),
            group: 0,
            group_policy: Default::default(),
            priority: 0,
            exclusive: false,
            stop: false,
            minimum_spend: Amounts::default(),
            minimum_spend_base: Default::default(),
            max_discount: Amounts::default(),
            margin_floor_ppm: 0,
        },
        segments: Vec::new(),
        condition: condition.to_owned(),
        limits: Limits::default(),
    }
}

fn wrong(mix: &Mix) -> Vec<String> {
    mix.problems().into_iter().map(|problem| problem.field).collect()
}

fn wrong_offer(offer: &Offer) -> Vec<String> {
    offer.problems().into_iter().map(|problem| problem.field).collect()
}

#[test]
fn a_condition_speaks_of_basket_place_and_time_only() {
    let tenth = |condition| offer("a", Kind::Percent { rate_ppm: 100_000 }, condition);
    let known = "basket.amount > 5000 && place.country == 'AT' && now.hour < 12";
    assert!(wrong_offer(&tenth(known)).is_empty());
    for wrong in ["customer.id == '1'", "basket.amount", "basket.amount >"] {
        assert_eq!(wrong_offer(&tenth(wrong)), ["condition"], "{wrong}");
    }
}

#[test]
fn gift_cards_are_no_offers() {
    let card = offer("a", Kind::GiftCard { max_per_order: Amounts::default() }, "");
    assert_eq!(wrong_offer(&card), ["discount.gift_card"]);
}

#[test]
fn ids_stand_in_a_mix_once() {
    assert_eq!(repeated(["a", "b", "a", "c", "b"].into_iter()), [2, 4]);
}

#[test]
fn what_is_shown_first_is_part_of_what_is_offered() {
    let mut mix = Mix::default();
    mix.product.featured_products = vec!["p1".to_owned()];
    assert!(wrong(&mix).is_empty(), "no products are named, so any may be shown");
    mix.product.products = vec!["p2".to_owned()];
    assert_eq!(wrong(&mix), ["product.featured_products[0]"]);
}

#[test]
fn a_channel_belongs_to_one_medium() {
    use Channel::{Display, Email, Outdoor, Print, Push, Radio, Search, Sms, Social, Tv};
    for channel in [Email, Sms, Push, Search, Social, Display] {
        assert_eq!(channel.medium(), Medium::Digital);
    }
    for channel in [Tv, Radio, Print, Outdoor] {
        assert_eq!(channel.medium(), Medium::Classical);
    }
}

#[test]
fn a_mix_is_stored_as_it_is() {
    let mut mix = Mix::default();
    mix.price.offers = vec![offer("a", Kind::Percent { rate_ppm: 1 }, "true")];
    let text = serde_json::to_string(&mix).unwrap();
    assert_eq!(serde_json::from_str::<Mix>(&text).unwrap(), mix);
    assert_eq!(serde_json::from_str::<Mix>("{}").unwrap(), Mix::default(), "an older mix lacks newer parts");
}
