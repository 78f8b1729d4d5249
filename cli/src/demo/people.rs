//! The people behind the purchases. Their orders have come to relationship-svc by themselves; so it is known where each one
//! stands, two who are one are made one, and one who asks for it is erased.

use std::collections::BTreeMap;
use std::time::Duration;

use tandem_proto::campaign::v1::ListOrdersRequest;
use tandem_proto::relationship::v1::relationship_service_client::RelationshipServiceClient;
use tandem_proto::relationship::v1::{
    CountSegmentRequest, EraseCustomerRequest, Erasure, GetCustomerRequest, GetRelationshipRequest,
    ListRedemptionsRequest, MergeCustomersRequest,
};
use tonic_types::StatusExt;

use super::Shop;
use super::account::{Account, Fate};
use crate::connect::Target;
use crate::customers::show;
use crate::failure::Failure;
use crate::{name, output};

/// How long what goes on by itself may take, and between two looks at it.
const PATIENCE: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(200);

/// The orders of each customer that stand, as the till knows them.
type Orders = BTreeMap<String, i64>;

/// Tells of them; an error where the service knows them otherwise than the till does.
pub async fn tell(shop: &Shop, target: &Target, account: &Account, customers: usize) -> Result<(), Failure> {
    let orders = stand(account);
    stages(shop, &orders, customers).await?;
    let mut loyal: Vec<(&String, i64)> = orders.iter().map(|(name, count)| (name, *count)).collect();
    loyal.sort_by_key(|(name, count)| (std::cmp::Reverse(*count), (*name).clone()));
    let [(kept, most), (double, fewer), ..] = loyal[..] else { return Ok(()) };

    println!("\nThe one who bought most often");
    show::print(kept, target).await?;

    println!("\nTwo who are one");
    let merge = MergeCustomersRequest {
        source: double.clone(),
        target: kept.clone(),
        validate_only: true,
        ..MergeCustomersRequest::default()
    };
    let preview = shop.customers.clone().merge_customers(merge.clone()).await?.into_inner();
    let preview = preview.preview.unwrap_or_default();
    println!(
        "  a preview: {} orders and {} redemptions of {double} would be {kept}'s",
        preview.orders, preview.redemptions
    );
    let merge = MergeCustomersRequest { validate_only: false, ..merge };
    shop.customers.clone().merge_customers(merge).await?;
    let answers = GetCustomerRequest { name: double.clone() };
    let answers = shop.customers.clone().get_customer(answers).await?.into_inner();
    let name = answers.customer.unwrap_or_default().name;
    agree("the old id answers with the one who is kept", &name, kept)?;
    let now = ordered(target, kept).await?;
    agree(&format!("orders of both, {most} and {fewer}"), &now, &(most + fewer))?;

    println!("\nOne who asks to be forgotten");
    let erasure = erase(shop, kept).await?;
    let gone = shop.customers.clone().get_customer(GetCustomerRequest { name: kept.clone() }).await;
    let reason = gone.err().and_then(|status| status.get_details_error_info()).map(|info| info.reason);
    agree("what is asked of them now", &reason.unwrap_or_default(), &"CUSTOMER_ERASED".to_owned())?;
    remains(shop, [kept, double], &erasure).await
}

fn stand(account: &Account) -> Orders {
    let mut orders = Orders::new();
    for order in account.orders() {
        if matches!(order.fate, Fate::Sold | Fate::Returned) {
            *orders.entry(order.customer.clone()).or_default() += 1;
        }
    }
    orders
}

