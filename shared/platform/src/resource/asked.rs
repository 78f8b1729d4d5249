//! What a service does with the requests of the standard methods before and after what is an aggregate's own.

use prost_types::FieldMask;
use tandem_kernel::rule::Vocabulary;
use tandem_proto::requests::{Creating, Etagged, Listing, Named, Partial, Repeatable, Updating};

use super::change::{self, Change, Maps, New, Touch};
use super::list::{List, Listed, Page};
use super::read::find;
use super::table::Resource;
use crate::call::Call;
use crate::fault::{Outcome, Violations};
use crate::idempotency::Request;
use crate::service::{Asked, Core};
use crate::{field, grpc};

/// A write on its way in: what is wrong with it is gathered in `v`.
#[derive(Debug)]
pub struct Write<B> {
    /// Who asks, and until when.
    pub call: Call,
    /// What makes it the same as its repetition.
    pub request: Request,
    /// What is wrong with the request_id, and whatever the aggregate finds.
    pub v: Violations,
    /// The rest.
    pub body: B,
}

impl<B> Write<B> {
    /// Asks for `what`, unless something is wrong.
    pub fn asks<W>(self, what: W) -> Outcome<Asked<W>> {
        self.v.finish()?;
        Ok(Asked { call: self.call, request: self.request, what })
    }
}

/// A write of the contract.
pub fn write<B: Repeatable>(core: &Core, request: tonic::Request<B>) -> Outcome<Write<B>> {
    let (call, mut body) = (grpc::call(&request)?, request.into_inner());
    let mut v = Violations::new();
    let id = body.take_request_id();
    let request = field::request(&mut v, &*core.ids, core.clock.now(), B::METHOD, &id, &body);
    Ok(Write { call, request, v, body })
}

/// A write that asks for a new resource, of which `parse` reads what the caller says. Its id is the one wanted, else the one
/// in its name, else a fresh one.
pub fn create<T: Resource, B: Creating, D>(
    core: &Core,
    request: tonic::Request<B>,
    parse: impl FnOnce(&mut Violations, B::Resource) -> D,
) -> Outcome<Asked<New<D>>> {
    let Write { call, request, mut v, mut body } = write(core, request)?;
    let resource = body.take_resource();
    let wanted =
        field::Wanted { collection: T::COLLECTION, field: B::ID, id: body.id(), name: resource.name() };
    let id = field::new_id(&mut v, &*core.ids, core.clock.now(), wanted);
    let given = parse(&mut v.nest(B::RESOURCE), resource);
    v.finish()?;
    Ok(Asked { call, request, what: New { id, given } })
}

/// A write that asks for other values in those of `fields` that its mask names, else in those that it says. What `parse`
/// finds wrong with those that are not changed is passed over.
pub fn update<T: Resource, B: Updating, D: Clone + Maps>(
    core: &Core,
    request: tonic::Request<B>,
    fields: &[change::Field<D>],
    parse: impl FnOnce(&mut Violations, B::Resource) -> D,
) -> Outcome<Asked<Change<D>>> {
    changed(core, request, fields, Touch::read::<T>, parse)
}

/// The same of the one that each tenant has, whose name may be left out.
pub fn update_only<B: Updating, D: Clone + Maps>(
    core: &Core,
    request: tonic::Request<B>,
    name: &'static str,
    fields: &[change::Field<D>],
    parse: impl FnOnce(&mut Violations, B::Resource) -> D,
) -> Outcome<Asked<Change<D>>> {
    let only = |v: &mut Violations, field: &str, given: &str, etag: &str| {
        field::only(v, field, name, given);
        Touch { id: name.to_owned(), etag: etag.to_owned() }
    };
    changed(core, request, fields, only, parse)
}

