//! Which facts a rule reads, by their paths.

use std::collections::BTreeSet;

use cel::common::ast::{Expr, IdedExpr};

/// The longest paths: `customer.country`, and not `customer` beside it.
pub(super) fn paths(expression: &IdedExpr, into: &mut BTreeSet<String>) {
    if let Some(path) = path(expression) {
        into.insert(path);
        return;
    }
    match &expression.expr {
        Expr::Call(call) => {
            call.target.as_deref().into_iter().chain(&call.args).for_each(|part| paths(part, into));
        }
        Expr::Comprehension(one) => {
            for part in [&one.iter_range, &one.accu_init, &one.loop_cond, &one.loop_step, &one.result] {
                paths(part, into);
            }
        }
        Expr::List(list) => list.elements.iter().for_each(|part| paths(part, into)),
        Expr::Select(select) => paths(&select.operand, into),
        // The judgement leaves no maps and messages; the rest has no parts.
        Expr::Map(_) | Expr::Struct(_) | Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => {}
    }
}

fn path(expression: &IdedExpr) -> Option<String> {
    match &expression.expr {
        Expr::Ident(name) => Some(name.clone()),
        Expr::Select(select) => Some(format!("{}.{}", path(&select.operand)?, select.field)),
        _ => None,
    }
}
