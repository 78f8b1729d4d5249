//! Codes as people type them: whatever a keyboard, a mail or a spreadsheet has made of a code, it is read as it was meant.
//!
//! What is typed is compatibility-normalised (NFKC), loses its control characters and whatever else cannot be seen, every
//! dash becomes a hyphen, and white space around it goes: the code as it was [`kept`]. Most codes are [`folded`] to capital
//! letters too. Both are done once for good: what they give, they leave alone. Visible ASCII is left as it is, but for small
//! letters where it is folded, so codes of old are found under what they have always been stored as.
//!
//! A code has 1 to [`MAX_CHARS`] visible characters of any script, without spaces. What is none was typed in vain, which is
//! for whoever decides about codes to say: it is no fault of the call that brings it.

use std::borrow::Cow;

use icu_normalizer::ComposingNormalizerBorrowed;
use icu_properties::props::{Dash, DefaultIgnorableCodePoint, GeneralCategory, GeneralCategoryGroup};
use icu_properties::{
    CodePointMapData, CodePointMapDataBorrowed, CodePointSetData, CodePointSetDataBorrowed,
};

/// The longest code, in characters.
pub const MAX_CHARS: usize = 64;

/// More is not even normalised: a character may come apart into eighteen, and no code is written with so many.
const MAX_READ: usize = 512;
/// What stands behind the beginning of what is too long. Normalised it is three characters: no code becomes one by being cut.
const CUT: &str = "…";

const NFKC: ComposingNormalizerBorrowed<'static> = ComposingNormalizerBorrowed::new_nfkc();
const CATEGORY: CodePointMapDataBorrowed<'static, GeneralCategory> = CodePointMapData::new();
const DASHES: CodePointSetDataBorrowed<'static> = CodePointSetData::new::<Dash>();
const IGNORABLE: CodePointSetDataBorrowed<'static> = CodePointSetData::new::<DefaultIgnorableCodePoint>();
const UNSEEN: GeneralCategoryGroup = GeneralCategoryGroup::Control.union(GeneralCategoryGroup::Format);
const NO_CODE: GeneralCategoryGroup = GeneralCategoryGroup::Other.union(GeneralCategoryGroup::Separator);

/// Why a text is no code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    /// Nothing, or too much.
    #[error("must have 1 to {MAX_CHARS} characters")]
    Length,
    /// A space, or a character that nobody can see.
    #[error("must be visible characters without spaces")]
    Invisible,
}

/// What somebody typed as a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typed {
    kept: String,
    folded: String,
    may_exist: bool,
}

impl Typed {
    /// Reads what was typed; `None` where it was nothing.
    pub fn read(text: &str) -> Option<Self> {
        let kept = kept(text);
        if kept.is_empty() {
            return None;
        }
        let folded = folded(&kept);
        let may_exist = check(&kept).is_ok() || check(&folded).is_ok();
        Some(Self { kept: shown(kept), folded: shown(folded), may_exist })
    }

    /// Reads each; those that are nothing are passed over.
    pub fn read_all<'t>(texts: impl IntoIterator<Item = &'t String>) -> Vec<Self> {
        texts.into_iter().filter_map(|text| Self::read(text)).collect()
    }

    /// As it was typed, its case kept; the beginning of what is too long.
    pub fn kept(&self) -> &str {
        &self.kept
    }

    /// In capital letters; the beginning of what is too long.
    pub fn folded(&self) -> &str {
        &self.folded
    }

    /// Whether there can be such a code.
    pub fn may_exist(&self) -> bool {
        self.may_exist
    }

    /// What else is known says that there is no such code.
    pub fn rule_out(&mut self) {
        self.may_exist = false;
    }

    /// Under which stored codes it may be found. The first that exists is meant: one that keeps its case is found by exact
    /// typing only.
    pub fn stored(&self) -> impl Iterator<Item = &str> {
        let exact = Some(self.kept.as_str()).filter(|kept| *kept != self.folded);
        let all = exact.into_iter().chain([self.folded.as_str()]);
        all.filter(|code| self.may_exist && check(code).is_ok())
    }

    /// Whether `code`, which is stored, is meant by it.
    pub fn means(&self, code: &str) -> bool {
        self.stored().any(|stored| stored == code)
    }
}

/// What was typed, as it was meant, with its case.
pub fn kept(typed: &str) -> String {
    settled(typed, |text| plain(text).trim().to_owned())
}

/// What was typed, as it was meant, in capital letters.
pub fn folded(typed: &str) -> String {
    // Small letters first: a capital one may have two that are not told apart ("ẞ" is "ß" is "SS").
    let fold = |text: &str| plain(&plain(text).to_lowercase().to_uppercase()).trim().to_owned();
    settled(typed, fold)
}

/// A code made elsewhere as it is stored.
pub fn stored(code: &str, case_sensitive: bool) -> String {
    if case_sensitive { kept(code) } else { folded(code) }
}

/// Whether a text that has its stored form is a code.
///
/// # Errors
/// What is wrong with it.
pub fn check(code: &str) -> Result<(), CodeError> {
    let length = code.chars().take(MAX_CHARS + 1).count();
    if !(1..=MAX_CHARS).contains(&length) {
        return Err(CodeError::Length);
    }
    let visible = |one: char| !NO_CODE.contains(CATEGORY.get(one)) && !one.is_whitespace();
    if code.chars().all(visible) { Ok(()) } else { Err(CodeError::Invisible) }
}

/// Repeats `step` until nothing changes. Once is nearly always enough: what falls away or changes case may bring characters
/// side by side that compose.
fn settled(typed: &str, step: impl Fn(&str) -> String) -> String {
    const STEPS: usize = 4;
    let read: Cow<'_, str> = match typed.char_indices().nth(MAX_READ) {
        // Too long whatever is left of the beginning.
        Some((end, _)) => Cow::Owned(typed[..end].to_owned() + &CUT.repeat(MAX_CHARS)),
        None => Cow::Borrowed(typed),
    };
    let mut text = step(&read);
    for _ in 0..STEPS {
        let next = step(&text);
        if next == text {
            break;
        }
        text = next;
    }
    text
}

fn plain(text: &str) -> String {
    let seen = text.chars().filter(|one| !is_unseen(*one));
    if text.is_ascii() {
        return seen.collect();
    }
    NFKC.normalize_iter(seen).map(|one| if DASHES.contains(one) { '-' } else { one }).collect()
}

fn is_unseen(one: char) -> bool {
    UNSEEN.contains(CATEGORY.get(one)) || IGNORABLE.contains(one)
}

fn shown(text: String) -> String {
    match text.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{}{CUT}", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests;
