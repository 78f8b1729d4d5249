//! Settings as the contract shows them, in answers and in events.

use tandem_platform::grpc;
use tandem_platform::outbox::Recorded;
use tandem_platform::tenancy::Document;
use tandem_proto::common::v1::Recurrence;
use tandem_proto::convert::to_timestamp;
use tandem_proto::relationship::v1::frequency_cap::{Counts as Counted, Window};
use tandem_proto::relationship::v1::{self, MessageChannel, QuietHoursAction};

use super::contact::{
    CapWindow, Channel, Counts, FrequencyCap, Provider, QuietAction, QuietHours, SecretName, Sender,
    time_text,
};
use super::retention::Kept;
use super::stages::Stages;
use super::{Own, Settings};

/// Something was set.
pub fn updated(settings: &Settings) -> Recorded {
    let payload = v1::SettingsUpdated { settings: Some(message(settings)) };
    settings.told("tandem.relationship.v1.SettingsUpdated", &payload)
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
    v1::Settings {
        name: Own::NAME.to_owned(),
        time_zone: own.zone.as_ref().map(|zone| zone.name().to_owned()).unwrap_or_default(),
        locale: own.locale.clone().unwrap_or_default(),
        restored_days: number(own.restored_days),
        stage_rules: own.stages.map(stages),
        retention: own.retention.map(retention),
        default_sender: own.sender.as_ref().map(sender),
        footers: own.footers.clone(),
        providers: own.providers.iter().map(provider).collect(),
        quiet_hours: own.quiet_hours.map(quiet_hours),
        frequency_caps: own.frequency_caps.iter().map(frequency_cap).collect(),
        ..v1::Settings::default()
    }
}

fn number(of: Option<u32>) -> Option<i32> {
    of.map(|number| number.try_into().unwrap_or(i32::MAX))
}

fn stages(of: Stages) -> v1::StageRules {
    v1::StageRules {
        loyal_orders: number(of.loyal_orders),
        loyal_days: number(of.loyal_days),
        at_risk_days: number(of.at_risk_days),
        lapsed_days: number(of.lapsed_days),
        won_back_days: number(of.won_back_days),
    }
}

fn retention(of: Kept) -> v1::Retention {
    v1::Retention {
        trade_days: number(of.trade_days),
        voice_days: number(of.voice_days),
        trace_days: number(of.trace_days),
    }
}

fn sender(of: &Sender) -> v1::Sender {
    let Sender { email, display_name, reply_to, sms } = of.clone();
    v1::Sender { email, display_name, reply_to, sms }
}

fn channel(of: Channel) -> i32 {
    match of {
        Channel::Email => MessageChannel::Email,
        Channel::Sms => MessageChannel::Sms,
        Channel::Push => MessageChannel::Push,
    }
    .into()
}

fn provider(of: &Provider) -> v1::Provider {
    v1::Provider {
        id: of.id.clone(),
        channel: channel(of.channel),
        endpoint: of.endpoint.clone(),
        user: of.user.clone(),
        secret: of.secret.as_ref().map(SecretName::name).unwrap_or_default().to_owned(),
    }
}

fn quiet_hours(of: QuietHours) -> v1::QuietHours {
    let action = match of.action {
        QuietAction::Hold => QuietHoursAction::Hold,
        QuietAction::Cancel => QuietHoursAction::Cancel,
    };
    v1::QuietHours { start: time_text(of.start), end: time_text(of.end), action: action.into() }
}

fn frequency_cap(of: &FrequencyCap) -> v1::FrequencyCap {
    let window = match of.window {
        CapWindow::Rolling(seconds) => {
            Window::Rolling(prost_types::Duration { seconds: seconds.into(), nanos: 0 })
        }
        CapWindow::Calendar(recurrence) => Window::Calendar(Recurrence::from(recurrence).into()),
    };
    let counts = match &of.counts {
        Counts::All => None,
        Counts::Channel(of) => Some(Counted::Channel(channel(*of))),
        Counts::Class(class) => Some(Counted::MessageClass(class.clone())),
    };
    v1::FrequencyCap {
        max_messages: of.max_messages.try_into().unwrap_or(i32::MAX),
        window: Some(window),
        counts,
    }
}
