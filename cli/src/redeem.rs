//! `tandem redeem`: redeem codes for an order.

use clap::Args;
use tandem_proto::relationship::v1::redeem_vouchers_request::What;
use tandem_proto::relationship::v1::{PlainBasket, RedeemVouchersRequest, RedeemVouchersResponse};

use crate::connect::Target;
use crate::failure::Failure;
use crate::output::{self, Format};
use crate::quote::BasketArguments;
use crate::{money, name, order, request_id};

/// Arguments of `tandem redeem`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tandem redeem --order 1001 --quote-token \"$(tandem --output json quote … | jq -r .quoteToken)\"
  tandem redeem --order 1001 --currency EUR --line products/42:2:19.90 --code SPRING-ABCD --customer customers/7
  tandem redeem --order 1001        (the order's hold)")]
pub struct Arguments {
    /// The checkout's own id of the order.
    #[arg(long)]
    order: String,
    /// From `tandem quote`.
    #[arg(long, conflicts_with_all = ["lines", "code"])]
    quote_token: Option<String>,
    #[command(flatten)]
    basket: BasketArguments,
    /// A code, as typed; may be given more than once.
    #[arg(long)]
    code: Vec<String>,
    /// Whose order: `7` or `customers/7`.
    #[arg(long, default_value = "")]
    customer: String,
    /// Accept those codes that can be redeemed.
    #[arg(long)]
    partial: bool,
    /// Repeat an earlier call safely; default: a fresh one.
    #[arg(long)]
    request_id: Option<String>,
}

/// Redeems and shows what became of each code.
pub async fn run(arguments: Arguments, target: &Target, format: Format) -> Result<(), Failure> {
    let what = match arguments.quote_token {
        Some(token) => Some(What::QuoteToken(token)),
        None if arguments.code.is_empty() => None,
        None => Some(What::Plain(PlainBasket {
            basket: Some(arguments.basket.basket()?),
            codes: arguments.code,
            ..PlainBasket::default()
        })),
    };
    let request = RedeemVouchersRequest {
        order_id: order::id(&arguments.order),
        what,
        customer: name::optional("customers", &arguments.customer),
        partial: arguments.partial,
        request_id: arguments.request_id.unwrap_or_else(request_id::fresh),
        ..RedeemVouchersRequest::default()
    };
    let answer = target.vouchers().await?.redeem_vouchers(request).await?.into_inner();
    match format {
        Format::Json => {
            println!("{}", output::json("tandem.relationship.v1.RedeemVouchersResponse", &answer)?)
        }
        Format::Table => show(&answer),
    }
    Ok(())
}

fn show(answer: &RedeemVouchersResponse) {
    let mut table = output::table(["code", "outcome", "amount"]);
    output::right(&mut table, &[2]);
    for code in &answer.codes {
        let outcome = if code.refusal.is_empty() { "redeemed".to_owned() } else { code.message.clone() };
        table.add_row([code.code.clone(), outcome, money::show(code.amount.as_ref())]);
    }
    println!("{table}");
}
