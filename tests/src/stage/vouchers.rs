//! The calls to relationship-svc.

use tandem_proto::relationship::v1::customer_service_client::CustomerServiceClient;
use tandem_proto::relationship::v1::event_service_client::EventServiceClient;
use tandem_proto::relationship::v1::incentive_service_client::IncentiveServiceClient;
use tandem_proto::relationship::v1::segment_service_client::SegmentServiceClient;
use tandem_proto::relationship::v1::voucher_service_client::VoucherServiceClient;
use tandem_proto::relationship::v1::{
    BatchUpsertCustomersRequest, BatchUpsertCustomersResponse, CreateIncentiveRequest, CreateSegmentRequest,
    Customer, HoldVouchersRequest, HoldVouchersResponse, ImportVouchersRequest, Incentive,
    RedeemVouchersRequest, RedeemVouchersResponse, ReleaseHoldRequest, ReleaseHoldResponse,
    RollbackRedemptionRequest, RollbackRedemptionResponse, Segment, Voucher,
};
use tonic::Status;
use tonic::transport::Channel;

use crate::process::Service;

/// A caller of relationship-svc. Clones share the connection.
#[derive(Debug, Clone)]
pub struct Relationship {
    /// The connection.
    pub channel: Channel,
    /// Customers.
    pub customers: CustomerServiceClient<Channel>,
    /// Segments.
    pub segments: SegmentServiceClient<Channel>,
    /// Incentives.
    pub incentives: IncentiveServiceClient<Channel>,
    /// Vouchers.
    pub vouchers: VoucherServiceClient<Channel>,
    /// Events.
    pub events: EventServiceClient<Channel>,
}

/// A write that may have to be repeated.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// HoldVouchers.
    Hold(HoldVouchersRequest),
    /// RedeemVouchers.
    Redeem(RedeemVouchersRequest),
    /// ReleaseHold.
    Release(ReleaseHoldRequest),
    /// RollbackRedemption.
    RollBack(RollbackRedemptionRequest),
}

/// What a write was answered.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// HoldVouchers.
    Held(HoldVouchersResponse),
    /// RedeemVouchers.
    Redeemed(RedeemVouchersResponse),
    /// ReleaseHold.
    Released(ReleaseHoldResponse),
    /// RollbackRedemption.
    RolledBack(RollbackRedemptionResponse),
}

impl From<RedeemVouchersRequest> for Request {
    fn from(request: RedeemVouchersRequest) -> Self {
        Self::Redeem(request)
    }
}

impl From<HoldVouchersRequest> for Request {
    fn from(request: HoldVouchersRequest) -> Self {
        Self::Hold(request)
    }
}

impl From<RollbackRedemptionRequest> for Request {
    fn from(request: RollbackRedemptionRequest) -> Self {
        Self::RollBack(request)
    }
}

impl From<ReleaseHoldRequest> for Request {
    fn from(request: ReleaseHoldRequest) -> Self {
        Self::Release(request)
    }
}

impl Request {
    /// The order it is about.
    pub fn order(&self) -> &str {
        match self {
            Self::Hold(request) => &request.order_id,
            Self::Redeem(request) => &request.order_id,
            Self::Release(request) => &request.order_id,
            Self::RollBack(request) => &request.order_id,
        }
    }

    /// The same under another request_id.
    #[must_use]
    pub fn under(mut self, request_id: String) -> Self {
        match &mut self {
            Self::Hold(request) => request.request_id = request_id,
            Self::Redeem(request) => request.request_id = request_id,
            Self::Release(request) => request.request_id = request_id,
            Self::RollBack(request) => request.request_id = request_id,
        }
        self
    }
}

impl Relationship {
    /// Over a connection of its own to `service`.
    pub fn of(service: &Service) -> Self {
        Self::over(service.channel())
    }

