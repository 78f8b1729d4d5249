//! Replays every purchase: quote with the customer's codes, commit the quote, cancel or return some of it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt};
use tandem_proto::campaign::v1::{
    CancelOrderRequest, CommitOrderRequest, QuoteRequest, QuoteResponse, ReturnOrderLinesRequest,
    ReturnedOrderLine,
};
use tandem_proto::common::v1::Basket;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::Shop;
use super::account::{Account, Fate, Order};
use super::purchases::Purchase;
use super::stage::PLACE;
use crate::failure::Failure;
use crate::request_id;

/// Customers who shop at the same time. Each customer's purchases stay in order.
const TILLS: usize = 8;
/// Every so many orders come back in part.
const RETURNED_EACH: usize = 10;
/// Every so many orders are cancelled.
const CANCELLED_EACH: usize = 25;
/// How often a till quotes with codes before it sells without any.
const QUOTES_PER_ORDER: usize = 3;
/// How often a till repeats a call that is still pending, and how long it waits between.
const REPEATS: usize = 40;
const PAUSE: Duration = Duration::from_millis(250);

/// Every customer's codes.
pub type Codes = Arc<HashMap<String, Vec<String>>>;

/// Sells every purchase and adds it to the account.
pub async fn purchases(
    shop: &Shop,
    purchases: &[Purchase],
    codes: &Codes,
    account: &mut Account,
    bar: &indicatif::ProgressBar,
) -> Result<(), Failure> {
    let mut by_customer: BTreeMap<&str, Vec<&Purchase>> = BTreeMap::new();
    for purchase in purchases {
        by_customer.entry(&purchase.customer).or_default().push(purchase);
    }
    let mut tills = futures::stream::iter(by_customer.into_values())
        .map(|purchases| async move {
            let mut sold = Vec::new();
            for purchase in purchases {
                let none = Vec::new();
                let codes = codes.get(&purchase.customer_name()).unwrap_or(&none);
                sold.push(sell(shop, purchase, codes).await?);
                bar.inc(1);
            }
            Ok::<_, Failure>(sold)
        })
        .buffer_unordered(TILLS);
    while let Some(sold) = tills.next().await {
        for order in sold? {
            account.add(order);
        }
    }
    Ok(())
}

/// Sells one purchase. What is refused at commit, code or offer, is left out of the next quote; the last has no codes.
async fn sell(shop: &Shop, purchase: &Purchase, codes: &[String]) -> Result<Order, Failure> {
    let basket = purchase.basket(shop.currency);
    let mut order = Order::new(purchase, &basket);
    let (mut codes, mut without_offers) = (codes.to_vec(), Vec::new());
    for quotes in 0..=QUOTES_PER_ORDER {
        if quotes == QUOTES_PER_ORDER {
            codes.clear();
        }
        let asked = Instant::now();
        let quote = quote(shop, purchase, &basket, &codes, &without_offers).await?;
        order.quoted(&quote, asked.elapsed());
        let asked = Instant::now();
        let Err(status) = commit(shop, purchase, quote.quote_token).await else {
            order.sold(asked.elapsed());
            break;
        };
        let reasons = refusals(&status);
        if reasons.is_empty() {
            return Err((*status).into());
        }
        codes.retain(|code| !reasons.iter().any(|(subject, _)| subject == code));
        without_offers.extend(order.offers_of(reasons.iter().map(|(subject, _)| subject.as_str())));
        order.refused(reasons.into_iter().map(|(_, reason)| reason), is_of_relationship(&status));
    }
    Ok(order)
}

async fn quote(
    shop: &Shop,
    purchase: &Purchase,
    basket: &Basket,
    codes: &[String],
    without_offers: &[String],
) -> Result<QuoteResponse, Failure> {
    let request = QuoteRequest {
        basket: Some(basket.clone()),
        place: PLACE.to_owned(),
        customer: purchase.customer_name(),
        codes: codes.to_vec(),
        order_id: purchase.order_id(),
        require_incentives: true,
        without_offers: without_offers.to_vec(),
        ..QuoteRequest::default()
    };
    Ok(shop.pricing.clone().quote(request).await?.into_inner())
}

/// One call for both services.
async fn commit(shop: &Shop, purchase: &Purchase, quote_token: String) -> Result<(), Box<Status>> {
    let request = CommitOrderRequest {
        order_id: purchase.order_id(),
        quote_token,
        request_id: request_id::fresh(),
        replaces: String::new(),
    };
    let call = async || shop.orders.clone().commit_order(request.clone()).await.map(drop);
    until_answered(call).await
}

/// Repeats a call whose order waits for relationship-svc: with the same request_id it is the same call.
async fn until_answered(call: impl AsyncFn() -> Result<(), Status>) -> Result<(), Box<Status>> {
    let mut repeats = 0;
    loop {
        match call().await {
            Err(status) if status.code() == Code::Unavailable && repeats < REPEATS => repeats += 1,
            answer => return answer.map_err(Box::new),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// What was refused, and for what reason: codes, offers or a campaign.
fn refusals(status: &Status) -> Vec<(String, String)> {
    let details = status.get_error_details();
    let violations =
        details.precondition_failure().map(|failure| failure.violations.clone()).unwrap_or_default();
    let code = |subject: &str| subject.strip_prefix("vouchers/").unwrap_or(subject).to_owned();
    violations.into_iter().map(|violation| (code(&violation.subject), violation.r#type)).collect()
}

fn is_of_relationship(status: &Status) -> bool {
    status.get_details_error_info().is_some_and(|info| info.domain == "tandem.relationship.v1")
}

/// Takes some orders back: of every tenth a unit, every twenty-fifth as a whole.
pub async fn returns(shop: &Shop, account: &mut Account) -> Result<(), Failure> {
    let sold = account.sold().into_iter().enumerate();
    futures::stream::iter(sold.map(Ok::<_, Failure>))
        .try_for_each_concurrent(TILLS, |(index, order)| async move {
            if index % CANCELLED_EACH == CANCELLED_EACH - 1 {
                cancel(shop, order).await?;
                order.fate = Fate::Cancelled;
            } else if index % RETURNED_EACH == RETURNED_EACH - 1 {
                take_back(shop, order).await?;
                order.fate = Fate::Returned;
            }
            Ok(())
        })
        .await
}

async fn cancel(shop: &Shop, order: &Order) -> Result<(), Failure> {
    let request =
        CancelOrderRequest { name: format!("orders/{}", order.id), request_id: request_id::fresh() };
    let call = async || shop.orders.clone().cancel_order(request.clone()).await.map(drop);
    until_answered(call).await.map_err(|status| (*status).into())
}

/// One unit of the first line.
async fn take_back(shop: &Shop, order: &Order) -> Result<(), Failure> {
    let request = ReturnOrderLinesRequest {
        name: format!("orders/{}", order.id),
        lines: vec![ReturnedOrderLine { line_id: order.first_line.clone(), quantity: 1 }],
        request_id: request_id::fresh(),
        shipping: None,
    };
    let call = async || shop.orders.clone().return_order_lines(request.clone()).await.map(drop);
    until_answered(call).await.map_err(|status| (*status).into())
}
