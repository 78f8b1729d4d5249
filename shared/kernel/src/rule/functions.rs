//! What a rule may call, besides operators: the declaration that a rule is judged by, and that the page of the language shows.

use std::sync::LazyLock;

use super::TEXT_COST;
use super::vocabulary::Type;

/// The steps of a function, its operands apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cost {
    /// So many.
    Steps(u64),
    /// By the pattern that is written out as its last operand.
    Pattern,
}

/// How a function is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `size(x)` and `x.size()`.
    Either,
    /// `x.contains(y)`.
    Method,
    /// `int(x)`.
    Plain,
}

/// What may stand as an operand; what is not known before evaluation may stand everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operand {
    Text,
    /// A text that is written out.
    Pattern,
    TextListOrMap,
    TextOrNumber,
    TextNumberOrTruth,
}

impl Operand {
    fn takes(self, kind: &Type) -> bool {
        match (self, kind) {
            (Self::Pattern, kind) => *kind == Type::Text,
            (_, Type::Any | Type::Text) => true,
            (Self::Text, _) => false,
            (Self::TextListOrMap, kind) => {
                matches!(kind, Type::List(..) | Type::Map(..) | Type::Declared(..))
            }
            (Self::TextOrNumber, kind) => kind.is_number(),
            (Self::TextNumberOrTruth, kind) => kind.is_number() || *kind == Type::Bool,
        }
    }
}

/// A function.
#[derive(Debug)]
pub(super) struct Function {
    /// As it is called.
    pub name: &'static str,
    /// What comes of it.
    pub gives: Type,
    /// Its own steps.
    pub cost: Cost,
    /// What it does, for whoever writes rules.
    pub says: &'static str,
    /// A whole rule that calls it, over a line.
    pub example: &'static str,
    form: Form,
    operands: &'static [Operand],
}

/// A loop: CEL writes them out before they are judged, so they have no cost of their own.
#[derive(Debug)]
pub(super) struct Macro {
    /// As it is called.
    pub name: &'static str,
    /// What it does, for whoever writes rules.
    pub says: &'static str,
    /// A whole rule that calls it, over a line.
    pub example: &'static str,
}

/// What CEL writes out.
pub(super) const MACROS: &[Macro] = &[
    Macro {
        name: "all",
        says: "whether it is true of every element",
        example: "line.categories.all(c, c != 'clearance')",
    },
    Macro {
        name: "exists",
        says: "whether it is true of an element",
        example: "line.categories.exists(c, c.startsWith('wine/'))",
    },
    Macro {
        name: "exists_one",
        says: "whether it is true of exactly one element",
        example: "line.categories.exists_one(c, c.startsWith('wine/'))",
    },
    Macro {
        name: "filter",
        says: "the elements of which it is true",
        example: "line.categories.filter(c, c.startsWith('wine/')).size() > 1",
    },
    Macro {
        name: "has",
        says: "whether a key of a map is there; what reads one that is not makes the rule fail",
        example: "has(line.attributes.colour) && line.attributes.colour == 'red'",
    },
    Macro {
        name: "map",
        says: "what becomes of each element",
        example: "'wine!' in line.categories.map(c, c + '!')",
    },
];

/// Every function.
pub(super) static FUNCTIONS: LazyLock<[Function; 8]> = LazyLock::new(|| {
    let text = |name, says, example| Function {
        name,
        gives: Type::Bool,
        cost: Cost::Steps(TEXT_COST),
        says,
        example,
        form: Form::Method,
        operands: &[Operand::Text, Operand::Text],
    };
    let turned = |name, gives, operands, says, example| Function {
        name,
        gives,
        cost: Cost::Steps(TEXT_COST),
        says,
        example,
        form: Form::Plain,
        operands,
    };
    [
        text("contains", "whether the text holds another", "line.product.contains('-xl-')"),
        turned(
            "double",
            Type::Double,
            &[Operand::TextOrNumber],
            "a decimal number, of a text or a whole one",
            "double(line.attributes.weight) > 1.5",
        ),
        text("endsWith", "whether the text ends with another", "line.product.endsWith('-gift')"),
        turned(
            "int",
            Type::Int,
            &[Operand::TextOrNumber],
            "a whole number, of a text or a decimal one",
            "int(line.attributes.size) >= 42",
        ),
        Function {
            name: "matches",
            gives: Type::Bool,
            cost: Cost::Pattern,
            says: "whether a pattern (RE2, written out) is found in the text; `^` and `$` mean its ends",
            example: "line.product.matches('^album-[0-9]{1,3}$')",
            form: Form::Either,
            operands: &[Operand::Text, Operand::Pattern],
        },
        Function {
            name: "size",
            gives: Type::Int,
            cost: Cost::Steps(1),
            says: "how many characters a text has, elements a list, keys a map",
            example: "size(line.categories) > 1",
            form: Form::Either,
            operands: &[Operand::TextListOrMap],
        },
        text("startsWith", "whether the text begins with another", "line.product.startsWith('album-')"),
        turned(
            "string",
            Type::Text,
            &[Operand::TextNumberOrTruth],
            "a text, of a number or of true and false",
            "string(line.quantity).endsWith('0')",
        ),
    ]
});

/// The function of this name that takes these operands, written so.
pub(super) fn takes(name: &str, operands: &[Type], method: bool) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| {
        let written = match function.form {
            Form::Either => true,
            Form::Method => method,
            Form::Plain => !method,
        };
        let fits = function.operands.len() == operands.len()
            && function.operands.iter().zip(operands).all(|(wanted, kind)| wanted.takes(kind));
        function.name == name && written && fits
    })
}

/// Every name that can be called, in order.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    let mut names: Vec<&str> = FUNCTIONS.iter().map(|function| function.name).collect();
    names.extend(MACROS.iter().map(|one| one.name));
    names.sort_unstable();
    names.into_iter()
}
