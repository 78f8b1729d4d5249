//! The customer service of the contract.

mod import;

use std::borrow::Cow;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};

use futures::{Stream, StreamExt};
use jiff::Timestamp;
use prost_types::FieldMask;
use tandem_kernel::rule::{Facts, Vocabulary};
use tandem_platform::resource::Change;
use tandem_platform::resource::asked;
use tandem_platform::resource::list::Listed;
use tandem_platform::{Call, Fault, Kind, Outcome, Violations, field, grpc, resource, service};
use tandem_proto::convert;
use tandem_proto::relationship::v1::customer_service_server::CustomerService;
use tandem_proto::relationship::v1::{
    self, BatchUpsertCustomersRequest, BatchUpsertCustomersResponse, CreateCustomerRequest,
    CreateCustomerResponse, EraseCustomerRequest, EraseCustomerResponse, ExportCustomerRequest,
    GetCustomerRequest, GetCustomerResponse, ImportCustomersRequest, ImportCustomersResponse,
    ListCustomersRequest, ListCustomersResponse, MergeCustomersRequest, MergeCustomersResponse,
    UpdateCustomerRequest, UpdateCustomerResponse, UpsertResult,
};
use tonic::{Request, Response, Status, Streaming};

use self::import::Customers;
use super::commands::{self, Upserted};
use super::{Customer, FIELDS, MAX_BATCH, Profile, events, fact, store, vocabulary};
use crate::erasure::rpc::Parts;
use crate::{App, attribute, erasure, merge};

/// What a filter may read.
static VOCABULARY: LazyLock<Vocabulary> = LazyLock::new(vocabulary);

/// The service.
#[derive(Debug, Clone)]
pub struct Api(Arc<App>);

impl Api {
    /// Of this process.
    pub fn new(app: &Arc<App>) -> Self {
        Self(app.clone())
    }

    /// Who counts for the id of nobody: the one whom they were merged into; else why nobody is there.
    async fn called(&self, call: &Call, id: &str, unknown: Fault) -> Outcome<Customer> {
        let into = store::alias::into(&mut self.0.db.read().await?, &call.tenant, id).await?;
        match into {
            Some(into) => resource::find(&self.0, call, &into).await,
            None => Err(erasure::explained(&self.0, &call.tenant, id, unknown).await),
        }
    }

    /// What a filter may read: attributes as they are declared, where it reads any.
    async fn vocabulary(&self, request: &Request<ListCustomersRequest>) -> Outcome<Cow<'static, Vocabulary>> {
        if !request.get_ref().filter.contains("attributes") {
            return Ok(Cow::Borrowed(&*VOCABULARY));
        }
        let call = grpc::call(request)?;
        let declared = attribute::store::declared(&mut self.0.db.read().await?, &call.tenant).await?;
        Ok(Cow::Owned(declared.within(&VOCABULARY)))
    }
}

#[tonic::async_trait]
impl CustomerService for Api {
    type ImportCustomersStream = Pin<Box<dyn Stream<Item = Result<ImportCustomersResponse, Status>> + Send>>;

    async fn create_customer(
        &self,
        request: Request<CreateCustomerRequest>,
    ) -> Result<Response<CreateCustomerResponse>, Status> {
        let new = asked::create::<Customer, _, _>(&self.0.core, request, parse_profile)?;
        let stored = service::write(&self.0, new, commands::create).await?;
        Ok(Response::new(CreateCustomerResponse { customer: Some(events::message(&stored)) }))
    }

    async fn get_customer(
        &self,
        request: Request<GetCustomerRequest>,
    ) -> Result<Response<GetCustomerResponse>, Status> {
        let (call, name) = (grpc::call(&request)?, request.get_ref().name.clone());
        let customer = match asked::get(&self.0.core, request).await {
            Err(fault) if fault.kind() == Kind::NotFound => {
                let id = name.rsplit('/').next().unwrap_or_default();
                self.called(&call, id, fault).await?
            }
            found => found?,
        };
        Ok(Response::new(GetCustomerResponse { customer: Some(events::message(&customer)) }))
    }

    async fn list_customers(
        &self,
        request: Request<ListCustomersRequest>,
    ) -> Result<Response<ListCustomersResponse>, Status> {
        let vocabulary = self.vocabulary(&request).await?;
        let page = asked::list(&self.0.core, request, &vocabulary).await?;
        let (customers, next_page_token) = page.shown(|one: &Customer| Some(events::message(one)));
        Ok(Response::new(ListCustomersResponse { customers, next_page_token }))
    }

    async fn update_customer(
        &self,
        request: Request<UpdateCustomerRequest>,
    ) -> Result<Response<UpdateCustomerResponse>, Status> {
        let change = asked::update::<Customer, _, _>(&self.0.core, request, FIELDS, parse_profile)?;
        let stored = service::write(&self.0, change, commands::update).await?;
        Ok(Response::new(UpdateCustomerResponse { customer: Some(events::message(&stored)) }))
    }

