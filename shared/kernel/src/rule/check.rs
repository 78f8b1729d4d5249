//! The judgement of a rule when it is saved: names, kinds of operands, and a bound on the steps of an evaluation.

use std::collections::{BTreeMap, BTreeSet};

use cel::common::ast::operators as op;
use cel::common::ast::{
    CallExpr, ComprehensionExpr, Expr, IdedExpr, ListExpr, LiteralValue, SelectExpr, SourceInfo,
};

use super::functions::{self, Cost, Function};
use super::reading::Reading;
use super::vocabulary::{Type, Vocabulary};
use super::{MAX_COST, MAX_DEPTH, MAX_LOOPS, Position, RuleError, TEXT_COST, asked, pattern};

/// A literal text is copied into what a loop gathers.
const BYTES_PER_STEP: u64 = 16;

/// Brackets and prefix operators open at once, judged before the parser recurses into them.
const MAX_BRACKETS: usize = 24;

/// What is known of an expression.
struct Known {
    kind: Type,
    cost: u64,
}

type Checked = Result<Known, RuleError>;

fn known(kind: Type, cost: u64) -> Checked {
    Ok(Known { kind, cost })
}

/// Refuses texts whose brackets alone nest so deep that reading them would take long.
pub(super) fn nesting(text: &str) -> Result<(), RuleError> {
    let (mut open, mut quote, mut escaped) = (0_usize, None, false);
    for (index, letter) in text.char_indices() {
        match (quote, letter) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(end), _) if letter == end => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(letter),
            (None, '(' | '[' | '{') => open += 1,
            (None, ')' | ']' | '}') => open = open.saturating_sub(1),
            (None, _) => {}
        }
        if open > MAX_BRACKETS {
            return Err(RuleError::TooDeep { at: position(text, index) });
        }
    }
    Ok(())
}

/// The place of the byte `index`.
pub(super) fn position(text: &str, index: usize) -> Position {
    let mut at = Position { line: 1, column: 1 };
    for (_, letter) in text.char_indices().take_while(|(byte, _)| *byte < index) {
        if letter == '\n' {
            at = Position { line: at.line + 1, column: 1 };
        } else {
            at.column += 1;
        }
    }
    at
}

/// What the judgement of a rule finds.
pub(super) struct Judged {
    /// The bound on the steps of one evaluation.
    pub cost: u64,
    /// Expressions, by their numbers, whose texts are read as is declared of them.
    pub read: BTreeMap<u64, Reading>,
    /// Calls, by their numbers, that ask for a fact, each as it stands in its name.
    pub asked: BTreeSet<(u64, String)>,
}

/// Judges a rule.
pub(super) fn check(
    expression: &IdedExpr,
    source: &SourceInfo,
    text: &str,
    vocabulary: &Vocabulary,
) -> Result<Judged, RuleError> {
    let (bound, read, asked) = (Vec::new(), BTreeMap::new(), BTreeSet::new());
    let mut checker = Checker { source, text, vocabulary, bound, read, asked, depth: 0, loops: 0, at: 0 };
    let found = checker.expression(expression)?;
    if !matches!(found.kind, Type::Bool | Type::Any) {
        return Err(RuleError::NotBool(found.kind.to_string()));
    }
    if found.cost > MAX_COST {
        return Err(RuleError::TooCostly { cost: found.cost, limit: MAX_COST });
    }
    Ok(Judged { cost: found.cost, read: checker.read, asked: checker.asked })
}

struct Checker<'a> {
    source: &'a SourceInfo,
    text: &'a str,
    vocabulary: &'a Vocabulary,
    /// Variables of the loops around, innermost last.
    bound: Vec<(String, Type)>,
    read: BTreeMap<u64, Reading>,
    asked: BTreeSet<(u64, String)>,
    depth: usize,
    loops: usize,
    /// The byte where the innermost expression with a place in the text begins; what a macro adds has none.
    at: usize,
}

