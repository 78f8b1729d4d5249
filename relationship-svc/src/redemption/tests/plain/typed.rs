//! Codes as customers type them.

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;
use crate::voucher::format::{Format, Written};
use crate::voucher::formats;

/// What is the code SPRING, and no call is refused for it.
const SPRING: [&str; 7] = [
    "SPRING\n",
    "\u{200b}SPRING",
    "ＳＰＲＩＮＧ",
    "spr\u{ad}ing",
    "\u{feff} Spring ",
    "SPRING\u{202c}\0",
    "\tspring\r",
];

fn checked(pattern: &str) -> Format {
    let written = Written { pattern: pattern.to_owned(), check_character: true, ..Written::default() };
    Format::new(&written).unwrap()
}

/// `code` with another last character.
fn mistyped(code: &str) -> String {
    let last = if code.ends_with('2') { "3" } else { "2" };
    code[..code.len() - 1].to_owned() + last
}

impl Shop {
    async fn refusal(&self, typed: &str) -> String {
        self.validate(&[typed]).await.codes.remove(0).refusal
    }

    async fn announce(&self, format: Option<&Format>) {
        formats::announce(&self.app, &self.call.tenant, format).await.unwrap();
    }

    /// Makes a code of a format, as GenerateVouchers does.
    async fn drawn(&self, format: &Format, seed: u64) -> String {
        self.announce(Some(format)).await;
        let code = format.draw(&mut StdRng::seed_from_u64(seed));
        self.codes(vec![self.code(&code, "spring")]).await;
        code
    }
}

#[tokio::test]
async fn a_code_is_what_was_meant_and_nothing_is_no_code() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(None, Limits::default()).await;
        for (order, typed) in SPRING.iter().enumerate() {
            let validated = shop.validate(&["", typed, "\u{200b}", " \n"]).await;
            assert_eq!(refusals(&validated.codes), [""], "{typed:?}");
            assert_eq!(validated.codes[0].code, "SPRING");
            let order = format!("o{order}");
            let held = shop.hold_plain(&order, &["", typed]).await.unwrap();
            let redeemed = shop.redeem_plain(&order, &[typed, " "]).await.unwrap();
            assert_eq!(held.redemptions[0].name, redeemed.redemptions[0].name);
            let back = v1::RollbackRedemptionRequest {
                code: (*typed).to_owned(),
                ..shop.roll_back_request(&order, &[], RollbackReason::Mistake)
            };
            assert_eq!(rpc::roll_back(&shop.app, &shop.call, back).await.unwrap().redemptions.len(), 1);
        }
        let listed = v1::ListRedemptionsRequest { code: "spr–ing".to_owned(), ..Default::default() };
        assert!(rpc::list(&shop.app, &shop.call, listed).await.unwrap().redemptions.is_empty());
        let listed = v1::ListRedemptionsRequest { code: "ｓpring\n".to_owned(), ..Default::default() };
        assert_eq!(rpc::list(&shop.app, &shop.call, listed).await.unwrap().redemptions.len(), SPRING.len());
        let nothing = shop.redeem_plain("none", &["", "\u{200b}"]).await.unwrap();
        assert!(nothing.codes.is_empty() && nothing.redemptions.is_empty());
        shop.audit().await;
    })
    .await;
}

#[tokio::test]
async fn what_can_be_no_code_is_a_decision_and_no_guess() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.spring(None, Limits::default()).await;
        let long = "x".repeat(65);
        let huge = "ﷺ".repeat(10_000);
        let none = ["two words", &long, &huge, "a\u{a0}b", "\u{e000}"];
        for _ in 0..shop.app.config.redemption.guesses_per_minute {
            let typed: Vec<&str> = none.into_iter().chain(["spring"]).collect();
            let validated = shop.validate(&typed).await;
            let expected: Vec<&str> = none.iter().map(|_| "CODE_UNKNOWN").chain([""]).collect();
            assert_eq!(refusals(&validated.codes), expected);
            assert!(validated.codes.iter().all(|code| code.code.chars().count() <= 65));
        }
        let by = "customers/7";
        for typed in none {
            assert_eq!(
                reason(shop.redeem_plain_as("o1", &[typed, "SPRING"], by, false).await),
                "CODE_UNKNOWN"
            );
        }
        let partly = shop.redeem_plain_as("o1", &["two words", "SPRING"], by, true).await.unwrap();
        assert_eq!(refusals(&partly.codes), ["CODE_UNKNOWN", ""]);
        let back = v1::RollbackRedemptionRequest {
            code: "two words".to_owned(),
            ..shop.roll_back_request("o1", &[], RollbackReason::Mistake)
        };
        let missing = rpc::roll_back(&shop.app, &shop.call, back).await.unwrap_err();
        assert_eq!(missing.kind(), FaultKind::NotFound);
    })
    .await;
}

#[tokio::test]
async fn a_mistyped_code_is_known_as_such_without_looking_it_up() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.incentive("spring", off(1_000)).await;
        let code = shop.drawn(&checked("AB-######"), 7).await;
        let wrong = mistyped(&code);
        // Nobody can have made it: that it is found nowhere shows that it is looked for nowhere.
        shop.codes(vec![shop.code(&wrong, "spring")]).await;
        for _ in 0..shop.app.config.redemption.guesses_per_minute * 2 {
            let typed = wrong.to_lowercase();
            let validated = shop.validate_by("customers/7", &[&typed, &code]).await;
            assert_eq!(refusals(&validated.codes), ["CODE_UNKNOWN", ""], "it is no guess");
        }
        assert_eq!(reason(shop.redeem_plain("o1", &[&wrong]).await), "CODE_UNKNOWN");
        assert_eq!(shop.refusal("AB-2345678").await, "CODE_UNKNOWN", "of another length: looked up");
        let other = Format::new(&Written { pattern: "AB-#######".to_owned(), ..Written::default() }).unwrap();
        shop.announce(Some(&other)).await;
        assert_eq!(shop.refusal(&wrong).await, "", "now it may be one of another format");
    })
    .await;
}

#[tokio::test]
async fn codes_of_no_format_are_never_excluded_by_one() {
    testing::engines(&MIGRATIONS, |db| async move {
        let shop = Shop::new(db);
        shop.incentive("spring", off(1_000)).await;
        let format = checked("AB-######");
        let code = shop.drawn(&format, 7).await;
        let wrong = mistyped(&code);
        assert_eq!(shop.refusal(&wrong).await, "CODE_UNKNOWN");
        let admit = |code: String| {
            let shop = &shop;
            async move { formats::admit(&shop.app, &shop.call.tenant, [code.as_str()].into_iter()).await.unwrap() }
        };
        admit(code.clone()).await;
        shop.codes(vec![shop.code(&wrong, "spring")]).await;
        assert_eq!(shop.refusal(&wrong).await, "CODE_UNKNOWN", "what came was of the format");
        admit(wrong.clone()).await;
        assert_eq!(shop.refusal(&wrong).await, "", "it came from elsewhere");
        let older = Shop { call: Call::system("older"), ..shop };
        older.incentive("spring", off(1_000)).await;
        older.codes(vec![older.code(&wrong, "spring")]).await;
        older.announce(Some(&format)).await;
        assert_eq!(older.refusal(&wrong).await, "", "it was here before formats were written down");
    })
    .await;
}
