//! How codes look: a pattern whose `#` are drawn from a character set, and perhaps a check character.
//!
//! Codes are drawn, never counted up, so that knowing one says nothing about another; a pattern must have ten times as
//! many codes as are asked for, so that guessing stays hopeless and drawing stays quick. The check character is Luhn's,
//! to the base of the character set: it finds every single mistyped character and every swap of neighbours but one.

use std::fmt;

use rand::{CryptoRng, RngExt};
use serde::{Deserialize, Serialize};
use tandem_kernel::code;
use tandem_kernel::problem::Problem;

/// Digits and capital letters without O, 0, I and 1, which people mistake for each other.
pub const DEFAULT_CHARSET: &str = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
/// Eight drawn characters: over a million million codes.
pub const DEFAULT_PATTERN: &str = "########";
/// A pattern must have so many times the codes that are asked for.
pub const SPACE_FACTOR: u128 = 10;

const DRAWN: char = '#';
/// What is drawn is no shorter, for it must not be guessed.
const CODE_CHARS: std::ops::RangeInclusive<usize> = 4..=code::MAX_CHARS;
const MAX_PREFIX_CHARS: usize = 32;

/// A format that can be drawn from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Format {
    pattern: Vec<char>,
    charset: Vec<char>,
    check_character: bool,
    case_sensitive: bool,
}

/// A format as somebody wrote it; empty parts are the defaults.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// `SPRING-####`.
    pub pattern: String,
    /// Before the pattern.
    pub prefix: String,
    /// What is drawn from.
    pub charset: String,
    /// Adds a check character.
    pub check_character: bool,
    /// Keeps upper and lower case apart.
    pub case_sensitive: bool,
}

impl Format {
    /// Reads a format, or says everything that is wrong with it.
    pub fn new(written: &Written) -> Result<Self, Vec<Problem>> {
        let or =
            |text: &str, default: &str| if text.is_empty() { default.to_owned() } else { text.to_owned() };
        let fold = |text: String| if written.case_sensitive { text } else { text.to_ascii_uppercase() };
        let charset: Vec<char> = fold(or(&written.charset, DEFAULT_CHARSET)).chars().collect();
        let pattern = written.prefix.clone() + &or(&written.pattern, DEFAULT_PATTERN);
        let pattern = code::stored(&pattern, written.case_sensitive);
        let format = Self {
            pattern: pattern.chars().collect(),
            charset,
            check_character: written.check_character,
            case_sensitive: written.case_sensitive,
        };
        let problems = format.problems(written);
        if problems.is_empty() { Ok(format) } else { Err(problems) }
    }

    fn problems(&self, written: &Written) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut refuse = |field: &str, message: String| {
            problems.push(Problem { field: field.to_owned(), message });
        };
        let visible = |text: &[char]| text.iter().all(char::is_ascii_graphic);
        if !CODE_CHARS.contains(&self.length()) {
            let (least, most) = (CODE_CHARS.start(), CODE_CHARS.end());
            let message =
                format!("codes must have {least} to {most} characters, these have {}", self.length());
            refuse("pattern", message);
        }
        if !visible(&self.pattern) {
            refuse("pattern", "must be visible ASCII without spaces".to_owned());
        }
        if written.prefix.chars().count() > MAX_PREFIX_CHARS || written.prefix.contains(DRAWN) {
            refuse("prefix", format!("must have at most {MAX_PREFIX_CHARS} characters and no `{DRAWN}`"));
        }
        let mut distinct = self.charset.clone();
        distinct.sort_unstable();
        distinct.dedup();
        if !(2..=64).contains(&self.charset.len()) || distinct.len() != self.charset.len() {
            refuse("charset", "must have 2 to 64 characters, each once after case folding".to_owned());
        }
        if !visible(&self.charset) || self.charset.contains(&DRAWN) {
            refuse("charset", format!("must be visible ASCII without spaces and `{DRAWN}`"));
        }
        problems
    }

    fn length(&self) -> usize {
        self.pattern.len() + usize::from(self.check_character)
    }

    /// How many different codes there are, the most that fits.
    pub fn space(&self) -> u128 {
        let drawn = self.pattern.iter().filter(|character| **character == DRAWN).count();
        (self.charset.len() as u128).saturating_pow(u32::try_from(drawn).unwrap_or(u32::MAX))
    }

    /// Whether there are ten times as many codes as `quantity`.
    pub fn has_room_for(&self, quantity: i64) -> bool {
        self.space() >= u128::from(quantity.max(0).unsigned_abs()).saturating_mul(SPACE_FACTOR)
    }

    /// One code.
    pub fn draw(&self, random: &mut impl CryptoRng) -> String {
        let mut code = String::with_capacity(self.length());
        for character in &self.pattern {
            code.push(match *character {
                DRAWN => self.charset[random.random_range(0..self.charset.len())],
                fixed => fixed,
            });
        }
        if self.check_character {
            code.push(self.check(&code));
        }
        code
    }

    /// Luhn's algorithm to the base of the character set; characters outside it do not count.
    fn check(&self, code: &str) -> char {
        let base = self.charset.len();
        let digits =
            code.chars().rev().filter_map(|character| self.charset.iter().position(|of| *of == character));
        let sum: usize = digits
            .enumerate()
            .map(|(place, digit)| {
                let doubled = if place % 2 == 0 { 2 * digit } else { digit };
                doubled / base + doubled % base
            })
            .sum();
        self.charset[(base - sum % base) % base]
    }

    /// Whether it finds mistyped characters.
    pub fn has_check_character(&self) -> bool {
        self.check_character
    }

    /// Whether the last character of `code` is the one that the others ask for. Without a check character: always.
    pub fn checks(&self, code: &str) -> bool {
        let mut rest = code.to_owned();
        let last = rest.pop();
        !self.check_character || last == Some(self.check(&rest))
    }

    /// Whether `code` looks like one of this format, whatever was typed where characters are drawn.
    fn resembles(&self, code: &str) -> bool {
        let stands = |(of, typed): (&char, char)| *of == DRAWN || *of == typed;
        code.chars().count() == self.length() && self.pattern.iter().zip(code.chars()).all(stands)
    }

    /// Whether `code` may be one of this format.
    pub fn fits(&self, code: &str) -> bool {
        let drawn = |(of, typed): (&char, char)| *of != DRAWN || self.charset.contains(&typed);
        self.resembles(code) && self.pattern.iter().zip(code.chars()).all(drawn) && self.checks(code)
    }

    /// Whether `code` would be one of this format, were it not for a character that was mistyped.
    pub fn is_mistyped(&self, code: &str) -> bool {
        self.check_character && self.resembles(code) && !self.fits(code)
    }
}

