//! What the process runs: everything that is served, and everything that runs by itself.

use std::sync::Arc;

use tandem_kernel::clock::{Clock, Ids};
use tandem_platform::Db;
use tandem_platform::config::{ConfigError, ServerConfig};
use tandem_platform::db::Migrations;
use tandem_platform::grpc::{Services, Streams};

use tandem_platform::shell::{Program, Settings};
use tandem_proto::relationship::v1::attribute_service_server::AttributeServiceServer;
use tandem_proto::relationship::v1::consent_service_server::ConsentServiceServer;
use tandem_proto::relationship::v1::customer_service_server::CustomerServiceServer;
use tandem_proto::relationship::v1::event_service_server::EventServiceServer;
use tandem_proto::relationship::v1::feedback_service_server::FeedbackServiceServer;
use tandem_proto::relationship::v1::incentive_service_server::IncentiveServiceServer;
use tandem_proto::relationship::v1::interaction_service_server::InteractionServiceServer;
use tandem_proto::relationship::v1::relationship_service_server::RelationshipServiceServer;
use tandem_proto::relationship::v1::rule_service_server::RuleServiceServer;
use tandem_proto::relationship::v1::segment_service_server::SegmentServiceServer;
use tandem_proto::relationship::v1::settings_service_server::SettingsServiceServer;
use tandem_proto::relationship::v1::voucher_service_server::VoucherServiceServer;

use crate::{
    App, Config, MIGRATIONS, attribute, consent, customer, erasure, event, incentive, interaction, merge,
    redemption, relationship, rule, segment, settings, voucher,
};

impl Program for App {
    const NAME: &'static str = "relationship-svc";
    const ABOUT: &'static str = "Relationship marketing: customers, segments, incentives, vouchers";
    const MIGRATIONS: &'static Migrations = &MIGRATIONS;
    /// Streams without end, and those that may take longer than a call.
    const STREAMS: Streams = Streams::new(&[
        "/tandem.relationship.v1.EventService/Subscribe",
        "/tandem.relationship.v1.EventService/SubscribeAll",
    ])
    .and_long(&[
        "/tandem.relationship.v1.CustomerService/ImportCustomers",
        "/tandem.relationship.v1.InteractionService/StreamInteractions",
        "/tandem.relationship.v1.CustomerService/ExportCustomer",
        "/tandem.relationship.v1.SegmentService/ImportSegmentMembers",
        "/tandem.relationship.v1.SegmentService/StreamSegmentMembers",
        "/tandem.relationship.v1.VoucherService/GenerateVouchers",
        "/tandem.relationship.v1.VoucherService/ImportVouchers",
        "/tandem.relationship.v1.VoucherService/ExportVouchers",
    ]);
    type Settings = Config;

    fn open(
        db: Db,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
        config: Config,
    ) -> Result<Arc<Self>, ConfigError> {
        Self::new(db, clock, ids, config)
    }

    fn settings(&self) -> &Config {
        &self.config
    }

    fn services(self: &Arc<Self>) -> Services {
        let ServerConfig { max_message_bytes: most, .. } = *self.settings().common().server;
        Services::new()
            .add(CustomerServiceServer::new(customer::rpc::Api::new(self)).max_decoding_message_size(most))
            .add(ConsentServiceServer::new(consent::rpc::Api::new(self)).max_decoding_message_size(most))
            .add(
                AttributeServiceServer::new(attribute::rpc::Api::new(&self.core))
                    .max_decoding_message_size(most),
            )
            .add(SegmentServiceServer::new(segment::rpc::Api::new(self)).max_decoding_message_size(most))
            .add(IncentiveServiceServer::new(incentive::rpc::Api::new(self)).max_decoding_message_size(most))
            .add(
                InteractionServiceServer::new(interaction::rpc::Api::new(self))
                    .max_decoding_message_size(most),
            )
            .add(
                FeedbackServiceServer::new(interaction::rpc::feedback::Api::new(self))
                    .max_decoding_message_size(most),
            )
            .add(
                RelationshipServiceServer::new(relationship::rpc::Api::new(self))
                    .max_decoding_message_size(most),
            )
            .add(VoucherServiceServer::new(voucher::rpc::Api::new(self)).max_decoding_message_size(most))
            .add(RuleServiceServer::new(rule::rpc::Api::new(&self.core)).max_decoding_message_size(most))
            .add(SettingsServiceServer::new(settings::rpc::Api::new(self)).max_decoding_message_size(most))
            .add(EventServiceServer::new(event::Api::new(self)).max_decoding_message_size(most))
    }

    fn start(self: &Arc<Self>) {
        self.tenancy.start(self);
        redemption::tasks::start(self);
        relationship::tasks::start(self);
        interaction::tasks::start(self);
        consent::tasks::start(self);
        erasure::tasks::start(self);
        merge::tasks::start(self);
        segment::tasks::start(self);
    }
}
