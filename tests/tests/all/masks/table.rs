//! The writes, and what each is about: every field that it may change, with a value and another one.

use serde_json::{Value, json};

/// An update or an upsert.
pub struct Write {
    /// `tandem.relationship.v1.CustomerService/UpdateCustomer`.
    pub path: &'static str,
    /// What is changed; nothing where a write changes nothing that is there.
    pub of: Option<fn() -> Resource>,
    /// It takes a list.
    pub is_batch: bool,
}

/// What is changed.
pub struct Resource {
    pub service: &'static str,
    pub kind: &'static str,
    pub name: &'static str,
    /// A value of every field that can have one beside the others.
    pub full: Value,
    /// Another value of every field that may be changed.
    pub other: Value,
    /// What a cleared field becomes where that is not nothing.
    pub default: Value,
    /// Fields that cannot be cleared.
    pub required: Vec<&'static str>,
    /// Fields whose other value does not go with the rest.
    pub bound: Vec<&'static str>,
    /// Where the first changes, the second does.
    pub together: Vec<(&'static str, &'static str)>,
}

impl Resource {
    fn of(service: &'static str, kind: &'static str, name: &'static str, full: Value, other: Value) -> Self {
        Self {
            service,
            kind,
            name,
            full,
            other,
            default: Value::Null,
            required: Vec::new(),
            bound: Vec::new(),
            together: Vec::new(),
        }
    }

    /// Every field that may be changed: each has another value.
    pub fn changes(&self) -> Vec<&str> {
        self.other.as_object().into_iter().flatten().map(|(field, _)| field.as_str()).collect()
    }

    /// `customer`
    pub fn field(&self) -> String {
        self.kind.to_lowercase()
    }
}

const fn update(path: &'static str, of: fn() -> Resource) -> Write {
    Write { path, of: Some(of), is_batch: false }
}

const fn batch(path: &'static str, of: fn() -> Resource) -> Write {
    Write { path, of: Some(of), is_batch: true }
}

pub const WRITES: [Write; 15] = [
    update("tandem.campaign.v1.ObjectiveService/UpdateObjective", objective),
    update("tandem.campaign.v1.ProductService/UpdateProduct", product),
    batch("tandem.campaign.v1.ProductService/BatchUpsertProducts", product),
    update("tandem.campaign.v1.CampaignService/UpdateCampaign", campaign),
    update("tandem.relationship.v1.AttributeService/UpdateAttribute", attribute),
    update("tandem.relationship.v1.CustomerService/UpdateCustomer", customer),
    batch("tandem.relationship.v1.CustomerService/BatchUpsertCustomers", customer),
    batch("tandem.relationship.v1.CustomerService/ImportCustomers", customer),
    update("tandem.relationship.v1.SegmentService/UpdateSegment", segment),
    Write { path: "tandem.relationship.v1.SegmentService/ImportSegmentMembers", of: None, is_batch: true },
    update("tandem.relationship.v1.IncentiveService/UpdateIncentive", reward),
    update("tandem.relationship.v1.VoucherService/UpdateVoucher", voucher),
    Write { path: "tandem.relationship.v1.VoucherService/ImportVouchers", of: None, is_batch: true },
    update("tandem.campaign.v1.SettingsService/UpdateSettings", of_campaign),
    update("tandem.relationship.v1.SettingsService/UpdateSettings", of_relationship),
];

/// What there is before the writes: all but codes, which are brought in, and settings, which are there always.
pub const STAGE: [fn() -> Resource; 7] = [attribute, segment, objective, product, campaign, customer, reward];

fn euros(units: i64) -> Value {
    json!({ "currencyCode": "EUR", "units": units.to_string() })
}

fn window(year: i32) -> Value {
    json!({ "startTime": format!("{year}-01-01T00:00:00Z"), "endTime": format!("{year}-02-01T00:00:00Z") })
}

fn objective() -> Resource {
    let full = json!({
        "displayName": "a", "description": "d", "metric": "OBJECTIVE_METRIC_ORDERS", "targetCount": "10",
        "window": window(2031), "labels": { "a": "b" },
    });
    let other = json!({
        "displayName": "b", "description": "e", "metric": "OBJECTIVE_METRIC_REDEMPTIONS", "targetMoney": euros(5),
        "targetCount": "11", "window": window(2032), "labels": { "c": "d" },
    });
    Resource {
        required: vec!["displayName", "metric", "targetCount"],
        bound: vec!["targetMoney"],
        ..Resource::of("tandem.campaign.v1.ObjectiveService", "Objective", "objectives/masked", full, other)
    }
}

