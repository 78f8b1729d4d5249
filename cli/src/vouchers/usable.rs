//! `tandem vouchers usable`: which codes of a customer's can be used for a basket.

use clap::Args;
use tandem_proto::relationship::v1::ListUsableVouchersRequest;

use crate::connect::Target;
use crate::failure::Failure;
use crate::output::{self, Format};
use crate::quote::BasketArguments;
use crate::{money, name};

/// Arguments of `tandem vouchers usable`.
#[derive(Debug, Args)]
#[command(
    after_help = "Offers of campaigns are not in these prices; `tandem quote` with the chosen code says what counts.

Example:
  tandem vouchers usable --customer 7 --currency EUR --line products/42:2:19.90 --all"
)]
pub struct Arguments {
    /// Whose codes: `7` or `customers/7`.
    #[arg(long, value_name = "ID")]
    customer: String,
    #[command(flatten)]
    basket: BasketArguments,
    /// Where it is sold, as the incentives' rules know places.
    #[arg(long, default_value = "")]
    place: String,
    /// Those that cannot be used too, and why.
    #[arg(long)]
    all: bool,
}

/// Asks and shows.
pub async fn run(arguments: Arguments, target: &Target, format: Format) -> Result<(), Failure> {
    let mut request = ListUsableVouchersRequest {
        customer: name::full("customers", &arguments.customer),
        basket: Some(arguments.basket.basket()?),
        place: arguments.place,
        include_unusable: arguments.all,
        ..ListUsableVouchersRequest::default()
    };
    let mut client = target.vouchers().await?;
    let mut table = output::table(["code", "saves", "until", "why not"]);
    output::right(&mut table, &[1]);
    loop {
        let page = client.list_usable_vouchers(request.clone()).await?.into_inner();
        if format == Format::Json {
            println!("{}", output::json("tandem.relationship.v1.ListUsableVouchersResponse", &page)?);
        }
        for one in &page.vouchers {
            let voucher = one.voucher.clone().unwrap_or_default();
            let pays = if one.tender && one.saving.is_some() { "pays " } else { "" };
            let saves = format!("{pays}{}", money::show(one.saving.as_ref()));
            table.add_row([
                voucher.code,
                saves,
                output::time(voucher.expire_time.as_ref()),
                one.message.clone(),
            ]);
        }
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    if format == Format::Table {
        println!("{table}");
    }
    Ok(())
}
