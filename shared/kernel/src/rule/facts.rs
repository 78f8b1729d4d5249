//! What is true at the time of an evaluation. Built once and read by many rules; texts are borrowed.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock};

use cel::common::traits::Indexer;
use cel::common::types::{
    CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString, MAP_TYPE, Type,
};
use cel::common::value::{CowVal, Val};
use cel::{Context, Env, ExecutionError};

use super::reading;
use crate::text::{compose, composed};

static LANGUAGE: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut language = Env::stdlib();
    let declared = reading::declare(&mut language);
    debug_assert!(declared.is_ok(), "names of ours that the language has: {declared:?}");
    Arc::new(language)
});

/// One value, of a kind that a vocabulary declares.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact<'v> {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A decimal number; never money.
    Double(f64),
    /// A text.
    Text(Cow<'v, str>),
    /// Nothing; only where the vocabulary says that the kind is not known.
    Null,
    /// Several of one kind.
    List(Vec<Fact<'v>>),
    /// Texts to values.
    Map(Vec<(Cow<'v, str>, Fact<'v>)>),
    /// Fields, exactly those declared.
    Object(Vec<(&'static str, Fact<'v>)>),
}

impl<'v> Fact<'v> {
    /// A text, composed as those of rules are; not copied where it has that form.
    pub fn text(text: &'v str) -> Self {
        Self::Text(composed(text))
    }

    /// A list of such texts.
    pub fn texts<T: AsRef<str> + 'v>(texts: impl IntoIterator<Item = &'v T>) -> Self {
        Self::List(texts.into_iter().map(|text| Self::text(text.as_ref())).collect())
    }

    /// A map of such texts.
    pub fn text_map(map: &'v BTreeMap<String, String>) -> Self {
        Self::Map(map.iter().map(|(key, value)| (composed(key), Self::text(value))).collect())
    }

    fn into_value(self) -> Box<dyn Val + 'v> {
        match self {
            Self::Bool(truth) => Box::new(CelBool::from(truth)),
            Self::Int(number) => Box::new(CelInt::from(number)),
            Self::Double(number) => Box::new(CelDouble::from(number)),
            Self::Text(text) => Box::new(CelString::from(text)),
            Self::Null => Box::new(CelNull),
            Self::List(items) => {
                let items: Vec<Box<dyn Val + 'v>> = items.into_iter().map(Fact::into_value).collect();
                Box::new(CelList::from(items))
            }
            Self::Map(entries) => {
                let entries: HashMap<CelMapKey<'v>, Box<dyn Val + 'v>> =
                    entries.into_iter().map(|(key, value)| (key_of(key), value.into_value())).collect();
                Box::new(CelMap::from(entries))
            }
            Self::Object(fields) => {
                Box::new(Record(fields.into_iter().map(|(name, field)| (name, field.into_value())).collect()))
            }
        }
    }
}

