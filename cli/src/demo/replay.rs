//! Replays every purchase: quote with the customer's codes, redeem what applied, return some of it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Instant;

use futures::StreamExt;
use tandem_proto::campaign::v1::{DecisionOutcome, QuoteRequest, QuoteResponse};
use tandem_proto::relationship::v1::redeem_vouchers_request::What;
use tandem_proto::relationship::v1::{
    RedeemVouchersRequest, ReturnedLine, RollbackReason, RollbackRedemptionRequest,
};
use tonic_types::StatusExt;

use super::Shop;
use super::account::{Account, Order};
use super::purchases::Purchase;
use super::stage::PLACE;
use crate::failure::Failure;
use crate::{money, vouchers};

/// Customers who shop at the same time. Each customer's purchases stay in order.
const TILLS: usize = 32;
/// Every so many orders with a code come back in part.
const RETURNED_EACH: usize = 10;
/// Every so many orders with a code are cancelled.
const CANCELLED_EACH: usize = 25;
/// How often a till quotes again after a refusal before it sells without codes.
const QUOTES_PER_ORDER: usize = 3;

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

/// Sells one purchase. A code that is refused between quote and redemption is left out of the next quote.
async fn sell(shop: &Shop, purchase: &Purchase, codes: &[String]) -> Result<Order, Failure> {
    let mut order = Order::new(purchase);
    let mut codes = codes.to_vec();
    for _ in 0..QUOTES_PER_ORDER {
        let asked = Instant::now();
        let quote = quote(shop, purchase, &codes).await?;
        order.quoted(&quote, asked.elapsed());
        if applied_codes(&quote) == 0 {
            return Ok(order);
        }
        let request = RedeemVouchersRequest {
            order_id: purchase.order_id(),
            what: Some(What::QuoteToken(quote.quote_token)),
            customer: purchase.customer_name(),
            request_id: vouchers::fresh_request_id(),
            ..Default::default()
        };
        let asked = Instant::now();
        match shop.vouchers.clone().redeem_vouchers(request).await {
            Ok(answer) => {
                order.redeemed(&answer.into_inner(), asked.elapsed());
                return Ok(order);
            }
            Err(status) => {
                let refused = refused_codes(&status);
                if refused.is_empty() {
                    return Err(status.into());
                }
                codes.retain(|code| !refused.iter().any(|(refused, _)| refused == code));
                order.refused(refused.into_iter().map(|(_, reason)| reason));
            }
        }
    }
    Ok(order)
}

async fn quote(shop: &Shop, purchase: &Purchase, codes: &[String]) -> Result<QuoteResponse, Failure> {
    let request = QuoteRequest {
        basket: Some(purchase.basket(shop.currency)),
        place: PLACE.to_owned(),
        customer: purchase.customer_name(),
        codes: codes.to_vec(),
        order_id: purchase.order_id(),
        require_incentives: true,
        ..QuoteRequest::default()
    };
    Ok(shop.pricing.clone().quote(request).await?.into_inner())
}

fn applied_codes(quote: &QuoteResponse) -> usize {
    let applied = quote.decisions.iter().filter(|decision| decision.outcome() == DecisionOutcome::Applied);
    applied.filter(|decision| decision.source.starts_with("vouchers/")).count()
}

fn refused_codes(status: &tonic::Status) -> Vec<(String, String)> {
    let details = status.get_error_details();
    let violations =
        details.precondition_failure().map(|failure| failure.violations.clone()).unwrap_or_default();
    let code = |subject: &str| subject.strip_prefix("vouchers/").unwrap_or(subject).to_owned();
    violations.into_iter().map(|violation| (code(&violation.subject), violation.r#type)).collect()
}

/// Takes some orders back: every tenth in part, every twenty-fifth as a whole.
pub async fn returns(shop: &Shop, account: &mut Account) -> Result<(), Failure> {
    let with_codes: Vec<Order> = account.orders_with_codes();
    for (index, order) in with_codes.iter().enumerate() {
        let cancelled = index % CANCELLED_EACH == CANCELLED_EACH - 1;
        let returned = index % RETURNED_EACH == RETURNED_EACH - 1;
        if !cancelled && !returned {
            continue;
        }
        let one_unit = ReturnedLine { line_id: order.first_line.clone(), quantity: 1 };
        let request = RollbackRedemptionRequest {
            order_id: order.id.clone(),
            lines: if cancelled { vec![] } else { vec![one_unit] },
            reason: if cancelled { RollbackReason::Cancelled } else { RollbackReason::Returned }.into(),
            request_id: vouchers::fresh_request_id(),
            code: String::new(),
        };
        let answer = shop.vouchers.clone().rollback_redemption(request).await?.into_inner();
        account.took_back(money::minor(answer.returned.as_ref()), cancelled);
    }
    Ok(())
}