/// In one line, the same for the same format.
impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |of: &[char]| of.iter().collect::<String>();
        let check = if self.check_character { " check" } else { "" };
        let case = if self.case_sensitive { " case" } else { "" };
        write!(f, "{} {}{check}{case}", text(&self.pattern), text(&self.charset))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    fn format(pattern: &str) -> Format {
        Format::new(&Written { pattern: pattern.to_owned(), ..Written::default() }).unwrap()
    }

    #[test]
    fn a_pattern_is_drawn_where_it_has_a_hash_and_stands_elsewhere() {
        let code = format("SPRING-####-####").draw(&mut StdRng::seed_from_u64(1));
        assert_eq!(code.len(), 16);
        assert!(code.starts_with("SPRING-") && code.as_bytes()[11] == b'-', "{code}");
        assert!(!code[7..].contains(['O', '0', 'I', '1']));
    }

    #[test]
    fn codes_are_folded_to_upper_case_unless_case_is_kept() {
        let written =
            Written { pattern: "spring####".to_owned(), charset: "abc".to_owned(), ..Written::default() };
        let code = Format::new(&written).unwrap().draw(&mut StdRng::seed_from_u64(1));
        assert_eq!(code, code.to_ascii_uppercase());
        let kept = Format::new(&Written { case_sensitive: true, ..written }).unwrap();
        assert!(kept.draw(&mut StdRng::seed_from_u64(1)).starts_with("spring"));
    }

    #[test]
    fn a_pattern_needs_ten_times_the_codes_that_are_asked_for() {
        let two = format("AB##");
        assert_eq!(two.space(), 32 * 32);
        assert!(two.has_room_for(102));
        assert!(!two.has_room_for(103));
        assert!(format(&"#".repeat(64)).has_room_for(10_000_000));
    }

    #[test]
    fn the_check_character_finds_every_single_mistyped_character() {
        let written =
            Written { pattern: "AB-######".to_owned(), check_character: true, ..Written::default() };
        let format = Format::new(&written).unwrap();
        let mut random = StdRng::seed_from_u64(7);
        for _ in 0..50 {
            let code = format.draw(&mut random);
            assert!(format.checks(&code));
            for place in 3..code.len() {
                for other in
                    DEFAULT_CHARSET.chars().filter(|other| *other != char::from(code.as_bytes()[place]))
                {
                    let mut wrong: Vec<char> = code.chars().collect();
                    wrong[place] = other;
                    assert!(
                        !format.checks(&wrong.iter().collect::<String>()),
                        "{code} at {place} as {other}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_code_is_mistyped_where_it_only_looks_like_one_of_the_format() {
        let written =
            Written { pattern: "AB-######".to_owned(), check_character: true, ..Written::default() };
        let format = Format::new(&written).unwrap();
        let code = format.draw(&mut StdRng::seed_from_u64(7));
        assert!(format.fits(&code) && !format.is_mistyped(&code));
        let last = if code.ends_with('2') { "3" } else { "2" };
        for mistyped in [code[..9].to_owned() + last, code.replace(&code[3..4], "O")] {
            assert!(format.is_mistyped(&mistyped) && !format.fits(&mistyped), "{mistyped}");
        }
        for other in ["AB", "XY-2345678", "AB-23456789", ""] {
            assert!(!format.is_mistyped(other) && !format.fits(other), "{other}");
        }
        let unchecked = Format::new(&Written { check_character: false, ..written }).unwrap();
        assert!(!unchecked.is_mistyped("AB-OOOOOO") && unchecked.fits(&code[..9]));
    }

    #[test]
    fn a_pattern_is_read_as_codes_are() {
        assert_eq!(format("ＳＰＲＩＮＧ–####"), format("spring-####"));
    }

    #[test]
    fn everything_wrong_with_a_format_is_said_at_once() {
        let written = Written {
            prefix: "#".to_owned(),
            pattern: "Ä".to_owned(),
            charset: "AA".to_owned(),
            ..Written::default()
        };
        let fields: HashSet<String> =
            Format::new(&written).unwrap_err().into_iter().map(|problem| problem.field).collect();
        assert_eq!(fields, HashSet::from(["pattern".to_owned(), "prefix".to_owned(), "charset".to_owned()]));
    }
}
