//! Where the services are, and who is calling.

use std::path::PathBuf;

use clap::Args;
use tandem_platform::Tenant;
use tandem_platform::config::{ClientConfig, ClientTlsConfig};
use tandem_platform::fault::chain;
use tandem_platform::grpc::{self, Words};
use tandem_platform::secret::Address;
use tandem_proto::campaign::v1::campaign_service_client::CampaignServiceClient;
use tandem_proto::campaign::v1::event_service_client::EventServiceClient as CampaignEvents;
use tandem_proto::campaign::v1::order_service_client::OrderServiceClient;
use tandem_proto::campaign::v1::pricing_service_client::PricingServiceClient;
use tandem_proto::campaign::v1::product_service_client::ProductServiceClient;
use tandem_proto::campaign::v1::rule_service_client::RuleServiceClient as CampaignRules;
use tandem_proto::common::v1::clock_service_client::ClockServiceClient;
use tandem_proto::relationship::v1::consent_service_client::ConsentServiceClient;
use tandem_proto::relationship::v1::customer_service_client::CustomerServiceClient;
use tandem_proto::relationship::v1::event_service_client::EventServiceClient as RelationshipEvents;
use tandem_proto::relationship::v1::incentive_service_client::IncentiveServiceClient;
use tandem_proto::relationship::v1::interaction_service_client::InteractionServiceClient;
use tandem_proto::relationship::v1::relationship_service_client::RelationshipServiceClient;
use tandem_proto::relationship::v1::rule_service_client::RuleServiceClient as RelationshipRules;
use tandem_proto::relationship::v1::segment_service_client::SegmentServiceClient;
use tandem_proto::relationship::v1::voucher_service_client::VoucherServiceClient;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;

use crate::failure::Failure;

/// The services and the caller.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Services")]
pub struct Target {
    /// Address of campaign-svc: http://host:port, or https://host:port for TLS.
    #[arg(
        long,
        env = "TANDEM_CAMPAIGN",
        hide_env_values = true,
        default_value = "http://127.0.0.1:7401",
        global = true
    )]
    pub campaign: Address,
    /// Address of relationship-svc: http://host:port, or https://host:port for TLS.
    #[arg(
        long,
        env = "TANDEM_RELATIONSHIP",
        hide_env_values = true,
        default_value = "http://127.0.0.1:7402",
        global = true
    )]
    pub relationship: Address,
    /// Whose data.
    #[arg(long, env = "TANDEM_TENANT", default_value = "default", global = true)]
    pub tenant: String,
    /// For https://: the roots to trust, in PEM, instead of the system's.
    #[arg(long, env = "TANDEM_TLS_CA", value_name = "FILE", global = true)]
    pub tls_ca: Option<String>,
    /// For https://: the name in the server's certificate, where it is not the host of the address.
    #[arg(long, env = "TANDEM_TLS_SERVER_NAME", value_name = "NAME", global = true)]
    pub tls_server_name: Option<String>,
    /// For https://: the certificate to show, in PEM; with --tls-key.
    #[arg(long, env = "TANDEM_TLS_CERTIFICATE", value_name = "FILE", global = true)]
    pub tls_certificate: Option<String>,
    /// For https://: the private key of the certificate, in PEM.
    #[arg(long, env = "TANDEM_TLS_KEY", value_name = "FILE", global = true)]
    pub tls_key: Option<String>,
}

/// Which settings of TLS nobody typed: they stand in the environment.
fn from_environment() -> String {
    let set = std::env::vars_os().filter(|(_, value)| !value.is_empty());
    let names = set.filter_map(|(name, _)| name.into_string().ok());
    let mut names: Vec<String> = names.filter(|name| name.starts_with("TANDEM_TLS_")).collect();
    names.sort();
    if names.is_empty() { String::new() } else { format!("; the environment sets {}", names.join(", ")) }
}

/// A connection that says who calls.
pub type Connection = InterceptedService<Channel, Caller>;

/// Puts the tenant and the caller on every request.
#[derive(Debug, Clone)]
pub struct Caller {
    tenant: MetadataValue<Ascii>,
}

impl Interceptor for Caller {
    fn call(&mut self, mut request: tonic::Request<()>) -> Result<tonic::Request<()>, tonic::Status> {
        request.metadata_mut().insert("tandem-tenant", self.tenant.clone());
        request.metadata_mut().insert("tandem-principal", MetadataValue::from_static("tandem-cli"));
        Ok(request)
    }
}

impl Target {
    /// A connection to campaign-svc.
    pub async fn to_campaign(&self) -> Result<Connection, Failure> {
        self.connect(&self.campaign, "--campaign", "campaign-svc").await
    }

    /// A connection to relationship-svc.
    pub async fn to_relationship(&self) -> Result<Connection, Failure> {
        self.connect(&self.relationship, "--relationship", "relationship-svc").await
    }

