//! Pure rules: an order whatever tells of it first, ratings on one scale, times that are too late or too early.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use tandem_kernel::money::{Currency, Money};

use super::ago;
use crate::interaction::order::{Order, Told};
use crate::interaction::{Details, Interaction, Kind, Rating, Retention, SKEW, Untimely, timely};
use crate::relationship::Who;

fn euro(minor: i64) -> Money {
    Money::new(minor, Currency::new("EUR").unwrap())
}

fn ada() -> Who {
    Who::Customer("ada".to_owned())
}

/// Whatever may come of one order.
#[derive(Debug, Clone, Copy)]
enum News {
    Sent,
    Back(i64),
    Told { version: i64, returned: i64, cancelled: bool },
}

fn tell(order: &mut Order, news: News) {
    match news {
        News::Sent => {
            let sent = Interaction {
                event_id: "e".to_owned(),
                kind: Kind::Order,
                at: ago(3),
                who: ada(),
                amount: Some(euro(999)),
                order: Some("o".to_owned()),
                rating: None,
                details: Details { medium: "store".to_owned(), place: "AT".to_owned(), ..Details::default() },
                hash: [7; 32],
            };
            order.send(&sent, ada());
        }
        News::Back(minor) => order.send_back(euro(minor)),
        News::Told { version, returned, cancelled } => {
            let told = Told {
                order: "o".to_owned(),
                version,
                who: Who::Guest("guest".to_owned()),
                placed: ago(4),
                amount: euro(1_000),
                returned,
                cancelled,
                place: "DE".to_owned(),
                back: None,
            };
            order.tell(&told, told.who.clone());
        }
    }
}

fn after(news: &[News]) -> Order {
    let mut order = Order::new("o".to_owned(), ada(), ago(9));
    news.iter().for_each(|one| tell(&mut order, *one));
    order
}

fn news() -> impl Strategy<Value = Vec<News>> {
    let told = |version: i64| News::Told { version, returned: version * 100, cancelled: version == 4 };
    let all = vec![News::Sent, News::Back(50), News::Back(70), told(1), told(2), told(3), told(4)];
    proptest::sample::subsequence(all, 0..=7)
}

proptest! {
    #[test]
    fn an_order_is_the_same_whatever_tells_of_it_first(
        (sorted, mixed) in news().prop_flat_map(|news| (Just(news.clone()), Just(news).prop_shuffle())),
    ) {
        let (one, other) = (after(&sorted), after(&mixed));
        prop_assert_eq!(one.part(), other.part());
        prop_assert_eq!(one, other);
    }
}

#[test]
fn a_rating_is_brought_to_one_scale() {
    for (value, lowest, highest, normal) in [
        (1, 1, 5, 0),
        (4, 1, 5, 750_000),
        (5, 1, 5, 1_000_000),
        (0, -5, 5, 500_000),
        (2, 1, 4, 333_333),
        (3, 1, 4, 666_667),
        (i32::MAX, i32::MIN, i32::MAX, 1_000_000),
    ] {
        let rating = Rating { value, lowest, highest };
        assert!(rating.is_sound());
        assert_eq!(rating.normal(), normal, "{rating:?}");
    }
    assert!(!Rating { value: 1, lowest: 1, highest: 1 }.is_sound());
    assert!(!Rating { value: 6, lowest: 1, highest: 5 }.is_sound());
}

#[test]
fn what_is_ahead_or_older_than_its_type_is_kept_is_untimely() {
    let (now, retention) = (ago(0), Retention::default());
    let second = SignedDuration::from_secs(1);
    for kind in Kind::ALL {
        assert_eq!(timely(kind, now + SKEW, &retention, now), Ok(()));
        assert_eq!(timely(kind, now + SKEW + second, &retention, now), Err(Untimely::Ahead));
        match retention.of(kind) {
            Some(kept) => {
                assert_eq!(timely(kind, now - kept + second, &retention, now), Ok(()));
                let over = Untimely::Over(kept.as_hours() / 24);
                assert_eq!(timely(kind, now - kept, &retention, now), Err(over));
            }
            None => assert_eq!(timely(kind, Timestamp::UNIX_EPOCH, &retention, now), Ok(())),
        }
        assert_eq!(Kind::parse(kind.text()), Some(kind));
    }
}
