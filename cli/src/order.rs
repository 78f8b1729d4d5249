//! `tandem order`: hold, commit, cancel, return, read and explain orders.

use std::io::{IsTerminal, Read};

use clap::{Args, Subcommand};
use prost::Message;
use tandem_kernel::order_id;
use tandem_proto::campaign::v1::{
    CancelOrderRequest, CommitOrderRequest, ExplainOrderRequest, GetOrderRequest, HoldOrderRequest, Order,
    OrderLine, Refund, ReturnOrderLinesRequest, ReturnedOrderLine, return_order_lines_request,
};
use tonic::Code;

use crate::connect::Target;
use crate::failure::Failure;
use crate::output::{self, Format};
use crate::{decisions, money, request_id};

/// What to do with orders.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Count a quote for good: offers and codes, or neither.
    Commit(Commit),
    /// Keep the uses and the money of a quote for a while.
    Hold(Hold),
    /// Give everything back: a hold, or what was committed and has not come back yet.
    Cancel(Cancel),
    /// Take units back; discounts come back in proportion.
    Return(Return),
    /// Show an order.
    Show(Show),
    /// Say why an order cost what it cost: what applied, and what did not.
    Explain(Explain),
}

/// Arguments of `tandem order commit`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tandem --output json quote … | tandem order commit --order 1001
  tandem order commit --order 1001 --quote-token \"$TOKEN\"
  tandem order commit --order 1001-b --replaces 1001 --quote-token \"$TOKEN\"")]
pub struct Commit {
    #[command(flatten)]
    quoted: Quoted,
    /// The order that this one amends: cancelled with it, or neither.
    #[arg(long)]
    replaces: Option<String>,
    #[command(flatten)]
    repeat: Repeat,
}

/// Arguments of `tandem order hold`.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  tandem --output json quote … | tandem order hold --order 1001 --ttl-seconds 600")]
pub struct Hold {
    #[command(flatten)]
    quoted: Quoted,
    /// For how long, at most 24 hours; default: the service's, usually 15 minutes.
    #[arg(long)]
    ttl_seconds: Option<u32>,
    #[command(flatten)]
    repeat: Repeat,
}

/// Arguments of `tandem order cancel`.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  tandem order cancel 1001")]
pub struct Cancel {
    /// The order: `1001` or `orders/1001`.
    order: String,
    #[command(flatten)]
    repeat: Repeat,
}

/// Arguments of `tandem order return`.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  tandem order return 1001 1=2 3=1        (two units of line 1 and one of line 3)
  tandem order return 1001 1=1 --shipping whole
  tandem order return 1001 --shipping '2.00 EUR'")]
pub struct Return {
    /// The order: `1001` or `orders/1001`.
    order: String,
    /// Units that come back, by the checkout's own id of the line: `LINE=UNITS`.
    #[arg(required_unless_present = "shipping", value_name = "LINE=UNITS")]
    lines: Vec<String>,
    /// How much of the shipping is paid back too: `whole`, or `2.00 EUR`; default: nothing.
    #[arg(long, value_name = "AMOUNT")]
    shipping: Option<String>,
    #[command(flatten)]
    repeat: Repeat,
}

/// Arguments of `tandem order show`.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  tandem order show 1001")]
pub struct Show {
    /// The order: `1001` or `orders/1001`.
    order: String,
}

/// Arguments of `tandem order explain`.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  tandem order explain 1001")]
pub struct Explain {
    /// The order: `1001` or `orders/1001`.
    order: String,
}

/// An order and its quote.
#[derive(Debug, Args)]
struct Quoted {
    /// The checkout's own id of the order.
    #[arg(long)]
    order: String,
    /// From `tandem quote`; default: from standard input, alone or in the quote's JSON.
    #[arg(long, alias = "token")]
    quote_token: Option<String>,
}

/// What makes a write safe to repeat.
#[derive(Debug, Args)]
struct Repeat {
    /// Repeat an earlier call safely; default: a fresh one.
    #[arg(long)]
    request_id: Option<String>,
}

/// Runs one of them.
pub async fn run(command: Command, target: &Target, format: Format) -> Result<(), Failure> {
    match command {
        Command::Commit(arguments) => commit(arguments, target, format).await,
        Command::Hold(arguments) => hold(arguments, target, format).await,
        Command::Cancel(arguments) => cancel(arguments, target, format).await,
        Command::Return(arguments) => take_back(arguments, target, format).await,
        Command::Show(arguments) => read(arguments, target, format).await,
        Command::Explain(arguments) => explain(arguments, target, format).await,
    }
}

async fn commit(arguments: Commit, target: &Target, format: Format) -> Result<(), Failure> {
    let request_id = arguments.repeat.id();
    let request = CommitOrderRequest {
        order_id: id(&arguments.quoted.order),
        quote_token: arguments.quoted.token()?,
        request_id: request_id.clone(),
        replaces: arguments.replaces.as_deref().map(name).unwrap_or_default(),
    };
    let answer = target.orders().await?.commit_order(request).await;
    let answer = answer.map_err(|status| failed(status, &request_id))?.into_inner();
    print(format, "CommitOrderResponse", &answer, answer.order.as_ref())
}

