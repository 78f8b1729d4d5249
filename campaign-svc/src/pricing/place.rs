//! Where a basket is sold: a country, a site in it, a site alone, or nowhere in particular.

use tandem_kernel::country;

/// The kinds of sites, as their collections are named, and what a rule reads as `place.channel`.
const SITES: [(&str, &str); 3] = [("stores/", "store"), ("shops/", "shop"), ("marketplaces/", "marketplace")];
const MAX_BYTES: usize = 128;

/// A place of a quote: `""`, `AT`, `stores/berlin` or `DE/shops/web`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Place<'a> {
    text: &'a str,
    country: &'a str,
    site: &'a str,
}

impl<'a> Place<'a> {
    /// Reads a place; `None` where the text is not one.
    pub fn parse(text: &'a str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::default());
        }
        if text.len() > MAX_BYTES {
            return None;
        }
        if is_country(text) {
            return Some(Self { text, country: text, site: "" });
        }
        if is_site(text) {
            return Some(Self { text, country: "", site: text });
        }
        let (country, site) = text.split_once('/')?;
        (is_country(country) && is_site(site)).then_some(Self { text, country, site })
    }

    /// As it was given.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// The country and the site, where given: what a campaign's places are compared with.
    pub fn keys(&self) -> impl Iterator<Item = &'a str> {
        [self.country, self.site].into_iter().filter(|key| !key.is_empty())
    }

    /// Whether a campaign at `places` (sorted) is at this one. No places are every place.
    pub fn within(&self, places: &[Box<str>]) -> bool {
        places.is_empty()
            || self.keys().any(|key| places.binary_search_by(|place| (**place).cmp(key)).is_ok())
    }

    /// Where a list price is looked up, the most special place first, the general one (`""`) last.
    pub fn price_places(&self) -> impl Iterator<Item = &'a str> {
        let whole = if self.country.is_empty() || self.site.is_empty() { "" } else { self.text };
        [whole, self.site, self.country].into_iter().filter(|place| !place.is_empty()).chain([""])
    }

    /// What rules read as `place`.
    pub fn view(&self) -> tandem_kernel::rule::PlaceView<'a> {
        let channel =
            SITES.iter().find(|(prefix, _)| self.site.starts_with(prefix)).map_or("", |site| site.1);
        let id = if self.site.is_empty() { self.country } else { self.site };
        tandem_kernel::rule::PlaceView { id, country: self.country, channel }
    }
}

fn is_country(text: &str) -> bool {
    country::is_code(text)
}

fn is_site(text: &str) -> bool {
    let id = SITES.iter().find_map(|(prefix, _)| text.strip_prefix(prefix));
    id.is_some_and(|id| !id.is_empty() && !id.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_country_a_site_or_a_site_in_a_country() {
        for good in ["", "AT", "stores/berlin", "DE/shops/web", "FR/marketplaces/big"] {
            assert_eq!(Place::parse(good).unwrap().text(), good);
        }
        for bad in ["at", "UK", "AUT", "stores/", "houses/1", "DE/", "DE/houses/1", "stores/a/b", "/stores/a"]
        {
            assert_eq!(Place::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_site_in_a_country_counts_as_in_the_country_and_at_the_site() {
        let place = Place::parse("DE/shops/web").unwrap();
        assert!(place.within(&["DE".into()]));
        assert!(place.within(&["shops/web".into()]));
        assert!(!place.within(&["AT".into(), "stores/berlin".into()]));
        assert!(place.within(&[]));
        assert!(!Place::default().within(&["DE".into()]));
    }

    #[test]
    fn the_most_special_price_counts() {
        let places = |text: &'static str| Place::parse(text).unwrap().price_places().collect::<Vec<_>>();
        assert_eq!(places("DE/shops/web"), ["DE/shops/web", "shops/web", "DE", ""]);
        assert_eq!(places("stores/berlin"), ["stores/berlin", ""]);
        assert_eq!(places("DE"), ["DE", ""]);
        assert_eq!(places(""), [""]);
    }
}
