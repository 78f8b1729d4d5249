//! A checkout that sells under Tandem: it quotes with a code, commits with retries, reads why it was refused, takes a line
//! back, and follows events from a stored cursor. Every client in clients/ tells this story and prints the same lines.

use std::error::Error;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{env, fs};

use tandem_client::campaign::v1 as campaign;
use tandem_client::common::v1 as common;
use tandem_client::relationship::v1 as relationship;

use campaign::event_service_client::EventServiceClient;
use campaign::order_service_client::OrderServiceClient;
use campaign::pricing_service_client::PricingServiceClient;
use campaign::product_service_client::ProductServiceClient;
use relationship::incentive_service_client::IncentiveServiceClient;
use relationship::voucher_service_client::VoucherServiceClient;
use tonic::metadata::MetadataValue;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Response, Status};
use tonic_types::StatusExt;

const PRODUCT: &str = "products/client-mug";
const INCENTIVE: &str = "incentives/client-ten-off";
const CODE: &str = "CLIENT-TEN";

type Failure = Box<dyn Error>;
type Service = InterceptedService<Channel, fn(Request<()>) -> Result<Request<()>, Status>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let order = format!("rust-{}", SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos());
    let shop = connect("TANDEM_CAMPAIGN", "http://127.0.0.1:7401")?;
    let people = connect("TANDEM_RELATIONSHIP", "http://127.0.0.1:7402")?;
    set_up(&shop, &people).await?;
    sell(&shop, &order).await?;
    take_back(&OrderServiceClient::new(shop.clone()), &order).await?;
    follow(EventServiceClient::new(shop), &order).await
}

/// A connection that says in every call which tenant it is for, and gives it ten seconds.
fn connect(variable: &str, otherwise: &str) -> Result<Service, Failure> {
    let address = env::var(variable).unwrap_or_else(|_| otherwise.to_owned());
    Ok(InterceptedService::new(Endpoint::from_shared(address)?.connect_lazy(), |mut request| {
        request.metadata_mut().insert("tandem-tenant", MetadataValue::from_static("clients"));
        if request.metadata().get("grpc-timeout").is_none() {
            request.set_timeout(Duration::from_secs(10));
        }
        Ok(request)
    }))
}

/// Makes what the story needs: a mug for 12.50 EUR, and a code for ten per cent off. What is there stays.
async fn set_up(shop: &Service, people: &Service) -> Result<(), Failure> {
    let price = common::Money { currency_code: "EUR".into(), units: 12, nanos: 500_000_000 };
    let price = campaign::ListPrice { price: Some(price), ..Default::default() };
    let mug = campaign::Product { display_name: "Mug".into(), prices: vec![price], ..Default::default() };
    let create = campaign::CreateProductRequest {
        product_id: PRODUCT.replace("products/", ""),
        product: Some(mug),
        ..Default::default()
    };
    unless_there(ProductServiceClient::new(shop.clone()).create_product(create).await)?;
    let percent = common::PercentDiscount { rate_ppm: 100_000 };
    let percent = common::discount::Kind::Percent(percent);
    let incentive = relationship::Incentive {
        display_name: "Ten off".into(),
        discount: Some(common::Discount { kind: Some(percent), ..Default::default() }),
        unlimited_uses_per_code: true,
        ..Default::default()
    };
    let create = relationship::CreateIncentiveRequest {
        incentive_id: INCENTIVE.replace("incentives/", ""),
        incentive: Some(incentive),
        ..Default::default()
    };
    unless_there(IncentiveServiceClient::new(people.clone()).create_incentive(create).await)?;
    let voucher = relationship::Voucher {
        code: CODE.into(),
        incentive: INCENTIVE.into(),
        unlimited_uses: true,
        ..Default::default()
    };
    let import = relationship::ImportVouchersRequest { vouchers: vec![voucher], ..Default::default() };
    let mut imported = VoucherServiceClient::new(people.clone())
        .import_vouchers(tokio_stream::once(import))
        .await?
        .into_inner();
    while let Some(told) = imported.message().await? {
        if told.failed > 0 {
            return Err(format!("the code was not imported: {:?}", told.failures).into());
        }
    }
    println!("set up: {PRODUCT}, {INCENTIVE}, code {CODE}");
    Ok(())
}

