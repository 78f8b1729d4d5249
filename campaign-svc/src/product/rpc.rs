//! ProductService: messages to values and back.

mod parse;

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use prost_types::FieldMask;
use tandem_kernel::page::Listing;
use tandem_kernel::rule::{Fact, Facts, Type, Vocabulary};
use tandem_platform::resource::asked;
use tandem_platform::resource::list::Listed;
use tandem_platform::resource::{self, Change, word};
use tandem_platform::{Fault, Violations, grpc};
use tandem_proto::campaign::v1::product_service_server::ProductService;
use tandem_proto::campaign::v1::{self, *};
use tonic::{Request, Response, Status};

use super::events::message;

use super::commands::{self, Upserted};
use super::{COLLECTION, Definition, FIELDS, MAX_BATCH, Product, store};
use crate::{App, field};

/// What a filter may read.
static VOCABULARY: LazyLock<Vocabulary> = LazyLock::new(|| {
    let product = Type::object([
        ("id", Type::Text),
        ("display_name", Type::Text),
        ("categories", Type::list(Type::Text, 32)),
        ("attributes", Type::map(Type::Text, 64)),
        ("state", Type::Text),
    ]);
    Vocabulary::new().with("product", product)
});

/// The service of the contract.
#[derive(Debug, Clone)]
pub struct Api(Arc<App>);

impl Api {
    /// Of this process.
    pub fn new(app: &Arc<App>) -> Self {
        Self(app.clone())
    }
}

#[tonic::async_trait]
impl ProductService for Api {
    async fn create_product(
        &self,
        request: Request<CreateProductRequest>,
    ) -> Result<Response<CreateProductResponse>, Status> {
        let new = asked::create::<Product, _, _>(&self.0, request, parse::definition)?;
        let stored = self.0.write_catalogue(new, commands::create).await?;
        Ok(stored.response(|stored| CreateProductResponse { product: Some(message(&stored)) }))
    }

    async fn get_product(
        &self,
        request: Request<GetProductRequest>,
    ) -> Result<Response<GetProductResponse>, Status> {
        let product = asked::get(&self.0, request).await?;
        Ok(Response::new(GetProductResponse { product: Some(message(&product)) }))
    }

    async fn list_products(
        &self,
        request: Request<ListProductsRequest>,
    ) -> Result<Response<ListProductsResponse>, Status> {
        let page = asked::list(&self.0, request, &VOCABULARY).await?;
        let (products, next_page_token) = page.shown(|one: &Product| Some(message(one)));
        Ok(Response::new(ListProductsResponse { products, next_page_token }))
    }

    async fn update_product(
        &self,
        request: Request<UpdateProductRequest>,
    ) -> Result<Response<UpdateProductResponse>, Status> {
        let change = asked::update::<Product, _, _>(&self.0, request, FIELDS, parse::definition)?;
        let stored = self.0.write_catalogue(change, commands::update).await?;
        Ok(stored.response(|stored| UpdateProductResponse { product: Some(message(&stored)) }))
    }

    async fn archive_product(
        &self,
        request: Request<ArchiveProductRequest>,
    ) -> Result<Response<ArchiveProductResponse>, Status> {
        let touch = asked::touch::<Product, _>(&self.0, request)?;
        let stored = self.0.write_catalogue(touch, commands::archive).await?;
        Ok(stored.response(|stored| ArchiveProductResponse { product: Some(message(&stored)) }))
    }

