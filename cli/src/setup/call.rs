//! Calls of either service by the contracts' own descriptors, so that every kind is handled by the same few lines.

use prost::Message;
use prost::bytes::{Buf, BufMut, Bytes};
use prost_reflect::{DynamicMessage, MethodDescriptor, ReflectMessage, Value};
use tokio::sync::OnceCell;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

use super::kind::{Kind, text};
use crate::connect::{Connection, Target};
use crate::failure::Failure;
use crate::request_id;

/// Both services, each connected to when it is needed first.
pub struct Services<'t> {
    target: &'t Target,
    campaign: OnceCell<Connection>,
    relationship: OnceCell<Connection>,
}

impl<'t> Services<'t> {
    /// Those of `target`.
    pub fn new(target: &'t Target) -> Self {
        Self { target, campaign: OnceCell::new(), relationship: OnceCell::new() }
    }

    /// Connects to both: a command that needs both says at once where one is away.
    pub async fn connect(&self) -> Result<(), Failure> {
        let (campaign, relationship) = futures::join!(self.to(true), self.to(false));
        match (campaign, relationship) {
            (Ok(_), Ok(_)) => Ok(()),
            (Err(failure), Ok(_)) | (Ok(_), Err(failure)) => Err(failure),
            (Err(one), Err(other)) if one.to_string() == other.to_string() => Err(one),
            (Err(one), Err(other)) => Err(Failure::said(format!("{one}\n  {other}"))),
        }
    }

    async fn to(&self, campaign: bool) -> Result<Connection, Failure> {
        let connected = match campaign {
            true => self.campaign.get_or_try_init(|| self.target.to_campaign()).await,
            false => self.relationship.get_or_try_init(|| self.target.to_relationship()).await,
        };
        connected.cloned()
    }

    async fn call(
        &self,
        kind: &Kind,
        method: &MethodDescriptor,
        fields: Vec<(&str, Value)>,
    ) -> Result<DynamicMessage, Failure> {
        let mut request = DynamicMessage::new(method.input());
        for (field, value) in fields {
            request.set_field_by_name(field, value);
        }
        let mut client = Grpc::new(self.to(kind.is_of_campaign()).await?);
        client.ready().await.map_err(|error| Failure::at(method.name(), error))?;
        let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
        let path = PathAndQuery::try_from(path).map_err(|error| Failure::said(error.to_string()))?;
        let request = Request::new(Bytes::from(request.encode_to_vec()));
        let answer = client.unary(request, path, Raw).await?.into_inner();
        DynamicMessage::decode(method.output(), answer).map_err(|error| Failure::at(method.name(), error))
    }

    /// The resource of this name, where there is one.
    pub async fn get(&self, kind: &Kind, name: &str) -> Result<Option<DynamicMessage>, Failure> {
        match self.answer(kind, name).await {
            Ok(answer) => Ok(Some(held(&answer, &kind.field())?)),
            Err(Failure::Refused(status)) if is_absent(&status) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// All that is answered of it.
    pub async fn answer(&self, kind: &Kind, name: &str) -> Result<DynamicMessage, Failure> {
        let name = Value::String(name.to_owned());
        self.call(kind, &kind.method("Get")?, vec![("name", name)]).await
    }

    /// Every resource of a kind that `filter` shows, by name, page after page.
    pub async fn list(
        &self,
        kind: &Kind,
        filter: &str,
        mut page: impl FnMut(&DynamicMessage, Vec<DynamicMessage>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let method = kind.method("List")?;
        let mut token = String::new();
        loop {
            let filter = Value::String(filter.to_owned());
            let fields = vec![
                ("page_size", Value::I32(1_000)),
                ("page_token", Value::String(token)),
                ("filter", filter),
            ];
            let answer = self.call(kind, &method, fields).await?;
            let listed = answer.get_field_by_name(kind.collection);
            let listed = listed.as_deref().and_then(Value::as_list).unwrap_or_default();
            page(&answer, listed.iter().filter_map(Value::as_message).cloned().collect())?;
            token = text(&answer, "next_page_token");
            if token.is_empty() {
                return Ok(());
            }
        }
    }

    /// Creates a resource under the id in its name.
    pub async fn create(&self, kind: &Kind, resource: DynamicMessage) -> Result<DynamicMessage, Failure> {
        let field = kind.field();
        let request_id = Value::String(request_id::fresh());
        let fields = vec![(field.as_str(), Value::Message(resource)), ("request_id", request_id)];
        held(&self.call(kind, &kind.method("Create")?, fields).await?, &field)
    }

    /// Gives `fields` of a resource the values that they have in `resource`, whose etag guards what was read.
    pub async fn update(
        &self,
        kind: &Kind,
        resource: DynamicMessage,
        fields: &[String],
    ) -> Result<DynamicMessage, Failure> {
        let (method, field) = (kind.method("Update")?, kind.field());
        let mask = prost_types::FieldMask { paths: fields.to_vec() };
        let descriptor = method.input().get_field_by_name("update_mask").map(|field| field.kind());
        let descriptor = descriptor.as_ref().and_then(prost_reflect::Kind::as_message);
        let descriptor = descriptor.ok_or_else(|| Failure::said("an update has no mask"))?;
        let mut dynamic = DynamicMessage::new(descriptor.clone());
        dynamic.transcode_from(&mask).map_err(|error| Failure::at("update_mask", error))?;
        let fields = vec![
            (field.as_str(), Value::Message(resource)),
            ("update_mask", Value::Message(dynamic)),
            ("request_id", Value::String(request_id::fresh())),
        ];
        held(&self.call(kind, &method, fields).await?, &field)
    }

    /// Gives a campaign that is out a new mix.
    pub async fn adapt(
        &self,
        kind: &Kind,
        resource: &DynamicMessage,
        reason: &str,
    ) -> Result<DynamicMessage, Failure> {
        let fields = vec![
            ("name", Value::String(text(resource, "name"))),
            ("mix", Value::Message(held(resource, "mix")?)),
            ("reason", Value::String(reason.to_owned())),
            ("etag", Value::String(text(resource, "etag"))),
            ("request_id", Value::String(request_id::fresh())),
        ];
        held(&self.call(kind, &kind.method("Adapt")?, fields).await?, &kind.field())
    }

    /// Takes a step in the life of a resource: what its contract calls `Launch`, `Archive`, ….
    pub async fn step(&self, kind: &Kind, step: &str, name: &str) -> Result<DynamicMessage, Failure> {
        let fields = vec![
            ("name", Value::String(name.to_owned())),
            ("request_id", Value::String(request_id::fresh())),
        ];
        self.call(kind, &kind.method(step)?, fields).await
    }
}

/// Nothing is known of it. Of what was there and is not any more the service has more to say.
fn is_absent(status: &Status) -> bool {
    let details = status.get_error_details();
    status.code() == Code::NotFound && details.error_info().is_none_or(|info| info.reason == "NOT_FOUND")
}

/// The message in a field.
pub fn held(message: &DynamicMessage, field: &str) -> Result<DynamicMessage, Failure> {
    let value = message.get_field_by_name(field);
    let held = value.as_deref().and_then(Value::as_message).cloned();
    held.ok_or_else(|| Failure::said(format!("{} has no {field}", message.descriptor().name())))
}

/// Messages as the bytes they are on the wire.
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        let length = from.remaining();
        Ok(Some(from.copy_to_bytes(length)))
    }
}
