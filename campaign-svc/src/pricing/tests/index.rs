//! What a basket reaches.

use proptest::prelude::*;
use tandem_kernel::discount::BundlePart;

use super::*;
use crate::pricing::entry::{Entry, Goods, What};
use crate::pricing::index::Index;
use crate::pricing::place::Place;

fn names(found: &[&Arc<Entry>]) -> Vec<String> {
    found.iter().map(|entry| entry.name.trim_start_matches("campaigns/").to_owned()).collect()
}

fn reached(snapshot: &Snapshot, ask: &Ask, segments: &[&str], at: Timestamp) -> Vec<String> {
    let reach = snapshot.running().reach(&ask.basket.lines, ask.place());
    names(&reach.entries(segments, ask.place(), at))
}

fn scoped(id: &str, scope: Scope) -> Planned {
    planned(id, mix(vec![offer("x", Discount { scope, ..percent(100_000) })], Vec::new()))
}

#[test]
fn a_basket_reaches_the_offers_of_its_products_of_its_categories_and_of_everything() {
    let snapshot = snapshot(
        Vec::new(),
        &[
            scoped("everything", Scope::default()),
            scoped("mine", of_products(&["1", "9"])),
            scoped("other", of_products(&["8"])),
            scoped("goods", of_categories(&["goods", "rare"])),
            scoped("rare", of_categories(&["rare"])),
        ],
    );
    let ask = ask(vec![line("a", "1", 1, 100), line("b", "2", 1, 100)]);
    assert_eq!(
        reached(&snapshot, &ask, &[], now()),
        ["everything/offers/x", "goods/offers/x", "mine/offers/x"]
    );
}

#[test]
fn an_offer_reaches_only_its_places() {
    let mut here = scoped("here", Scope::default());
    here.1[0].mix.place.stores = vec!["berlin".to_owned()];
    let mut country = scoped("country", Scope::default());
    country.1[0].mix.place.countries = vec!["DE".to_owned()];
    let snapshot = snapshot(Vec::new(), &[here, country]);
    for (place, expected) in [
        ("", vec![]),
        ("DE", vec!["country/offers/x"]),
        ("AT", vec![]),
        ("stores/berlin", vec!["here/offers/x"]),
        ("DE/stores/berlin", vec!["country/offers/x", "here/offers/x"]),
        ("DE/stores/ulm", vec!["country/offers/x"]),
    ] {
        let ask = Ask { place: place.to_owned(), ..ask(vec![line("a", "1", 1, 100)]) };
        assert_eq!(reached(&snapshot, &ask, &[], now()), expected, "{place}");
    }
}

#[test]
fn an_offer_for_segments_reaches_their_members_once() {
    let snapshot = snapshot(Vec::new(), &[scoped("vip", Scope::default()).for_segments(&["gold", "silver"])]);
    let ask = ask(vec![line("a", "1", 1, 100)]);
    assert_eq!(reached(&snapshot, &ask, &[], now()), [""; 0]);
    assert_eq!(reached(&snapshot, &ask, &["bronze"], now()), [""; 0]);
    assert_eq!(reached(&snapshot, &ask, &["gold", "silver"], now()), ["vip/offers/x"]);
    let reach = snapshot.running().reach(&ask.basket.lines, ask.place());
    let segments: Vec<String> = reach.segments().iter().map(ToString::to_string).collect();
    assert_eq!(segments, ["gold", "silver"]);
}

#[test]
fn what_runs_is_judged_by_the_clock_of_the_question() {
    let campaign = during(
        "c",
        "2026-07-01T00:00:00Z",
        "2026-07-08T00:00:00Z",
        mix(vec![offer("a", percent(1))], vec![]),
    )
    .adapted("2026-07-04T00:00:00Z", mix(vec![offer("a", percent(2)), offer("b", percent(3))], vec![]));
    let snapshot = snapshot(Vec::new(), &[campaign]);
    let ask = ask(vec![line("a", "1", 1, 100)]);
    let reach = snapshot.running().reach(&ask.basket.lines, ask.place());
    let revisions = |text: &str| -> Vec<i64> {
        reach.entries::<&str>(&[], Place::default(), at(text)).iter().map(|entry| entry.revision).collect()
    };
    assert_eq!(revisions("2026-06-30T23:59:59.999999Z"), [0; 0]);
    assert_eq!(revisions("2026-07-01T00:00:00Z"), [1]);
    assert_eq!(revisions("2026-07-03T23:59:59.999999Z"), [1]);
    assert_eq!(revisions("2026-07-04T00:00:00Z"), [2, 2]);
    assert_eq!(revisions("2026-07-08T00:00:00Z"), [0; 0]);
}

