//! Sets relationship-svc's stage: segments, customers, incentives with every kind of limit, and their codes.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt, stream};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use tandem_proto::common::v1::{self as common, discount};
use tandem_proto::relationship::v1 as relationship;
use tandem_proto::relationship::v1::customer_service_client::CustomerServiceClient;
use tandem_proto::relationship::v1::incentive_service_client::IncentiveServiceClient;
use tandem_proto::relationship::v1::segment_service_client::SegmentServiceClient;
use tandem_proto::relationship::v1::voucher_service_client::VoucherServiceClient;
use tonic::transport::Channel;

use crate::Outcome;
use crate::args::{INCENTIVES, Scale};

/// Groups of customers.
pub const SEGMENTS: u32 = 50;
/// The first customer is `c10000`: numbers of one length keep codes and ids of one length.
pub const FIRST_CUSTOMER: u32 = 10_000;
/// The first code is `M1000000` or `L1000000`.
pub const FIRST_CODE: u32 = 1_000_000;
/// The first of the many incentives is `m100`.
pub const FIRST_INCENTIVE: u32 = 100;
/// The incentive with the hot code.
pub const HOT: &str = "hot";
/// The code everybody uses.
pub const HOT_CODE: &str = "HOT00000";
/// The incentive whose codes are all distinct.
pub const ONE: &str = "one";
/// Uses of the whole incentive, or of an offer; never reached.
pub const MAX_USES: i64 = 1_000_000_000;
/// Uses of one code; never reached.
pub const MAX_USES_PER_CODE: i64 = 900_000_000;
/// Uses by one customer; never reached.
pub const MAX_USES_PER_CUSTOMER: i64 = 1_000_000;
/// Money, in euros; never reached.
pub const BUDGET_EUR: i64 = 1_000_000_000;

const SEED: u64 = 7;
const TAGS_EACH: usize = 5;
const PER_MESSAGE: usize = 1_000;
const SIDE_BY_SIDE: usize = 8;
const COUNTRIES: [&str; 4] = ["AT", "CH", "DE", "FR"];

/// The incentive of one of the many codes.
pub fn incentive_of(code: u32) -> String {
    format!("m{}", FIRST_INCENTIVE + code % INCENTIVES)
}

/// Everything.
pub async fn set(channel: Channel, scale: &Scale) -> Outcome {
    segments(channel.clone()).await?;
    customers(channel.clone(), scale.customers).await?;
    let many = (0..INCENTIVES).map(|number| format!("m{}", FIRST_INCENTIVE + number));
    for id in [HOT.to_owned(), ONE.to_owned()].into_iter().chain(many) {
        incentive(channel.clone(), &id).await?;
    }
    let many = (0..scale.many_codes).map(|number| FIRST_CODE + number);
    let many = many.map(|number| (format!("M{number}"), incentive_of(number)));
    let one = (0..scale.one_codes).map(|number| (format!("L{}", FIRST_CODE + number), ONE.to_owned()));
    let hot = [(HOT_CODE.to_owned(), HOT.to_owned())];
    codes(channel, hot.into_iter().chain(one).chain(many).collect()).await
}

async fn segments(channel: Channel) -> Outcome {
    let mut client = SegmentServiceClient::new(channel);
    for number in 0..SEGMENTS {
        let tagged = format!("\"t{number}\" in customer.tags");
        let rule = if number % 2 == 0 { tagged } else { format!("{tagged} && customer.country != \"FR\"") };
        let request = relationship::CreateSegmentRequest {
            segment: Some(relationship::Segment { rule, ..Default::default() }),
            segment_id: format!("s{number}"),
            ..Default::default()
        };
        client.create_segment(request).await?;
    }
    Ok(())
}

async fn customers(channel: Channel, count: u32) -> Outcome {
    let mut client = CustomerServiceClient::new(channel).max_decoding_message_size(usize::MAX);
    let mut random = StdRng::seed_from_u64(SEED);
    let customers: Vec<_> = (0..count).map(|number| customer(number, &mut random)).collect();
    for block in customers.chunks(PER_MESSAGE) {
        let request =
            relationship::BatchUpsertCustomersRequest { customers: block.to_vec(), ..Default::default() };
        let results = client.batch_upsert_customers(request).await?.into_inner().results;
        let refused =
            results.iter().filter_map(|result| result.status.as_ref()).find(|status| status.code != 0);
        if let Some(status) = refused {
            return Err(format!("a customer was refused: {}", status.message).into());
        }
    }
    Ok(())
}

