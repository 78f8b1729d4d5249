//! `tandem vouchers update`, `adjust` and `changes`: what support does to a code by hand.

use clap::Args;
use prost_types::FieldMask;
use tandem_proto::common::v1::Interval;
use tandem_proto::convert::to_timestamp;
use tandem_proto::relationship::v1::{
    AdjustBalanceRequest, ListVoucherChangesRequest, UpdateVoucherRequest, Voucher, VoucherChange,
};

use crate::connect::Target;
use crate::failure::Failure;
use crate::output::{self, Format};
use crate::{money, name, request_id};

/// Arguments of `tandem vouchers update`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tandem vouchers update SPRING-ABCD --valid-until 2027-01-31T23:00:00Z --reason 'was ill'
  tandem vouchers update SPRING-ABCD --enable --max-uses 2 --reason 'order 1001 went wrong'
  tandem vouchers update SPRING-ABCD --customer 7 --reason 'a present'")]
pub struct Update {
    /// The code.
    code: String,
    /// Why, for the record.
    #[arg(long)]
    reason: String,
    /// Its own start; with --valid-until it replaces both.
    #[arg(long, value_name = "MOMENT")]
    valid_from: Option<String>,
    /// Its own end, past that of its incentive too.
    #[arg(long, value_name = "MOMENT")]
    valid_until: Option<String>,
    /// Uses in all.
    #[arg(long)]
    max_uses: Option<i64>,
    /// As often as its incentive allows all codes together.
    #[arg(long, conflicts_with = "max_uses")]
    unlimited_uses: bool,
    /// Moves it to this customer: `7` or `customers/7`.
    #[arg(long, value_name = "ID")]
    customer: Option<String>,
    /// Takes it from its customer: it is nobody's.
    #[arg(long, conflicts_with = "customer")]
    no_customer: bool,
    /// Enables it again.
    #[arg(long)]
    enable: bool,
    /// Repeat an earlier call safely; default: a fresh one.
    #[arg(long)]
    request_id: Option<String>,
}

/// Arguments of `tandem vouchers adjust`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tandem vouchers adjust CARD-ABCD --add '20.00 EUR' --reason 'paid in the shop'
  tandem vouchers adjust CARD-ABCD --take '5.00 EUR' --reason 'booked twice'")]
pub struct Adjust {
    /// The gift card's code.
    code: String,
    /// So much more.
    #[arg(long, value_name = "AMOUNT", required_unless_present = "take", conflicts_with = "take")]
    add: Option<String>,
    /// So much less.
    #[arg(long, value_name = "AMOUNT")]
    take: Option<String>,
    /// Why, for the record.
    #[arg(long)]
    reason: String,
    /// Repeat an earlier call safely; default: a fresh one.
    #[arg(long)]
    request_id: Option<String>,
}

/// Arguments of `tandem vouchers changes`.
#[derive(Debug, Args)]
pub struct Changes {
    /// The code.
    code: String,
}

impl Update {
    /// The voucher with what is to be changed, and the fields that are.
    fn change(&self) -> Result<(Voucher, Vec<String>), Failure> {
        let (mut voucher, mut paths) =
            (Voucher { name: name::full("vouchers", &self.code), ..Voucher::default() }, Vec::new());
        let moment = |flag: &str, text: &Option<String>| {
            let read =
                |text: &String| text.parse().map(to_timestamp).map_err(|error| Failure::at(flag, error));
            text.as_ref().map(read).transpose()
        };
        let start_time = moment("--valid-from", &self.valid_from)?;
        let end_time = moment("--valid-until", &self.valid_until)?;
        if start_time.is_some() || end_time.is_some() {
            voucher.validity = Some(Interval { start_time, end_time });
            paths.push("validity".to_owned());
        }
        if self.max_uses.is_some() || self.unlimited_uses {
            (voucher.max_uses, voucher.unlimited_uses) = (self.max_uses, self.unlimited_uses);
            paths.extend(["max_uses".to_owned(), "unlimited_uses".to_owned()]);
        }
        if self.customer.is_some() || self.no_customer {
            voucher.customer =
                self.customer.as_deref().map(|id| name::full("customers", id)).unwrap_or_default();
            paths.push("customer".to_owned());
        }
        if self.enable {
            paths.push("disabled".to_owned());
        }
        match paths.is_empty() {
            true => Err(Failure::said("say what is to be changed: see --help")),
            false => Ok((voucher, paths)),
        }
    }
}

