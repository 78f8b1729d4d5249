//! What a caller gets wrong, over the wire and on both engines: the precise google.rpc error, every violation at once, and
//! nothing changed.

mod campaign;
mod raw;
mod relationship;
mod token;

use std::collections::BTreeMap;
use std::fmt::Debug;

use tandem_tests::answer::Refusal;
use tandem_tests::ledger;
use tonic::{Code, Status};

const COMMON: &str = "tandem.common.v1";

/// What a refusal must say.
struct Expected {
    code: Code,
    reason: &'static str,
    domain: &'static str,
    fields: Vec<&'static str>,
    preconditions: Vec<(&'static str, &'static str)>,
}

/// INVALID_ARGUMENT for exactly these fields, in any order.
fn invalid(fields: &[&'static str]) -> Expected {
    let mut fields = fields.to_vec();
    fields.sort_unstable();
    Expected {
        code: Code::InvalidArgument,
        reason: "INVALID_ARGUMENT",
        domain: COMMON,
        fields,
        preconditions: vec![],
    }
}

/// A refusal of the platform.
fn platform(code: Code, reason: &'static str) -> Expected {
    let fields = match reason {
        "REQUEST_ID_REUSED" => vec!["request_id"],
        "INVALID_PAGE_TOKEN" => vec!["page_token"],
        _ => vec![],
    };
    Expected { code, reason, domain: COMMON, fields, preconditions: vec![] }
}

/// Which service is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Relationship,
    Campaign,
}

/// Rows of wrong calls; all that are answered wrongly are told together.
struct Table {
    asked: Asked,
    url: String,
    before: BTreeMap<&'static str, i64>,
    wrong: Vec<String>,
    rows: usize,
}

impl Table {
    async fn of(asked: Asked, url: &str) -> Self {
        let mut table =
            Self { asked, url: url.to_owned(), before: BTreeMap::new(), wrong: Vec::new(), rows: 0 };
        table.before = table.traces().await;
        table
    }

    async fn traces(&self) -> BTreeMap<&'static str, i64> {
        match self.asked {
            Asked::Relationship => ledger::traces(&self.url).await,
            Asked::Campaign => ledger::campaign_traces(&self.url).await,
        }
    }

    /// Says that the stage was changed on purpose.
    async fn set(&mut self) {
        self.before = self.traces().await;
    }

    /// FAILED_PRECONDITION by a rule of the service, with (subject, type) of each precondition.
    fn rule(&self, reason: &'static str, preconditions: &[(&'static str, &'static str)]) -> Expected {
        let domain = match self.asked {
            Asked::Relationship => "tandem.relationship.v1",
            Asked::Campaign => "tandem.campaign.v1",
        };
        let preconditions = preconditions.to_vec();
        Expected { code: Code::FailedPrecondition, reason, domain, fields: vec![], preconditions }
    }

    async fn refuses<T: Debug>(&mut self, what: &str, answer: Result<T, Status>, expected: Expected) {
        self.rows += 1;
        match answer {
            Ok(answer) => self.wrong.push(format!("{what}: was done: {answer:?}")),
            Err(status) => self.compare(what, &Refusal::of(&status), &expected),
        }
        let now = self.traces().await;
        if now != self.before {
            self.wrong.push(format!("{what}: changed {:?} to {now:?}", self.before));
            self.before = now;
        }
    }

    fn compare(&mut self, what: &str, found: &Refusal, expected: &Expected) {
        let preconditions: Vec<(&str, &str)> =
            found.preconditions.iter().map(|(subject, kind)| (subject.as_str(), kind.as_str())).collect();
        let same = found.code == expected.code
            && found.reason == expected.reason
            && found.domain == expected.domain
            && found.fields == expected.fields
            && preconditions == expected.preconditions;
        // Who may try again is told when.
        let retry = matches!(found.code, Code::Aborted | Code::ResourceExhausted | Code::Unavailable);
        if !same || retry != found.retry || found.message.is_empty() {
            let Expected { code, reason, domain, fields, preconditions } = expected;
            self.wrong.push(format!(
                "{what}: expected {code:?} {reason} of {domain}, fields {fields:?}, preconditions {preconditions:?}\n    found {found:?}"
            ));
        }
    }

    /// # Panics
    /// Where a row was answered wrongly.
    fn done(self) {
        assert!(self.wrong.is_empty(), "{} of {}:\n{}", self.wrong.len(), self.rows, self.wrong.join("\n"));
    }
}
