//! From the tree of the language to the terms of a plan. The rule has been judged: operands fit, or are refused here.

mod loops;

use std::ops::RangeInclusive;

use cel::common::ast::operators as op;
use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, IdedExpr, LiteralValue, SelectExpr, SourceInfo};
use cel::parser::Parser;

use super::{Comparison, Kept, Kind, List, Place, Plan, Quantity, Stored, Sum, Term};
use crate::rule::check::position;
use crate::rule::reading::Reading;
use loops::{filtered, quantified};

/// The longest text and list that there can be, with room.
const LONGEST: i64 = 1 << 40;

/// A term and what is known of it.
struct Known {
    term: Term,
    kind: Kind,
    /// It never fails.
    sure: bool,
}

/// What cannot be said otherwise: the number of the expression, and why.
struct Cannot(u64, String);

type Said = Result<Known, Cannot>;

fn known(term: Term, kind: Kind, sure: bool) -> Said {
    Ok(Known { term, kind, sure })
}

fn truth(term: Term, sure: bool) -> Said {
    known(term, Kind::Truth, sure)
}

pub(super) fn plan(rule: &IdedExpr, text: &str, stored: &dyn Fn(&str) -> Option<Stored>) -> Plan {
    let mut plan = Plan::default();
    let mut conditions = Vec::new();
    gather(rule, op::LOGICAL_AND, &mut conditions);
    // Read again for the places in the text, and only where one is to be told.
    let mut source: Option<SourceInfo> = None;
    for condition in conditions {
        let mut translator = Translator { stored, loops: Vec::new(), next: 0 };
        match translator.condition(condition) {
            Ok(Known { term, .. }) => plan.said.push(term),
            Err(Cannot(id, why)) => {
                let source = source.get_or_insert_with(|| places(text));
                let start = source.offset_for(id).map_or(0, |(start, _)| start);
                let at = position(text, usize::try_from(start).unwrap_or(0));
                plan.kept.push(Kept { at, why });
            }
        }
    }
    plan
}

fn places(text: &str) -> SourceInfo {
    let parser = Parser::default().enable_optional_syntax(false);
    parser.parse_with_source_info(text).map(|(_, source)| source).unwrap_or_default()
}

/// The operands of a chain of one operator, from left to right.
fn gather<'e>(expression: &'e IdedExpr, operator: &str, into: &mut Vec<&'e IdedExpr>) {
    match &expression.expr {
        Expr::Call(call) if call.func_name == operator && call.target.is_none() => {
            call.args.iter().for_each(|operand| gather(operand, operator, into));
        }
        _ => into.push(expression),
    }
}

struct Translator<'a> {
    stored: &'a dyn Fn(&str) -> Option<Stored>,
    /// Names of the loops around, with their numbers, innermost last.
    loops: Vec<(String, usize)>,
    next: usize,
}

