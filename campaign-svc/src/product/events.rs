//! The events of products.

use tandem_platform::outbox::Recorded;
use tandem_proto::campaign::v1::{ProductArchived, ProductCreated, ProductUpdated};

use super::{Product, rpc};
use crate::event::recorded;

/// It was created.
pub fn created(product: &Product) -> Recorded {
    let event = ProductCreated { product: Some(rpc::encode(product)) };
    recorded("tandem.campaign.v1.ProductCreated", product.name(), product.version, &event)
}

/// It was changed.
pub fn updated(product: &Product) -> Recorded {
    let event = ProductUpdated { product: Some(rpc::encode(product)) };
    recorded("tandem.campaign.v1.ProductUpdated", product.name(), product.version, &event)
}

/// It was taken out of sale.
pub fn archived(product: &Product) -> Recorded {
    let event = ProductArchived { product: Some(rpc::encode(product)) };
    recorded("tandem.campaign.v1.ProductArchived", product.name(), product.version, &event)
}