impl Checker<'_> {
    fn here(&self) -> Position {
        position(self.text, self.at)
    }

    fn mismatch<T>(&self, message: String) -> Result<T, RuleError> {
        Err(RuleError::Mismatch { at: self.here(), message })
    }

    fn expression(&mut self, expression: &IdedExpr) -> Checked {
        self.depth += 1;
        if let Some((start, _)) = self.source.offset_for(expression.id) {
            self.at = usize::try_from(start).unwrap_or(0);
        }
        if self.depth > MAX_DEPTH {
            return Err(RuleError::TooDeep { at: self.here() });
        }
        let outer = self.at;
        let found = match &expression.expr {
            Expr::Literal(literal) => {
                known(literal_kind(literal), 1 + literal_size(literal) / BYTES_PER_STEP)
            }
            Expr::Ident(name) => self.name(name),
            Expr::Select(select) => self.select(select, outer, expression.id),
            Expr::Call(call) => self.call(call, outer, expression.id),
            Expr::List(list) => self.list(list),
            Expr::Comprehension(comprehension) => self.comprehension(comprehension),
            Expr::Map(_) | Expr::Struct(_) => {
                self.mismatch("maps and messages cannot be written in a rule".to_owned())
            }
            Expr::Unspecified => self.mismatch("not an expression".to_owned()),
        };
        self.depth -= 1;
        if let Ok(Known { kind: Type::Asked(parameters, _), .. }) = &found {
            return self.mismatch(asked::wants(&spelled(expression), parameters));
        }
        found
    }

    fn name(&self, name: &str) -> Checked {
        let bound = self.bound.iter().rev().find(|(bound, _)| bound == name).map(|(_, kind)| kind);
        match bound.or_else(|| self.vocabulary.get(name)) {
            Some(kind) => known(kind.clone(), 1),
            None => Err(RuleError::UnknownName {
                at: self.here(),
                name: name.to_owned(),
                known: list_of(self.vocabulary.names()),
            }),
        }
    }

    fn select(&mut self, select: &SelectExpr, outer: usize, id: u64) -> Checked {
        let operand = self.expression(&select.operand)?;
        self.at = outer;
        if select.test && self.asked.iter().any(|(asked, _)| *asked == select.operand.id) {
            return self.mismatch(format!("`{}` is always known", select.field));
        }
        let kind = match operand.kind {
            Type::Object(mut fields) => match fields.remove(&select.field) {
                Some(field) => field.kind,
                None => {
                    return Err(RuleError::UnknownField {
                        at: self.here(),
                        object: spelled(&select.operand),
                        field: select.field.clone(),
                        known: list_of(fields.keys().map(String::as_str)),
                    });
                }
            },
            Type::Map(value, _) => *value,
            Type::Declared(declared, _) => {
                let reading = declared.get(&select.field).copied().unwrap_or_default();
                if select.test {
                    return known(Type::Bool, operand.cost + 1);
                }
                return self.reads(id, reading, operand.cost + 1);
            }
            Type::Any => Type::Any,
            other => {
                return self.mismatch(format!("`{}` is {other} and has no fields", spelled(&select.operand)));
            }
        };
        known(if select.test { Type::Bool } else { kind }, operand.cost + 1)
    }

    /// A text that is read as is declared of it.
    fn reads(&mut self, id: u64, reading: Reading, cost: u64) -> Checked {
        if reading != Reading::Text {
            self.read.insert(id, reading);
        }
        known(reading.kind(), cost + reading.cost())
    }

    fn list(&mut self, list: &ListExpr) -> Checked {
        let mut element: Option<Type> = None;
        let mut cost = 1;
        for item in &list.elements {
            let found = self.expression(item)?;
            cost += found.cost + 1;
            element = Some(match element {
                Some(kind) => kind.either(found.kind),
                None => found.kind,
            });
        }
        let size = u64::try_from(list.elements.len()).unwrap_or(u64::MAX);
        known(Type::list(element.unwrap_or(Type::Any), size), cost)
    }

    fn comprehension(&mut self, comprehension: &ComprehensionExpr) -> Checked {
        let range = self.expression(&comprehension.iter_range)?;
        let (item, times) = match range.kind {
            Type::List(element, size) => (*element, size),
            Type::Map(_, size) | Type::Declared(_, size) => (Type::Text, size),
            other => return self.mismatch(format!("a loop needs a list or a map, this is {other}")),
        };
        if self.loops == MAX_LOOPS {
            return Err(RuleError::TooDeep { at: self.here() });
        }
        let start = self.expression(&comprehension.accu_init)?;
        self.loops += 1;
        self.bound.push((comprehension.accu_var.clone(), start.kind));
        self.bound.push((comprehension.iter_var.clone(), item));
        let proceed = self.expression(&comprehension.loop_cond)?;
        let step = self.expression(&comprehension.loop_step)?;
        self.bound.truncate(self.bound.len() - 2);
        self.loops -= 1;
        // `map` and `filter` add at most one element in each turn.
        let gathered = match step.kind {
            Type::List(element, _) => Type::List(element, times),
            other => other,
        };
        self.bound.push((comprehension.accu_var.clone(), gathered));
        let result = self.expression(&comprehension.result)?;
        self.bound.pop();
        let turn = proceed.cost.saturating_add(step.cost).saturating_add(1);
        let loops = turn.saturating_mul(times);
        known(
            result.kind,
            range.cost.saturating_add(start.cost).saturating_add(result.cost).saturating_add(loops),
        )
    }

    fn call(&mut self, call: &CallExpr, outer: usize, id: u64) -> Checked {
        let mut operands = Vec::with_capacity(call.args.len() + 1);
        let mut cost = 1_u64;
        if let Some(operand) = call.target.as_deref() {
            let found = self.expression(operand)?;
            cost = cost.saturating_add(found.cost);
            operands.push(found.kind);
        }
        self.at = outer;
        let asked = match operands.first() {
            None => self.vocabulary.get(&call.func_name),
            Some(Type::Object(fields)) => fields.get(&call.func_name).map(|field| &field.kind),
            Some(_) => None,
        };
        if let Some(Type::Asked(parameters, gives)) = asked {
            let Some(spelled) = asked::spelled(call, parameters) else {
                return self.mismatch(asked::wants(&call.func_name, parameters));
            };
            let gives = (**gives).clone();
            self.asked.insert((id, spelled));
            return known(gives, cost);
        }
        for operand in &call.args {
            let found = self.expression(operand)?;
            cost = cost.saturating_add(found.cost);
            operands.push(found.kind);
        }
        self.at = outer;
        if let (op::INDEX, [Type::Declared(declared, _), Type::Text]) =
            (call.func_name.as_str(), operands.as_slice())
        {
            let key = call.args.last().and_then(literal_text);
            let reading = key.and_then(|key| declared.get(key)).copied().unwrap_or_default();
            return self.reads(id, reading, cost);
        }
        let (kind, own) = self.applied(call, &operands).map_err(|error| self.hinted(error, call))?;
        known(kind, cost.saturating_add(own))
    }

    /// What an operator or a function makes of these operands, and its own steps.
    fn applied(&self, call: &CallExpr, operands: &[Type]) -> Result<(Type, u64), RuleError> {
        let method = call.target.is_some();
        Ok(match (call.func_name.as_str(), operands, method) {
            (op::CONDITIONAL, [test, yes, no], _) => {
                self.truth(test)?;
                (yes.clone().either(no.clone()), 0)
            }
            (op::LOGICAL_AND | op::LOGICAL_OR, [one, two], _) => {
                self.truth(one)?;
                self.truth(two)?;
                (Type::Bool, 0)
            }
            (op::LOGICAL_NOT | op::NOT_STRICTLY_FALSE, [one], _) => {
                self.truth(one)?;
                (Type::Bool, 0)
            }
            (op::EQUALS | op::NOT_EQUALS, [one, two], _) => self.equality(one, two)?,
            (op::LESS | op::LESS_EQUALS | op::GREATER | op::GREATER_EQUALS, [one, two], _) => {
                self.order(one, two)?
            }
            (op::ADD | op::SUBSTRACT | op::MULTIPLY | op::DIVIDE | op::MODULO, [one, two], _) => {
                self.arithmetic(&call.func_name, one, two)?
            }
            (op::NEGATE, [one], _) if one.is_number() || *one == Type::Any => (one.clone(), 0),
            (op::IN, [one, two], _) => self.membership(one, two)?,
            (op::INDEX, [one, two], _) => (self.element(one, two)?, 0),
            (name, kinds, _) => match functions::takes(name, kinds, method) {
                Some(function) => (function.gives.clone(), self.own_cost(function, call)?),
                None => return self.misfit(name, operands),
            },
        })
    }

    /// Says of what does not fit that it is a text only because nothing is declared of it.
    fn hinted(&self, error: RuleError, call: &CallExpr) -> RuleError {
        let RuleError::Mismatch { at, message } = error else { return error };
        let undeclared = call.target.as_deref().into_iter().chain(&call.args).find_map(|operand| {
            let Expr::Select(select) = &operand.expr else { return None };
            let fresh = self.vocabulary.type_of(&select.operand)?;
            let Type::Declared(declared, _) = fresh else { return None };
            (!select.test && !declared.contains_key(&select.field)).then(|| (spelled(operand), &select.field))
        });
        let message = match undeclared {
            None => message,
            Some((spelled, key)) => {
                format!("{message}; `{spelled}` is a text, since no attribute `{key}` is declared")
            }
        };
        RuleError::Mismatch { at, message }
    }

    fn misfit<T>(&self, name: &str, operands: &[Type]) -> Result<T, RuleError> {
        let is_operator = !name.starts_with(|first: char| first.is_ascii_alphabetic());
        if !is_operator && !functions::names().any(|known| known == name) {
            let mut known: Vec<&str> = functions::names().collect();
            known.extend(self.vocabulary.asked());
            let (at, name, known) = (self.here(), name.to_owned(), list_of(known.into_iter()));
            return Err(RuleError::UnknownFunction { at, name, known });
        }
        let kinds: Vec<String> = operands.iter().map(Type::to_string).collect();
        self.mismatch(format!("`{}` does not take ({})", name.trim_matches(['_', '@']), kinds.join(", ")))
    }

    fn truth(&self, kind: &Type) -> Result<(), RuleError> {
        match kind {
            Type::Bool | Type::Any => Ok(()),
            other => self.mismatch(format!("true or false is needed here, this is {other}")),
        }
    }

    fn equality(&self, one: &Type, two: &Type) -> Result<(Type, u64), RuleError> {
        if !one.meets(two) {
            return self.mismatch(format!("{one} and {two} can never be equal"));
        }
        Ok((Type::Bool, size(one).min(size(two))))
    }

    fn order(&self, one: &Type, two: &Type) -> Result<(Type, u64), RuleError> {
        let orderable = |kind: &Type| kind.is_number() || matches!(kind, Type::Text | Type::Any);
        if !(orderable(one) && orderable(two) && one.meets(two)) {
            return self.mismatch(format!("{one} and {two} have no order"));
        }
        Ok((Type::Bool, 0))
    }

    fn arithmetic(&self, operator: &str, one: &Type, two: &Type) -> Result<(Type, u64), RuleError> {
        match (one, two) {
            (Type::List(a, m), Type::List(b, n)) if operator == op::ADD => {
                let element = if *m == 0 { (**b).clone() } else { (**a).clone().either((**b).clone()) };
                let size = m.saturating_add(*n);
                Ok((Type::list(element, size), size))
            }
            (Type::Text, Type::Text) if operator == op::ADD => Ok((Type::Text, TEXT_COST)),
            (Type::Double, Type::Double) if operator == op::MODULO => {
                self.misfit(operator, &[Type::Double, Type::Double])
            }
            (Type::Int, Type::Int) | (Type::Double, Type::Double) => Ok((one.clone(), 0)),
            (Type::Any, other) | (other, Type::Any)
                if matches!(other, Type::Int | Type::Double | Type::Any) =>
            {
                Ok((other.clone(), 0))
            }
            (Type::Any, Type::Text) | (Type::Text, Type::Any) if operator == op::ADD => {
                Ok((Type::Text, TEXT_COST))
            }
            _ => self.misfit(operator, &[one.clone(), two.clone()]),
        }
    }

    fn membership(&self, one: &Type, two: &Type) -> Result<(Type, u64), RuleError> {
        match two {
            Type::List(element, size) if *size == 0 || element.meets(one) => Ok((Type::Bool, *size)),
            Type::Map(..) | Type::Declared(..) if matches!(one, Type::Text | Type::Any) => {
                Ok((Type::Bool, 1))
            }
            Type::Any => Ok((Type::Bool, 1)),
            Type::List(element, _) => {
                self.mismatch(format!("{one} is never in a list of which each is {element}"))
            }
            other => self.mismatch(format!("`in` needs a list or a map, this is {other}")),
        }
    }

    fn element(&self, one: &Type, two: &Type) -> Result<Type, RuleError> {
        match (one, two) {
            (Type::List(element, _), Type::Int | Type::Any) => Ok((**element).clone()),
            (Type::Map(value, _), Type::Text | Type::Any) => Ok((**value).clone()),
            (Type::Declared(..), Type::Text | Type::Any) => Ok(Type::Text),
            (Type::Any, _) => Ok(Type::Any),
            (Type::Object(_), _) => self.mismatch("fields of an object are read with a dot".to_owned()),
            (one, two) => self.mismatch(format!("{one} has no element at {two}")),
        }
    }

    /// The steps of a function itself; those of a pattern are its own.
    fn own_cost(&self, function: &Function, call: &CallExpr) -> Result<u64, RuleError> {
        match function.cost {
            Cost::Steps(steps) => Ok(steps),
            Cost::Pattern => self.pattern(call),
        }
    }

    fn pattern(&self, call: &CallExpr) -> Result<u64, RuleError> {
        let judged = match call.args.last().map(|last| &last.expr) {
            Some(Expr::Literal(LiteralValue::String(text))) => pattern::cost(text.inner()),
            _ => Err("the pattern of `matches` must be written out".to_owned()),
        };
        judged.map_err(|message| RuleError::BadPattern { at: self.here(), message })
    }
}

fn size(kind: &Type) -> u64 {
    match kind {
        Type::List(_, size) | Type::Map(_, size) | Type::Declared(_, size) => *size,
        _ => 0,
    }
}

fn literal_size(literal: &LiteralValue) -> u64 {
    let bytes = match literal {
        LiteralValue::String(text) => text.inner().len(),
        LiteralValue::Bytes(bytes) => bytes.inner().len(),
        _ => 0,
    };
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

fn literal_kind(literal: &LiteralValue) -> Type {
    match literal {
        LiteralValue::Boolean(_) => Type::Bool,
        LiteralValue::Int(_) => Type::Int,
        LiteralValue::Double(_) => Type::Double,
        LiteralValue::String(_) => Type::Text,
        LiteralValue::Bytes(_) | LiteralValue::Null | LiteralValue::UInt(_) => Type::Any,
    }
}

fn literal_text(expression: &IdedExpr) -> Option<&str> {
    match &expression.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}

fn spelled(expression: &IdedExpr) -> String {
    match &expression.expr {
        Expr::Ident(name) => name.clone(),
        Expr::Select(select) => format!("{}.{}", spelled(&select.operand), select.field),
        _ => "the expression".to_owned(),
    }
}

fn list_of<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