async fn hold(arguments: Hold, target: &Target, format: Format) -> Result<(), Failure> {
    let request_id = arguments.repeat.id();
    let ttl = |seconds: u32| prost_types::Duration { seconds: seconds.into(), nanos: 0 };
    let request = HoldOrderRequest {
        order_id: id(&arguments.quoted.order),
        quote_token: arguments.quoted.token()?,
        ttl: arguments.ttl_seconds.map(ttl),
        request_id: request_id.clone(),
    };
    let answer = target.orders().await?.hold_order(request).await;
    let answer = answer.map_err(|status| failed(status, &request_id))?.into_inner();
    print(format, "HoldOrderResponse", &answer, answer.order.as_ref())
}

async fn cancel(arguments: Cancel, target: &Target, format: Format) -> Result<(), Failure> {
    let request_id = arguments.repeat.id();
    let request = CancelOrderRequest { name: name(&arguments.order), request_id: request_id.clone() };
    let answer = target.orders().await?.cancel_order(request).await;
    let answer = answer.map_err(|status| failed(status, &request_id))?.into_inner();
    print(format, "CancelOrderResponse", &answer, answer.order.as_ref())?;
    told(format, answer.refund.as_ref())
}

async fn take_back(arguments: Return, target: &Target, format: Format) -> Result<(), Failure> {
    let request_id = arguments.repeat.id();
    let request = ReturnOrderLinesRequest {
        name: name(&arguments.order),
        lines: arguments.lines.iter().map(|text| returned(text)).collect::<Result<_, _>>()?,
        request_id: request_id.clone(),
        shipping: arguments.shipping.as_deref().map(shipping).transpose()?,
    };
    let answer = target.orders().await?.return_order_lines(request).await;
    let answer = answer.map_err(|status| failed(status, &request_id))?.into_inner();
    print(format, "ReturnOrderLinesResponse", &answer, answer.order.as_ref())?;
    told(format, answer.refund.as_ref())
}

fn shipping(text: &str) -> Result<return_order_lines_request::Shipping, Failure> {
    match text {
        "whole" => Ok(return_order_lines_request::Shipping::WholeShipping(true)),
        amount => money::read(amount)
            .map(return_order_lines_request::Shipping::ShippingAmount)
            .map_err(|why| Failure::at("--shipping", why)),
    }
}

async fn read(arguments: Show, target: &Target, format: Format) -> Result<(), Failure> {
    let request = GetOrderRequest { name: name(&arguments.order) };
    let answer = target.orders().await?.get_order(request).await?.into_inner();
    print(format, "GetOrderResponse", &answer, answer.order.as_ref())
}

async fn explain(arguments: Explain, target: &Target, format: Format) -> Result<(), Failure> {
    let request = ExplainOrderRequest { name: name(&arguments.order) };
    let answer = target.orders().await?.explain_order(request).await?.into_inner();
    if format == Format::Json {
        println!("{}", output::json("tandem.campaign.v1.ExplainOrderResponse", &answer)?);
        return Ok(());
    }
    decisions::show(&answer.decisions);
    if answer.only_applied {
        println!("what did not apply was not kept with this order");
    }
    if answer.decisions_left_out > 0 {
        println!("and {} more that did not apply", answer.decisions_left_out);
    }
    Ok(())
}

/// What the till pays back, in words.
fn told(format: Format, refund: Option<&Refund>) -> Result<(), Failure> {
    let Some(refund) = refund.filter(|_| format == Format::Table) else { return Ok(()) };
    let (all, money) = (money::show(refund.amount.as_ref()), money::show(refund.money.as_ref()));
    println!("to pay back {money} of {all}");
    for card in &refund.gift_cards {
        println!("  {} has got back {}", card.code, money::show(card.amount.as_ref()));
    }
    Ok(())
}

impl Repeat {
    fn id(&self) -> String {
        self.request_id.clone().unwrap_or_else(request_id::fresh)
    }
}

impl Quoted {
    fn token(&self) -> Result<String, Failure> {
        if let Some(token) = &self.quote_token {
            return Ok(token.clone());
        }
        let mut input = std::io::stdin();
        if input.is_terminal() {
            return Err(Failure::said("give --quote-token, or pipe `tandem --output json quote …` in"));
        }
        let mut text = String::new();
        input.read_to_string(&mut text)?;
        token_in(&text)
    }
}

/// The token alone, or the answer of Quote in JSON that holds it.
fn token_in(text: &str) -> Result<String, Failure> {
    let text = text.trim();
    let token = if text.starts_with('{') {
        let quote: serde_json::Value =
            serde_json::from_str(text).map_err(|error| Failure::at("standard input", error))?;
        quote["quoteToken"].as_str().unwrap_or_default().to_owned()
    } else {
        text.to_owned()
    };
    if token.is_empty() || token.contains(char::is_whitespace) {
        return Err(Failure::said("standard input holds no quote: give --quote-token, or pipe a quote in"));
    }
    Ok(token)
}

