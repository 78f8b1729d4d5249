//! Names as people type them: `spring` or `campaigns/spring`, wherever a command takes one.

/// The name in `collection` of what was typed: `customers/7`, of `7` as well.
pub fn full(collection: &str, typed: &str) -> String {
    let is_full = typed.strip_prefix(collection).is_some_and(|rest| rest.starts_with('/'));
    if is_full { typed.to_owned() } else { format!("{collection}/{typed}") }
}

/// The same of what may be left out: nothing is nothing.
pub fn optional(collection: &str, typed: &str) -> String {
    if typed.is_empty() { String::new() } else { full(collection, typed) }
}

/// The id in a name of `collection`: `7`, of `customers/7`.
pub fn id<'n>(collection: &str, name: &'n str) -> &'n str {
    name.strip_prefix(collection).and_then(|rest| rest.strip_prefix('/')).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_taken_with_and_without_its_collection() {
        assert_eq!(
            (full("customers", "7"), full("customers", "customers/7")),
            ("customers/7".into(), "customers/7".into())
        );
        // An id may begin as the collection does.
        assert_eq!(full("customers", "customers7"), "customers/customers7");
        assert_eq!((optional("customers", ""), id("customers", "customers/7")), (String::new(), "7"));
    }
}
