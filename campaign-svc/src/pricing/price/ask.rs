//! What a quote is asked for, and what relationship-svc had to say to it.

use std::sync::Arc;

use tandem_kernel::basket::Basket;
use tandem_kernel::limits;
use tandem_kernel::locale::Locale;

use super::super::place::Place;
use crate::relationship::{Answer, Code};

/// What is to be priced: valid, with every price known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// With prices, costs, categories and taxes filled in from the products.
    pub basket: Basket,
    /// As given; a [`Place`].
    pub place: String,
    /// "customers/{customer}", or empty.
    pub customer: String,
    /// Of a guest, or empty.
    pub guest_key: String,
    /// As the customer typed them.
    pub codes: Vec<String>,
    /// The order it is for, or empty.
    pub order_id: String,
    /// The order that is to be replaced, or empty.
    pub replaces: String,
    /// By which the shopper is told apart from others, or empty.
    pub client_id: String,
    /// For titles.
    pub locale: Locale,
    /// No answer rather than one without incentives.
    pub require_incentives: bool,
    /// Names of offers that are to be left out.
    pub without: Vec<String>,
}

impl Ask {
    /// For nobody in particular, nowhere in particular.
    pub fn of(basket: Basket) -> Self {
        Self {
            basket,
            place: String::new(),
            customer: String::new(),
            guest_key: String::new(),
            codes: Vec::new(),
            order_id: String::new(),
            replaces: String::new(),
            client_id: String::new(),
            locale: Locale::default(),
            require_incentives: false,
            without: Vec::new(),
        }
    }

    /// Where it is sold.
    pub fn place(&self) -> Place<'_> {
        Place::parse(&self.place).unwrap_or_default()
    }

    /// Id of the customer, or empty.
    pub fn customer_id(&self) -> &str {
        self.customer.strip_prefix("customers/").unwrap_or(&self.customer)
    }

    /// Whom limits per customer count for.
    pub fn subject(&self) -> Option<Arc<str>> {
        let known = |text| Some(text).filter(|text: &&str| !text.is_empty());
        limits::subject(known(self.customer_id()), known(&self.guest_key))
    }

    /// What limits of an offer may count by; `segments` are [`Entry::counted_segments`] of it.
    pub fn facts<'f>(&'f self, segments: &'f [String]) -> limits::Facts<'f> {
        let known = !(self.customer.is_empty() && self.guest_key.is_empty());
        limits::Facts { known, place: &self.place, attributes: &self.basket.attributes, segments }
    }

    /// Whether relationship-svc has something to say.
    pub fn needs_incentives(&self) -> bool {
        !(self.customer.is_empty() && self.guest_key.is_empty() && self.codes.is_empty())
    }
}

/// What relationship-svc had to say.
#[derive(Debug, Clone)]
pub enum Incentives {
    /// It was not asked.
    NotAsked,
    /// It answered.
    Included(Answer),
    /// It did not answer in time.
    Unavailable,
}

impl Incentives {
    /// The segments that the customer is known to be in.
    pub fn segments(&self) -> &[String] {
        match self {
            Self::Included(answer) => &answer.segments,
            Self::NotAsked | Self::Unavailable => &[],
        }
    }

    /// What it said of the code at `index` of the given ones.
    pub fn code(&self, index: usize) -> Option<&Code> {
        match self {
            Self::Included(answer) => answer.codes.get(index),
            Self::NotAsked | Self::Unavailable => None,
        }
    }

    /// It should have answered and did not.
    pub fn are_missing(&self) -> bool {
        matches!(self, Self::Unavailable)
    }
}
