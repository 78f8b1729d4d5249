//! What a caller says of settings: everything that is wrong, at once.

use std::fmt::Display;
use std::ops::RangeInclusive;

use tandem_kernel::id;
use tandem_platform::{Violations, field};
use tandem_proto::convert;
use tandem_proto::relationship::v1::frequency_cap::{Counts as Counted, Window};
use tandem_proto::relationship::v1::{self, MessageChannel, QuietHoursAction};

use super::super::contact::{
    CapWindow, Channel, Counts, FrequencyCap, Provider, QuietAction, QuietHours, SecretName, Sender,
    check_endpoint, mailbox, sms_sender, time_of_day,
};
use super::super::retention::{KEPT_DAYS, Kept};
use super::super::stages::{DAYS, LAPSED_DAYS, LOYAL_ORDERS, Stages};
use super::super::{Own, RESTORED_DAYS};

const MAX_FOOTERS: usize = 32;
const MAX_FOOTER: usize = 2_000;
const MAX_PROVIDERS: usize = 20;
const MAX_CAPS: usize = 20;
const MAX_ENDPOINT: usize = 500;
const MAX_MESSAGES: RangeInclusive<i32> = 1..=1_000;
/// One minute to 366 days, in seconds.
const ROLLING_S: RangeInclusive<u32> = 60..=366 * 24 * 60 * 60;

/// What a caller says.
pub fn own(v: &mut Violations, settings: v1::Settings) -> Own {
    let zone = field::zone(v, "time_zone", &settings.time_zone);
    let locale = field::locale(v, "locale", &settings.locale);
    let footer = |v: &mut Violations, at: &str, text| field::prose(v, at, text, 1..=MAX_FOOTER);
    Own {
        zone,
        locale: Some(locale.tag().to_owned()).filter(|tag| !tag.is_empty()),
        restored_days: field::number(v, "restored_days", settings.restored_days, RESTORED_DAYS),
        stages: settings.stage_rules.map(|given| stages(&mut v.nest("stage_rules"), given)),
        retention: settings.retention.map(|given| retention(&mut v.nest("retention"), given)),
        sender: settings.default_sender.map(|given| sender(&mut v.nest("default_sender"), given)),
        footers: field::by_locale(v, "footers", settings.footers, MAX_FOOTERS, footer),
        providers: providers(v, settings.providers),
        quiet_hours: settings.quiet_hours.and_then(|given| quiet_hours(&mut v.nest("quiet_hours"), &given)),
        frequency_caps: frequency_caps(v, settings.frequency_caps),
    }
}

fn stages(v: &mut Violations, given: v1::StageRules) -> Stages {
    let stages = Stages {
        loyal_orders: field::number(v, "loyal_orders", given.loyal_orders, LOYAL_ORDERS),
        loyal_days: field::number(v, "loyal_days", given.loyal_days, DAYS),
        at_risk_days: field::number(v, "at_risk_days", given.at_risk_days, DAYS),
        lapsed_days: field::number(v, "lapsed_days", given.lapsed_days, LAPSED_DAYS),
        won_back_days: field::number(v, "won_back_days", given.won_back_days, DAYS),
    };
    let known = !v.has("at_risk_days") && !v.has("lapsed_days");
    let (at_risk, lapsed) = (stages.rules().at_risk_days, stages.rules().lapsed_days);
    if known && at_risk >= lapsed {
        // What is not said is as ever, and not wrong.
        match stages.at_risk_days {
            Some(_) => {
                v.add("at_risk_days", format!("must be less than lapsed_days, {lapsed}, is {at_risk}"))
            }
            None => v.add("lapsed_days", format!("must be more than at_risk_days, {at_risk}, is {lapsed}")),
        }
    }
    stages
}

fn retention(v: &mut Violations, given: v1::Retention) -> Kept {
    Kept {
        trade_days: field::number(v, "trade_days", given.trade_days, KEPT_DAYS),
        voice_days: field::number(v, "voice_days", given.voice_days, KEPT_DAYS),
        trace_days: field::number(v, "trace_days", given.trace_days, KEPT_DAYS),
    }
}

fn sender(v: &mut Violations, given: v1::Sender) -> Sender {
    let v1::Sender { email, display_name, reply_to, sms } = given;
    let says = !email.trim().is_empty();
    v.check(says || !sms.trim().is_empty(), "", "must say email or sms");
    v.check(says || display_name.is_empty(), "display_name", "stands beside an email");
    v.check(says || reply_to.is_empty(), "reply_to", "stands beside an email");
    let sms = if sms.trim().is_empty() { Ok(String::new()) } else { sms_sender(&sms) };
    Sender {
        email: or_report(v, "email", mailbox(&email)),
        display_name: field::text(v, "display_name", display_name, 0..=100),
        reply_to: or_report(v, "reply_to", mailbox(&reply_to)),
        sms: or_report(v, "sms", sms),
    }
}

fn or_report<T: Default, E: Display>(v: &mut Violations, field: &str, read: Result<T, E>) -> T {
    read.unwrap_or_else(|wrong| {
        v.add(field, wrong.to_string());
        T::default()
    })
}