impl Translator<'_> {
    /// What is true or false.
    fn condition(&mut self, expression: &IdedExpr) -> Said {
        let found = self.expression(expression)?;
        match found.kind {
            Kind::Truth => Ok(found),
            _ => {
                Err(Cannot(expression.id, "whether this is true or false is known when it is judged".into()))
            }
        }
    }

    fn expression(&mut self, expression: &IdedExpr) -> Said {
        let id = expression.id;
        match &expression.expr {
            Expr::Literal(literal) => self::literal(literal, id),
            Expr::Ident(name) => match self.loops.iter().rev().find(|(bound, _)| bound == name) {
                Some((_, number)) => known(Term::Element(*number), Kind::Text, true),
                None => self.fact(name, id),
            },
            Expr::Select(select) => self.select(select, id),
            Expr::Call(call) => self.call(call, id),
            Expr::Comprehension(comprehension) => self.comprehension(comprehension, id),
            _ => Err(Cannot(id, "this list or value stands by itself".into())),
        }
    }

    fn fact(&self, path: &str, id: u64) -> Said {
        match (self.stored)(path) {
            None => Err(Cannot(id, format!("`{path}` is not kept where it could be searched"))),
            Some(Stored { kind: Kind::Texts | Kind::Map, .. }) => Err(Cannot(id, "a list as a whole".into())),
            Some(Stored { kind, sure }) => known(Term::Fact(path.to_owned()), kind, sure),
        }
    }

    /// The path of a fact: names with dots between them, where the first is none of a loop.
    fn path(&self, expression: &IdedExpr) -> Option<String> {
        match &expression.expr {
            Expr::Ident(name) if self.loops.iter().all(|(bound, _)| bound != name) => Some(name.clone()),
            Expr::Select(select) if !select.test => {
                Some(format!("{}.{}", self.path(&select.operand)?, select.field))
            }
            _ => None,
        }
    }

    /// The map that an expression is.
    fn map(&self, expression: &IdedExpr) -> Option<String> {
        self.path(expression).filter(|path| (self.stored)(path).is_some_and(|fact| fact.kind == Kind::Map))
    }

    fn select(&mut self, select: &SelectExpr, id: u64) -> Said {
        let Some(path) = self.path(&select.operand) else {
            return Err(Cannot(id, "a field of what is computed".into()));
        };
        let field = if self.map(&select.operand).is_some() {
            known(Term::Entry(path, Box::new(text(&select.field, id)?.term)), Kind::Text, false)?
        } else {
            let path = format!("{path}.{}", select.field);
            if select.test && (self.stored)(&path).is_some_and(|fact| fact.sure) {
                return truth(Term::Truth(true), true);
            }
            self.fact(&path, id)?
        };
        if select.test { truth(Term::There(Box::new(field.term)), true) } else { Ok(field) }
    }

    /// The texts that an expression is, one after the other, and whether they are always there.
    fn list(&mut self, expression: &IdedExpr) -> Result<(List, bool), Cannot> {
        if let Some(map) = self.map(expression) {
            return Ok((List::Keys(map), true));
        }
        if let Expr::Call(call) = &expression.expr
            && Reading::called(&call.func_name) == Some(Reading::Texts)
            && let [kept] = call.args.as_slice()
        {
            let kept = self.expression(kept)?;
            return Ok((List::Lines(Box::new(kept.term)), kept.sure));
        }
        match self.path(expression).and_then(|path| Some(((self.stored)(&path)?, path))) {
            Some((Stored { kind: Kind::Texts, sure }, path)) => Ok((List::Fact(path), sure)),
            _ => Err(Cannot(expression.id, "a list that is computed or written out".into())),
        }
    }

    fn call(&mut self, call: &CallExpr, id: u64) -> Said {
        let all: Vec<&IdedExpr> = call.target.as_deref().into_iter().chain(&call.args).collect();
        match (call.func_name.as_str(), all.as_slice()) {
            (op::LOGICAL_AND | op::LOGICAL_OR, [_, _]) => self.chain(call),
            (op::LOGICAL_NOT, [one]) => {
                let one = self.condition(one)?;
                truth(Term::Not(Box::new(one.term)), one.sure)
            }
            (op::CONDITIONAL, [test, yes, no]) => self.choice(test, yes, no, id),
            (op::IN, [one, list]) => self.membership(one, list),
            (op::INDEX, [map, key]) => self.element(map, key, id),
            ("size", [of]) => self.size(of),
            ("matches", _) => Err(Cannot(id, "patterns are read by one engine alone".into())),
            (name, [kept]) if Reading::called(name).is_some() => self.read(name, kept, id),
            (name, [one]) => {
                let one = self.expression(one)?;
                self::turned(name, one, id)
            }
            (name, [one, two]) => {
                let (one, two) = (self.expression(one)?, self.expression(two)?);
                self::applied(name, one, two, id)
            }
            (name, _) => Err(Cannot(id, format!("`{name}` has no counterpart"))),
        }
    }

    fn read(&mut self, name: &str, kept: &IdedExpr, id: u64) -> Said {
        let kept = self.expression(kept)?;
        let kind = match Reading::called(name) {
            Some(Reading::Number) => Kind::Double,
            Some(Reading::Truth) => Kind::Truth,
            Some(Reading::Date) => Kind::Text,
            _ => return Err(Cannot(id, "a list as a whole".into())),
        };
        known(Term::Read(Reading::called(name).unwrap_or_default(), Box::new(kept.term)), kind, false)
    }

    fn chain(&mut self, call: &CallExpr) -> Said {
        let mut operands = Vec::new();
        call.args.iter().for_each(|operand| gather(operand, &call.func_name, &mut operands));
        let (mut terms, mut sure) = (Vec::with_capacity(operands.len()), true);
        for operand in operands {
            let found = self.condition(operand)?;
            sure &= found.sure;
            terms.push(found.term);
        }
        truth(if call.func_name == op::LOGICAL_AND { Term::All(terms) } else { Term::Any(terms) }, sure)
    }

    fn choice(&mut self, test: &IdedExpr, yes: &IdedExpr, no: &IdedExpr, id: u64) -> Said {
        let (test, yes, no) = (self.condition(test)?, self.expression(yes)?, self.expression(no)?);
        let kind = match (yes.kind, no.kind) {
            (Kind::Int(a, b), Kind::Int(c, d)) => Kind::Int(a.min(c), b.max(d)),
            (one, two) if one == two => one,
            _ => return Err(Cannot(id, "a choice between values of two kinds".into())),
        };
        let sure = test.sure && yes.sure && no.sure;
        known(Term::If(Box::new([test.term, yes.term, no.term])), kind, sure)
    }

    fn membership(&mut self, one: &IdedExpr, list: &IdedExpr) -> Said {
        let wanted = self.expression(one)?;
        if let Expr::List(items) = &list.expr {
            return self.among(wanted, &items.elements, list.id);
        }
        if wanted.kind != Kind::Text {
            return Err(Cannot(one.id, "what is looked for in a list of texts is no text".into()));
        }
        if let Some(map) = self.map(list) {
            let there = Term::There(Box::new(Term::Entry(map, Box::new(wanted.term.clone()))));
            return truth(given([wanted.term].into(), wanted.sure, there), wanted.sure);
        }
        let (list, sure) = self.list(list)?;
        truth(Term::In(Box::new(wanted.term), list), wanted.sure && sure)
    }

    fn among(&mut self, wanted: Known, items: &[IdedExpr], id: u64) -> Said {
        let (mut terms, mut unsure, mut decimal) = (Vec::new(), Vec::new(), wanted.kind == Kind::Double);
        let mut found = Vec::with_capacity(items.len());
        for item in items {
            let item = self.expression(item)?;
            decimal |= item.kind == Kind::Double;
            found.push(item);
        }
        let mut whole = wanted.kind != Kind::Double;
        for item in found {
            whole &= item.kind != Kind::Double;
            if !same(wanted.kind, item.kind) {
                return Err(Cannot(id, "a list of several kinds".into()));
            }
            if !item.sure {
                unsure.push(item.term.clone());
            }
            terms.push(if decimal { as_decimal(item).term } else { item.term });
        }
        if decimal && whole {
            return Err(Cannot(id, "a list of several kinds".into()));
        }
        let sure = wanted.sure && unsure.is_empty();
        if terms.is_empty() {
            return truth(given([wanted.term].into(), wanted.sure, Term::Truth(false)), wanted.sure);
        }
        let wanted = if decimal { as_decimal(wanted) } else { wanted };
        let among = Term::Among(wanted.kind, Box::new(wanted.term), terms);
        truth(given(unsure, sure, among), sure)
    }

    fn element(&mut self, of: &IdedExpr, key: &IdedExpr, id: u64) -> Said {
        let Some(map) = self.map(of) else {
            return Err(Cannot(id, "an element by its place".into()));
        };
        let key = self.expression(key)?;
        match key.kind {
            Kind::Text => known(Term::Entry(map, Box::new(key.term)), Kind::Text, false),
            _ => Err(Cannot(id, "a key that is no text".into())),
        }
    }

    fn size(&mut self, of: &IdedExpr) -> Said {
        let kind = Kind::Int(0, LONGEST);
        if let Expr::Comprehension(filter) = &of.expr
            && let Some(test) = filtered(filter)
        {
            let (term, sure) = self.over(filter, test, Quantity::Count, of.id)?;
            return known(term, kind, sure);
        }
        if let Ok((list, sure)) = self.list(of) {
            return known(Term::Length(list), kind, sure);
        }
        let text = self.expression(of)?;
        match text.kind {
            Kind::Text => known(Term::Characters(Box::new(text.term)), kind, text.sure),
            _ => Err(Cannot(of.id, "the size of a list that is computed".into())),
        }
    }

    fn comprehension(&mut self, of: &ComprehensionExpr, id: u64) -> Said {
        let Some((quantity, test)) = quantified(of) else {
            return Err(Cannot(id, "a list that is computed".into()));
        };
        let (term, sure) = self.over(of, test, quantity, id)?;
        truth(term, sure)
    }

    /// A loop, and whether it never fails.
    fn over(
        &mut self,
        of: &ComprehensionExpr,
        test: &IdedExpr,
        quantity: Quantity,
        id: u64,
    ) -> Result<(Term, bool), Cannot> {
        let (list, sure) = self.list(&of.iter_range)?;
        if matches!(list, List::Lines(_)) {
            return Err(Cannot(id, "a loop over the texts of an attribute".into()));
        }
        let number = self.next;
        self.next += 1;
        self.loops.push((of.iter_var.clone(), number));
        let found = self.condition(test);
        self.loops.pop();
        let found = found?;
        Ok((Term::Loop(quantity, list, number, Box::new(found.term)), sure && found.sure))
    }
}