fn key_of(key: Cow<'_, str>) -> CelMapKey<'_> {
    match key {
        Cow::Borrowed(key) => CelMapKey::from(key),
        Cow::Owned(key) => CelMapKey::from(key),
    }
}

impl From<bool> for Fact<'_> {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl From<i64> for Fact<'_> {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl<'v> From<&'v str> for Fact<'v> {
    fn from(text: &'v str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Fact<'_> {
    fn from(mut text: String) -> Self {
        compose(&mut text);
        Self::Text(Cow::Owned(text))
    }
}

/// Names and their values, perhaps on top of other facts that are shared.
pub struct Facts<'v> {
    context: Context<'v, 'v>,
    fullness: Fullness,
}

/// How full the fullest list or map of some facts is: from one element or none to as many as the vocabulary allows.
/// What the work of rules is reckoned from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fullness(u64);

impl Fullness {
    const PARTS: u64 = 1_024;
    /// As full as can be.
    pub const FULL: Self = Self(Self::PARTS);
    /// One element each, or none.
    pub const LEAST: Self = Self(0);

    /// Of every list and map, as (what it holds, the most that its vocabulary allows).
    pub fn of(sizes: impl IntoIterator<Item = (usize, u64)>) -> Self {
        let fullness = |(holds, most): (usize, u64)| {
            let above = u64::try_from(holds).unwrap_or(u64::MAX).saturating_sub(1);
            above.saturating_mul(Self::PARTS).div_ceil(most.saturating_sub(1).max(1)).min(Self::PARTS)
        };
        sizes.into_iter().map(fullness).max().map_or(Self::LEAST, Self)
    }

    /// So much of `all`, rounded up.
    pub(super) fn share(self, all: u64) -> u64 {
        all.saturating_mul(self.0).div_ceil(Self::PARTS)
    }
}

impl Default for Facts<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'v> Facts<'v> {
    /// None yet.
    pub fn new() -> Self {
        Self { context: Context::with_env(Arc::clone(&LANGUAGE)), fullness: Fullness::FULL }
    }

    /// Facts of one more thing on top of these, which are shared and not copied.
    pub fn within(&self) -> Facts<'_> {
        Facts { context: self.context.new_inner_scope(), fullness: self.fullness }
    }

    /// With lists and maps this full; where nothing is said, each counts as full.
    #[must_use]
    pub fn holding(self, fullness: Fullness) -> Self {
        Self { fullness, ..self }
    }

    /// How full their lists and maps are.
    pub fn fullness(&self) -> Fullness {
        self.fullness
    }

    /// With one more name; the later value of a name counts.
    #[must_use]
    pub fn with(mut self, name: &str, fact: impl Into<Fact<'v>>) -> Self {
        self.set(name, fact);
        self
    }

    /// Sets a name.
    pub fn set(&mut self, name: &str, fact: impl Into<Fact<'v>>) {
        self.context.add_variable_as_val(name, fact.into().into_value());
    }

    pub(super) fn context(&self) -> &Context<'v, 'v> {
        &self.context
    }
}

impl std::fmt::Debug for Facts<'_> {
    /// Names nothing: facts are about persons.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Facts")
    }
}

/// An object with few fields: found by walking, which beats hashing. The check of a rule sees to it that objects are
/// only ever asked for their fields.
#[derive(Debug)]
struct Record<'v>(Vec<(&'static str, Box<dyn Val + 'v>)>);

impl Val for Record<'_> {
    fn get_type(&self) -> &Type {
        &MAP_TYPE
    }

    fn cel_type() -> &'static Type {
        &MAP_TYPE
    }

    fn as_indexer<'b, 'w>(&'b self) -> Option<&'b (dyn Indexer + 'w)>
    where
        Self: 'w,
    {
        Some(self)
    }

    fn clone_as_boxed<'w>(&self) -> Box<dyn Val + 'w>
    where
        Self: 'w,
    {
        Box::new(Self(self.0.iter().map(|(name, field)| (*name, field.clone_as_boxed())).collect()))
    }
}

impl<'v> Record<'v> {
    fn field(&self, name: &dyn Val) -> Result<&(dyn Val + 'v), ExecutionError> {
        let name = name.downcast_ref::<CelString>().map_or("", |name| name.inner());
        self.0
            .iter()
            .find(|(field, _)| *field == name)
            .map(|(_, value)| value.as_ref())
            .ok_or_else(|| ExecutionError::no_such_key(name))
    }
}

impl<'r> Indexer for Record<'r> {
    fn get<'b, 'w>(&'b self, name: &dyn Val) -> Result<CowVal<'b, 'w>, ExecutionError>
    where
        Self: 'w,
    {
        self.field(name).map(CowVal::Borrowed)
    }

    fn steal<'w>(self: Box<Self>, name: &dyn Val) -> Result<Box<dyn Val + 'w>, ExecutionError>
    where
        Self: 'w,
    {
        self.field(name).map(|field| field.clone_as_boxed())
    }
}