fn providers(v: &mut Violations, given: Vec<v1::Provider>) -> Vec<Provider> {
    v.check(
        given.len() <= MAX_PROVIDERS,
        "providers",
        format!("must hold at most {MAX_PROVIDERS}, holds {}", given.len()),
    );
    let mut providers: Vec<Provider> = Vec::new();
    for (index, given) in given.into_iter().take(MAX_PROVIDERS).enumerate() {
        let mut v = v.nest(format!("providers[{index}]"));
        if providers.iter().any(|known| known.id == given.id) {
            v.add("id", "stands here twice");
        }
        providers.extend(provider(&mut v, given));
    }
    providers
}

fn provider(v: &mut Violations, given: v1::Provider) -> Option<Provider> {
    if let Err(error) = id::check(&given.id) {
        v.add("id", error.to_string());
    }
    let endpoint = field::text(v, "endpoint", given.endpoint, 1..=MAX_ENDPOINT);
    let user = field::text(v, "user", given.user, 0..=200);
    let secret = field::text(v, "secret", given.secret, 0..=200);
    let secret = (!secret.is_empty()).then(|| SecretName::parse(&secret));
    let secret = secret.and_then(|read| read.map_err(|wrong| v.add("secret", wrong)).ok());
    let channel = channel(v, "channel", given.channel)?;
    if !v.has("endpoint")
        && let Err(wrong) = check_endpoint(channel, &endpoint)
    {
        v.add("endpoint", wrong);
    }
    Some(Provider { id: given.id, channel, endpoint, user, secret })
}

fn channel(v: &mut Violations, field: &str, given: i32) -> Option<Channel> {
    let known = match MessageChannel::try_from(given) {
        Ok(MessageChannel::Email) => Some(Channel::Email),
        Ok(MessageChannel::Sms) => Some(Channel::Sms),
        Ok(MessageChannel::Push) => Some(Channel::Push),
        Ok(MessageChannel::Unspecified) | Err(_) => None,
    };
    v.check(known.is_some(), field, "must be EMAIL, SMS or PUSH");
    known
}

fn quiet_hours(v: &mut Violations, given: &v1::QuietHours) -> Option<QuietHours> {
    let mut time = |field: &str, text: &str| {
        let time = time_of_day(text);
        v.check(time.is_some(), field, "must be HH:MM, 00:00 to 23:59");
        time
    };
    let (start, end) = (time("start", &given.start), time("end", &given.end));
    let differ = start.is_none() || start != end;
    v.check(differ, "end", "must be another time than start");
    let action = match QuietHoursAction::try_from(given.action) {
        Ok(QuietHoursAction::Unspecified | QuietHoursAction::Hold) => Some(QuietAction::Hold),
        Ok(QuietHoursAction::Cancel) => Some(QuietAction::Cancel),
        Err(_) => None,
    };
    v.check(action.is_some(), "action", "must be HOLD or CANCEL");
    Some(QuietHours { start: start?, end: end?, action: action? })
}

fn frequency_caps(v: &mut Violations, given: Vec<v1::FrequencyCap>) -> Vec<FrequencyCap> {
    v.check(
        given.len() <= MAX_CAPS,
        "frequency_caps",
        format!("must hold at most {MAX_CAPS}, holds {}", given.len()),
    );
    let mut caps: Vec<FrequencyCap> = Vec::new();
    for (index, given) in given.into_iter().take(MAX_CAPS).enumerate() {
        let mut v = v.nest(format!("frequency_caps[{index}]"));
        let Some(cap) = frequency_cap(&mut v, given) else { continue };
        if caps.iter().any(|known| (known.window, &known.counts) == (cap.window, &cap.counts)) {
            v.add("", "counts what another one counts in the same window");
        }
        caps.push(cap);
    }
    caps
}

fn frequency_cap(v: &mut Violations, given: v1::FrequencyCap) -> Option<FrequencyCap> {
    let max_messages = field::number(v, "max_messages", Some(given.max_messages), MAX_MESSAGES);
    let window = match given.window {
        Some(Window::Rolling(time)) => {
            field::seconds(v, "rolling", Some(&time), ROLLING_S).map(CapWindow::Rolling)
        }
        Some(Window::Calendar(given)) => {
            let known = convert::recurrence("", given, &mut Vec::new()).flatten();
            v.check(known.is_some(), "calendar", "must be DAY, WEEK, MONTH or YEAR");
            known.map(CapWindow::Calendar)
        }
        None => {
            v.add("rolling", "rolling or calendar is required");
            None
        }
    };
    let counts = match given.counts {
        Some(Counted::Channel(given)) => channel(v, "channel", given).map(Counts::Channel),
        Some(Counted::MessageClass(class)) => {
            Some(Counts::Class(field::text(v, "message_class", class, 1..=64)))
        }
        None => Some(Counts::All),
    };
    Some(FrequencyCap { max_messages: max_messages?, window: window?, counts: counts? })
}
