//! The `filter` of a list: a rule over the fields of one resource, evaluated while pages are read.

use super::{Facts, MAX_FILTER_COST, Rule, RuleError, Vocabulary};

/// What a list is asked to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter(Option<Rule>);

impl Filter {
    /// Reads a filter; an empty one shows everything.
    ///
    /// # Errors
    /// As [`Rule::compile`]; [`RuleError::TooCostly`] already past [`MAX_FILTER_COST`].
    pub fn parse(text: &str, vocabulary: &Vocabulary) -> Result<Self, RuleError> {
        if text.trim().is_empty() {
            return Ok(Self(None));
        }
        let rule = Rule::compile(text, vocabulary)?;
        match rule.cost() {
            cost if cost > MAX_FILTER_COST => Err(RuleError::TooCostly { cost, limit: MAX_FILTER_COST }),
            _ => Ok(Self(Some(rule))),
        }
    }

    /// Whether every resource is shown, so that none needs facts.
    pub fn is_everything(&self) -> bool {
        self.0.is_none()
    }

    /// The work of judging one resource; none where everything is shown.
    pub fn steps(&self, facts: &Facts<'_>) -> u64 {
        self.0.as_ref().map_or(0, |rule| rule.steps(facts.fullness()))
    }

    /// Whether the resource of these facts is shown; not where the filter reads what the resource lacks.
    pub fn shows(&self, facts: &Facts<'_>) -> bool {
        self.0.as_ref().is_none_or(|rule| rule.matches(facts))
    }
}
