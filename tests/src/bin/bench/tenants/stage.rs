//! One tenant's stage, set over gRPC: a few products, a campaign whose offer takes 5 % off any basket and has every kind
//! of limit, an incentive with every kind of limit and its codes. The other tenants are its copies.

use std::collections::BTreeMap;

use prost::Message;
use prost::bytes::Bytes;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tandem_kernel::seal::Keyring;
use tandem_platform::grpc::TENANT;
use tandem_proto::campaign::v1 as campaign;
use tandem_proto::campaign::v1::QuoteRequest;
use tandem_proto::campaign::v1::campaign_service_client::CampaignServiceClient;
use tandem_proto::campaign::v1::objective_service_client::ObjectiveServiceClient;
use tandem_proto::campaign::v1::product_service_client::ProductServiceClient;
use tandem_proto::common::v1::{self as common, Basket, Line};
use tandem_proto::relationship::v1 as relationship;
use tandem_proto::relationship::v1::incentive_service_client::IncentiveServiceClient;
use tandem_proto::relationship::v1::voucher_service_client::VoucherServiceClient;
use tonic::Request;
use tonic::metadata::AsciiMetadataValue;

use crate::Outcome;
use crate::catalogue::{self, OFFER};
use crate::clones::Series;
use crate::ground::Pair;
use crate::orders::{self, Brought, Sale};
use crate::people::{self, FIRST_CUSTOMER, MAX_USES_PER_CODE, euros, limits};

/// The tenants; the first is the one whose stage is set.
pub const TENANTS: Series = Series { stem: "t", first: 100_000 };
/// The codes of each.
pub const CODES: Series = Series { stem: "C", first: 100_000 };
/// How many these are.
pub const CODES_EACH: u32 = 10;
/// The incentive of each.
pub const INCENTIVE: &str = "gift";
/// The campaign of each.
pub const CAMPAIGN: &str = "spring";
/// Customers of each, who are known by their orders only.
pub const CUSTOMERS: u32 = 20;

const PRODUCTS: u32 = 5;
const OBJECTIVE: &str = "orders";
/// Different baskets.
const BASKETS: usize = 1_000;

/// How a call says whose it is.
pub fn tenant(number: u32) -> Outcome<AsciiMetadataValue> {
    Ok(TENANTS.name(number).parse()?)
}

/// The same of the first so many.
pub fn tenants(count: u32) -> Outcome<Vec<AsciiMetadataValue>> {
    (0..count).map(tenant).collect()
}

/// Sets the stage of the first tenant.
pub async fn set(pair: &Pair) -> Outcome {
    let stage = Stage { tenant: tenant(0)? };
    stage.catalogue(pair).await?;
    stage.incentive(pair).await
}

struct Stage {
    tenant: AsciiMetadataValue,
}

impl Stage {
    fn of<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert(TENANT, self.tenant.clone());
        request
    }

    async fn catalogue(&self, pair: &Pair) -> Outcome {
        let channel = pair.campaign.channel();
        let products = (0..PRODUCTS).map(catalogue::product).collect();
        let request = campaign::BatchUpsertProductsRequest { products, ..Default::default() };
        let mut client = ProductServiceClient::new(channel.clone());
        catalogue::upserted(&client.batch_upsert_products(self.of(request)).await?.into_inner())?;
        let request = catalogue::objective(OBJECTIVE);
        ObjectiveServiceClient::new(channel.clone()).create_objective(self.of(request)).await?;
        let offer = campaign::Offer {
            id: OFFER.to_owned(),
            titles: BTreeMap::from([(String::new(), "Five per cent".to_owned())]).into_iter().collect(),
            discount: Some(catalogue::percent(50_000, 1)),
            limits: Some(limits()),
            ..Default::default()
        };
        let campaign = catalogue::running(OBJECTIVE, vec![offer], campaign::PlaceMix::default());
        let request = campaign::CreateCampaignRequest {
            campaign: Some(campaign),
            campaign_id: CAMPAIGN.to_owned(),
            ..Default::default()
        };
        let mut client = CampaignServiceClient::new(channel);
        client.create_campaign(self.of(request)).await?;
        let name = format!("campaigns/{CAMPAIGN}");
        let request = campaign::LaunchCampaignRequest { name, ..Default::default() };
        client.launch_campaign(self.of(request)).await?;
        Ok(())
    }

    async fn incentive(&self, pair: &Pair) -> Outcome {
        let channel = pair.relationship.channel();
        let request = people::create_incentive(INCENTIVE, limits());
        IncentiveServiceClient::new(channel.clone()).create_incentive(self.of(request)).await?;
        let voucher = |number| relationship::Voucher {
            code: CODES.name(number),
            incentive: format!("incentives/{INCENTIVE}"),
            max_uses: Some(MAX_USES_PER_CODE),
            ..Default::default()
        };
        let vouchers = (0..CODES_EACH).map(voucher).collect();
        let message = relationship::ImportVouchersRequest { vouchers, ..Default::default() };
        let request = self.of(futures::stream::iter([message]));
        let mut answers = VoucherServiceClient::new(channel).import_vouchers(request).await?.into_inner();
        let imported = answers.message().await?.unwrap_or_default();
        match imported.created == i64::from(CODES_EACH) {
            true => Ok(()),
            false => Err(format!("codes were refused: {:?}", imported.failures).into()),
        }
    }
}