    async fn batch_upsert_products(
        &self,
        request: Request<BatchUpsertProductsRequest>,
    ) -> Result<Response<BatchUpsertProductsResponse>, Status> {
        let mut write = asked::write(&self.0, request)?;
        let (mask, products) = (write.body.update_mask.take(), std::mem::take(&mut write.body.products));
        asked::upsert_mask(&mut write.v, mask.as_ref(), FIELDS);
        let count = products.len();
        let message = format!("must hold 1 to {MAX_BATCH} products, holds {count}");
        let fits = write.v.check((1..=MAX_BATCH).contains(&count), "products", message);
        // More are not even read.
        let products = if fits { products } else { Vec::new() };
        let names: Vec<String> = products.iter().map(|product| product.name.clone()).collect();
        let (wanted, refused) = items(mask.as_ref(), products);
        let stored = self.0.write_catalogue(write.asks(wanted)?, commands::upsert).await?;
        Ok(stored.response(|stored| {
            let mut stored = stored.into_iter();
            let results = names.into_iter().zip(refused).map(|(name, refused)| match refused {
                Some(fault) => {
                    UpsertProductResult { name, status: Some(field::item_status(fault)), created: false }
                }
                None => match stored.next().unwrap_or(Upserted::Replaced).stored() {
                    Ok(created) => UpsertProductResult { name, status: Some(field::item_ok()), created },
                    Err(fault) => {
                        UpsertProductResult { name, status: Some(field::item_status(fault)), created: false }
                    }
                },
            });
            BatchUpsertProductsResponse { results: results.collect() }
        }))
    }

    async fn list_price_history(
        &self,
        request: Request<ListPriceHistoryRequest>,
    ) -> Result<Response<ListPriceHistoryResponse>, Status> {
        let (call, body) = (grpc::call(&request)?, request.into_inner());
        let mut v = Violations::new();
        let id = field::resource(&mut v, "product", COLLECTION, &body.product);
        let at = body.place.map(|place| parse::place(&mut v, "place", place));
        if !body.currency_code.is_empty() {
            field::read(&mut v, |found| {
                tandem_proto::convert::currency("currency_code", &body.currency_code, found)
            });
        }
        let size = grpc::page_size(&mut v, body.page_size) as usize;
        v.finish()?;
        let filter = format!("{at:?} {}", body.currency_code);
        let listing = Listing {
            tenant: call.tenant.as_str(),
            list: "ListPriceHistory",
            parent: &body.product,
            filter: &filter,
            order_by: "",
        };
        let resumed = listing.resume(&body.page_token).map_err(|_| Fault::invalid_page_token())?;
        let (effective, place, currency) = match &resumed {
            None => (Timestamp::MAX, "", ""),
            Some(keys) => parse::price_position(keys).ok_or_else(Fault::invalid_page_token)?,
        };
        let product = resource::find::<Product>(&self.0, &call, &id).await?;
        let history = store::History {
            product: &product.id,
            place: at.as_deref(),
            currency: &body.currency_code,
            before: (effective, place, currency),
        };
        let mut reader = self.0.db.read().await?;
        let found = store::price_history(&mut reader, &call.tenant, &history, size + 1).await?;
        let entries = grpc::fitting(found.iter().take(size).map(parse::price_entry));
        let last = grpc::cut(&found, entries.len());
        let next_page_token = last.map(|last| listing.token(&parse::price_keys(last))).unwrap_or_default();
        Ok(Response::new(ListPriceHistoryResponse { entries, next_page_token }))
    }
}

/// The items of a batch that can be stored, and for every item why it cannot be.
fn items(mask: Option<&FieldMask>, given: Vec<v1::Product>) -> (Vec<Change<Definition>>, Vec<Option<Fault>>) {
    let (mut wanted, mut refused, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
    for product in given {
        let first = seen.insert(product.name.clone());
        let parse = |v: &mut Violations, product| {
            v.check(first, "name", "stands twice in this batch; the first counts");
            parse::definition(v, product)
        };
        match asked::upsert::<Product, _, _>(mask, product, FIELDS, parse) {
            Ok(change) => {
                wanted.push(change);
                refused.push(None);
            }
            Err(fault) => refused.push(Some(fault)),
        }
    }
    (wanted, refused)
}

impl Listed for Product {
    fn facts(&self, _now: Timestamp) -> Facts<'_> {
        let definition = &self.definition;
        let product = Fact::Object(vec![
            ("id", Fact::text(&self.id)),
            ("display_name", Fact::text(&definition.display_name)),
            ("categories", Fact::texts(&definition.categories)),
            ("attributes", Fact::text_map(&definition.attributes)),
            ("state", Fact::from(word::of(&self.state))),
        ]);
        Facts::new().with("product", product)
    }
}
