//! Plain baskets that are made to be hard: bounded, decided alone, and never in anybody's way.

use tandem_kernel::discount::PricePer;
use tandem_platform::testing;
use tandem_proto::relationship::v1;

use super::*;
use crate::MIGRATIONS;

fn primes_from(first: i64) -> impl Iterator<Item = i64> {
    (first..).filter(|number| (2..).take_while(|by| by * by <= *number).all(|by| number % by != 0))
}

/// So many lines whose quantities and prices are distinct primes.
pub(super) fn primes(lines: usize, codes: &[String], categories: usize) -> v1::PlainBasket {
    let line = |(at, (quantity, price)): (usize, (i64, i64))| common::Line {
        id: format!("l{at}"),
        product: format!("products/p{at}"),
        quantity,
        unit_price: Some(common::Money::from(&Money::new(price, eur()))),
        categories: (0..categories).map(|at| format!("category-{at}")).collect(),
        ..common::Line::default()
    };
    let numbers = primes_from(2).zip(primes_from(1_009)).take(lines).enumerate();
    let basket = common::Basket {
        currency_code: "EUR".to_owned(),
        lines: numbers.map(line).collect(),
        ..common::Basket::default()
    };
    v1::PlainBasket { basket: Some(basket), codes: codes.to_vec(), place: String::new() }
}

impl Shop {
    /// A code for each of `definitions`.
    async fn coded(&self, definitions: Vec<Definition>) -> Vec<String> {
        let mut codes = Vec::new();
        for (at, definition) in definitions.into_iter().enumerate() {
            let (incentive, code) = (format!("i{at}"), format!("CODE{at}"));
            self.incentive(&incentive, definition).await;
            self.codes(vec![self.code(&code, &incentive)]).await;
            codes.push(code);
        }
        codes
    }

    async fn validate_plain(&self, plain: v1::PlainBasket) -> Outcome<v1::ValidateVouchersResponse> {
        let request = v1::ValidateVouchersRequest { plain: Some(plain), ..Default::default() };
        rpc::validate(&self.app, &self.call, request).await
    }

    async fn redeem_basket(
        &self,
        order: &str,
        plain: v1::PlainBasket,
    ) -> Outcome<v1::RedeemVouchersResponse> {
        let request = v1::RedeemVouchersRequest {
            what: Some(v1::redeem_vouchers_request::What::Plain(plain)),
            partial: true,
            ..self.redeem_request(order, String::new())
        };
        self.redeem_as(request).await
    }
}

/// Two units for less than in every group before.
fn pair(group: i32) -> Definition {
    let prices = amounts(1_900 - 150 * i64::from(group));
    let mut pair = defined(Kind::FixedPrice { prices, per: PricePer::Set(2) }, Stage::Line);
    (pair.discount.group, pair.discount.group_policy) = (group, GroupPolicy::BestForCustomer);
    pair
}

/// A tenth off where a rule holds that takes some 69,000 steps on a line of 32 categories.
pub(super) fn where_costly() -> Definition {
    let mut costly = defined(Kind::Percent { rate_ppm: 1_000 }, Stage::Line);
    costly.discount.scope.condition =
        "line.categories.all(a, line.categories.map(b, b).size() == 32)".to_owned();
    costly
}

#[tokio::test]
async fn a_basket_that_takes_long_is_redeemed_as_it_was_validated() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        let codes = shop.coded((0..8).map(pair).collect()).await;
        let validated = shop.validate_plain(primes(500, &codes, 0)).await.unwrap();
        assert!(validated.approximate);
        let redeemed = shop.redeem_basket("o1", primes(500, &codes, 0)).await.unwrap();
        assert_eq!(redeemed.codes, validated.codes);
        assert!(redeemed.redemptions.len() > 1);
        let small = shop.validate_plain(primes(2, &codes, 0)).await.unwrap();
        assert!(!small.approximate);
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn a_code_whose_rules_take_too_much_is_refused_and_the_others_are_not() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        let codes = shop.coded(vec![where_costly(), off(500)]).await;
        let validated = shop.validate_plain(primes(6, &codes, 32)).await.unwrap();
        let refusals: Vec<&str> = validated.codes.iter().map(|code| code.refusal.as_str()).collect();
        assert_eq!(refusals, ["BASKET_TOO_COSTLY", ""]);
        let redeemed = shop.redeem_basket("o1", primes(6, &codes, 32)).await.unwrap();
        assert_eq!((redeemed.codes, redeemed.redemptions.len()), (validated.codes, 1));
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn a_basket_that_takes_more_than_is_allowed_is_refused_as_a_whole_and_leaves_nothing() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        let codes = shop.coded((0..3).map(|_| where_costly()).collect()).await;
        assert_eq!(reason(shop.validate_plain(primes(5, &codes, 32)).await), "BASKET_TOO_COSTLY");
        assert_eq!(reason(shop.redeem_basket("o1", primes(5, &codes, 32)).await), "BASKET_TOO_COSTLY");
        assert_eq!(shop.uses("CODE0").await, 0);
        let fewer = shop.redeem_basket("o1", primes(4, &codes, 32)).await.unwrap();
        assert_eq!(fewer.redemptions.len(), 3);
        shop.audit().await;
    })
    .await;
}
