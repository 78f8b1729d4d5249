//! What a service does with the requests of the standard methods before and after what is an aggregate's own.

use tandem_kernel::rule::Vocabulary;
use tandem_proto::requests::{Etagged, Listing, Named, Repeatable};

use super::list::{List, Listed, Page};
use super::read::find;
use super::table::Resource;
use crate::call::Call;
use crate::fault::{Outcome, Violations};
use crate::idempotency::Request;
use crate::service::Core;
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

/// A write of the contract.
pub fn write<B: Repeatable>(core: &Core, request: tonic::Request<B>) -> Outcome<Write<B>> {
    let (call, mut body) = (grpc::call(&request)?, request.into_inner());
    let mut v = Violations::new();
    let id = body.take_request_id();
    let request = field::request(&mut v, &*core.ids, core.clock.now(), B::METHOD, &id, &body);
    Ok(Write { call, request, v, body })
}

/// The id of a resource to be created: the one wanted in `field`, else the one in its name, else a fresh one.
pub fn new_id<T: Resource>(v: &mut Violations, core: &Core, field: &str, id: &str, name: &str) -> String {
    let wanted = field::Wanted { collection: T::COLLECTION, field, id, name };
    field::new_id(v, &*core.ids, core.clock.now(), wanted)
}

/// A write about one version of a resource.
#[derive(Debug)]
pub struct Touch {
    /// Who asks, and until when.
    pub call: Call,
    /// What makes it the same as its repetition.
    pub request: Request,
    /// Which resource.
    pub id: String,
    /// Of the version the caller has read, or empty.
    pub etag: String,
}

/// A write that says no more than which version of which resource it is about: archive, delete, a step of its life.
pub fn touch<T: Resource, B>(core: &Core, request: tonic::Request<B>) -> Outcome<Touch>
where
    B: Repeatable + Named + Etagged,
{
    let Write { call, request, mut v, body } = write(core, request)?;
    let id = field::resource(&mut v, "name", T::COLLECTION, body.name());
    v.finish()?;
    Ok(Touch { call, request, id, etag: body.etag().to_owned() })
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

/// One page of a list. Filters speak of what `vocabulary` declares.
pub async fn list<T: Listed, B: Listing>(
    core: &Core,
    request: tonic::Request<B>,
    vocabulary: &Vocabulary,
) -> Outcome<Page<T>> {
    let (call, body) = (grpc::call(&request)?, request.get_ref());
    List::read(&call, body, vocabulary)?.page(&core.db, &call.tenant, core.clock.now()).await
}
