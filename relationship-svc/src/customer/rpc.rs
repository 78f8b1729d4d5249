//! The customer service of the contract.

use std::sync::Arc;

use jiff::Timestamp;
use prost_types::FieldMask;
use tandem_kernel::rule::Facts;
use tandem_platform::db::Reader;
use tandem_platform::idempotency::Request as Claimed;
use tandem_platform::list::{Asked, List, Listed, Order, Position};
use tandem_platform::{Call, Fault, Outcome, Tenant, Violations, field, grpc};
use tandem_proto::convert;
use tandem_proto::relationship::v1::customer_service_server::CustomerService;
use tandem_proto::relationship::v1::{
    self, BatchUpsertCustomersRequest, BatchUpsertCustomersResponse, CreateCustomerRequest,
    CreateCustomerResponse, GetCustomerRequest, GetCustomerResponse, ImportCustomersRequest,
    ImportCustomersResponse, ImportFailure, ListCustomersRequest, ListCustomersResponse,
    UpdateCustomerRequest, UpdateCustomerResponse, UpsertResult,
};
use tonic::{Request, Response, Status, Streaming};

use super::commands::{self, Change, Upserted};
use super::{Customer, Draft, Field, MAX_BATCH, Profile, events, fact, name, store, vocabulary};
use crate::App;

/// Refusals that an import tells of; the others are counted.
const MAX_FAILURES: usize = 100;

/// The service.
#[derive(Debug, Clone)]
pub struct Api(Arc<App>);

impl Api {
    /// Of this process.
    pub fn new(app: &Arc<App>) -> Self {
        Self(app.clone())
    }
}

#[tonic::async_trait]
impl CustomerService for Api {
    async fn create_customer(
        &self,
        request: Request<CreateCustomerRequest>,
    ) -> Result<Response<CreateCustomerResponse>, Status> {
        let call = grpc::call(&request)?;
        let (claim, id, profile) = parse_create(&self.0, request.into_inner())?;
        let write = move |app: Arc<App>, call, claim| async move {
            commands::create(&app, &call, &claim, id, profile).await
        };
        let customer = self.0.write(call, claim, write).await?;
        Ok(Response::new(CreateCustomerResponse { customer: Some(events::message(&customer)) }))
    }

    async fn get_customer(
        &self,
        request: Request<GetCustomerRequest>,
    ) -> Result<Response<GetCustomerResponse>, Status> {
        let call = grpc::call(&request)?;
        let id = parse_name(&request.get_ref().name)?;
        let mut reader = self.0.db.read().await?;
        let found = store::find(&mut reader, &call.tenant, &id).await?;
        let customer = found.ok_or_else(|| Fault::not_found(name(&id)))?;
        Ok(Response::new(GetCustomerResponse { customer: Some(events::message(&customer)) }))
    }

    async fn list_customers(
        &self,
        request: Request<ListCustomersRequest>,
    ) -> Result<Response<ListCustomersResponse>, Status> {
        let call = grpc::call(&request)?;
        let message = request.get_ref();
        let asked = Asked {
            list: "ListCustomers",
            page_size: message.page_size,
            page_token: &message.page_token,
            filter: &message.filter,
            order_by: &message.order_by,
        };
        let list = List::read(&call, asked, &vocabulary())?;
        let page = list.page::<Customer>(&self.0.db, &call.tenant, self.0.clock.now()).await?;
        let customers = page.items.iter().map(events::message).collect();
        Ok(Response::new(ListCustomersResponse { customers, next_page_token: page.next_page_token }))
    }

    async fn update_customer(
        &self,
        request: Request<UpdateCustomerRequest>,
    ) -> Result<Response<UpdateCustomerResponse>, Status> {
        let call = grpc::call(&request)?;
        let (claim, change) = parse_update(&self.0, request.into_inner())?;
        let write = move |app: Arc<App>, call, claim| async move {
            commands::update(&app, &call, &claim, change).await
        };
        let customer = self.0.write(call, claim, write).await?;
        Ok(Response::new(UpdateCustomerResponse { customer: Some(events::message(&customer)) }))
    }