/// Where all is sure anyway there is nothing to be given.
fn given(unsure: Vec<Term>, sure: bool, then: Term) -> Term {
    if sure || unsure.is_empty() { then } else { Term::Given(unsure, Box::new(then)) }
}

fn text(text: &str, id: u64) -> Said {
    match text.contains('\0') {
        true => Err(Cannot(id, "a text with the character U+0000".into())),
        false => known(Term::Text(text.to_owned()), Kind::Text, true),
    }
}

fn literal(literal: &LiteralValue, id: u64) -> Said {
    match literal {
        LiteralValue::Boolean(value) => truth(Term::Truth(*value.inner()), true),
        LiteralValue::Int(number) => {
            known(Term::Int(*number.inner()), Kind::Int(*number.inner(), *number.inner()), true)
        }
        LiteralValue::Double(number) => known(Term::Double(*number.inner()), Kind::Double, true),
        LiteralValue::String(value) => text(value.inner(), id),
        LiteralValue::Bytes(_) | LiteralValue::Null | LiteralValue::UInt(_) => {
            Err(Cannot(id, "a value of a kind that no fact has".into()))
        }
    }
}

fn same(one: Kind, two: Kind) -> bool {
    let number = |kind: Kind| matches!(kind, Kind::Int(..) | Kind::Double);
    one == two || (number(one) && number(two))
}