fn changed<B: Updating, D: Clone + Maps>(
    core: &Core,
    request: tonic::Request<B>,
    fields: &[change::Field<D>],
    touch: impl FnOnce(&mut Violations, &str, &str, &str) -> Touch,
    parse: impl FnOnce(&mut Violations, B::Resource) -> D,
) -> Outcome<Asked<Change<D>>> {
    let Write { call, request, mut v, mut body } = write(core, request)?;
    let resource = body.take_resource();
    let mask = grpc::entry_mask(&mut v, body.mask(), &names(fields), D::NAMES, &resource.said());
    let touch = touch(&mut v.nest(B::RESOURCE), "name", resource.name(), resource.etag());
    let given = parse(&mut v.nest_asked(B::RESOURCE, mask.asked()), resource);
    v.finish()?;
    Ok(Asked { call, request, what: Change::new(touch, fields, mask, given) })
}

/// One item of a batch that creates what is not there and changes what is: other values in those of `fields` that the mask
/// names, else in those that the item says. It may be new, so that whatever it says must be right.
pub fn upsert<T: Resource, R: Named + Etagged + Partial, D: Clone + Maps>(
    mask: Option<&FieldMask>,
    resource: R,
    fields: &[change::Field<D>],
    parse: impl FnOnce(&mut Violations, R) -> D,
) -> Outcome<Change<D>> {
    let mut v = Violations::new();
    // What is wrong with the mask is said once, of the request.
    let mask = grpc::entry_mask(&mut Violations::new(), mask, &names(fields), D::NAMES, &resource.said());
    let touch = Touch::read::<T>(&mut v, "name", resource.name(), resource.etag());
    let given = parse(&mut v, resource);
    v.finish()?;
    Ok(Change::new(touch, fields, mask, given))
}

/// Reports what is wrong with the mask of a batch.
pub fn upsert_mask<D: Maps>(v: &mut Violations, mask: Option<&FieldMask>, fields: &[change::Field<D>]) {
    grpc::entry_mask(v, mask, &names(fields), D::NAMES, &[]);
}

fn names<D>(fields: &[change::Field<D>]) -> Vec<&'static str> {
    fields.iter().map(|(name, _)| *name).collect()
}

/// A write that says no more than which version of which resource it is about: archive, delete, a step of its life.
pub fn touch<T: Resource, B>(core: &Core, request: tonic::Request<B>) -> Outcome<Asked<Touch>>
where
    B: Repeatable + Named + Etagged,
{
    let Write { call, request, mut v, body } = write(core, request)?;
    let touch = Touch::read::<T>(&mut v, "name", body.name(), body.etag());
    v.finish()?;
    Ok(Asked { call, request, what: touch })
}

/// The resource that a request names, as it is.
pub async fn get<T: Resource, B: Named>(core: &Core, request: tonic::Request<B>) -> Outcome<T> {
    let call = grpc::call(&request)?;
    let id = named::<T>(request.get_ref())?;
    find(core, &call, &id).await
}

/// The id of the resource that a request names.
pub fn named<T: Resource>(body: &impl Named) -> Outcome<String> {
    let mut v = Violations::new();
    let id = field::resource(&mut v, "name", T::COLLECTION, body.name());
    v.finish()?;
    Ok(id)
}

/// Who asks for the one that each tenant has, which a request need not name.
pub fn only<B: Named>(request: &tonic::Request<B>, name: &'static str) -> Outcome<Call> {
    let (call, mut v) = (grpc::call(request)?, Violations::new());
    field::only(&mut v, "name", name, request.get_ref().name());
    v.finish()?;
    Ok(call)
}

/// One page of a list. Filters speak of what `vocabulary` declares.
pub async fn list<T: Listed, B: Listing>(
    core: &Core,
    request: tonic::Request<B>,
    vocabulary: &Vocabulary,
) -> Outcome<Page<T>> {
    let (call, body) = (grpc::call(&request)?, request.get_ref());
    List::read(&call, body, vocabulary)?.page(&core.db, &call.tenant, core.clock.now()).await
}
