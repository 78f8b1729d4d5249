//! Whether one may write to a customer: for each purpose that they said something of, and for what serves an order of
//! theirs, by every channel.

use std::collections::BTreeSet;

use comfy_table::Table;
use futures::stream::{self, StreamExt, TryStreamExt};
use tandem_proto::relationship::v1::{
    Channel, CheckContactRequest, CheckContactResponse, ListConsentsRequest,
};

use crate::connect::Target;
use crate::consents;
use crate::failure::Failure;
use crate::output;

/// By what somebody can be written to.
const CHANNELS: [Channel; 6] =
    [Channel::Email, Channel::Sms, Channel::Push, Channel::Post, Channel::Phone, Channel::Whatsapp];
/// Purposes that the page shows.
const PURPOSES: usize = 5;
/// Stands for every purpose, and is none that is written for.
const ALL: &str = "all";
/// Any name serves where the message serves an order.
const ORDERS: &str = "orders";
/// Questions on their way at once.
const AT_ONCE: usize = 6;

/// What is asked and what is answered.
pub type Checked = (CheckContactRequest, CheckContactResponse);

/// The answers, and whether there are more purposes than were asked for.
pub struct Contact {
    /// Row by row, each with every channel.
    pub checked: Vec<Checked>,
    /// Purposes that were left out.
    pub left_out: usize,
}

/// Asks for the customer of this name.
pub async fn of(customer: &str, target: &Target) -> Result<Contact, Failure> {
    let client = target.consents().await?;
    let said = ListConsentsRequest {
        customer: customer.to_owned(),
        current: true,
        page_size: 1_000,
        ..ListConsentsRequest::default()
    };
    let said = client.clone().list_consents(said).await?.into_inner().consents;
    let purposes: BTreeSet<String> =
        said.into_iter().map(|one| one.purpose).filter(|purpose| purpose != ALL).collect();
    let left_out = purposes.len().saturating_sub(PURPOSES);
    let rows = purposes.into_iter().take(PURPOSES).map(|purpose| (purpose, false));
    let rows = rows.chain([(ORDERS.to_owned(), true)]);
    let asked = rows.flat_map(|(purpose, transactional)| {
        CHANNELS.map(|channel| CheckContactRequest {
            customer: customer.to_owned(),
            purpose: purpose.clone(),
            channel: channel.into(),
            transactional,
        })
    });
    let checks = asked.map(|request| {
        let mut client = client.clone();
        async move {
            let answer = client.check_contact(request.clone()).await?.into_inner();
            Ok::<_, Failure>((request, answer))
        }
    });
    let checked = stream::iter(checks.collect::<Vec<_>>()).buffered(AT_ONCE).try_collect().await?;
    Ok(Contact { checked, left_out })
}

/// One row for each purpose.
pub fn table(of: &Contact) -> Table {
    let [email, sms, push, post, phone, whatsapp] = CHANNELS.map(consents::channel);
    let purpose = "may I write for".to_owned();
    let mut table = output::table([purpose, email, sms, push, post, phone, whatsapp]);
    for row in of.checked.chunks(CHANNELS.len()) {
        let asked = row.first().map(|(asked, _)| asked);
        let purpose = asked.map_or_else(String::new, |asked| match asked.transactional {
            true => "an order of theirs".to_owned(),
            false => asked.purpose.clone(),
        });
        let cell = |(_, answer): &Checked| match answer.allowed {
            true => "yes".to_owned(),
            false => consents::why_not(answer),
        };
        table.add_row(std::iter::once(purpose).chain(row.iter().map(cell)));
    }
    table
}

#[cfg(test)]
mod tests {
    use tandem_proto::relationship::v1::{ContactRefusal, SuppressionReason};

    use super::*;

    #[test]
    fn each_purpose_is_a_row_that_says_of_every_channel_yes_or_why_not() {
        let answer = |channel: Channel| match channel {
            Channel::Email => CheckContactResponse { allowed: true, ..CheckContactResponse::default() },
            Channel::Sms => CheckContactResponse {
                refusal: ContactRefusal::Suppressed.into(),
                suppression: SuppressionReason::Complaint.into(),
                ..CheckContactResponse::default()
            },
            _ => CheckContactResponse {
                refusal: ContactRefusal::NoConsent.into(),
                ..CheckContactResponse::default()
            },
        };
        let row = |purpose: &str, transactional| {
            CHANNELS.map(|channel| {
                let asked = CheckContactRequest {
                    purpose: purpose.to_owned(),
                    transactional,
                    ..CheckContactRequest::default()
                };
                (asked, answer(channel))
            })
        };
        let checked = [row("newsletter", false), row(ORDERS, true)].concat();
        let shown = table(&Contact { checked, left_out: 0 });
        let rows: Vec<Vec<String>> =
            shown.row_iter().map(|row| row.cell_iter().map(|cell| cell.content()).collect()).collect();
        let no = "no consent";
        assert_eq!(rows[0], ["newsletter", "yes", "suppressed, complaint", no, no, no, no]);
        assert_eq!(rows[1][..2], ["an order of theirs", "yes"]);
    }
}