/// Where everybody stands, by the service and by the till.
async fn stages(shop: &Shop, orders: &Orders, customers: usize) -> Result<(), Failure> {
    let of = |wanted: fn(i64) -> bool| orders.values().filter(|count| wanted(**count)).count();
    let rules = [
        ("relationship.stage == 'PROSPECT'", customers - orders.len()),
        ("relationship.stage == 'FIRST_PURCHASE'", of(|count| count == 1)),
        ("relationship.stage == 'ACTIVE'", of(|count| count == 2)),
        ("relationship.stage == 'LOYAL'", of(|count| count >= 3)),
        ("orders(30).count >= 5 && last('ORDER') < 30", of(|count| count >= 5)),
        ("orders(365).amount('USD') > 0 && consent('newsletter', 'EMAIL') == 'GRANTED'", 0),
    ];
    println!("\nThe people: orders come to relationship-svc by themselves");
    let mut table = output::table(["customers of whom this holds", "till", "service"]);
    output::right(&mut table, &[1, 2]);
    for (rule, till) in rules {
        let till = i64::try_from(till).unwrap_or(i64::MAX);
        let count = async || Ok(count(shop, rule).await?.eq(&till).then_some(till));
        let service = in_time(rule, count).await?;
        table.add_row([rule.to_owned(), till.to_string(), service.to_string()]);
    }
    println!("{table}");
    Ok(())
}

async fn count(shop: &Shop, rule: &str) -> Result<i64, Failure> {
    let request = CountSegmentRequest { name: String::new(), rule: rule.to_owned() };
    Ok(shop.segments.clone().count_segment(request).await?.into_inner().members)
}

/// What becomes so by itself, once it is.
async fn in_time<T>(what: &str, look: impl AsyncFn() -> Result<Option<T>, Failure>) -> Result<T, Failure> {
    let began = std::time::Instant::now();
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        if began.elapsed() > PATIENCE {
            return Err(Failure::said(format!("not so after {} s: {what}", PATIENCE.as_secs())));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn agree<T: PartialEq + std::fmt::Display>(what: &str, one: &T, other: &T) -> Result<(), Failure> {
    println!("  {what}: {one}");
    if one == other { Ok(()) } else { Err(Failure::said(format!("{what}: {one}, and not {other}"))) }
}

async fn ordered(target: &Target, customer: &str) -> Result<i64, Failure> {
    let mut client: RelationshipServiceClient<_> = target.relationships().await?;
    let request = GetRelationshipRequest { customer: customer.to_owned(), guest_key: String::new() };
    Ok(client.get_relationship(request).await?.into_inner().relationship.unwrap_or_default().orders)
}

async fn redemptions(shop: &Shop, customer: &str) -> Result<usize, Failure> {
    let request = ListRedemptionsRequest {
        customer: customer.to_owned(),
        page_size: 1_000,
        ..ListRedemptionsRequest::default()
    };
    Ok(shop.vouchers.clone().list_redemptions(request).await?.into_inner().redemptions.len())
}

/// Erases somebody, and waits until every ledger is rid of them.
async fn erase(shop: &Shop, customer: &str) -> Result<Erasure, Failure> {
    let request = EraseCustomerRequest { name: customer.to_owned(), request_id: String::new() };
    let done = async || {
        let answer = shop.customers.clone().erase_customer(request.clone()).await?.into_inner();
        Ok(answer.erasure.filter(|erasure| erasure.done_time.is_some()))
    };
    in_time("an erasure is done", done).await
}

/// What is left of somebody in both services: ledgers under a pseudonym.
async fn remains(shop: &Shop, names: [&String; 2], erasure: &Erasure) -> Result<(), Failure> {
    let pseudonym = &erasure.pseudonym;
    println!("  {} is {} in ledgers", names[0], name::id("customers", pseudonym));
    let orders = async |customer: &str| {
        let request = ListOrdersRequest {
            customer: customer.to_owned(),
            page_size: 1_000,
            ..ListOrdersRequest::default()
        };
        Ok::<_, Failure>(shop.orders.clone().list_orders(request).await?.into_inner().orders.len())
    };
    let rid = async || {
        let left = orders(names[0]).await? + orders(names[1]).await?;
        Ok((left == 0).then_some(()))
    };
    in_time("campaign-svc is rid of who was erased", rid).await?;
    let (sold, redeemed) = (orders(pseudonym).await?, redemptions(shop, pseudonym).await?);
    println!("  what remains under it: {sold} orders and {redeemed} redemptions, with nobody's name on them");
    if sold > 0 { Ok(()) } else { Err(Failure::said("the orders of who was erased are lost")) }
}