fn customer(number: u32, random: &mut StdRng) -> relationship::Customer {
    let country = COUNTRIES.choose(random).copied().unwrap_or_default();
    relationship::Customer {
        name: customer_name(number),
        display_name: format!("Customer {number}"),
        email: format!("customer-{number}@example.com"),
        locale: "de-AT".to_owned(),
        time_zone: "Europe/Vienna".to_owned(),
        country: country.to_owned(),
        attributes: BTreeMap::from([("tier".to_owned(), (number % 4).to_string())]).into_iter().collect(),
        tags: (0..TAGS_EACH).map(|_| format!("t{}", random.random_range(0..SEGMENTS))).collect(),
        ..Default::default()
    }
}

/// `customers/c10000` is the first.
pub fn customer_name(number: u32) -> String {
    format!("customers/c{}", FIRST_CUSTOMER + number)
}

/// 5 % with a limit per code, in all, per customer, and a money budget.
pub async fn incentive(channel: Channel, id: &str) -> Outcome {
    IncentiveServiceClient::new(channel).create_incentive(create_incentive(id, limits())).await?;
    Ok(())
}

/// 5 % with a limit per code and others.
pub fn create_incentive(id: &str, limits: common::Limits) -> relationship::CreateIncentiveRequest {
    let percent = discount::Kind::Percent(common::PercentDiscount { rate_ppm: 50_000 });
    let incentive = relationship::Incentive {
        display_name: format!("Incentive {id}"),
        titles: BTreeMap::from([(String::new(), "Five per cent".to_owned())]).into_iter().collect(),
        discount: Some(common::Discount { kind: Some(percent), group: 20, ..Default::default() }),
        limits: Some(limits),
        max_uses_per_code: Some(MAX_USES_PER_CODE),
        ..Default::default()
    };
    relationship::CreateIncentiveRequest {
        incentive: Some(incentive),
        incentive_id: id.to_owned(),
        ..Default::default()
    }
}

/// Every kind of limit, never reached.
pub fn limits() -> common::Limits {
    common::Limits {
        max_uses: Some(MAX_USES),
        max_uses_per_customer: Some(MAX_USES_PER_CUSTOMER),
        budgets: vec![euros(BUDGET_EUR, 0)],
        ..Default::default()
    }
}

async fn codes(channel: Channel, codes: Vec<(String, String)>) -> Outcome {
    let wanted = codes.len();
    let share = wanted.div_ceil(SIDE_BY_SIDE);
    let parts: Vec<Vec<_>> =
        codes.chunks(share).map(|part| part.chunks(PER_MESSAGE).map(import).collect()).collect();
    let imports = parts.into_iter().map(|messages| {
        let mut client = VoucherServiceClient::new(channel.clone());
        async move {
            let answers = client.import_vouchers(stream::iter(messages)).await?.into_inner();
            // The last one counts all rows.
            let latest = |_, next| std::future::ready(Ok(next));
            answers.try_fold(relationship::ImportVouchersResponse::default(), latest).await
        }
    });
    let done: Vec<_> = stream::iter(imports).buffer_unordered(SIDE_BY_SIDE).try_collect().await?;
    let created: i64 = done.iter().map(|part| part.created).sum();
    match usize::try_from(created) {
        Ok(created) if created == wanted => Ok(()),
        _ => Err(format!("{created} of {wanted} codes were imported: {:?}", done[0].failures.first()).into()),
    }
}

fn import(block: &[(String, String)]) -> relationship::ImportVouchersRequest {
    let voucher = |(code, incentive): &(String, String)| relationship::Voucher {
        code: code.clone(),
        incentive: format!("incentives/{incentive}"),
        max_uses: Some(MAX_USES_PER_CODE),
        ..Default::default()
    };
    relationship::ImportVouchersRequest {
        vouchers: block.iter().map(voucher).collect(),
        ..Default::default()
    }
}

/// An amount in euros.
pub fn euros(units: i64, cents: i32) -> common::Money {
    common::Money { currency_code: "EUR".to_owned(), units, nanos: cents * 10_000_000 }
}
