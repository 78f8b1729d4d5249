//! What is wrong with a rule.

use tandem_kernel::rule::Finding;

use crate::common::v1;

impl From<Finding> for v1::RuleFinding {
    fn from(finding: Finding) -> Self {
        let number = |place: usize| i32::try_from(place).unwrap_or(i32::MAX);
        Self { line: number(finding.line), column: number(finding.column), message: finding.message }
    }
}