    async fn batch_upsert_customers(
        &self,
        request: Request<BatchUpsertCustomersRequest>,
    ) -> Result<Response<BatchUpsertCustomersResponse>, Status> {
        let mut write = asked::write(&self.0.core, request)?;
        let (mask, customers) = (write.body.update_mask.take(), std::mem::take(&mut write.body.customers));
        let items = parse_batch(&mut write.v, mask.as_ref(), customers);
        let (good, verdicts) = sort_out(items);
        let upserted = service::write(&self.0, write.asks(good)?, commands::upsert).await?;
        Ok(Response::new(BatchUpsertCustomersResponse { results: results(verdicts, upserted) }))
    }

    async fn import_customers(
        &self,
        request: Request<Streaming<ImportCustomersRequest>>,
    ) -> Result<Response<Self::ImportCustomersStream>, Status> {
        let customers = Customers::new(&self.0, grpc::call(&request)?);
        Ok(Response::new(grpc::import(customers, request.into_inner()).boxed()))
    }

    type ExportCustomerStream = Parts;

    async fn export_customer(
        &self,
        request: Request<ExportCustomerRequest>,
    ) -> Result<Response<Parts>, Status> {
        Ok(Response::new(erasure::rpc::export(&self.0, request).await?))
    }

    async fn erase_customer(
        &self,
        request: Request<EraseCustomerRequest>,
    ) -> Result<Response<EraseCustomerResponse>, Status> {
        Ok(Response::new(erasure::rpc::erase(&self.0, request).await?))
    }

    async fn merge_customers(
        &self,
        request: Request<MergeCustomersRequest>,
    ) -> Result<Response<MergeCustomersResponse>, Status> {
        Ok(Response::new(merge::rpc::merge(&self.0, request).await?))
    }
}

impl Listed for Customer {
    fn facts(&self, now: Timestamp) -> Facts<'_> {
        Facts::new().with("customer", fact(self, now))
    }
}

/// What was sent, as it is kept.
fn parse_profile(v: &mut Violations, customer: v1::Customer) -> Profile {
    let mut problems = Vec::new();
    let birthday = customer.birthday.as_ref().and_then(|date| convert::date("birthday", date, &mut problems));
    let since =
        customer.since_time.as_ref().and_then(|at| convert::timestamp("since_time", at, &mut problems));
    let sent = Profile {
        display_name: customer.display_name,
        email: customer.email,
        phone: customer.phone,
        locale: customer.locale,
        time_zone: customer.time_zone,
        country: customer.country,
        birthday,
        attributes: customer.attributes,
        tags: customer.tags,
        since,
    };
    let profile = sent.normalised(&mut problems);
    field::problems(v, problems);
    profile
}

type Item = Result<Change<Profile>, Fault>;
/// The name of a customer as it was sent, and what is wrong with it.
type Verdict = (String, Option<Fault>);

/// One customer of a batch or an import.
fn parse_item(mask: Option<&FieldMask>, customer: v1::Customer) -> Item {
    asked::upsert::<Customer, _, _>(mask, customer, FIELDS, parse_profile)
}

/// Each with its name as it was sent.
fn parse_batch(
    v: &mut Violations,
    mask: Option<&FieldMask>,
    customers: Vec<v1::Customer>,
) -> Vec<(String, Item)> {
    asked::upsert_mask(v, mask, FIELDS);
    let count = customers.len();
    let message = format!("must have 1 to {MAX_BATCH} entries, has {count}");
    let fits = v.check((1..=MAX_BATCH).contains(&count), "customers", message);
    let mut seen = std::collections::HashSet::new();
    for (index, customer) in customers.iter().take(MAX_BATCH).enumerate() {
        let first = seen.insert(customer.name.as_str());
        v.check(first, format!("customers[{index}].name"), "stands twice in this request");
    }
    // More are not even read.
    let customers = if fits { customers } else { Vec::new() };
    customers.into_iter().map(|customer| (customer.name.clone(), parse_item(mask, customer))).collect()
}

/// The rows that can be written, and the verdict on every row.
fn sort_out(items: Vec<(String, Item)>) -> (Vec<Change<Profile>>, Vec<Verdict>) {
    let mut good = Vec::with_capacity(items.len());
    let mut verdicts = Vec::with_capacity(items.len());
    for (name, item) in items {
        match item {
            Ok(row) => {
                good.push(row);
                verdicts.push((name, None));
            }
            Err(fault) => verdicts.push((name, Some(fault))),
        }
    }
    (good, verdicts)
}

fn results(verdicts: Vec<Verdict>, upserted: Vec<Upserted>) -> Vec<UpsertResult> {
    let mut upserted = upserted.into_iter();
    let result = |(name, fault): Verdict| match fault {
        Some(fault) => UpsertResult { name, status: Some(field::item_status(fault)), created: false },
        None => match upserted.next().unwrap_or_default().stored() {
            Ok(created) => UpsertResult { name, status: Some(field::item_ok()), created },
            Err(fault) => UpsertResult { name, status: Some(field::item_status(fault)), created: false },
        },
    };
    verdicts.into_iter().map(result).collect()
}
