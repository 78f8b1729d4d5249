//! What rules may ask for of the relationship, of orders, of interactions and of consents, and what of it some rules do.

use std::collections::BTreeMap;

use tandem_kernel::money::Currency;
use tandem_kernel::rule::{Parameter, Rule, Type, Vocabulary};

use super::DAYS_TO_BIRTHDAY;
use crate::consent::{self, Channel};
use crate::interaction;
use crate::relationship::facts::NAME;

/// The longest window, in days.
const LONGEST: i64 = 3_650;

/// How a consent is told of which nothing was ever said.
pub const NONE: &str = "NONE";

/// The vocabulary of what can be asked for.
pub fn vocabulary() -> Vocabulary {
    let orders = Type::facts([
        ("count", Type::Int, "orders of the last so many days that were not cancelled"),
        (
            "amount",
            Type::asked([Parameter::Currency], Type::Int),
            "what they brought net of returns, in minor units of the currency",
        ),
    ]);
    let consent = [Parameter::Label(consent::MAX_PURPOSE), Parameter::Word(&Channel::ONES)];
    Vocabulary::new()
        .with(NAME, crate::relationship::facts::kind())
        .with("orders", Type::asked([Parameter::Days(LONGEST)], orders))
        .with("last", Type::asked([Parameter::Word(&interaction::TEXTS)], Type::Int))
        .with("consent", Type::asked(consent, Type::Text))
}

/// Something that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// `orders(90).count`
    Count(u32),
    /// `orders(90).amount('EUR')`, in minor units.
    Amount(u32, Currency),
    /// `relationship.amount('EUR')`, in minor units.
    Worth(Currency),
    /// `last('VISIT')`: whole days since; [`crate::relationship::facts::NEVER`] where there was none.
    Last(interaction::Kind),
    /// `consent('newsletter', 'EMAIL')`: what holds of it, or [`NONE`].
    Consent(String, Channel),
}

impl Asked {
    /// What a name stands for, as a judged rule has it.
    pub fn parse(name: &str) -> Option<Self> {
        let currency = |text: &str| Currency::new(text.strip_prefix("amount('")?.strip_suffix("')")?).ok();
        if let Some(worth) = name.strip_prefix("relationship.") {
            return currency(worth).map(Self::Worth);
        }
        let (question, rest) = name.split_once('(')?;
        match question {
            "orders" => {
                let (days, of) = rest.split_once(").")?;
                let days = days.parse().ok()?;
                if of == "count" { Some(Self::Count(days)) } else { Some(Self::Amount(days, currency(of)?)) }
            }
            "last" => interaction::Kind::parse(text(rest.strip_suffix(')')?)?).map(Self::Last),
            "consent" => {
                let (purpose, channel) = rest.strip_suffix(')')?.split_once(", ")?;
                Some(Self::Consent(text(purpose)?.to_owned(), Channel::parse(text(channel)?)?))
            }
            _ => None,
        }
    }

    /// The window that it looks at, in days.
    pub fn window(&self) -> Option<u32> {
        match self {
            Self::Count(days) | Self::Amount(days, _) => Some(*days),
            _ => None,
        }
    }
}

fn text(literal: &str) -> Option<&str> {
    literal.strip_prefix('\'')?.strip_suffix('\'')
}

/// Facts that are put together only where a rule reads them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needed {
    /// `days_to_birthday`.
    pub days_to_birthday: bool,
    /// Something of the row of the relationship.
    pub relationship: bool,
    /// What is asked for, by its name.
    pub asked: BTreeMap<String, Asked>,
}

impl Needed {
    /// By a rule.
    pub fn by(rule: &Rule) -> Self {
        let mut needed = Self::default();
        for path in rule.reads() {
            if path == DAYS_TO_BIRTHDAY {
                needed.days_to_birthday = true;
            } else if let Some(asked) = Asked::parse(&path) {
                needed.relationship |= matches!(asked, Asked::Worth(_));
                needed.asked.insert(path, asked);
            } else if path.starts_with("relationship.") {
                needed.relationship = true;
            }
        }
        needed
    }

    /// By both.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.days_to_birthday |= other.days_to_birthday;
        self.relationship |= other.relationship;
        self.asked.extend(other.asked);
        self
    }

    /// Whether some of it is kept beside the profile.
    pub fn is_beside(&self) -> bool {
        self.relationship || !self.asked.is_empty()
    }
}
