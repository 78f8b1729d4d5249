use proptest::prelude::*;

use super::*;

fn read(text: &str) -> Typed {
    Typed::read(text).unwrap()
}

#[test]
fn a_code_is_read_as_it_was_meant() {
    for typed in [
        "SPRING-24",
        "SPRING-24\n",
        "  spring-24\t",
        "\u{feff}SPRING-24",
        "\u{200b}SPRING-24",
        "SPR\u{ad}ING-24",
        "SPRING–24",
        "SPRING—24",
        "SPRING−24",
        "spring‑24",
        "ＳＰＲＩＮＧ-24",
        "ＳＰＲＩＮＧ－２４",
        "spring\u{301c}24",
        "\u{202e}Spring-24\u{202c}",
        "SPRING-24\u{fe0f}\0",
    ] {
        assert_eq!(read(typed).folded(), "SPRING-24", "{typed:?}");
        assert!(read(typed).means("SPRING-24"), "{typed:?}");
    }
    for (typed, meant) in [
        ("e\u{301}te\u{301}-2026", "ÉTÉ-2026"),
        ("e\u{34f}\u{301}té-2026", "ÉTÉ-2026"),
        ("夏のセール", "夏のセール"),
        ("夏のｾｰﾙ", "夏のセール"),
        ("straße", "STRASSE"),
        ("STRAẞE", "STRASSE"),
        ("σοφός", "ΣΟΦΌΣ"),
        ("ﬁve", "FIVE"),
        ("a_b", "A_B"),
        ("50%off", "50%OFF"),
        ("10", "10"),
        ("a/b", "A/B"),
    ] {
        assert_eq!(read(typed).folded(), meant, "{typed:?}");
        assert!(read(typed).may_exist(), "{typed:?}");
    }
}

#[test]
fn nothing_is_no_entry_and_what_can_be_no_code_is_not_looked_for() {
    for nothing in ["", " ", "\n\t", "\u{200b}", "\u{a0}\u{feff}", "\0"] {
        assert_eq!(Typed::read(nothing), None, "{nothing:?}");
    }
    let long = "A".repeat(65);
    let hidden = "\u{200b}".repeat(600) + "CODE";
    for typed in [
        "TWO WORDS",
        &hidden,
        "ZWEI\u{a0}WORTE",
        "a\u{2028}b",
        &long,
        &"ﷺ".repeat(100_000),
        "\u{e000}",
        "\u{378}",
    ] {
        let typed = read(typed);
        assert!(!typed.may_exist() && typed.stored().next().is_none(), "{typed:?}");
        assert!(
            typed.folded().chars().count() <= MAX_CHARS + 1 && typed.kept().chars().count() <= MAX_CHARS + 1
        );
    }
    assert!(read(&"A".repeat(64)).may_exist());
    assert!(read(&"e\u{301}".repeat(64)).may_exist(), "what counts is how many are seen");
}

#[test]
fn what_is_cut_is_no_other_code() {
    for typed in ["A".repeat(64) + " MORE", "B".repeat(70), "ß".repeat(40) + " ", "C".repeat(600)] {
        let cut = read(&typed).kept().to_owned();
        assert_eq!(read(&cut).may_exist(), read(&typed).may_exist(), "{typed:?}");
    }
}

#[test]
fn a_code_that_keeps_its_case_is_found_by_exact_typing_only() {
    let all = |typed: &str| read(typed).stored().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(all("SPRING"), ["SPRING"]);
    assert_eq!(all(" sPring"), ["sPring", "SPRING"]);
    let wide = "ß".repeat(40);
    assert_eq!(all(&wide), [wide], "folded it would be too long");
    let mut excluded = read("spring");
    excluded.rule_out();
    assert!(!excluded.may_exist() && !excluded.means("SPRING"));
}

#[test]
fn codes_of_old_are_stored_as_they_were() {
    for code in (0x21..0x7f_u8).map(char::from) {
        assert_eq!(kept(&code.to_string()), code.to_string());
        assert_eq!(folded(&code.to_string()), code.to_ascii_uppercase().to_string());
    }
}

#[test]
fn every_single_character_has_its_form_once_for_good() {
    let assigned = |one: &char| !NO_CODE.contains(CATEGORY.get(*one));
    for one in (0..=0x0010_ffff).filter_map(char::from_u32).filter(assigned).map(String::from) {
        let (kept_one, folded_one) = (kept(&one), folded(&one));
        assert_eq!(kept(&kept_one), kept_one, "{one:?}");
        assert_eq!(folded(&folded_one), folded_one, "{one:?}");
        assert_eq!(folded(&kept_one), folded_one, "{one:?}");
        assert_eq!(folded(&one.to_uppercase()), folded_one, "{one:?}");
    }
}

proptest! {
    #[test]
    fn visible_ascii_is_only_folded(code in "[!-~]{1,64}") {
        prop_assert_eq!(kept(&code), code.as_str());
        prop_assert_eq!(folded(&code), code.to_ascii_uppercase());
        prop_assert!(read(&code).may_exist());
    }

    #[test]
    fn what_has_its_form_keeps_it(text in "\\PC{0,80}|.{0,80}|[a-zßİıǅΐᾳςｱﾞ\u{301}\u{300}\u{345}\u{34f}\u{200d} –-]{0,20}") {
        let (kept_text, folded_text) = (kept(&text), folded(&text));
        prop_assert_eq!(kept(&kept_text), kept_text.as_str());
        prop_assert_eq!(folded(&folded_text), folded_text.as_str());
        prop_assert_eq!(folded(&kept_text), folded_text.as_str());
        if let Some(typed) = Typed::read(&text) {
            prop_assert!(typed.stored().all(|code| check(code).is_ok()));
            prop_assert!(typed.stored().all(|code| read(code).means(code)));
        }
    }
}