#[test]
fn ten_thousand_campaigns_elsewhere_are_not_looked_at() {
    let elsewhere = |index: usize| {
        let mut campaign = match index % 4 {
            0 => scoped(&format!("product-{index}"), of_products(&[&format!("p{index}")])),
            1 => scoped(&format!("category-{index}"), of_categories(&[&format!("c{index}")])),
            2 => scoped(&format!("segment-{index}"), Scope::default()).for_segments(&[&format!("s{index}")]),
            _ => scoped(&format!("place-{index}"), Scope::default()),
        };
        if index % 4 == 3 {
            campaign.1[0].mix.place.stores = vec![format!("store-{index}")];
        }
        campaign
    };
    let mut campaigns: Vec<Planned> =
        (0..20).map(|index| scoped(&format!("mine-{index}"), Scope::default())).collect();
    campaigns.extend((0..10_000).map(elsewhere));
    let snapshot = snapshot(Vec::new(), &campaigns);
    let ask = Ask { place: "stores/mine".to_owned(), ..ask(vec![line("a", "1", 1, 100)]) };
    let reach = snapshot.running().reach(&ask.basket.lines, ask.place());
    assert_eq!(reach.entries(&["mine"], ask.place(), now()).len(), 20);
    assert_eq!(reach.open_postings(), 20);
}

#[test]
fn a_bundle_is_found_by_any_of_its_parts_and_a_gift_by_what_is_given() {
    let parts = vec![
        BundlePart { scope: of_categories(&["goods"]), quantity: 1 },
        BundlePart { scope: of_products(&["1", "2"]), quantity: 1 },
    ];
    let bundle = discount(Kind::Bundle { parts, prices: amounts(100), max_sets: None }, Stage::Line);
    let found = Goods::of_discount(&bundle);
    assert_eq!(found.products, Box::from([Arc::from("1"), Arc::from("2")]));
    assert_eq!((found.categories, found.everything), (Box::from([Arc::from("goods")]), false));

    let gift = Kind::BuyXGetY {
        buy_quantity: 2,
        get_quantity: 1,
        get_scope: Some(of_products(&["gift"])),
        rate_ppm: 1_000_000,
        choice: Default::default(),
        max_sets: None,
    };
    let gift = Discount { scope: of_categories(&["goods"]), ..discount(gift, Stage::Line) };
    let offers = vec![offer("bundle", bundle), offer("gift", gift)];
    let snapshot = snapshot(Vec::new(), &[planned("c", mix(offers, Vec::new()))]);
    let explained = |product: &str| {
        let line = Line { categories: Vec::new(), ..line("a", product, 1, 100) };
        reached(&snapshot, &ask(vec![line]), &[], now())
    };
    assert_eq!(explained("1"), ["c/offers/bundle"]);
    assert_eq!(explained("gift"), ["c/offers/gift"]);
    assert_eq!(explained("other"), Vec::<String>::new());
}

