//! The port to campaign-svc: where its events are, if anybody has said so.

use tandem_platform::config::{ClientConfig, ConfigError};
use tandem_platform::grpc;
use tonic::transport::Channel;

use crate::config::CampaignConfig;

/// The connection to campaign-svc. It is made when it is needed, and again after every failure.
#[derive(Debug)]
pub struct Campaign(Option<Channel>);

impl Campaign {
    /// A port that has not connected yet; none where no address is set. Fails on an ill-formed one.
    pub fn new(config: &CampaignConfig) -> Result<Self, ConfigError> {
        if config.endpoint.reveal().is_empty() {
            return Ok(Self(None));
        }
        let channel = grpc::channel(
            grpc::Words { endpoint: "campaign.endpoint", tls: "campaign.tls." },
            &ClientConfig {
                endpoint: config.endpoint.clone(),
                connect_timeout_ms: config.connect_timeout_ms,
                tls: config.tls.clone(),
                ..ClientConfig::default()
            },
        )?;
        Ok(Self(Some(channel)))
    }

    /// The connection, where there is one.
    pub fn channel(&self) -> Option<Channel> {
        self.0.clone()
    }
}