    /// Over `channel`.
    pub fn over(channel: Channel) -> Self {
        Self {
            customers: CustomerServiceClient::new(channel.clone()),
            segments: SegmentServiceClient::new(channel.clone()),
            incentives: IncentiveServiceClient::new(channel.clone()),
            vouchers: VoucherServiceClient::new(channel.clone()),
            events: EventServiceClient::new(channel.clone()),
            channel,
        }
    }

    /// Makes an incentive.
    ///
    /// # Panics
    /// Where it is refused.
    pub async fn incentive(&self, id: &str, incentive: Incentive) -> Incentive {
        let request = CreateIncentiveRequest {
            incentive: Some(incentive),
            incentive_id: id.to_owned(),
            ..CreateIncentiveRequest::default()
        };
        let answer = self.incentives.clone().create_incentive(request).await.expect("an incentive is made");
        answer.into_inner().incentive.expect("an incentive")
    }

    /// Makes codes of an incentive with so many uses each, 0 unlimited.
    ///
    /// # Panics
    /// Where one is refused.
    pub async fn codes(&self, incentive: &str, codes: &[&str], max_uses: i64) {
        let voucher = |code: &&str| Voucher {
            code: (*code).to_owned(),
            incentive: format!("incentives/{incentive}"),
            max_uses: (max_uses > 0).then_some(max_uses),
            unlimited_uses: max_uses == 0,
            ..Voucher::default()
        };
        self.import(codes.iter().map(voucher).collect()).await;
    }

    /// Brings vouchers in as they are.
    ///
    /// # Panics
    /// Where one is refused.
    pub async fn import(&self, vouchers: Vec<Voucher>) {
        let wanted = vouchers.len();
        let message = ImportVouchersRequest { vouchers, ..ImportVouchersRequest::default() };
        let answers = self.vouchers.clone().import_vouchers(tokio_stream::once(message)).await;
        let mut answers = answers.expect("an import begins").into_inner();
        let answer =
            answers.message().await.expect("vouchers are imported").expect("one message, one answer");
        assert_eq!(usize::try_from(answer.created), Ok(wanted), "{:?}", answer.failures);
    }

    /// Makes customers.
    ///
    /// # Panics
    /// Where one is refused.
    pub async fn make_customers(&self, customers: Vec<Customer>) {
        for block in customers.chunks(1_000) {
            let request = BatchUpsertCustomersRequest { customers: block.to_vec(), ..Default::default() };
            let answer =
                self.customers.clone().batch_upsert_customers(request).await.expect("customers are made");
            upserted(&answer.into_inner());
        }
    }

    /// Makes a segment.
    ///
    /// # Panics
    /// Where it is refused.
    pub async fn segment(&self, id: &str, rule: &str) {
        let segment = Segment { display_name: id.to_owned(), rule: rule.to_owned(), ..Segment::default() };
        let request =
            CreateSegmentRequest { segment: Some(segment), segment_id: id.to_owned(), ..Default::default() };
        self.segments.clone().create_segment(request).await.expect("a segment is made");
    }

    /// Sends a write once.
    pub async fn send(&self, request: &Request) -> Result<Answer, Status> {
        let mut vouchers = self.vouchers.clone();
        Ok(match request.clone() {
            Request::Hold(request) => Answer::Held(vouchers.hold_vouchers(request).await?.into_inner()),
            Request::Redeem(request) => {
                Answer::Redeemed(vouchers.redeem_vouchers(request).await?.into_inner())
            }
            Request::Release(request) => Answer::Released(vouchers.release_hold(request).await?.into_inner()),
            Request::RollBack(request) => {
                Answer::RolledBack(vouchers.rollback_redemption(request).await?.into_inner())
            }
        })
    }
}

/// That every item of a batch was stored.
///
/// # Panics
/// Where one was refused.
pub fn upserted(answer: &BatchUpsertCustomersResponse) {
    let refused =
        answer.results.iter().find(|one| one.status.as_ref().is_some_and(|status| status.code != 0));
    assert!(refused.is_none(), "{refused:?}");
}
