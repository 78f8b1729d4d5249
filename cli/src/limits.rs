//! `tandem limits`: how far limits are.

use clap::Args;
use tandem_proto::campaign::v1::GetLimitsRequest as OfCampaign;
use tandem_proto::common::v1::{LimitDimension, LimitKind, LimitUsage, Recurrence};
use tandem_proto::relationship::v1::GetLimitsRequest as OfIncentive;

use crate::connect::Target;
use crate::failure::Failure;
use crate::money;
use crate::name::full;
use crate::output::{self, Format};

/// Arguments of `tandem limits`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tandem limits campaigns/spring
  tandem limits campaigns/spring/offers/-          (of each of its offers)
  tandem limits campaigns/spring/offers/ten --customer 7
  tandem limits incentives/ten-off --customer 7")]
pub struct Arguments {
    /// Whose: `campaigns/C`, `campaigns/C/offers/O`, `campaigns/C/offers/-` or `incentives/I`; here the first part says which.
    name: String,
    /// Also the limits of this customer: `7` or `customers/7`.
    #[arg(long, value_name = "ID")]
    customer: Option<String>,
    /// Also the limits of this guest, by the keyed hash that the checkout makes.
    #[arg(long, value_name = "KEY", conflicts_with = "customer")]
    guest_key: Option<String>,
}

impl Arguments {
    /// Whether relationship-svc keeps them.
    pub fn is_of_relationship(&self) -> bool {
        self.name.starts_with("incentives/")
    }
}

/// Runs it.
pub async fn run(arguments: Arguments, target: &Target, format: Format) -> Result<(), Failure> {
    let of_relationship = arguments.is_of_relationship();
    let Arguments { name, customer, guest_key } = arguments;
    if !name.contains('/') {
        return Err(Failure::said(format!("say whose: campaigns/{name} or incentives/{name}")));
    }
    let customer = customer.map(|id| full("customers", &id)).unwrap_or_default();
    let guest_key = guest_key.unwrap_or_default();
    let (limits, json) = if of_relationship {
        let request = OfIncentive { name, customer, guest_key };
        let answer = target.incentives().await?.get_limits(request).await?.into_inner();
        let json = output::json("tandem.relationship.v1.GetLimitsResponse", &answer)?;
        (answer.limits, json)
    } else {
        let request = OfCampaign { name, customer, guest_key };
        let answer = target.campaigns().await?.get_limits(request).await?.into_inner();
        let json = output::json("tandem.campaign.v1.GetLimitsResponse", &answer)?;
        (answer.limits, json)
    };
    match format {
        Format::Json => println!("{json}"),
        Format::Table if limits.is_empty() => println!("no limit"),
        Format::Table => show(&limits),
    }
    Ok(())
}

fn show(limits: &[LimitUsage]) {
    let mut table = output::table(["of", "limit", "anew", "most", "used", "held", "left"]);
    output::right(&mut table, &[3, 4, 5, 6]);
    for limit in limits {
        let (kind, counts) = match limit.kind() {
            LimitKind::Budget => ("money".to_owned(), amounts(limit)),
            LimitKind::BudgetPerValue => (format!("money of {}", value(limit)), amounts(limit)),
            LimitKind::UsesPerCustomer | LimitKind::UsesPerCustomerPeriod => {
                ("uses by the customer".to_owned(), uses(limit))
            }
            LimitKind::UsesPerValue => (format!("uses of {}", value(limit)), uses(limit)),
            LimitKind::Uses | LimitKind::Unspecified => ("uses".to_owned(), uses(limit)),
        };
        let anew = match limit.recurrence() {
            Recurrence::Unspecified => "never".to_owned(),
            _ => output::time(limit.period_end_time.as_ref()),
        };
        let [most, used, held, left] = counts;
        table.add_row([limit.owner.clone(), kind, anew, most, used, held, left]);
    }
    println!("{table}");
}

fn amounts(limit: &LimitUsage) -> [String; 4] {
    [&limit.budget, &limit.spent, &limit.held, &limit.left].map(|amount| money::show(amount.as_ref()))
}

/// "place AT-vienna"
fn value(limit: &LimitUsage) -> String {
    let dimension = match limit.dimension() {
        LimitDimension::Place => "place",
        LimitDimension::Medium => "medium",
        LimitDimension::Segment => "segment",
        LimitDimension::Attribute | LimitDimension::Unspecified => &limit.attribute,
    };
    format!("{dimension} {}", limit.value)
}

fn uses(limit: &LimitUsage) -> [String; 4] {
    [limit.max_uses, limit.uses, limit.uses_held, limit.uses_left].map(|count| count.to_string())
}
