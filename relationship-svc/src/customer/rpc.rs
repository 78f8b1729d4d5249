//! The customer service of the contract.

use std::borrow::Cow;
use std::sync::LazyLock;

use jiff::Timestamp;
use prost_types::FieldMask;
use tandem_kernel::rule::{Facts, Vocabulary};
use tandem_platform::resource::Change;
use tandem_platform::resource::asked;
use tandem_platform::resource::list::Listed;
use tandem_platform::{Call, Core, Fault, Outcome, Violations, field, grpc, service};
use tandem_proto::convert;
use tandem_proto::relationship::v1::customer_service_server::CustomerService;
use tandem_proto::relationship::v1::{
    self, BatchUpsertCustomersRequest, BatchUpsertCustomersResponse, CreateCustomerRequest,
    CreateCustomerResponse, GetCustomerRequest, GetCustomerResponse, ImportCustomersRequest,
    ImportCustomersResponse, ImportFailure, ListCustomersRequest, ListCustomersResponse,
    UpdateCustomerRequest, UpdateCustomerResponse, UpsertResult,
};
use tonic::{Request, Response, Status, Streaming};

use super::commands::{self, Upserted};
use super::{Customer, FIELDS, MAX_BATCH, Profile, events, fact, name, vocabulary};
use crate::attribute;

/// What a filter may read.
static VOCABULARY: LazyLock<Vocabulary> = LazyLock::new(vocabulary);

/// Refusals that an import tells of; the others are counted.
const MAX_FAILURES: usize = 100;

/// The service.
#[derive(Debug, Clone)]
pub struct Api(Core);

impl Api {
    /// Of this process.
    pub fn new(core: &Core) -> Self {
        Self(core.clone())
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
    async fn create_customer(
        &self,
        request: Request<CreateCustomerRequest>,
    ) -> Result<Response<CreateCustomerResponse>, Status> {
        let new = asked::create::<Customer, _, _>(&self.0, request, parse_profile)?;
        let stored = service::write(&self.0, new, commands::create).await?;
        Ok(Response::new(CreateCustomerResponse { customer: Some(events::message(&stored)) }))
    }

    async fn get_customer(
        &self,
        request: Request<GetCustomerRequest>,
    ) -> Result<Response<GetCustomerResponse>, Status> {
        let customer = asked::get(&self.0, request).await?;
        Ok(Response::new(GetCustomerResponse { customer: Some(events::message(&customer)) }))
    }

    async fn list_customers(
        &self,
        request: Request<ListCustomersRequest>,
    ) -> Result<Response<ListCustomersResponse>, Status> {
        let vocabulary = self.vocabulary(&request).await?;
        let page = asked::list(&self.0, request, &vocabulary).await?;
        let (customers, next_page_token) = page.shown(|one: &Customer| Some(events::message(one)));
        Ok(Response::new(ListCustomersResponse { customers, next_page_token }))
    }

    async fn update_customer(
        &self,
        request: Request<UpdateCustomerRequest>,
    ) -> Result<Response<UpdateCustomerResponse>, Status> {
        let change = asked::update::<Customer, _, _>(&self.0, request, FIELDS, parse_profile)?;
        let stored = service::write(&self.0, change, commands::update).await?;
        Ok(Response::new(UpdateCustomerResponse { customer: Some(events::message(&stored)) }))
    }

    async fn batch_upsert_customers(
        &self,
        request: Request<BatchUpsertCustomersRequest>,
    ) -> Result<Response<BatchUpsertCustomersResponse>, Status> {
        let mut write = asked::write(&self.0, request)?;
        let (mask, customers) = (write.body.update_mask.take(), std::mem::take(&mut write.body.customers));
        let items = parse_batch(&mut write.v, mask.as_ref(), customers);
        let (good, verdicts) = sort_out(items);
        let upserted = service::write(&self.0, write.asks(good)?, commands::upsert).await?;
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
            let mut v = Violations::new();
            asked::upsert_mask(&mut v, message.update_mask.as_ref(), FIELDS);
            v.finish()?;
            for customer in message.customers {
                import.take(message.update_mask.as_ref(), customer).await?;
            }
        }
        import.flush().await?;
        Ok(Response::new(import.answer))
    }
}

impl Listed for Customer {
    fn facts(&self, now: Timestamp) -> Facts<'_> {
        Facts::new().with("customer", fact(self, now))
    }
}

/// An import in progress: what is not written yet, and what became of the rest.
struct Import<'a> {
    core: &'a Core,
    call: Call,
    /// With their places.
    waiting: Vec<(i64, Change<Profile>)>,
    next: i64,
    answer: ImportCustomersResponse,
}

impl<'a> Import<'a> {
    fn new(core: &'a Core, call: Call) -> Self {
        Self { core, call, waiting: Vec::new(), next: 0, answer: ImportCustomersResponse::default() }
    }

    /// Takes one row; writes a block where one is full.
    async fn take(&mut self, mask: Option<&FieldMask>, customer: v1::Customer) -> Outcome<()> {
        let (index, name) = (self.next, customer.name.clone());
        self.next += 1;
        match parse_item(mask, customer) {
            Ok(row) => self.waiting.push((index, row)),
            Err(fault) => self.refuse(index, name, fault),
        }
        if self.waiting.len() < MAX_BATCH { Ok(()) } else { self.flush().await }
    }

    fn refuse(&mut self, index: i64, name: String, fault: Fault) {
        self.answer.failed += 1;
        if self.answer.failures.len() < MAX_FAILURES {
            let status = Some(field::item_status(fault));
            self.answer.failures.push(ImportFailure { index, name, status });
        }
    }

    /// Makes durable what waits.
    async fn flush(&mut self) -> Outcome<()> {
        let (core, call, block) = (self.core.clone(), self.call.clone(), std::mem::take(&mut self.waiting));
        let (places, block): (Vec<_>, Vec<_>) =
            block.into_iter().map(|(index, row)| ((index, name(&row.touch.id)), row)).unzip();
        let write = async move { commands::import(&core, &call, block).await };
        let upserted = grpc::detached(&self.core.tasks, &self.call, write).await?;
        for ((index, name), upserted) in places.into_iter().zip(upserted) {
            match (unfit(&upserted), upserted.created) {
                (Some(fault), _) => self.refuse(index, name, fault),
                (None, true) => self.answer.created += 1,
                (None, false) => self.answer.updated += 1,
            }
        }
        // In the order of the stream, although what is declared is judged with the block.
        self.answer.failures.sort_by_key(|failure| failure.index);
        Ok(())
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
    let result = |(name, fault): Verdict| {
        let done = if fault.is_none() { upserted.next().unwrap_or_default() } else { Upserted::default() };
        let status = fault.or_else(|| unfit(&done)).map_or_else(field::item_ok, field::item_status);
        UpsertResult { name, status: Some(status), created: done.created }
    };
    verdicts.into_iter().map(result).collect()
}

/// What is wrong with an item by what is declared.
fn unfit(upserted: &Upserted) -> Option<Fault> {
    let mut v = Violations::new();
    field::problems(&mut v, upserted.problems.clone());
    v.finish().err()
}
