//! MergeCustomers: requests read, answers written.

use std::collections::BTreeMap;
use std::sync::Arc;

use tandem_platform::resource::asked;
use tandem_platform::{Call, Fault, Kind, Outcome, Violations, field, service};
use tandem_proto::convert::to_timestamp;
use tandem_proto::relationship::v1::{MergeCustomersRequest, MergeCustomersResponse, MergeRule};
use tonic::Request;

use super::{Merge, Rule, Rules, commands, events, preview};
use crate::customer::{self, FIELDS};
use crate::{App, erasure};

/// MergeCustomers.
pub async fn merge(
    app: &Arc<App>,
    request: Request<MergeCustomersRequest>,
) -> Outcome<MergeCustomersResponse> {
    let mut write = asked::write(&app.core, request)?;
    let merge = parse(&mut write.v, &write.body);
    let (call, only) = (write.call.clone(), write.body.validate_only);
    let asked = write.asks(merge)?;
    let (source, target) = (asked.what.source.clone(), asked.what.target.clone());
    let answer = match only {
        true => previewed(app, &call, &asked.what).await,
        false => service::write(app, asked, commands::merge).await.map(|merged| MergeCustomersResponse {
            customer: Some(customer::events::message(&merged.customer)),
            merge_time: Some(to_timestamp(merged.merged)),
            merged_before: merged.again,
            done: merged.done,
            preview: None,
        }),
    };
    match answer {
        Err(fault) if fault.kind() == Kind::NotFound => {
            Err(explained(app, &call, [source, target], fault).await)
        }
        answer => answer,
    }
}

async fn previewed(app: &App, call: &Call, merge: &Merge) -> Outcome<MergeCustomersResponse> {
    let preview = preview::preview(app, call, merge).await?;
    Ok(MergeCustomersResponse {
        customer: Some(customer::events::message(&preview.customer)),
        preview: Some(events::preview(&preview)),
        ..MergeCustomersResponse::default()
    })
}

/// Which of them was erased, where that is why one is not there.
async fn explained(app: &App, call: &Call, people: [String; 2], unknown: Fault) -> Fault {
    let missing = unknown.metadata("resource").unwrap_or_default();
    match people.into_iter().find(|id| customer::name(id) == missing) {
        Some(id) => erasure::explained(app, &call.tenant, &id, unknown).await,
        None => unknown,
    }
}

fn parse(v: &mut Violations, body: &MergeCustomersRequest) -> Merge {
    let source = field::resource(v, "source", customer::COLLECTION, &body.source);
    let target = field::resource(v, "target", customer::COLLECTION, &body.target);
    let mut rules = Rules { all: rule(v, "rule", body.rule), fields: BTreeMap::new() };
    for (at, one) in body.fields.iter().enumerate() {
        let rule = rule(v, &format!("fields[{at}].rule"), one.rule);
        let place = format!("fields[{at}].field");
        match FIELDS.iter().find(|(name, _)| *name == one.field) {
            Some((name, _)) => {
                let first = rules.fields.insert(name, rule).is_none();
                v.check(first, place, "stands twice in this request");
            }
            None => v.add(place, "is no field of a customer that can be changed"),
        }
    }
    Merge { source, target, rules }
}

fn rule(v: &mut Violations, place: &str, number: i32) -> Rule {
    match MergeRule::try_from(number) {
        Ok(MergeRule::Unspecified | MergeRule::KeepTarget) => Rule::KeepTarget,
        Ok(MergeRule::KeepSource) => Rule::KeepSource,
        Ok(MergeRule::Newest) => Rule::Newest,
        Err(_) => {
            v.add(place, "is no rule");
            Rule::KeepTarget
        }
    }
}