/// Changes a code.
pub async fn update(arguments: Update, target: &Target, format: Format) -> Result<(), Failure> {
    let (voucher, paths) = arguments.change()?;
    let request = UpdateVoucherRequest {
        voucher: Some(voucher),
        update_mask: Some(FieldMask { paths }),
        reason: arguments.reason,
        request_id: arguments.request_id.unwrap_or_else(request_id::fresh),
    };
    let answer = target.vouchers().await?.update_voucher(request).await?.into_inner();
    match format {
        Format::Json => {
            println!("{}", output::json("tandem.relationship.v1.UpdateVoucherResponse", &answer)?)
        }
        Format::Table => show(answer.voucher.as_ref()),
    }
    Ok(())
}

/// Adjusts a gift card.
pub async fn adjust(arguments: Adjust, target: &Target, format: Format) -> Result<(), Failure> {
    let amount = |flag: &str, text: &str| money::read(text).map_err(|why| Failure::at(flag, why));
    let amount = match (&arguments.add, &arguments.take) {
        (Some(text), _) => Some(amount("--add", text)?),
        (None, Some(text)) => Some(money::negative(&amount("--take", text)?)),
        (None, None) => None,
    };
    let request_id = arguments.request_id.unwrap_or_else(request_id::fresh);
    let name = name::full("vouchers", &arguments.code);
    let request = AdjustBalanceRequest { name, amount, reason: arguments.reason, request_id };
    let answer = target.vouchers().await?.adjust_balance(request).await?.into_inner();
    match format {
        Format::Json => {
            println!("{}", output::json("tandem.relationship.v1.AdjustBalanceResponse", &answer)?)
        }
        Format::Table => show(answer.voucher.as_ref()),
    }
    Ok(())
}

fn show(voucher: Option<&Voucher>) {
    let Some(voucher) = voucher else { return };
    let state = voucher.state().as_str_name().trim_start_matches("VOUCHER_STATE_").to_lowercase();
    let until = voucher.expire_time.as_ref().map(|at| format!(", until {}", output::time(Some(at))));
    let whose = if voucher.customer.is_empty() { "nobody's" } else { &voucher.customer };
    println!("{} is {state}, {whose}{}", voucher.code, until.unwrap_or_default());
    if voucher.balance.is_some() {
        println!("  {} is left on it", money::show(voucher.balance.as_ref()));
    }
}

/// Lists what was done to a code.
pub async fn list(arguments: Changes, target: &Target, format: Format) -> Result<(), Failure> {
    let mut client = target.vouchers().await?;
    let mut request =
        ListVoucherChangesRequest { name: name::full("vouchers", &arguments.code), ..Default::default() };
    let mut table = output::table(["when", "by", "reason", "what"]);
    loop {
        let page = client.list_voucher_changes(request.clone()).await?.into_inner();
        match format {
            Format::Json => {
                println!("{}", output::json("tandem.relationship.v1.ListVoucherChangesResponse", &page)?);
            }
            Format::Table => {
                for change in &page.changes {
                    let when = output::time(change.time.as_ref());
                    table.add_row([when, change.principal.clone(), change.reason.clone(), what(change)]);
                }
            }
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

fn what(change: &VoucherChange) -> String {
    let amount = change.amount.as_ref().map(|amount| money::show(Some(amount)));
    let or_nothing = |text: &String| if text.is_empty() { "-".to_owned() } else { text.clone() };
    let fields = change.fields.iter().map(|field| {
        format!("{}: {} to {}", field.field, or_nothing(&field.before), or_nothing(&field.after))
    });
    amount.into_iter().chain(fields).collect::<Vec<_>>().join("\n")
}
