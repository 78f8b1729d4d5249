//! The rules of codes, on both engines.

mod assigning;
mod changing;
mod importing;
mod making;
mod scripts;
mod state;

use tandem_proto::common::v1::{self as common, discount};
use tandem_proto::relationship::v1::customer_service_client::CustomerServiceClient;
use tandem_proto::relationship::v1::incentive_service_client::IncentiveServiceClient;
use tandem_proto::relationship::v1::voucher_service_client::VoucherServiceClient;
use tandem_proto::relationship::v1::*;
use tonic::Status;

use crate::testing::{Channel, Harness};

type Client = VoucherServiceClient<Channel>;

fn client(harness: &Harness) -> Client {
    VoucherServiceClient::new(harness.channel())
}

fn percent(rate_ppm: i32) -> common::Discount {
    let kind = discount::Kind::Percent(common::PercentDiscount { rate_ppm });
    common::Discount { kind: Some(kind), ..common::Discount::default() }
}

fn gift_card() -> common::Discount {
    let kind = discount::Kind::GiftCard(common::GiftCardTender::default());
    common::Discount { kind: Some(kind), ..common::Discount::default() }
}

fn euros(units: i64) -> common::Money {
    common::Money { currency_code: "EUR".to_owned(), units, nanos: 0 }
}

async fn open(harness: &Harness, id: &str, incentive: Incentive) {
    let request = CreateIncentiveRequest {
        incentive: Some(incentive),
        incentive_id: id.to_owned(),
        ..CreateIncentiveRequest::default()
    };
    IncentiveServiceClient::new(harness.channel()).create_incentive(request).await.unwrap();
}

async fn ten_off(harness: &Harness) {
    open(harness, "ten-off", Incentive { discount: Some(percent(100_000)), ..Incentive::default() }).await;
}

async fn customers(harness: &Harness, ids: &[&str]) {
    for id in ids {
        let customer = Customer { name: format!("customers/{id}"), ..Customer::default() };
        let request = CreateCustomerRequest { customer: Some(customer), ..CreateCustomerRequest::default() };
        CustomerServiceClient::new(harness.channel()).create_customer(request).await.unwrap();
    }
}

fn wanted(quantity: i64, pattern: &str, request_id: &str) -> GenerateVouchersRequest {
    GenerateVouchersRequest {
        incentive: "incentives/ten-off".to_owned(),
        quantity,
        format: Some(CodeFormat { pattern: pattern.to_owned(), ..CodeFormat::default() }),
        request_id: request_id.to_owned(),
        ..GenerateVouchersRequest::default()
    }
}

/// Every message of progress.
async fn generate(
    client: &mut Client,
    request: GenerateVouchersRequest,
) -> Result<Vec<GenerateVouchersResponse>, Status> {
    let mut stream = client.generate_vouchers(request).await?.into_inner();
    let mut progress = Vec::new();
    while let Some(step) = stream.message().await? {
        progress.push(step);
    }
    Ok(progress)
}

async fn export(client: &mut Client, batch: &str) -> Vec<Voucher> {
    let incentive = "incentives/ten-off".to_owned();
    let request = ExportVouchersRequest { incentive, batch: batch.to_owned() };
    let mut stream = client.export_vouchers(request).await.unwrap().into_inner();
    let mut vouchers = Vec::new();
    while let Some(block) = stream.message().await.unwrap() {
        vouchers.extend(block.vouchers);
    }
    vouchers
}
