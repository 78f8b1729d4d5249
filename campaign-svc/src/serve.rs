//! What the process runs: everything that is served, and everything that runs by itself.

use std::sync::Arc;

use tandem_kernel::clock::{Clock, Ids};
use tandem_platform::Db;
use tandem_platform::config::{ConfigError, ServerConfig};
use tandem_platform::db::Migrations;
use tandem_platform::grpc::{Services, Streams};
use tandem_platform::lifecycle::readiness::FirstLoads;
use tandem_platform::shell::{Program, Settings};
use tandem_proto::campaign::v1::campaign_service_server::CampaignServiceServer;
use tandem_proto::campaign::v1::event_service_server::EventServiceServer;
use tandem_proto::campaign::v1::feedback_service_server::FeedbackServiceServer;
use tandem_proto::campaign::v1::objective_service_server::ObjectiveServiceServer;
use tandem_proto::campaign::v1::order_service_server::OrderServiceServer;
use tandem_proto::campaign::v1::product_service_server::ProductServiceServer;
use tandem_proto::campaign::v1::rule_service_server::RuleServiceServer;
use tandem_proto::campaign::v1::settings_service_server::SettingsServiceServer;

use crate::{
    App, Config, MIGRATIONS, campaign, erasure, event, objective, order, pricing, product, redemption, rule,
    settings,
};

impl Program for App {
    const NAME: &'static str = "campaign-svc";
    const ABOUT: &'static str = "Operational marketing: objectives, products, campaigns, prices";
    const MIGRATIONS: &'static Migrations = &MIGRATIONS;
    /// Streams whose caller decides when they end.
    const STREAMS: Streams = Streams::new(&[
        "/tandem.campaign.v1.EventService/Subscribe",
        "/tandem.campaign.v1.EventService/SubscribeAll",
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

    fn first_loads(&self) -> FirstLoads {
        self.first_loads.clone()
    }

    fn services(self: &Arc<Self>) -> Services {
        let ServerConfig { max_message_bytes: most, .. } = *self.settings().common().server;
        Services::new()
            .add(
                ObjectiveServiceServer::new(objective::rpc::Api::new(&self.core))
                    .max_decoding_message_size(most),
            )
            .add(ProductServiceServer::new(product::rpc::Api::new(self)).max_decoding_message_size(most))
            .add(CampaignServiceServer::new(campaign::rpc::Api::new(self)).max_decoding_message_size(most))
            .add(pricing::serve::Server::new(self, most))
            .add(OrderServiceServer::new(order::rpc::Api::new(self)).max_decoding_message_size(most))
            .add(EventServiceServer::new(event::Api::new(self)).max_decoding_message_size(most))
            .add(RuleServiceServer::new(rule::rpc::Api).max_decoding_message_size(most))
            .add(FeedbackServiceServer::new(redemption::rpc::Api::new(self)).max_decoding_message_size(most))
            .add(SettingsServiceServer::new(settings::rpc::Api::new(self)).max_decoding_message_size(most))
    }

    fn start(self: &Arc<Self>) {
        self.tenancy.start(self);
        pricing::tasks::start(self);
        redemption::tasks::start(self);
        order::tasks::start(self);
        erasure::tasks::start(self);
    }
}
