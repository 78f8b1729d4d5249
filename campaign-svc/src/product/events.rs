//! Products as the contract shows them, in answers and in events.

use tandem_platform::grpc;
use tandem_platform::outbox::Recorded;
use tandem_platform::resource::{Resource, told};
use tandem_proto::campaign::v1::{self, ProductArchived, ProductCreated, ProductState, ProductUpdated};
use tandem_proto::convert;

use super::{ListPrice, Product, State};

/// It was created.
pub fn created(product: &Product) -> Recorded {
    let event = ProductCreated { product: Some(message(product)) };
    told("tandem.campaign.v1.ProductCreated", product, &event)
}

/// It was changed.
pub fn updated(product: &Product) -> Recorded {
    let event = ProductUpdated { product: Some(message(product)) };
    told("tandem.campaign.v1.ProductUpdated", product, &event)
}

/// It was taken out of sale.
pub fn archived(product: &Product) -> Recorded {
    let event = ProductArchived { product: Some(message(product)) };
    told("tandem.campaign.v1.ProductArchived", product, &event)
}

/// A product as the contract shows it.
pub fn message(product: &Product) -> v1::Product {
    let definition = &product.definition;
    let state = match product.state {
        State::Active => ProductState::Active,
        State::Archived => ProductState::Archived,
    };
    let price = |one: &ListPrice| v1::ListPrice { place: one.place.clone(), price: Some(one.price.into()) };
    v1::Product {
        name: product.name(),
        display_name: definition.display_name.clone(),
        categories: definition.categories.clone(),
        attributes: definition.attributes.clone(),
        prices: definition.prices.iter().map(price).collect(),
        unit_costs: definition.unit_costs.iter().map(Into::into).collect(),
        tax_rate_ppm: definition.tax_rate_ppm,
        state: state.into(),
        create_time: Some(convert::to_timestamp(product.created)),
        update_time: Some(convert::to_timestamp(product.updated)),
        etag: grpc::etag(product.version),
    }
}
