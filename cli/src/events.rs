//! `tandem events`: follow what happens.

mod aside;

use clap::{Args, Subcommand, ValueEnum};
use prost_reflect::MessageDescriptor;
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
    /// List the events of the other service that one could not take in. Normally there are none.
    SetAside(SetAside),
    /// Have a service try again to take in events that it has set aside, once the cause is gone.
    Retry(Retry),
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
  tandem events tail --service relationship --from-start --type VoucherRedeemed")]
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
    /// Only events of this type, `VoucherRedeemed`, or whose full type begins with this, `tandem.relationship.v1.Voucher`; may
    /// be given more than once.
    #[arg(long = "type")]
    types: Vec<String>,
    /// Only aggregates that begin with this: `incentives/spring`.
    #[arg(long, default_value = "")]
    aggregate: String,
    /// End after so many events.
    #[arg(long)]
    limit: Option<u64>,
}

impl Command {
    /// Whether it asks relationship-svc.
    pub fn is_of_relationship(&self) -> bool {
        let (Self::Tail(Tail { service, .. })
        | Self::SetAside(SetAside { service })
        | Self::Retry(Retry { service, .. })) = self;
        matches!(service, Service::Relationship)
    }
}

/// Arguments of `tandem events set-aside`.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  tandem events set-aside --tenant shop-7")]
pub struct SetAside {
    /// Which service could not take them in.
    #[arg(long, value_enum, default_value_t = Service::Campaign)]
    service: Service,
}

/// Arguments of `tandem events retry`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tandem events retry --tenant shop-7
  tandem events retry --tenant shop-7 0192d3a0-77c2-7b4e-8f4a-2f6c0d2f9a11")]
pub struct Retry {
    /// Ids of events, as `tandem events set-aside` lists them. Default: all.
    events: Vec<String>,
    /// Which service could not take them in.
    #[arg(long, value_enum, default_value_t = Service::Campaign)]
    service: Service,
}

/// Runs one of them.
pub async fn run(command: Command, target: &Target, format: Format) -> Result<(), Failure> {
    match command {
        Command::Tail(arguments) => tail(arguments, target, format).await,
        Command::SetAside(SetAside { service }) => aside::list(service, target, format).await,
        Command::Retry(Retry { events, service }) => aside::retry(events, service, target, format).await,
    }
}

/// The full types of what was typed; one that no event of the service has is refused.
fn types(service: Service, typed: &[String]) -> Result<Vec<String>, Failure> {
    let package = match service {
        Service::Campaign => "tandem.campaign.v1",
        Service::Relationship => "tandem.relationship.v1",
    };
    let known: Vec<String> = declared(package)?.iter().map(|event| event.full_name().to_owned()).collect();
    let full = |typed: &String| {
        let own = format!("{package}.{typed}");
        if known.contains(&own) {
            return Ok(own);
        }
        if !typed.is_empty() && known.iter().any(|known| known.starts_with(typed)) {
            return Ok(typed.clone());
        }
        let names: Vec<&str> = known.iter().filter_map(|known| known.rsplit('.').next()).collect();
        let names = names.join(", ");
        Err(Failure::said(format!("--type {typed}: no event has it; of {package} there are {names}")))
    };
    typed.iter().map(full).collect()
}

/// Every event that a package tells of: what its file of events declares, the messages of calls apart.
pub fn declared(package: &str) -> Result<Vec<MessageDescriptor>, Failure> {
    let pool = output::pool()?;
    let service = pool.get_service_by_name(&format!("{package}.EventService"));
    let service =
        service.ok_or_else(|| Failure::said(format!("{package} has no events in the contracts")))?;
    let mut called: Vec<_> = service.methods().flat_map(|method| [method.input(), method.output()]).collect();
    let parts = called.iter().flat_map(|message| message.fields()).collect::<Vec<_>>();
    called.extend(parts.iter().filter_map(|field| field.kind().as_message().cloned()));
    let file = service.parent_file();
    Ok(file.messages().filter(|message| !called.contains(message)).collect())
}

async fn tail(arguments: Tail, target: &Target, format: Format) -> Result<(), Failure> {
    let cursor = match (arguments.cursor, arguments.from_start) {
        (Some(cursor), _) => cursor,
        (None, true) => String::new(),
        (None, false) => "end".to_owned(),
    };
    let types = types(arguments.service, &arguments.types)?;
    let aggregate_prefix = arguments.aggregate;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(service: Service, typed: &str) -> Result<Vec<String>, String> {
        types(service, &[typed.to_owned()]).map_err(|failure| failure.to_string())
    }

    #[test]
    fn a_type_is_one_that_the_contracts_declare() {
        let full = "tandem.relationship.v1.VoucherRedeemed".to_owned();
        assert_eq!(read(Service::Relationship, "VoucherRedeemed"), Ok(vec![full.clone()]));
        assert_eq!(read(Service::Relationship, &full), Ok(vec![full]));
        let prefix = "tandem.relationship.v1.Voucher".to_owned();
        assert_eq!(read(Service::Relationship, &prefix), Ok(vec![prefix]));
        let said = read(Service::Relationship, "Voucher").unwrap_err();
        assert!(said.contains("VoucherRedeemed") && said.contains("SegmentCreated"), "{said}");
        assert!(!said.contains("Subscribe") && !said.contains("TenantCursor"), "{said}");
        assert!(read(Service::Relationship, "OrderCommitted").is_err(), "it is the other service's");
        assert!(read(Service::Campaign, "OrderCommitted").is_ok());
        assert!(read(Service::Campaign, "").is_err());
    }
}