/// Makes calls of tenants; no two orders alike.
pub struct Orders {
    keys: Keyring,
    random: StdRng,
    made: u64,
    /// Tells the orders of these rows from any other's.
    prefix: &'static str,
}

impl Orders {
    /// None yet.
    pub fn new(prefix: &'static str) -> Outcome<Self> {
        Ok(Self { keys: orders::development_keys()?, random: StdRng::seed_from_u64(13), made: 0, prefix })
    }

    /// Redeems any of a tenant's codes.
    pub fn redemption(&mut self, tenant: u32) -> Bytes {
        self.sale(tenant, true).redemption(&self.keys)
    }

    /// Commits an order of a tenant with its offer, and where asked any of its codes.
    pub fn commit(&mut self, tenant: u32, with_code: bool) -> Bytes {
        self.sale(tenant, with_code).commit(&self.keys)
    }

    /// So many, for so many tenants in turn.
    pub fn in_turn(
        &mut self,
        tenants: u32,
        count: usize,
        mut make: impl FnMut(&mut Self, u32) -> Bytes,
    ) -> Vec<Bytes> {
        (0..tenants).cycle().take(count).map(|tenant| make(self, tenant)).collect()
    }

    fn sale(&mut self, tenant: u32, with_code: bool) -> Sale {
        self.made += 1;
        let code = with_code.then(|| CODES.name(self.random.random_range(0..CODES_EACH)));
        Sale {
            tenant: TENANTS.name(tenant),
            order_id: format!("{}-{:010}", self.prefix, self.made),
            customer: format!("customers/c{}", FIRST_CUSTOMER + self.random.random_range(0..CUSTOMERS)),
            offer: format!("campaigns/{CAMPAIGN}/offers/{OFFER}"),
            brought: code.map(|code| Brought { code, incentive: INCENTIVE.to_owned() }),
        }
    }
}

/// Quotes that every tenant answers alike: some of each product, at the products' prices.
pub fn quotes() -> Vec<Bytes> {
    let mut random = StdRng::seed_from_u64(17);
    let mut line = |number: u32| Line {
        id: format!("line-{number}"),
        product: catalogue::product_name(number),
        quantity: random.random_range(1..=3),
        ..Default::default()
    };
    let mut basket = || Basket {
        currency_code: "EUR".to_owned(),
        lines: (0..PRODUCTS).map(&mut line).collect(),
        shipping: Some(euros(4, 90)),
        ..Default::default()
    };
    // The offer is limited per customer: to nobody it gives nothing.
    let mut quote = |number: usize| QuoteRequest {
        basket: Some(basket()),
        guest_key: format!("guest-of-the-bench-{number:04}"),
        ..Default::default()
    };
    (0..BASKETS).map(|number| Bytes::from(quote(number).encode_to_vec())).collect()
}

/// Fails unless a quote has the tenant's discount.
pub fn discounted(quote: &campaign::QuoteResponse) -> Outcome {
    let cents = |money: Option<&common::Money>| {
        money.map_or(0, |money| money.units * 100 + i64::from(money.nanos) / 10_000_000)
    };
    let totals = quote.totals.clone().unwrap_or_default();
    let (goods, list) = (cents(totals.goods_amount.as_ref()), cents(totals.list_amount.as_ref()));
    // A cent each for rounding.
    match (goods * 100 - list * 95).abs() <= 100 && list > 0 {
        true => Ok(()),
        false => Err(format!("not the quote to measure: goods {list} cents are sold for {goods}").into()),
    }
}