fn product() -> Resource {
    let full = json!({
        "displayName": "a", "categories": ["a"], "attributes": { "a": "b" }, "unitCosts": [euros(1)],
        "prices": [{ "price": euros(2) }, { "place": "AT", "price": euros(3) }], "taxRatePpm": 200_000,
    });
    let other = json!({
        "displayName": "b", "categories": ["b"], "attributes": { "c": "d" }, "unitCosts": [euros(2)],
        "prices": [{ "price": euros(4) }], "taxRatePpm": 100_000,
    });
    Resource::of("tandem.campaign.v1.ProductService", "Product", "products/masked", full, other)
}

fn campaign() -> Resource {
    let mix = |headline: &str| json!({ "place": { "countries": [headline] } });
    let full = json!({
        "displayName": "a", "description": "d", "objective": "objectives/masked", "window": window(2031),
        "timeZone": "Europe/Vienna", "segments": ["segments/masked"], "budgets": [euros(10)],
        "limits": { "maxUses": "5" }, "mix": mix("AT"), "labels": { "a": "b" },
    });
    let other = json!({
        "displayName": "b", "description": "e", "objective": "objectives/grow", "window": window(2032),
        "timeZone": "Europe/Berlin", "segments": ["segments/other"], "budgets": [euros(11)],
        "limits": { "maxUses": "6" }, "mix": mix("DE"), "labels": { "c": "d" },
    });
    Resource {
        required: vec!["displayName", "objective", "window"],
        default: json!({ "timeZone": "UTC", "limits": "any", "mix": "any" }),
        ..Resource::of("tandem.campaign.v1.CampaignService", "Campaign", "campaigns/masked", full, other)
    }
}

fn customer() -> Resource {
    let full = json!({
        "displayName": "a", "email": "a@example.org", "phone": "+436601234567", "locale": "de-AT",
        "timeZone": "Europe/Vienna", "country": "AT", "birthday": { "month": 2, "day": 29 },
        "attributes": { "a": "b" }, "tags": ["a"], "sinceTime": "2020-01-01T00:00:00Z",
    });
    let other = json!({
        "displayName": "b", "email": "b@example.org", "phone": "+491701234567", "locale": "de-DE",
        "timeZone": "Europe/Berlin", "country": "DE", "birthday": { "month": 3, "day": 1 },
        "attributes": { "c": "d" }, "tags": ["b"], "sinceTime": "2021-01-01T00:00:00Z",
    });
    Resource {
        // It is when the customer was created.
        default: json!({ "sinceTime": "any" }),
        ..Resource::of("tandem.relationship.v1.CustomerService", "Customer", "customers/masked", full, other)
    }
}

fn attribute() -> Resource {
    let full = json!({
        "displayName": "a", "description": "d", "valueType": "ATTRIBUTE_TYPE_NUMBER", "personal": true,
    });
    let other = json!({
        "displayName": "b", "description": "e", "valueType": "ATTRIBUTE_TYPE_DATE", "personal": true,
    });
    Resource {
        default: json!({ "valueType": "ATTRIBUTE_TYPE_TEXT" }),
        ..Resource::of(
            "tandem.relationship.v1.AttributeService",
            "Attribute",
            "attributes/masked",
            full,
            other,
        )
    }
}

fn segment() -> Resource {
    let rule = |country: &str| format!("customer.country == '{country}'");
    let full = json!({ "displayName": "a", "rule": rule("AT"), "watched": true });
    let other = json!({ "displayName": "b", "rule": rule("DE"), "watched": true });
    Resource {
        required: vec!["rule"],
        ..Resource::of("tandem.relationship.v1.SegmentService", "Segment", "segments/masked", full, other)
    }
}

