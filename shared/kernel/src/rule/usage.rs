//! For what a rule is written: which facts it may read there. Services list theirs; what both have is here.

use std::sync::LazyLock;

use super::{Rule, RuleError, Vocabulary, line_vocabulary};

/// A kind of rule.
#[derive(Debug)]
pub struct Use {
    /// As people name it: `offer`.
    pub name: &'static str,
    /// Where such a rule stands.
    pub stands: &'static str,
    /// What it may read: the vocabulary that such rules are compiled with.
    pub vocabulary: fn() -> &'static Vocabulary,
    /// Whole rules with what they say.
    pub examples: &'static [(&'static str, &'static str)],
}

static LINE: LazyLock<Vocabulary> = LazyLock::new(line_vocabulary);

/// The goods of a discount or a price rule.
pub static SCOPE: Use = Use {
    name: "scope",
    stands: "`Scope.condition`: the goods of a discount, of an offer or an incentive, or of a price rule",
    vocabulary: || &LINE,
    examples: &[
        ("line.quantity >= 3", "lines of three units or more"),
        ("line.unit_price >= 5000", "goods from 50.00 on, in a currency with cents"),
        ("'wine' in line.categories && line.attributes.vintage == '2026'", "wines of a vintage"),
    ],
};

/// What is wrong with a rule, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The line, from 1; 0 where the rule as a whole is meant.
    pub line: usize,
    /// The column in characters, from 1; 0 as above.
    pub column: usize,
    /// What is wrong, without the place.
    pub message: String,
}

impl From<RuleError> for Finding {
    fn from(error: RuleError) -> Self {
        let said = error.to_string();
        match error.at() {
            None => Self { line: 0, column: 0, message: said },
            Some(at) => {
                let message = said.strip_prefix(&format!("{at}: ")).unwrap_or(&said).to_owned();
                Self { line: at.line, column: at.column, message }
            }
        }
    }
}

impl Use {
    /// The steps that a rule may take at most, or what is wrong with it.
    ///
    /// # Errors
    /// As [`Rule::compile`].
    pub fn check(&self, text: &str) -> Result<u64, Finding> {
        Rule::compile(text, (self.vocabulary)()).map(|rule| rule.cost()).map_err(Finding::from)
    }
}
