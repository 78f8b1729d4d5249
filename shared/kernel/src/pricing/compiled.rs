//! A discount made ready once, when it is saved or loaded, so that no evaluation parses or sorts anything.

use std::sync::{Arc, LazyLock};

use super::estimate::Size;
use super::scope::CompiledScope;
use crate::discount::{Discount, Kind, Scope};
use crate::problem::Problem;
use crate::rule::{self, Vocabulary};

static LINE: LazyLock<Arc<Vocabulary>> = LazyLock::new(|| Arc::new(rule::line_vocabulary()));

/// A valid discount with its scopes compiled.
#[derive(Debug)]
pub struct Compiled {
    /// As defined.
    pub discount: Discount,
    /// Of [`Discount::scope`].
    pub scope: CompiledScope,
    /// The goods a buy-x-get-y gives, where it names its own.
    pub(super) get_scope: Option<CompiledScope>,
    /// The parts of a bundle, in their order.
    pub(super) parts: Vec<CompiledScope>,
}

impl Compiled {
    /// Validates everything about `discount` and compiles its scopes. Fails with every violation at once: ranges,
    /// settings its kind cannot have, conditions that do not compile.
    pub fn new(discount: Discount) -> Result<Self, Vec<Problem>> {
        let mut problems = discount.problems();
        let mut compile = |path: &str, scope: &Scope| {
            CompiledScope::new(scope, &LINE)
                .map_err(|error| problems.push(Problem::new(format!("{path}.condition"), error.to_string())))
                .ok()
        };
        let own = compile("scope", &discount.scope);
        let (mut get_scope, mut parts) = (None, Vec::new());
        match &discount.kind {
            Kind::BuyXGetY { get_scope: Some(scope), .. } => {
                get_scope = compile("buy_x_get_y.get_scope", scope);
            }
            Kind::Bundle { parts: defined, .. } => {
                let paths = (0..).map(|index| format!("bundle.parts[{index}].scope"));
                parts
                    .extend(defined.iter().zip(paths).filter_map(|(part, path)| compile(&path, &part.scope)));
            }
            _ => {}
        }
        match own {
            Some(scope) if problems.is_empty() => Ok(Self { discount, scope, get_scope, parts }),
            _ => Err(problems),
        }
    }

    /// Whether goods can take part that some of its scopes hold: in a part of a bundle, as what is bought, or given.
    pub fn takes(&self, mut holds: impl FnMut(&CompiledScope) -> bool) -> bool {
        let own = holds(&self.scope);
        match self.parts.is_empty() {
            true => own || self.get_scope.as_ref().is_some_and(holds),
            false => own && self.parts.iter().any(holds),
        }
    }

    /// The work of judging its conditions on every line of a basket.
    pub fn rule_steps(&self, size: Size) -> u64 {
        let scopes = [&self.scope].into_iter().chain(&self.get_scope).chain(&self.parts);
        let steps: u64 = scopes.map(|scope| scope.rule_steps(size.of_line)).sum();
        steps.saturating_mul(size.lines)
    }
}
