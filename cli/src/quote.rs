//! `tandem quote`: price a basket.

use clap::Args;
use tandem_kernel::money::Currency;
use tandem_proto::campaign::v1::{QuoteRequest, QuoteResponse};
use tandem_proto::common::v1::{Basket, Line};

use crate::connect::Target;
use crate::failure::Failure;
use crate::output::{self, Format};
use crate::{decisions, money, name, order};

/// Arguments of `tandem quote`.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  tandem quote --currency EUR --line products/42:2:19.90 --line products/7:1 --code SPRING-ABCD --customer customers/7
  tandem quote --line products/42:1 --order 1001-b --replaces 1001")]
pub struct Arguments {
    #[command(flatten)]
    basket: BasketArguments,
    /// Where it is sold: `stores/berlin`, `DE`.
    #[arg(long, default_value = "")]
    place: String,
    /// Whose basket: `7` or `customers/7`.
    #[arg(long, default_value = "")]
    customer: String,
    /// A code, as typed; may be given more than once.
    #[arg(long)]
    code: Vec<String>,
    /// The order it is for: what it holds does not stand in the way, and the token serves only this one.
    #[arg(long, default_value = "")]
    order: String,
    /// The order that it is to replace: what that one has counted does not stand in the way either.
    #[arg(long, default_value = "")]
    replaces: String,
    /// BCP 47, for titles.
    #[arg(long, default_value = "")]
    locale: String,
    /// Fail rather than answer without the customer's incentives.
    #[arg(long)]
    require_incentives: bool,
}

/// A basket on the command line.
#[derive(Debug, Args)]
pub struct BasketArguments {
    /// ISO 4217 code.
    #[arg(long, default_value = "EUR")]
    currency: String,
    /// `product:quantity[:unit price]`, the product as `42` or `products/42`; may be given more than once.
    #[arg(long = "line")]
    lines: Vec<String>,
    /// Shipping before discounts.
    #[arg(long)]
    shipping: Option<String>,
}

impl BasketArguments {
    /// The basket; lines are numbered from 1.
    pub fn basket(&self) -> Result<Basket, Failure> {
        let currency = Currency::new(&self.currency).map_err(|error| Failure::at("--currency", error))?;
        let line = |(index, text): (usize, &String)| line(index, text, currency);
        Ok(Basket {
            currency_code: self.currency.clone(),
            lines: self.lines.iter().enumerate().map(line).collect::<Result<_, _>>()?,
            shipping: self.shipping.as_deref().map(|text| money::parse(text, currency)).transpose()?,
            ..Basket::default()
        })
    }
}

fn line(index: usize, text: &str, currency: Currency) -> Result<Line, Failure> {
    let mut parts = text.splitn(3, ':');
    let product = name::optional("products", parts.next().unwrap_or_default());
    let quantity = parts
        .next()
        .unwrap_or("1")
        .parse()
        .map_err(|_| Failure::said(format!("--line {text}: write product:quantity[:unit price]")))?;
    let unit_price = parts.next().map(|price| money::parse(price, currency)).transpose()?;
    Ok(Line { id: (index + 1).to_string(), product, quantity, unit_price, ..Line::default() })
}

/// Asks for the price and shows it.
pub async fn run(arguments: Arguments, target: &Target, format: Format) -> Result<(), Failure> {
    let request = QuoteRequest {
        basket: Some(arguments.basket.basket()?),
        place: arguments.place,
        customer: name::optional("customers", &arguments.customer),
        codes: arguments.code,
        order_id: order::id(&arguments.order),
        replaces_order_id: order::id(&arguments.replaces),
        locale: arguments.locale,
        require_incentives: arguments.require_incentives,
        ..QuoteRequest::default()
    };
    let answer = target.pricing().await?.quote(request).await?.into_inner();
    match format {
        Format::Json => println!("{}", output::json("tandem.campaign.v1.QuoteResponse", &answer)?),
        Format::Table => show(&answer),
    }
    Ok(())
}

fn show(answer: &QuoteResponse) {
    let mut lines = output::table(["line", "list", "price", "amount", "discount", "final", "30-day price"]);
    output::right(&mut lines, &[1, 2, 3, 4, 5, 6]);
    for line in &answer.lines {
        lines.add_row([
            line.line_id.clone(),
            money::show(line.list_unit_price.as_ref()),
            money::show(line.unit_price.as_ref()),
            money::show(line.initial_amount.as_ref()),
            money::show(line.discount_amount.as_ref()),
            money::show(line.final_amount.as_ref()),
            money::show(line.prior_price.as_ref()),
        ]);
    }
    println!("{lines}");
    decisions::show(&answer.decisions);
    if let Some(totals) = &answer.totals {
        println!("total   {}", money::show(totals.total.as_ref()));
        println!("payable {}", money::show(totals.payable.as_ref()));
    }
    println!("token   {}", answer.quote_token);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_product_quantity_and_perhaps_a_price() {
        let eur = Currency::new("EUR").unwrap();
        let priced = line(0, "products/42:2:19.90", eur).unwrap();
        assert_eq!((priced.id.as_str(), priced.quantity), ("1", 2));
        assert_eq!(line(0, "42:2:19.90", eur).unwrap(), priced);
        assert_eq!(money::show(priced.unit_price.as_ref()), "19.90 EUR");
        assert!(line(1, "products/42", eur).unwrap().unit_price.is_none());
        assert!(line(2, "products/42:two", eur).is_err());
    }
}