#[test]
fn scopes_that_hold_anything_or_name_too_many_goods_leave_it_to_the_others() {
    let bundle = |scopes: Vec<Scope>| {
        let parts = scopes.into_iter().map(|scope| BundlePart { scope, quantity: 1 }).collect();
        Goods::of_discount(&discount(
            Kind::Bundle { parts, prices: amounts(100), max_sets: None },
            Stage::Line,
        ))
    };
    let one = Goods::of_scope(&of_products(&["1"]));
    assert_eq!(bundle(vec![Scope::default(), of_products(&["1"])]), one);
    let many: Vec<String> = (0..1_000).map(|id| format!("p{id}")).collect();
    let many = of_products(&many.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(bundle(vec![many, of_products(&["1"])]), one);
    assert!(bundle(vec![Scope::default()]).everything);
}

#[test]
fn a_change_shares_all_that_it_does_not_touch() {
    let one = scoped("one", Scope::default());
    let before = snapshot(vec![product("1", 100)], &[one.clone(), scoped("two", Scope::default())]);
    let after = before.with(changes(Vec::new(), Vec::new(), &[one]), 2, horizon());
    assert_eq!((before.version, after.version), (1, 2));
    assert!(Arc::ptr_eq(before.product("1").unwrap(), after.product("1").unwrap()));
    assert!(Arc::ptr_eq(before.campaign("two").unwrap(), after.campaign("two").unwrap()));
    assert!(!Arc::ptr_eq(before.campaign("one").unwrap(), after.campaign("one").unwrap()));
    let ask = ask(vec![line("a", "1", 1, 100)]);
    assert_eq!(reached(&before, &ask, &[], now()), reached(&after, &ask, &[], now()));
}

#[test]
fn what_has_been_over_for_an_hour_is_dropped_and_prices_are_kept_to_the_horizon() {
    let priced = mix(
        vec![offer("x", percent(100_000))],
        vec![rule("r", Scope::default(), PriceChange::Percent { rate_ppm: 100_000 })],
    );
    let before = snapshot(
        Vec::new(),
        &[
            during("a", "2026-07-01T00:00:00Z", "2026-07-02T00:00:00Z", priced.clone()),
            during("b", "2026-07-01T00:00:00Z", "2026-07-03T00:00:00Z", priced),
        ],
    );
    let later = |text: &str| at(text);
    assert!(before.without_past(later("2026-07-02T00:59:59Z"), horizon()).is_none());
    let tidy = before.without_past(later("2026-07-02T02:00:00Z"), horizon()).unwrap();
    assert_eq!(tidy.campaign("a").unwrap().entries.len(), 0);
    assert_eq!(tidy.campaign("a").unwrap().open_prices.len(), 1);
    assert_eq!(tidy.campaign("b").unwrap().entries.len(), 2);
    let gone = tidy.without_past(later("2026-09-01T00:00:00Z"), at("2026-08-01T00:00:00Z")).unwrap();
    assert_eq!(gone.size(), (0, 0));
}

fn any_subset(most: usize, prefix: &'static str) -> impl Strategy<Value = Vec<String>> {
    proptest::collection::btree_set(0..most, 0..3)
        .prop_map(move |set| set.into_iter().map(|index| format!("{prefix}{index}")).collect())
}

prop_compose! {
    fn any_entry()(
        products in any_subset(4, "p"),
        categories in any_subset(3, "c"),
        segments in any_subset(3, "s"),
        places in any_subset(3, "stores/"),
        from in 0_i64..5,
        lasts in 1_i64..5,
    ) -> Entry {
        let arcs = |texts: Vec<String>| texts.iter().map(|text| Arc::from(text.as_str())).collect::<Box<[Arc<str>]>>();
        let everything = products.is_empty() && categories.is_empty();
        let goods = Goods { products: arcs(products), categories: arcs(categories), everything };
        Entry {
            name: Arc::from(""),
            revision: 1,
            from: Timestamp::from_second(from).unwrap(),
            until: Timestamp::from_second(from + lasts).unwrap(),
            campaign_start: Timestamp::UNIX_EPOCH,
            campaign_end: Timestamp::MAX,
            segments: arcs(segments),
            places: places.iter().map(|place| Box::from(place.as_str())).collect(),
            zone: jiff::tz::TimeZone::UTC,
            goods,
            what: What::Offer(crate::pricing::entry::Offer {
                titles: Default::default(),
                condition: None,
                compiled: Arc::new(Compiled::new(percent(1)).unwrap()),
                limited: None,
            }),
        }
    }
}

proptest! {
    /// The index finds what looking at every entry finds; taken back, nothing is left.
    #[test]
    fn the_index_finds_exactly_what_a_search_of_everything_finds(
        entries in proptest::collection::vec(any_entry(), 0..30),
        removed in proptest::collection::vec(any::<bool>(), 30),
        products in any_subset(4, "p"),
        categories in any_subset(3, "c"),
        segments in any_subset(3, "s"),
        place in proptest::sample::select(vec!["", "stores/0", "stores/1", "DE/stores/2"]),
        second in 0_i64..10,
    ) {
        let entries: Vec<Arc<Entry>> = entries
            .into_iter()
            .enumerate()
            .map(|(index, entry)| Arc::new(Entry { name: Arc::from(format!("{index:03}")), ..entry }))
            .collect();
        let mut index = Index::default();
        entries.iter().for_each(|entry| index.insert(entry));
        let (gone, left): (Vec<_>, Vec<_>) = entries.iter().zip(&removed).partition(|(_, gone)| **gone);
        gone.iter().for_each(|(entry, _)| index.remove(entry));

        let mut lines: Vec<Line> = products.iter().map(|product| line("x", product, 1, 1)).collect();
        lines.push(Line { categories: categories.clone(), ..line("y", "none", 1, 1) });
        let (place, now) = (Place::parse(place).unwrap(), Timestamp::from_second(second).unwrap());
        let any_of = |list: &[Arc<str>], wanted: &[String]| list.iter().any(|one| wanted.iter().any(|w| **w == **one));
        let categories: Vec<String> = lines.iter().flat_map(|line| line.categories.clone()).collect();
        let expected: Vec<&str> = left
            .iter()
            .map(|(entry, _)| *entry)
            .filter(|entry| {
                let Goods { products: ids, categories: names, everything } = &entry.goods;
                (*everything || any_of(ids, &products) || any_of(names, &categories))
                    && entry.in_force(now)
                    && place.within(&entry.places)
                    && (entry.segments.is_empty() || any_of(&entry.segments, &segments))
            })
            .map(|entry| &*entry.name)
            .collect();
        let reach = index.reach(&lines, place);
        let found: Vec<&str> = reach.entries(&segments, place, now).iter().map(|entry| &*entry.name).collect();
        prop_assert_eq!(found, expected);

        left.iter().for_each(|(entry, _)| index.remove(entry));
        prop_assert!(index.is_empty());
    }
}
