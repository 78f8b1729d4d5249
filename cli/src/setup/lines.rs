//! In which line of a document a field stands.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

/// A document as a tree of its keys, each with its line.
#[derive(Debug, Clone, Default)]
pub struct Lines(Vec<(String, Option<usize>, Lines)>);

impl Lines {
    /// Of a text whose lines are counted from its beginning; JSON is YAML too. What cannot be read has none.
    pub fn of(text: &str) -> Self {
        serde_saphyr::from_str(text).unwrap_or_default()
    }

    /// The line of `price.offers[0].discount`, or of the nearest field around it that stands there.
    pub fn line(&self, path: &str) -> Option<usize> {
        let (mut at, mut line) = (self, None);
        for part in
            path.split(['.', '[']).map(|part| part.trim_end_matches(']')).filter(|part| !part.is_empty())
        {
            let Some((_, here, below)) = at.0.iter().find(|(key, ..)| key == part) else { break };
            line = here.or(line);
            at = below;
        }
        line
    }
}

impl<'de> Deserialize<'de> for Lines {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Tree)
    }
}

struct Tree;

impl<'de> Visitor<'de> for Tree {
    type Value = Lines;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Lines, A::Error> {
        let mut found = Vec::new();
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            let line = usize::try_from(key.referenced.line()).ok();
            found.push((key.value, line, map.next_value()?));
        }
        Ok(Lines(found))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Lines, A::Error> {
        let mut found = Vec::new();
        while let Some(item) = items.next_element::<Lines>()? {
            let line = item.0.first().and_then(|(_, line, _)| *line);
            found.push((found.len().to_string(), line, item));
        }
        Ok(Lines(found))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Lines, E> {
        Ok(Lines::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Lines, E> {
        Ok(Lines::default())
    }

    fn visit_u64<E>(self, _: u64) -> Result<Lines, E> {
        Ok(Lines::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Lines, E> {
        Ok(Lines::default())
    }

    fn visit_str<E>(self, _: &str) -> Result<Lines, E> {
        Ok(Lines::default())
    }

    fn visit_unit<E>(self) -> Result<Lines, E> {
        Ok(Lines::default())
    }

    fn visit_none<E>(self) -> Result<Lines, E> {
        Ok(Lines::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_path_and_what_is_not_there_by_what_is_around_it() {
        let lines = Lines::of(
            "\nname: products/a\nprices:\n- place: DE\n  price: {units: 3}\n- price:\n    units: 4\n",
        );
        for (path, line) in [
            ("name", 2),
            ("prices", 3),
            ("prices[0].price", 5),
            ("prices[1].price.units", 7),
            ("prices[1].price.nanos", 6),
        ] {
            assert_eq!(lines.line(path), Some(line), "{path}");
        }
        assert_eq!(lines.line("colour"), None);
        assert_eq!(
            Lines::of("{\"name\": \"a\",\n \"prices\": [\n {\"place\": 1}]}").line("prices[0].place"),
            Some(3)
        );
        assert_eq!(Lines::of("[1").line("a"), None);
    }
}
