//! Addresses of e-mail.

use email_address::{EmailAddress, Options};
use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};

/// No address of e-mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an e-mail address, such as ada@example.org")]
pub struct NoEmail;

/// The address as it is kept: trimmed, its domain in small letters and as people read it, `bücher.de` rather than
/// `xn--bcher-kva.de`. The local part stays as it is: only its own server knows whether its case matters.
///
/// # Errors
/// [`NoEmail`].
pub fn canonical(text: &str) -> Result<String, NoEmail> {
    let options = Options::default().without_display_text().without_domain_literal();
    let address = EmailAddress::parse_with_options(text.trim(), options).map_err(|_| NoEmail)?;
    let (domain, rules) = (address.domain().as_bytes(), Uts46::new());
    let (deny, hyphens) = (AsciiDenyList::STD3, Hyphens::Check);
    // What the name servers are asked must be within their lengths.
    rules.to_ascii(domain, deny, hyphens, DnsLength::Verify).map_err(|_| NoEmail)?;
    let (domain, read) = rules.to_unicode(domain, deny, hyphens);
    read.map_err(|_| NoEmail)?;
    Ok(format!("{}@{domain}", address.local_part()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_domain_and_the_local_part_that_was_sent() {
        for (sent, kept) in [
            (" Ada@Example.ORG\n", "Ada@example.org"),
            ("O'Brien+x@a.co.uk", "O'Brien+x@a.co.uk"),
            ("ada@BÜCHER.de", "ada@bücher.de"),
            ("ada@xn--bcher-kva.de", "ada@bücher.de"),
            ("ada@ＥＸＡＭＰＬＥ.com", "ada@example.com"),
            ("josé@例え.テスト", "josé@例え.テスト"),
            ("\"a b\"@example.org", "\"a b\"@example.org"),
            ("root@localhost", "root@localhost"),
        ] {
            assert_eq!(canonical(sent).unwrap(), kept, "{sent}");
            assert_eq!(canonical(kept).unwrap(), kept, "what is kept stays");
        }
    }

    #[test]
    fn what_no_server_would_take_is_refused() {
        let long = format!("{}@example.org", "a".repeat(65));
        for bad in [
            "",
            "ada",
            "@example.org",
            "ada@",
            "a@b@c.de",
            "ada lovelace@example.org",
            "Ada <ada@example.org>",
            "a..b@example.org",
            "ada@example..org",
            "ada@-example.org",
            "ada@exa_mple.org",
            "ada@xn--a.de",
            "ada@[127.0.0.1]",
            &long,
        ] {
            assert_eq!(canonical(bad), Err(NoEmail), "{bad}");
        }
    }
}