fn as_decimal(of: Known) -> Known {
    match of.kind {
        Kind::Int(..) => Known { term: Term::Decimal(Box::new(of.term)), kind: Kind::Double, sure: of.sure },
        _ => of,
    }
}

/// A function of one value.
fn turned(name: &str, one: Known, id: u64) -> Said {
    match (name, one.kind) {
        ("int", Kind::Int(..)) | ("double", Kind::Double) | ("string", Kind::Text) => Ok(one),
        ("double", Kind::Int(..)) => Ok(as_decimal(one)),
        ("string", Kind::Int(..)) => known(Term::Digits(Box::new(one.term)), Kind::Text, one.sure),
        ("string", Kind::Truth) => {
            let words = ["true", "false"].map(|word| Term::Text(word.to_owned()));
            let [yes, no] = words;
            known(Term::If(Box::new([one.term, yes, no])), Kind::Text, one.sure)
        }
        ("int" | "double", Kind::Text) => {
            Err(Cannot(id, "a text is read as a number: declare the attribute as a number".into()))
        }
        (op::NEGATE, Kind::Double) => known(Term::Negate(Box::new(one.term)), one.kind, one.sure),
        (op::NEGATE, Kind::Int(least, most)) => {
            let range = between(&[-i128::from(least), -i128::from(most)], id)?;
            known(Term::Negate(Box::new(one.term)), range, one.sure)
        }
        _ => Err(Cannot(id, format!("`{name}` of such a value is known when it is judged"))),
    }
}

