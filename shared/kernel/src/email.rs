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
    let (local, ascii) = parts(text)?;
    let (domain, read) = Uts46::new().to_unicode(ascii.as_bytes(), AsciiDenyList::STD3, Hyphens::Check);
    read.map_err(|_| NoEmail)?;
    Ok(format!("{local}@{domain}"))
}

/// The mailbox that an address means, for comparing: one whatever the case of its letters on either side of the @, its domain
/// as name servers know it. Delivery keeps what was typed.
///
/// # Errors
/// [`NoEmail`].
pub fn mailbox(text: &str) -> Result<String, NoEmail> {
    let (local, ascii) = parts(text)?;
    Ok(format!("{}@{ascii}", local.to_lowercase()))
}

/// The local part, and the domain as name servers know it.
fn parts(text: &str) -> Result<(String, String), NoEmail> {
    let options = Options::default().without_display_text().without_domain_literal();
    let address = EmailAddress::parse_with_options(text.trim(), options).map_err(|_| NoEmail)?;
    let domain = address.domain().as_bytes();
    // What the name servers are asked must be within their lengths.
    let ascii = Uts46::new().to_ascii(domain, AsciiDenyList::STD3, Hyphens::Check, DnsLength::Verify);
    let ascii = ascii.map_err(|_| NoEmail)?.into_owned();
    Ok((address.local_part().to_owned(), ascii))
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
    fn a_mailbox_is_one_whatever_the_case_of_its_letters() {
        for same in ["Ada@BÜCHER.de", "ADA@xn--bcher-kva.DE", " ada@bücher.de "] {
            assert_eq!(mailbox(same).unwrap(), "ada@xn--bcher-kva.de", "{same}");
        }
        assert_ne!(mailbox("ada+1@example.org"), mailbox("ada@example.org"));
        assert_eq!(mailbox("ada"), Err(NoEmail));
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
