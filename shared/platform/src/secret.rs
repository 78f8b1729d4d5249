//! Texts that must not be read by everybody who reads a log, an error or the settings.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

/// A text that is never shown.
#[derive(Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The text itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "" } else { "(set)" })
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// An address, of which a password is never shown: `postgres://user:password@host/name` is `postgres://user@host/name`.
#[derive(Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Address(String);

impl Address {
    /// The address itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl<T: Into<String>> From<T> for Address {
    fn from(address: T) -> Self {
        Self(address.into())
    }
}

/// What may be shown of an address behind its question mark; all else may hold a password, or one that is misspelt.
const SHOWN: [&str; 7] = ["sslmode", "host", "hostaddr", "port", "dbname", "user", "application_name"];

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.starts_with("sqlite:") {
            return f.write_str(&self.0);
        }
        let (scheme, rest) = self.0.split_once("://").unwrap_or(("", &self.0));
        if !scheme.is_empty() {
            write!(f, "{scheme}://")?;
        } else if rest.contains(['=', ' ']) {
            // libpq's other way of writing: "host=db password=…".
            return f.write_str("…");
        }
        // A password that was not written as it must be has any character: nothing up to the last @ is shown but the user,
        // and nothing at all behind it where that @ stands among the parameters.
        let (login, place) =
            rest.rsplit_once('@').map_or((None, rest), |(login, place)| (Some(login), place));
        if let Some(login) = login {
            write!(f, "{}@", login.split([':', '@', '/', '?']).next().unwrap_or_default())?;
        }
        if login.is_some_and(|login| login.contains('?')) {
            return f.write_str("…");
        }
        let (place, parameters) = place.split_once('?').unwrap_or((place, ""));
        f.write_str(place)?;
        let known = |one: &&str| one.split('=').next().is_some_and(|name| SHOWN.contains(&name));
        for (index, one) in parameters.split('&').filter(known).enumerate() {
            write!(f, "{}{one}", if index == 0 { '?' } else { '&' })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        for (address, shown) in [
            ("postgres://tandem:secret@db:5432/campaign", "postgres://tandem@db:5432/campaign"),
            (
                "postgres://tandem@db/campaign?password=secret&sslmode=require",
                "postgres://tandem@db/campaign?sslmode=require",
            ),
            ("postgres://tandem:sec@re/t#:@db/campaign", "postgres://tandem@db/campaign"),
            ("postgres://tandem:sec?ret@db/campaign", "postgres://tandem@…"),
            ("postgres://tandem@db/campaign?password=sec@ret", "postgres://tandem@…"),
            (
                "postgres://db:5432/campaign?pass=secret&user=tandem",
                "postgres://db:5432/campaign?user=tandem",
            ),
            ("host=db user=tandem password=secret", "…"),
            ("sqlite:/home/anna@corp/campaign.db", "sqlite:/home/anna@corp/campaign.db"),
            ("tandem:secret@db/campaign", "tandem@db/campaign"),
            ("https://:secret@shop", "https://@shop"),
            ("sqlite:/var/lib/tandem/campaign.db", "sqlite:/var/lib/tandem/campaign.db"),
            ("", ""),
        ] {
            let address = Address::from(address);
            let json = serde_json::to_string(&address).unwrap();
            assert_eq!([address.to_string(), json], [shown.to_owned(), format!("\"{shown}\"")]);
            assert!(!format!("{address:?}").contains("sec"));
        }
    }

    #[test]
    fn a_secret_is_told_to_be_there_and_nothing_else() {
        assert_eq!(
            serde_json::to_string(&[Secret::from("k1:a2V5"), Secret::default()]).unwrap(),
            r#"["(set)",""]"#
        );
        assert_eq!(format!("{:?} {}", Secret::from("k1:a2V5"), Secret::from("k1:a2V5")), "(set) (set)");
    }
}
