//! The `filter` of a list: a rule over the fields of one resource, evaluated while pages are read.

use super::{Facts, Rule, RuleError, Vocabulary};

/// What a list is asked to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter(Option<Rule>);

impl Filter {
    /// Reads a filter; an empty one shows everything.
    ///
    /// # Errors
    /// As [`Rule::compile`].
    pub fn parse(text: &str, vocabulary: &Vocabulary) -> Result<Self, RuleError> {
        if text.trim().is_empty() {
            return Ok(Self(None));
        }
        Rule::compile(text, vocabulary).map(|rule| Self(Some(rule)))
    }

    /// Whether every resource is shown, so that none needs facts.
    pub fn is_everything(&self) -> bool {
        self.0.is_none()
    }

    /// Whether the resource of these facts is shown; not where the filter reads what the resource lacks.
    pub fn shows(&self, facts: &Facts<'_>) -> bool {
        self.0.as_ref().is_none_or(|rule| rule.matches(facts))
    }
}