fn reward() -> Resource {
    let full = json!({
        "displayName": "a", "titles": { "": "t", "de": "u" }, "discount": { "percent": { "ratePpm": 50_000 } },
        "validity": window(2031), "limits": { "maxUses": "5" }, "maxUsesPerCode": "3",
        "segments": ["segments/masked"], "condition": "basket.amount > 5", "campaign": "campaigns/masked",
        "returnPolicy": "RETURN_POLICY_NEVER", "oneCodePerCustomer": true, "assignedOnly": true,
        "labels": { "a": "b" },
    });
    let other = json!({
        "displayName": "b", "titles": { "": "v" }, "discount": { "percent": { "ratePpm": 60_000 } },
        "validity": window(2032), "limits": { "maxUses": "6" }, "maxUsesPerCode": "4",
        "unlimitedUsesPerCode": true, "segments": ["segments/other"], "condition": "basket.amount > 6",
        "campaign": "campaigns/other", "returnPolicy": "RETURN_POLICY_ON_FULL_RETURN",
        "oneCodePerCustomer": true, "assignedOnly": true, "labels": { "c": "d" },
    });
    Resource {
        required: vec!["discount"],
        default: json!({
            "limits": "any", "maxUsesPerCode": "1", "validity": {},
            "returnPolicy": "RETURN_POLICY_ON_FULL_RETURN",
        }),
        together: vec![
            ("maxUsesPerCode", "unlimitedUsesPerCode"),
            ("unlimitedUsesPerCode", "maxUsesPerCode"),
        ],
        ..Resource::of(
            "tandem.relationship.v1.IncentiveService",
            "Incentive",
            "incentives/masked",
            full,
            other,
        )
    }
}

fn of_campaign() -> Resource {
    let full = json!({
        "timeZone": "Europe/Vienna", "locale": "de-AT", "campaignMaxDays": 300, "quoteTtl": "60s",
    });
    let other = json!({
        "timeZone": "Europe/Berlin", "locale": "de-DE", "campaignMaxDays": 301, "quoteTtl": "61s",
    });
    Resource::of("tandem.campaign.v1.SettingsService", "Settings", "settings/campaign", full, other)
}

fn of_relationship() -> Resource {
    let provider =
        |id: &str| json!([{ "id": id, "channel": "MESSAGE_CHANNEL_SMS", "endpoint": "https://a.example" }]);
    let full = json!({
        "timeZone": "Europe/Vienna", "locale": "de-AT", "restoredDays": 3, "defaultSender": { "sms": "Shop" },
        "footers": { "": "a" }, "providers": provider("a"), "quietHours": { "start": "21:00", "end": "08:00" },
        "frequencyCaps": [{ "maxMessages": 1, "rolling": "3600s" }],
        "stageRules": { "atRiskDays": 30, "lapsedDays": 60 }, "retention": { "traceDays": 30 },
    });
    let other = json!({
        "timeZone": "Europe/Berlin", "locale": "de-DE", "restoredDays": 4, "defaultSender": { "email": "a@b.example" },
        "footers": { "de": "b" }, "providers": provider("b"), "quietHours": { "start": "22:00", "end": "08:00" },
        "frequencyCaps": [{ "maxMessages": 1, "calendar": "RECURRENCE_WEEK", "messageClass": "news" }],
        "stageRules": { "loyalOrders": 5 }, "retention": { "voiceDays": 60, "tradeDays": 700 },
    });
    Resource::of("tandem.relationship.v1.SettingsService", "Settings", "settings/relationship", full, other)
}

/// A code, `MASKED`.
pub fn voucher() -> Resource {
    let full = json!({
        "validity": window(2031), "maxUses": "5", "customer": "customers/masked", "sourceId": "s",
        "labels": { "a": "b" },
    });
    let other = json!({
        "validity": window(2032), "maxUses": "4", "unlimitedUses": true, "customer": "customers/other",
        "sourceId": "t", "labels": { "c": "d" }, "disabled": true,
    });
    Resource {
        default: json!({ "maxUses": "any" }),
        // DisableVoucher ends a code.
        bound: vec!["disabled"],
        together: vec![
            ("maxUses", "unlimitedUses"),
            ("unlimitedUses", "maxUses"),
            // What a code was given for goes with its customer.
            ("customer", "sourceId"),
        ],
        ..Resource::of("tandem.relationship.v1.VoucherService", "Voucher", "vouchers/MASKED", full, other)
    }
}
