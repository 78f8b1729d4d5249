//! What a tenant's set-up is made of, read from the contracts: a document's name says which message it is.

use prost_reflect::{
    DynamicMessage, MessageDescriptor, MethodDescriptor, ReflectMessage, ServiceDescriptor, Value,
};

use crate::failure::Failure;
use crate::output;

/// A kind of resource that is set up.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// The first part of its names: `objectives`.
    pub collection: &'static str,
    /// Its message: `Objective`.
    message: &'static str,
    /// The package of its service.
    package: &'static str,
    /// Of what each tenant has one of: its id, `campaign` of `settings/campaign`.
    pub only: Option<&'static str>,
}

const CAMPAIGN: &str = "tandem.campaign.v1";
const RELATIONSHIP: &str = "tandem.relationship.v1";

/// Every kind, each behind those that it names: the order in which they are created.
pub const KINDS: [Kind; 8] = [
    Kind { only: Some("campaign"), ..Kind::new("settings", "Settings", CAMPAIGN) },
    Kind { only: Some("relationship"), ..Kind::new("settings", "Settings", RELATIONSHIP) },
    Kind::new("attributes", "Attribute", RELATIONSHIP),
    Kind::new("segments", "Segment", RELATIONSHIP),
    Kind::new("objectives", "Objective", CAMPAIGN),
    Kind::new("products", "Product", CAMPAIGN),
    Kind::new("campaigns", "Campaign", CAMPAIGN),
    Kind::new("incentives", "Incentive", RELATIONSHIP),
];

/// People's data, which is looked at by the same commands and is not part of a set-up.
pub const CUSTOMERS: Kind = Kind::new("customers", "Customer", RELATIONSHIP);

/// Fields of a kind that the services set: they are shown, and stand in no file.
const SET_BY_SERVICES: [&str; 8] =
    ["state", "create_time", "update_time", "launch_time", "etag", "version", "revision", "usage"];

/// What is meant where nothing is said: message, field, and number of the value.
const MEANT: [(&str, &str, i32); 1] = [("Segment", "kind", 1)];

impl Kind {
    const fn new(collection: &'static str, message: &'static str, package: &'static str) -> Self {
        Self { collection, message, package, only: None }
    }

    /// The kind of a resource of this name.
    pub fn of(name: &str) -> Option<&'static Self> {
        let (collection, id) = name.split_once('/')?;
        let is_it = |kind: &&Self| kind.collection == collection && kind.only.is_none_or(|only| only == id);
        KINDS.iter().find(is_it)
    }

    /// The settings of tenants, at each service.
    pub fn settings() -> impl Iterator<Item = &'static Self> {
        KINDS.iter().filter(|kind| kind.only.is_some())
    }

    /// How its names look: `objectives/…`, `settings/campaign`.
    pub fn names(&self) -> String {
        format!("{}/{}", self.collection, self.only.unwrap_or("…"))
    }

    /// The kind of this collection.
    pub fn in_collection(collection: &str) -> Option<&'static Self> {
        KINDS.iter().find(|kind| kind.collection == collection)
    }

    /// Whether campaign-svc keeps it.
    pub fn is_of_campaign(&self) -> bool {
        self.package == CAMPAIGN
    }

    /// Its message.
    pub fn descriptor(&self) -> Result<MessageDescriptor, Failure> {
        let name = format!("{}.{}", self.package, self.message);
        output::pool()?.get_message_by_name(&name).ok_or_else(|| unknown(&name))
    }

    /// The field of requests and answers that holds it: `objective`.
    pub fn field(&self) -> String {
        self.message.to_lowercase()
    }

    /// One of its service's methods: `of` what is called `Get`, `Create`, `Update`, `Adapt`, or `List`.
    pub fn method(&self, of: &str) -> Result<MethodDescriptor, Failure> {
        let service = self.service()?;
        let plural = if of == "List" { "s" } else { "" };
        let name = format!("{of}{}{plural}", self.message);
        let found = service.methods().find(|method| method.name() == name);
        found.ok_or_else(|| unknown(&name))
    }

    fn service(&self) -> Result<ServiceDescriptor, Failure> {
        let name = format!("{}.{}Service", self.package, self.message);
        output::pool()?.get_service_by_name(&name).ok_or_else(|| unknown(&name))
    }

    /// What the owner of a resource says of it; what is meant anyway is left out.
    pub fn owned(&self, resource: &DynamicMessage) -> DynamicMessage {
        let mut owned = resource.clone();
        SET_BY_SERVICES.iter().for_each(|field| owned.clear_field_by_name(field));
        for (message, field, number) in MEANT {
            let is_meant = |value| matches!(value, Value::EnumNumber(said) if said == number);
            let said = owned.get_field_by_name(field).map(std::borrow::Cow::into_owned);
            if message == self.message && said.is_some_and(is_meant) {
                owned.clear_field_by_name(field);
            }
        }
        owned
    }

    /// Fields of `resource` that only the services set.
    pub fn foreign(&self, resource: &DynamicMessage) -> Vec<String> {
        let set = resource.fields().filter(|(field, _)| SET_BY_SERVICES.contains(&field.name()));
        set.map(|(field, _)| field.json_name().to_owned()).collect()
    }

    /// Whether it is over: archived, ended or called off. Such a one is no part of a set-up.
    pub fn is_over(&self, resource: &DynamicMessage) -> bool {
        let over = ["_ARCHIVED", "_ENDED", "_CANCELLED"];
        over.iter().any(|end| state(resource).ends_with(end))
    }
}

/// The state of a resource, in the contract's word; empty where it has none.
pub fn state(resource: &DynamicMessage) -> String {
    let Some(field) = resource.descriptor().get_field_by_name("state") else { return String::new() };
    let (kind, value) = (field.kind(), resource.get_field(&field));
    let named = kind.as_enum().zip(value.as_enum_number()).and_then(|(kind, number)| kind.get_value(number));
    named.map_or_else(String::new, |value| value.name().to_owned())
}

/// A text of a resource.
pub fn text(resource: &DynamicMessage, field: &str) -> String {
    let value = resource.get_field_by_name(field);
    value.as_deref().and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn unknown(name: &str) -> Failure {
    Failure::said(format!("{name} is not in the contracts"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn whatever_the_contracts_can_create_is_set_up_or_is_peoples_data() {
        let services: Vec<ServiceDescriptor> = output::pool().unwrap().services().collect();
        let methods = services.iter().flat_map(|service| service.methods().collect::<Vec<_>>());
        let created: BTreeSet<String> =
            methods.filter_map(|method| Some(method.name().strip_prefix("Create")?.to_owned())).collect();
        let known = KINDS.iter().chain([&CUSTOMERS]).map(|kind| kind.message.to_owned());
        let of_many = |kind: &&Kind| kind.only.is_none();
        assert_eq!(created, known.filter(|name| name != "Settings").collect());
        for kind in Kind::settings() {
            assert!(["Get", "Update"].iter().all(|of| kind.method(of).is_ok()), "{}", kind.names());
        }
        for kind in KINDS.iter().filter(of_many).chain([&CUSTOMERS]) {
            for of in ["Get", "List", "Create", "Update"] {
                let method = kind.method(of).unwrap();
                let named = method.output().get_field_by_name(&kind.field()).is_some();
                assert!(named || of == "List", "{of}{}", kind.message);
            }
        }
    }
}
