//! Settings as the contract shows them, in answers and in events.

use tandem_platform::grpc;
use tandem_platform::outbox::Recorded;
use tandem_platform::tenancy::Document;
use tandem_proto::campaign::v1;
use tandem_proto::convert::to_timestamp;

use super::{Own, Settings};

/// Something was set.
pub fn updated(settings: &Settings) -> Recorded {
    let payload = v1::SettingsUpdated { settings: Some(message(settings)) };
    settings.told("tandem.campaign.v1.SettingsUpdated", &payload)
}

/// As the contract has it.
pub fn message(settings: &Settings) -> v1::Settings {
    v1::Settings {
        update_time: settings.updated.map(to_timestamp),
        etag: grpc::etag(settings.version),
        ..said(&settings.own)
    }
}

/// What of a message the tenant says, or the process.
pub fn said(own: &Own) -> v1::Settings {
    let seconds = |seconds: u32| prost_types::Duration { seconds: seconds.into(), nanos: 0 };
    v1::Settings {
        name: Own::NAME.to_owned(),
        time_zone: own.zone.as_ref().map(|zone| zone.name().to_owned()).unwrap_or_default(),
        locale: own.locale.clone().unwrap_or_default(),
        campaign_max_days: own.campaign_max_days.map(|days| days.try_into().unwrap_or(i32::MAX)),
        quote_ttl: own.quote_ttl_s.map(seconds),
        ..v1::Settings::default()
    }
}
