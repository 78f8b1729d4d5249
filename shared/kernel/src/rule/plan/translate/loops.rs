//! What the loops of the language are written out as, known again.

use cel::common::ast::operators as op;
use cel::common::ast::{ComprehensionExpr, Expr, IdedExpr, LiteralValue};

use super::super::Quantity;

fn is_result(expression: &IdedExpr, of: &ComprehensionExpr) -> bool {
    matches!(&expression.expr, Expr::Ident(name) if *name == of.accu_var)
}

/// What `exists`, `all` and `exists_one` are written out as; nobody can write their inner names.
pub(super) fn quantified(of: &ComprehensionExpr) -> Option<(Quantity, &IdedExpr)> {
    let Expr::Call(step) = &of.loop_step.expr else { return None };
    match (&of.accu_init.expr, step.func_name.as_str(), step.args.as_slice()) {
        (Expr::Literal(LiteralValue::Boolean(_)), op::LOGICAL_OR, [result, test])
            if is_result(result, of) =>
        {
            Some((Quantity::Some, test))
        }
        (Expr::Literal(LiteralValue::Boolean(_)), op::LOGICAL_AND, [result, test])
            if is_result(result, of) =>
        {
            Some((Quantity::Every, test))
        }
        (Expr::Literal(LiteralValue::Int(_)), op::CONDITIONAL, [test, _, _]) => Some((Quantity::One, test)),
        _ => None,
    }
}

/// What `filter` is written out as.
pub(super) fn filtered(of: &ComprehensionExpr) -> Option<&IdedExpr> {
    let Expr::Call(step) = &of.loop_step.expr else { return None };
    let [test, added, result] = step.args.as_slice() else { return None };
    let Expr::Call(added) = &added.expr else { return None };
    let [_, item] = added.args.as_slice() else { return None };
    let Expr::List(item) = &item.expr else { return None };
    let itself = |item: &IdedExpr| matches!(&item.expr, Expr::Ident(name) if *name == of.iter_var);
    let is_filter = step.func_name == op::CONDITIONAL
        && is_result(result, of)
        && matches!(item.elements.as_slice(), [one] if itself(one));
    is_filter.then_some(test)
}
