//! `tandem events`: follow what happens.

use clap::{Args, Subcommand, ValueEnum};
use tandem_proto::common::v1::Event;
use tandem_proto::{campaign, relationship};

use crate::connect::Target;
use crate::failure::Failure;
use crate::output::{self, Format};

/// What to do with events.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print events as they come, one line each, until interrupted.
    Tail(Tail),
}

/// Whose events.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Service {
    /// campaign-svc.
    Campaign,
    /// relationship-svc.
    Relationship,
}

/// Arguments of `tandem events tail`.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  tandem events tail --service relationship --from-start --type tandem.relationship.v1.VoucherRedeemed")]
pub struct Tail {
    /// Whose events.
    #[arg(long, value_enum, default_value_t = Service::Relationship)]
    service: Service,
    /// After this cursor, which every line begins with. Default: only what comes.
    #[arg(long, conflicts_with = "from_start")]
    cursor: Option<String>,
    /// From the oldest event kept.
    #[arg(long)]
    from_start: bool,
    /// Only types that begin with this; may be given more than once.
    #[arg(long = "type")]
    types: Vec<String>,
    /// Only aggregates that begin with this: `incentives/spring`.
    #[arg(long, default_value = "")]
    aggregate: String,
    /// End after so many events.
    #[arg(long)]
    limit: Option<u64>,
}

/// Runs one of them.
pub async fn run(command: Command, target: &Target, format: Format) -> Result<(), Failure> {
    let Command::Tail(arguments) = command;
    let cursor = match (arguments.cursor, arguments.from_start) {
        (Some(cursor), _) => cursor,
        (None, true) => String::new(),
        (None, false) => "end".to_owned(),
    };
    let (types, aggregate_prefix) = (arguments.types, arguments.aggregate);
    let limit = arguments.limit.unwrap_or(u64::MAX);
    match arguments.service {
        Service::Campaign => {
            let request = campaign::v1::SubscribeRequest { cursor, types, aggregate_prefix };
            let mut stream = target.campaign_events().await?.subscribe(request).await?.into_inner();
            let mut seen = 0;
            while let Some(response) = stream.message().await? {
                if print(&response.cursor, response.event.as_ref(), format)? {
                    seen += 1;
                }
                if seen >= limit {
                    break;
                }
            }
        }
        Service::Relationship => {
            let request = relationship::v1::SubscribeRequest { cursor, types, aggregate_prefix };
            let mut stream = target.relationship_events().await?.subscribe(request).await?.into_inner();
            let mut seen = 0;
            while let Some(response) = stream.message().await? {
                if print(&response.cursor, response.event.as_ref(), format)? {
                    seen += 1;
                }
                if seen >= limit {
                    break;
                }
            }
        }
    }
    Ok(())
}

fn print(cursor: &str, event: Option<&Event>, format: Format) -> Result<bool, Failure> {
    let Some(event) = event else { return Ok(false) };
    match format {
        Format::Json => println!("{}", output::json("tandem.common.v1.Event", event)?),
        Format::Table => {
            let at = output::time(event.occur_time.as_ref());
            let kind = event.r#type.rsplit('.').next().unwrap_or_default();
            println!("{cursor:>12}  {at:<27}  {kind:<26}  {}", event.aggregate);
        }
    }
    Ok(true)
}