    async fn batch_upsert_customers(
        &self,
        request: Request<BatchUpsertCustomersRequest>,
    ) -> Result<Response<BatchUpsertCustomersResponse>, Status> {
        let call = grpc::call(&request)?;
        let (claim, items) = parse_batch(&self.0, request.into_inner())?;
        let (good, verdicts) = sort_out(items);
        let write = move |app: Arc<App>, call, claim| async move {
            commands::upsert(&app, &call, &claim, good).await
        };
        let upserted = self.0.write(call, claim, write).await?;
        Ok(Response::new(BatchUpsertCustomersResponse { results: results(verdicts, upserted) }))
    }

    async fn import_customers(
        &self,
        request: Request<Streaming<ImportCustomersRequest>>,
    ) -> Result<Response<ImportCustomersResponse>, Status> {
        let call = grpc::call(&request)?;
        let mut stream = request.into_inner();
        let mut import = Import::new(&self.0, call);
        while let Some(message) = stream.message().await? {
            let fits = message.customers.len() <= MAX_BATCH;
            if !fits {
                let description = format!("must have at most {MAX_BATCH} entries in one message");
                return Err(Fault::invalid_field("customers", description).into());
            }
            for customer in message.customers {
                import.take(customer).await?;
            }
        }
        import.flush().await?;
        Ok(Response::new(import.answer))
    }
}

impl Listed for Customer {
    fn position(&self) -> Position {
        Position { created: self.created, id: self.id.clone() }
    }

    fn facts(&self, now: Timestamp) -> Facts<'_> {
        Facts::new().with("customer", fact(self, now))
    }

    async fn scan(
        reader: &mut Reader,
        tenant: &Tenant,
        order: Order,
        after: &Position,
        limit: usize,
    ) -> Outcome<Vec<Self>> {
        store::scan(reader, tenant, order, after, i64::try_from(limit).unwrap_or(i64::MAX)).await
    }
}

/// An import in progress: what is not written yet, and what became of the rest.
struct Import<'a> {
    app: &'a Arc<App>,
    call: Call,
    waiting: Vec<Row>,
    next: i64,
    answer: ImportCustomersResponse,
}

impl<'a> Import<'a> {
    fn new(app: &'a Arc<App>, call: Call) -> Self {
        Self { app, call, waiting: Vec::new(), next: 0, answer: ImportCustomersResponse::default() }
    }

    /// Takes one row; writes a block where one is full.
    async fn take(&mut self, customer: v1::Customer) -> Outcome<()> {
        let (index, name) = (self.next, customer.name.clone());
        self.next += 1;
        match parse_item(customer) {
            Ok(row) => self.waiting.push(row),
            Err(fault) => {
                self.answer.failed += 1;
                if self.answer.failures.len() < MAX_FAILURES {
                    let status = Some(field::item_status(fault));
                    self.answer.failures.push(ImportFailure { index, name, status });
                }
            }
        }
        if self.waiting.len() < MAX_BATCH { Ok(()) } else { self.flush().await }
    }

    /// Makes durable what waits.
    async fn flush(&mut self) -> Outcome<()> {
        let (app, call, block) = (self.app.clone(), self.call.clone(), std::mem::take(&mut self.waiting));
        let write = async move { commands::import(&app, &call, block).await };
        for upserted in grpc::detached(&self.app.tasks, &self.call, write).await? {
            let count = if upserted.created { &mut self.answer.created } else { &mut self.answer.updated };
            *count += 1;
        }
        Ok(())
    }
}

fn parse_name(text: &str) -> Outcome<String> {
    let mut v = Violations::new();
    let id = field::resource(&mut v, "name", "customers", text);
    v.finish()?;
    Ok(id)
}

fn parse_create(app: &App, mut message: CreateCustomerRequest) -> Outcome<(Claimed, String, Profile)> {
    let mut v = Violations::new();
    let now = app.clock.now();
    let request_id = std::mem::take(&mut message.request_id);
    let claim = field::request(&mut v, &*app.ids, now, "CreateCustomer", &request_id, &message);
    let customer = message.customer.unwrap_or_default();
    let wanted = field::Wanted {
        collection: "customers",
        field: "customer_id",
        id: &message.customer_id,
        name: &customer.name,
    };
    let id = field::new_id(&mut v, &*app.ids, now, wanted);
    let profile = parse_profile(&mut v.nest("customer"), customer);
    v.finish()?;
    Ok((claim, id, profile))
}