    /// Prices.
    pub async fn pricing(&self) -> Result<PricingServiceClient<Connection>, Failure> {
        Ok(PricingServiceClient::new(self.to_campaign().await?))
    }

    /// Orders.
    pub async fn orders(&self) -> Result<OrderServiceClient<Connection>, Failure> {
        Ok(OrderServiceClient::new(self.to_campaign().await?))
    }

    /// Campaigns.
    pub async fn campaigns(&self) -> Result<CampaignServiceClient<Connection>, Failure> {
        Ok(CampaignServiceClient::new(self.to_campaign().await?))
    }

    /// What is sold.
    pub async fn products(&self) -> Result<ProductServiceClient<Connection>, Failure> {
        Ok(ProductServiceClient::new(self.to_campaign().await?))
    }

    /// Rules of offers and prices.
    pub async fn campaign_rules(&self) -> Result<CampaignRules<Connection>, Failure> {
        Ok(CampaignRules::new(self.to_campaign().await?))
    }

    /// Rules of incentives and segments.
    pub async fn relationship_rules(&self) -> Result<RelationshipRules<Connection>, Failure> {
        Ok(RelationshipRules::new(self.to_relationship().await?))
    }

    /// What codes give.
    pub async fn incentives(&self) -> Result<IncentiveServiceClient<Connection>, Failure> {
        Ok(IncentiveServiceClient::new(self.to_relationship().await?))
    }

    /// Groups of customers.
    pub async fn segments(&self) -> Result<SegmentServiceClient<Connection>, Failure> {
        Ok(SegmentServiceClient::new(self.to_relationship().await?))
    }

    /// Codes.
    pub async fn vouchers(&self) -> Result<VoucherServiceClient<Connection>, Failure> {
        Ok(VoucherServiceClient::new(self.to_relationship().await?))
    }

    /// Customers.
    pub async fn customers(&self) -> Result<CustomerServiceClient<Connection>, Failure> {
        Ok(CustomerServiceClient::new(self.to_relationship().await?))
    }

    /// What people do.
    pub async fn interactions(&self) -> Result<InteractionServiceClient<Connection>, Failure> {
        Ok(InteractionServiceClient::new(self.to_relationship().await?))
    }

    /// How people stand.
    pub async fn relationships(&self) -> Result<RelationshipServiceClient<Connection>, Failure> {
        Ok(RelationshipServiceClient::new(self.to_relationship().await?))
    }

    /// Whom one may write to.
    pub async fn consents(&self) -> Result<ConsentServiceClient<Connection>, Failure> {
        Ok(ConsentServiceClient::new(self.to_relationship().await?))
    }

    /// The clock of both, where `tandem up --clock` started them.
    pub async fn clock(&self) -> Result<ClockServiceClient<Connection>, Failure> {
        Ok(ClockServiceClient::new(self.to_campaign().await?))
    }

    /// What happens at campaign-svc.
    pub async fn campaign_events(&self) -> Result<CampaignEvents<Connection>, Failure> {
        Ok(CampaignEvents::new(self.to_campaign().await?))
    }

    /// What happens at relationship-svc.
    pub async fn relationship_events(&self) -> Result<RelationshipEvents<Connection>, Failure> {
        Ok(RelationshipEvents::new(self.to_relationship().await?))
    }

    async fn connect(&self, address: &Address, flag: &str, service: &str) -> Result<Connection, Failure> {
        let wrong = || {
            let tenant = &self.tenant;
            Failure::said(format!("--tenant = {tenant:?}: must be 1 to 63 lower-case letters, digits and -"))
        };
        let known = Tenant::parse(&self.tenant).ok_or_else(wrong)?;
        let tenant = known.as_str().parse().map_err(|_| wrong())?;
        // A variable that is set to nothing is not set.
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let tls = ClientTlsConfig {
            ca: given(&self.tls_ca).map(PathBuf::from),
            server_name: given(&self.tls_server_name),
            certificate: given(&self.tls_certificate).map(PathBuf::from),
            key: given(&self.tls_key).map(PathBuf::from),
        };
        let config = ClientConfig {
            endpoint: address.clone(),
            tls,
            connect_timeout_ms: 5_000,
            ..ClientConfig::default()
        };
        let words = Words { endpoint: flag, tls: "--tls-" };
        let endpoint = grpc::endpoint(words, &config)
            .map_err(|error| Failure::said(format!("{error}{}", from_environment())))?;
        if grpc::is_remote_and_clear(endpoint.uri()) {
            eprintln!(
                "warning: {flag} {address} is in clear text: whoever is on the way can read it; use https://"
            );
        }
        let channel = endpoint.connect().await.map_err(|error| {
            let why = chain(&error);
            Failure::said(format!(
                "{service} does not answer at {address} ({flag}): {why}; `tandem up` starts both services"
            ))
        })?;
        Ok(InterceptedService::new(channel, Caller { tenant }))
    }
}
