//! Whether one may write to a customer: for what serves an order of theirs, and for each purpose that they said something of, by
//! every channel.

use comfy_table::Table;
use tandem_proto::relationship::v1::{Channel, Contact};

use crate::consents;
use crate::output;

/// By what somebody can be written to, as the service answers.
const CHANNELS: [Channel; 6] =
    [Channel::Email, Channel::Sms, Channel::Push, Channel::Post, Channel::Phone, Channel::Whatsapp];

/// One row for each purpose.
pub fn table(contacts: &[Contact]) -> Table {
    let [email, sms, push, post, phone, whatsapp] = CHANNELS.map(consents::channel);
    let mut table = output::table(["may I write for".to_owned(), email, sms, push, post, phone, whatsapp]);
    for row in contacts.chunk_by(|one, next| one.purpose == next.purpose) {
        let purpose = match row.first().map_or("", |one| one.purpose.as_str()) {
            "" => "an order of theirs".to_owned(),
            purpose => purpose.to_owned(),
        };
        let cell = |channel: Channel| {
            let found = row.iter().find(|one| one.channel() == channel);
            found.map_or_else(String::new, |one| match one.allowed {
                true => "yes".to_owned(),
                false => consents::why_not(one.refusal(), one.suppression()),
            })
        };
        table.add_row(std::iter::once(purpose).chain(CHANNELS.map(cell)));
    }
    table
}

#[cfg(test)]
mod tests {
    use tandem_proto::relationship::v1::{ContactRefusal, SuppressionReason};

    use super::*;

    #[test]
    fn each_purpose_is_a_row_that_says_of_every_channel_yes_or_why_not() {
        let contact = |purpose: &str, channel: Channel| {
            let (allowed, refusal, suppression) = match channel {
                Channel::Email => (true, ContactRefusal::Unspecified, SuppressionReason::Unspecified),
                Channel::Sms => (false, ContactRefusal::Suppressed, SuppressionReason::Complaint),
                _ => (false, ContactRefusal::NoConsent, SuppressionReason::Unspecified),
            };
            let (refusal, suppression) = (refusal.into(), suppression.into());
            Contact { purpose: purpose.to_owned(), channel: channel.into(), allowed, refusal, suppression }
        };
        let row = |purpose: &str| CHANNELS.map(|channel| contact(purpose, channel));
        let shown = table(&[row(""), row("newsletter")].concat());
        let rows: Vec<Vec<String>> =
            shown.row_iter().map(|row| row.cell_iter().map(|cell| cell.content()).collect()).collect();
        let no = "no consent";
        assert_eq!(rows[0][..2], ["an order of theirs", "yes"]);
        assert_eq!(rows[1], ["newsletter", "yes", "suppressed, complaint", no, no, no, no]);
    }
}