fn parse_update(app: &App, mut message: UpdateCustomerRequest) -> Outcome<(Claimed, Change)> {
    let mut v = Violations::new();
    let request_id = std::mem::take(&mut message.request_id);
    let claim = field::request(&mut v, &*app.ids, app.clock.now(), "UpdateCustomer", &request_id, &message);
    let mut customer = message.customer.unwrap_or_default();
    let fields = parse_mask(&mut v, message.update_mask.as_ref());
    let id = field::resource(&mut v, "customer.name", "customers", &customer.name);
    let etag = std::mem::take(&mut customer.etag);
    let profile = parse_profile(&mut v.nest("customer"), only(customer, &fields));
    v.finish()?;
    Ok((claim, Change { id, etag, fields, profile }))
}

fn parse_mask(v: &mut Violations, mask: Option<&FieldMask>) -> Vec<Field> {
    let names: Vec<&'static str> = Field::ALL.iter().map(|(name, _)| *name).collect();
    let mask = grpc::field_mask(v, mask, &names);
    Field::ALL.iter().filter(|(name, _)| mask.has(name)).map(|(_, field)| *field).collect()
}

/// The message without what an update does not write: what is not asked for cannot be wrong.
fn only(customer: v1::Customer, fields: &[Field]) -> v1::Customer {
    let mut kept = v1::Customer::default();
    for field in fields {
        match field {
            Field::DisplayName => kept.display_name.clone_from(&customer.display_name),
            Field::Email => kept.email.clone_from(&customer.email),
            Field::Phone => kept.phone.clone_from(&customer.phone),
            Field::Locale => kept.locale.clone_from(&customer.locale),
            Field::TimeZone => kept.time_zone.clone_from(&customer.time_zone),
            Field::Country => kept.country.clone_from(&customer.country),
            Field::Birthday => kept.birthday = customer.birthday,
            Field::Attributes => kept.attributes.clone_from(&customer.attributes),
            Field::Tags => kept.tags.clone_from(&customer.tags),
            Field::Since => kept.since_time = customer.since_time,
        }
    }
    kept
}

fn parse_profile(v: &mut Violations, customer: v1::Customer) -> Profile {
    let mut problems = Vec::new();
    let birthday = customer.birthday.as_ref().and_then(|date| convert::date("birthday", date, &mut problems));
    let since =
        customer.since_time.as_ref().and_then(|at| convert::timestamp("since_time", at, &mut problems));
    let draft = Draft {
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
    let profile = draft.profile().unwrap_or_else(|found| {
        problems.extend(found);
        Profile::default()
    });
    field::problems(v, problems);
    profile
}

/// The id of a customer and what is known of it.
type Row = (String, Profile);
type Item = Result<Row, Fault>;
/// The name of a customer as it was sent, and what is wrong with it.
type Verdict = (String, Option<Fault>);

/// One customer of a batch or an import.
fn parse_item(customer: v1::Customer) -> Item {
    let mut v = Violations::new();
    let id = field::resource(&mut v, "name", "customers", &customer.name);
    let profile = parse_profile(&mut v, customer);
    v.finish()?;
    Ok((id, profile))
}

fn parse_batch(
    app: &App,
    mut message: BatchUpsertCustomersRequest,
) -> Outcome<(Claimed, Vec<(String, Item)>)> {
    let mut v = Violations::new();
    let request_id = std::mem::take(&mut message.request_id);
    let claim =
        field::request(&mut v, &*app.ids, app.clock.now(), "BatchUpsertCustomers", &request_id, &message);
    let count = message.customers.len();
    v.check(
        (1..=MAX_BATCH).contains(&count),
        "customers",
        format!("must have 1 to {MAX_BATCH} entries, has {count}"),
    );
    let mut seen = std::collections::HashSet::new();
    for (index, customer) in message.customers.iter().take(MAX_BATCH).enumerate() {
        let first = seen.insert(customer.name.as_str());
        v.check(first, format!("customers[{index}].name"), "stands twice in this request");
    }
    v.finish()?;
    let items = message.customers.into_iter().map(|customer| (customer.name.clone(), parse_item(customer)));
    Ok((claim, items.collect()))
}

/// The rows that can be written, and the verdict on every row.
fn sort_out(items: Vec<(String, Item)>) -> (Vec<Row>, Vec<Verdict>) {
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
        None => {
            let created = upserted.next().is_some_and(|one| one.created);
            UpsertResult { name, status: Some(field::item_ok()), created }
        }
    };
    verdicts.into_iter().map(result).collect()
}