fn unless_there<A>(answer: Result<A, Status>) -> Result<(), Status> {
    match answer {
        Err(error) if error.code() != Code::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Quotes two mugs with the code and commits the order. A quote that cannot be made names every wrong field.
async fn sell(shop: &Service, order: &str) -> Result<(), Failure> {
    let (mut pricing, orders) =
        (PricingServiceClient::new(shop.clone()), OrderServiceClient::new(shop.clone()));
    let nothing = campaign::QuoteRequest { basket: Some(basket(0)), ..Default::default() };
    tell(&failure(pricing.quote(nothing).await)?)?;

    let codes = vec![CODE.to_owned()];
    let two = campaign::QuoteRequest { basket: Some(basket(2)), codes, ..Default::default() };
    let quote = pricing.quote(two).await?.into_inner();
    let totals = quote.totals.unwrap_or_default();
    println!("quoted: 2 mugs, {} less {}", text(totals.initial_amount), text(totals.discount_amount));
    let commit = campaign::CommitOrderRequest {
        order_id: order.to_owned(),
        quote_token: quote.quote_token,
        request_id: format!("commit-{order}"),
        ..Default::default()
    };
    let committed = retried(async || orders.clone().commit_order(commit.clone()).await).await?;
    println!("committed: {}", text(committed.order.clone().unwrap_or_default().total));

    if orders.clone().commit_order(commit).await?.into_inner() != committed {
        return Err("the same request_id was answered otherwise".into());
    }
    println!("asked again: the same answer");
    Ok(())
}

fn basket(mugs: i64) -> common::Basket {
    let line = common::Line { id: "1".into(), product: PRODUCT.into(), quantity: mugs, ..Default::default() };
    common::Basket { currency_code: "EUR".into(), lines: vec![line], ..Default::default() }
}

/// Calls until there is an answer that repeating would not change. Whether a call that failed so was done is not known; its
/// request_id makes sure that it is done once.
async fn retried<A>(call: impl AsyncFn() -> Result<Response<A>, Status>) -> Result<A, Status> {
    let mut delay = Duration::from_millis(100);
    for _ in 1..6 {
        let error = match call().await {
            Ok(answer) => return Ok(answer.into_inner()),
            Err(error) => error,
        };
        match error.code() {
            Code::Unavailable | Code::DeadlineExceeded | Code::ResourceExhausted | Code::Aborted => {}
            // What tonic says of a connection that breaks during a call.
            Code::Unknown => {}
            _ => return Err(error),
        }
        let asked = error.get_details_retry_info().and_then(|info| info.retry_delay).unwrap_or_default();
        tokio::time::sleep(delay.max(asked)).await;
        delay *= 2;
    }
    call().await.map(Response::into_inner)
}

fn failure<A>(answer: Result<A, Status>) -> Result<Status, Failure> {
    answer.err().ok_or_else(|| "this should have been refused".into())
}

/// Prints why a call was refused.
fn tell(error: &Status) -> Result<(), Failure> {
    let why = error.get_details_error_info().ok_or_else(|| error.clone())?;
    println!("refused: {} of {}", why.reason, why.domain);
    let wrong = error.get_details_bad_request().map(|wrong| wrong.field_violations);
    for violation in wrong.unwrap_or_default() {
        println!("  {}", violation.field);
    }
    Ok(())
}

/// The same as a value of campaign-svc's own enum, to decide by.
fn reason(error: &Status) -> Option<campaign::ErrorReason> {
    let why = error.get_details_error_info().filter(|why| why.domain == "tandem.campaign.v1")?;
    campaign::ErrorReason::from_str_name(&format!("ERROR_REASON_{}", why.reason))
}

/// Returns one mug. Three are more than were sold, and refused.
async fn take_back(orders: &OrderServiceClient<Service>, order: &str) -> Result<(), Failure> {
    let back = async |quantity: i64| {
        let request = campaign::ReturnOrderLinesRequest {
            name: format!("orders/{order}"),
            lines: vec![campaign::ReturnedOrderLine { line_id: "1".into(), quantity }],
            request_id: format!("return-{quantity}-{order}"),
            ..Default::default()
        };
        retried(async || orders.clone().return_order_lines(request.clone()).await).await
    };
    let refused = failure(back(3).await)?;
    if reason(&refused) != Some(campaign::ErrorReason::QuantityExceeded) {
        return Err(refused.into());
    }
    tell(&refused)?;
    let refund = back(1).await?.refund.unwrap_or_default();
    println!("returned: 1 mug, {} to pay back", text(refund.amount));
    Ok(())
}

/// Prints what happened to this client's orders since it last looked, until it has seen the return. The cursor is kept after
/// each event is dealt with: whoever stops goes on from there.
async fn follow(mut events: EventServiceClient<Service>, order: &str) -> Result<(), Failure> {
    let file = env::var("TANDEM_CURSOR").unwrap_or_else(|_| "cursor".to_owned());
    let mut request = Request::new(campaign::SubscribeRequest {
        cursor: if fs::exists(&file)? { fs::read_to_string(&file)? } else { String::new() },
        types: vec!["tandem.campaign.v1.Order".to_owned()],
        aggregate_prefix: "orders/rust-".to_owned(),
    });
    request.set_timeout(Duration::from_secs(30));
    let mut stream = events.subscribe(request).await?.into_inner();
    while let Some(response) = stream.message().await? {
        let seen = match response.event {
            Some(event) => happened(&event, order)?,
            None => false,
        };
        fs::write(&file, response.cursor)?;
        if seen {
            return Ok(());
        }
    }
    Err("the stream has ended".into())
}

/// Prints one event, and says whether it is the return of this order.
fn happened(event: &common::Event, order: &str) -> Result<bool, Failure> {
    let payload = event.payload.as_ref().ok_or("an event without payload")?;
    if let Ok(committed) = payload.to_msg::<campaign::OrderCommitted>() {
        println!("event: OrderCommitted, {}", text(committed.order.unwrap_or_default().total));
    } else if let Ok(returned) = payload.to_msg::<campaign::OrderLinesReturned>() {
        println!("event: OrderLinesReturned, {}", text(returned.refund.unwrap_or_default().amount));
        return Ok(returned.order.unwrap_or_default().name == format!("orders/{order}"));
    }
    Ok(false)
}

fn text(money: Option<common::Money>) -> String {
    let money = money.unwrap_or_default();
    format!("{}.{:02} {}", money.units, money.nanos / 10_000_000, money.currency_code)
}