/// A function of two values.
fn applied(name: &str, one: Known, two: Known, id: u64) -> Said {
    let sure = one.sure && two.sure;
    let comparison = match name {
        op::EQUALS => Some(Comparison::Equal),
        op::NOT_EQUALS => Some(Comparison::Different),
        op::LESS => Some(Comparison::Less),
        op::LESS_EQUALS => Some(Comparison::AtMost),
        op::GREATER => Some(Comparison::More),
        op::GREATER_EQUALS => Some(Comparison::AtLeast),
        _ => None,
    };
    if let Some(comparison) = comparison {
        return compared(comparison, one, two, id);
    }
    let place = match name {
        "contains" => Some(Place::Within),
        "startsWith" => Some(Place::First),
        "endsWith" => Some(Place::Last),
        _ => None,
    };
    match (place, one.kind, two.kind) {
        (Some(place), Kind::Text, Kind::Text) => {
            truth(Term::Has(place, Box::new([one.term, two.term])), sure)
        }
        (None, Kind::Text, Kind::Text) if name == op::ADD => {
            known(Term::Joined(Box::new([one.term, two.term])), Kind::Text, sure)
        }
        (None, Kind::Int(a, b), Kind::Int(c, d)) => {
            summed(name, (one.term, a..=b), (two.term, c..=d), sure, id)
        }
        (None, Kind::Double, Kind::Double) => {
            Err(Cannot(id, "decimal numbers are reckoned by one engine alone".into()))
        }
        _ => Err(Cannot(id, "this is known when it is judged".into())),
    }
}

fn compared(comparison: Comparison, one: Known, two: Known, id: u64) -> Said {
    let (one, two) = match (one.kind, two.kind) {
        (Kind::Int(..), Kind::Int(..)) => (one, two),
        (a, b) if same(a, b) => (as_decimal(one), as_decimal(two)),
        _ => return Err(Cannot(id, "values of two kinds are compared".into())),
    };
    let sure = one.sure && two.sure;
    truth(Term::Compare(comparison, one.kind, Box::new([one.term, two.term])), sure)
}

type Whole = (Term, RangeInclusive<i64>);

fn summed(name: &str, (one, a): Whole, (two, b): Whole, sure: bool, id: u64) -> Said {
    let ends = |range: &RangeInclusive<i64>| [i128::from(*range.start()), i128::from(*range.end())];
    let ([a, b], [c, d], zero) = (ends(&a), ends(&b), b.contains(&0));
    let most = a.abs().max(b.abs());
    let (sum, range, sure) = match name {
        op::ADD => (Sum::Plus, between(&[a + c, b + d], id)?, sure),
        op::SUBSTRACT => (Sum::Minus, between(&[a - d, b - c], id)?, sure),
        op::MULTIPLY => (Sum::Times, between(&[a * c, a * d, b * c, b * d], id)?, sure),
        op::DIVIDE => (Sum::Over, between(&[-most, most], id)?, sure && !zero),
        op::MODULO => (Sum::Rest, between(&[-most, most], id)?, sure && !zero),
        _ => return Err(Cannot(id, format!("`{name}` has no counterpart"))),
    };
    known(Term::Sum(sum, Box::new([one, two])), range, sure)
}

/// The kind of whole numbers between the least and the most of these, where all of them are some.
fn between(ends: &[i128], id: u64) -> Result<Kind, Cannot> {
    let end = |end: Option<&i128>| end.and_then(|end| i64::try_from(*end).ok());
    match (end(ends.iter().min()), end(ends.iter().max())) {
        (Some(least), Some(most)) => Ok(Kind::Int(least, most)),
        _ => Err(Cannot(id, "this may pass the largest whole number".into())),
    }
}
