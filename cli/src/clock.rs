//! `tandem clock`: what time it is for services that `tandem up --clock` started, and a later one.

use clap::{Args, Subcommand};
use jiff::{Span, Timestamp, tz::TimeZone};
use prost::Message;
use tandem_proto::common::v1::{GetClockRequest, MoveClockRequest};
use tandem_proto::convert::to_timestamp;
use tonic::{Code, Status};

use crate::connect::Target;
use crate::failure::Failure;
use crate::output::{self, Format};

/// What to do with the clock.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// What time it is for both services.
    Show,
    /// Move it forward to a time.
    Set(Set),
    /// Move it forward by a span.
    Advance(Advance),
}

/// Arguments of `tandem clock set`.
#[derive(Debug, Args)]
#[command(
    after_help = "What waits for a time looks at once when the clock was moved, and goes on in its own steps where there is
much to do: stages, holds, consents and interactions that are over.

Example:
  tandem clock set 2027-01-01T00:00:00Z"
)]
pub struct Set {
    /// A later time.
    #[arg(value_name = "WHEN")]
    to: Timestamp,
}

/// Arguments of `tandem clock advance`.
#[derive(Debug, Args)]
#[command(after_help = "Days, months and years are those of UTC.

Examples:
  tandem clock advance 90d
  tandem clock advance '1 year 2 days'
  tandem clock advance PT36H")]
pub struct Advance {
    /// As people or ISO 8601 write it: 90d, 2h30m, P1Y.
    #[arg(allow_hyphen_values = true)]
    by: Span,
}

/// Runs one of them.
pub async fn run(command: Command, target: &Target, format: Format) -> Result<(), Failure> {
    let to = match command {
        Command::Show => {
            let answer = now(target).await?;
            return show("GetClockResponse", answer.time.as_ref(), &answer, format);
        }
        Command::Set(Set { to }) => to,
        Command::Advance(Advance { by }) => {
            let answer = now(target).await?;
            let time = answer.time.unwrap_or_default();
            after(Timestamp::new(time.seconds, time.nanos).unwrap_or_default(), by)?
        }
    };
    let request = MoveClockRequest { time: Some(to_timestamp(to)) };
    let answer = target.clock().await?.move_clock(request).await.map_err(failed)?.into_inner();
    show("MoveClockResponse", answer.time.as_ref(), &answer, format)
}

async fn now(target: &Target) -> Result<tandem_proto::common::v1::GetClockResponse, Failure> {
    Ok(target.clock().await?.get_clock(GetClockRequest {}).await.map_err(failed)?.into_inner())
}

/// So much later, by the calendar.
fn after(now: Timestamp, by: Span) -> Result<Timestamp, Failure> {
    let later = now.to_zoned(TimeZone::UTC).checked_add(by);
    later.map(|later| later.timestamp()).map_err(|error| Failure::at(by, error))
}

fn failed(status: Status) -> Failure {
    match status.code() {
        Code::Unimplemented => Failure::said(
            "these services run on their machine's clock, which nobody moves from here; start them by `tandem up --clock WHEN`",
        ),
        _ => status.into(),
    }
}

fn show(
    name: &str,
    time: Option<&prost_types::Timestamp>,
    answer: &impl Message,
    format: Format,
) -> Result<(), Failure> {
    match format {
        Format::Json => println!("{}", output::json(&format!("tandem.common.v1.{name}"), answer)?),
        Format::Table => println!("{}", output::time(time)),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_of_the_calendar() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        for (now, by, later) in [
            ("2027-01-31T00:00:00Z", "1 month", "2027-02-28T00:00:00Z"),
            ("2027-02-28T12:00:00Z", "P1Y", "2028-02-28T12:00:00Z"),
            ("2028-02-28T12:00:00Z", "2d", "2028-03-01T12:00:00Z"),
            ("2028-02-28T12:00:00Z", "2h 30m", "2028-02-28T14:30:00Z"),
        ] {
            assert_eq!(after(at(now), by.parse().unwrap()).unwrap(), at(later), "{by}");
        }
        assert!(after(at("2028-02-28T12:00:00Z"), "9000 years".parse().unwrap()).is_err());
    }
}