/// `LINE=UNITS`; the units stand behind the last `=`, because ids of lines may hold one.
fn returned(text: &str) -> Result<ReturnedOrderLine, Failure> {
    let wrong = || Failure::said(format!("`{text}` is not LINE=UNITS: write 1=2 for two units of line 1"));
    let (line, units) = text.rsplit_once('=').ok_or_else(wrong)?;
    let quantity = units.parse().map_err(|_| wrong())?;
    Ok(ReturnedOrderLine { line_id: line.to_owned(), quantity })
}

/// `#1001`, or its name, `orders/%231001`.
pub fn id(order: &str) -> String {
    order_id::parse(order).unwrap_or_else(|_| order.to_owned())
}

fn name(order: &str) -> String {
    order_id::name(&id(order))
}

/// A call that may have been done says how it is repeated.
fn failed(status: tonic::Status, request_id: &str) -> Failure {
    if matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded | Code::Unknown) {
        eprintln!("to go on: repeat with --request-id {request_id}");
    }
    status.into()
}

fn print(format: Format, message: &str, answer: &impl Message, order: Option<&Order>) -> Result<(), Failure> {
    match (format, order) {
        (Format::Json, _) => {
            println!("{}", output::json(&format!("tandem.campaign.v1.{message}"), answer)?);
        }
        (Format::Table, Some(order)) => show(order),
        (Format::Table, None) => return Err(Failure::said("the service answered without the order")),
    }
    Ok(())
}

fn show(order: &Order) {
    show_lines(order);
    if !order.offers.is_empty() || !order.codes.is_empty() {
        show_discounts(order);
    }
    let state = order.state().as_str_name().trim_start_matches("ORDER_STATE_").to_lowercase();
    let rows = [
        ("order", order.name.clone()),
        ("state", state.replace('_', " ")),
        ("customer", order.customer.clone()),
        ("guest", order.guest_key.clone()),
        ("place", order.place.clone()),
        (
            "shipping",
            order.shipping.as_ref().map(|_| money::show(order.shipping.as_ref())).unwrap_or_default(),
        ),
        ("discount", money::show(order.discount.as_ref())),
        ("total", money::show(order.total.as_ref())),
        ("held until", output::time(order.hold_expire_time.as_ref())),
        ("committed", output::time(order.commit_time.as_ref())),
        ("replaces", order.replaces.clone()),
        ("replaced by", order.replaced_by.clone()),
    ];
    for (what, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
        println!("{what:<11} {value}");
    }
    for refund in &order.refunds {
        let (when, all) = (output::time(refund.time.as_ref()), money::show(refund.amount.as_ref()));
        println!("paid back   {all} at {when}");
    }
}

fn show_lines(order: &Order) {
    let mut lines =
        output::table(["line", "product", "units", "back", "list", "price", "discounts", "final"]);
    output::right(&mut lines, &[2, 3, 4, 5, 6, 7]);
    for line in &order.lines {
        lines.add_row([
            line.line_id.clone(),
            line.product.clone(),
            line.quantity.to_string(),
            line.returned_quantity.to_string(),
            money::show(line.list_amount.as_ref()),
            money::show(line.initial_amount.as_ref()),
            discounts(line),
            money::show(line.final_amount.as_ref()),
        ]);
    }
    println!("{lines}");
}

/// One to a row of the cell.
fn discounts(line: &OrderLine) -> String {
    let one = |source: &str, amount: String| format!("{source} {amount}");
    let all = line.discounts.iter().map(|by| one(&by.source, money::show(by.amount.as_ref())));
    all.collect::<Vec<_>>().join("\n")
}

fn show_discounts(order: &Order) {
    let mut table = output::table(["offer or code", "revision", "amount", "came back"]);
    output::right(&mut table, &[1, 2, 3]);
    for offer in &order.offers {
        table.add_row([
            offer.offer.clone(),
            offer.revision.to_string(),
            money::show(offer.amount.as_ref()),
            money::show(offer.returned.as_ref()),
        ]);
    }
    for code in &order.codes {
        let pays = if code.tender { ", pays" } else { "" };
        table.add_row([
            format!("{} of {}{pays}", code.code, code.incentive),
            code.version.to_string(),
            money::show(code.amount.as_ref()),
            money::show(code.returned.as_ref()),
        ]);
    }
    println!("{table}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_that_come_back_are_named_by_their_line() {
        let two = returned("1=2").unwrap();
        assert_eq!((two.line_id.as_str(), two.quantity), ("1", 2));
        assert_eq!(returned("a=b=3").unwrap().line_id, "a=b");
        for wrong in ["1", "1=", "1=two", "1:2"] {
            assert!(returned(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_token_is_read_alone_or_out_of_a_quote() {
        assert_eq!(token_in(" abc\n").unwrap(), "abc");
        assert_eq!(token_in(r#"{"quoteToken": "abc", "lines": []}"#).unwrap(), "abc");
        for wrong in ["", "{}", "{", "two words"] {
            assert!(token_in(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_order_is_typed_by_its_id_or_its_name() {
        assert_eq!((name("1001"), name("orders/1001")), ("orders/1001".to_owned(), "orders/1001".to_owned()));
    }
}
