//! The attribute service of the contract.

use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use tandem_kernel::rule::{Facts, Reading, Vocabulary};
use tandem_platform::resource::list::Listed;
use tandem_platform::resource::{New, asked};
use tandem_platform::service::Asked;
use tandem_platform::{Core, Outcome, Violations, field, service};
use tandem_proto::relationship::v1::attribute_service_server::AttributeService;
use tandem_proto::relationship::v1::{
    self, AttributeType, CreateAttributeRequest, CreateAttributeResponse, DeleteAttributeRequest,
    DeleteAttributeResponse, GetAttributeRequest, GetAttributeResponse, ListAttributesRequest,
    ListAttributesResponse, UpdateAttributeRequest, UpdateAttributeResponse,
};
use tonic::{Request, Response, Status};

use super::readers::House;
use super::{Attribute, Definition, FIELDS, commands, events, fact, is_key, vocabulary};
use crate::segment::declared::Rules;

/// What a filter may read.
static VOCABULARY: LazyLock<Vocabulary> = LazyLock::new(vocabulary);

const MAX_DISPLAY_NAME: usize = 200;
const MAX_DESCRIPTION: usize = 1_000;

/// The service.
#[derive(Debug, Clone)]
pub struct Api(Arc<House<Rules>>);

impl Api {
    /// Of this process.
    pub fn new(core: &Core) -> Self {
        Self(Arc::new(House { core: core.clone(), readers: Rules(core.db.clone()) }))
    }
}

#[tonic::async_trait]
impl AttributeService for Api {
    async fn create_attribute(
        &self,
        request: Request<CreateAttributeRequest>,
    ) -> Result<Response<CreateAttributeResponse>, Status> {
        let new = asked::create::<Attribute, _, _>(&self.0, request, parse_definition)?;
        check_key(&new)?;
        let stored = service::write(&self.0, new, commands::create).await?;
        Ok(Response::new(CreateAttributeResponse { attribute: Some(events::message(&stored)) }))
    }

    async fn get_attribute(
        &self,
        request: Request<GetAttributeRequest>,
    ) -> Result<Response<GetAttributeResponse>, Status> {
        let attribute = asked::get(&self.0, request).await?;
        Ok(Response::new(GetAttributeResponse { attribute: Some(events::message(&attribute)) }))
    }

    async fn list_attributes(
        &self,
        request: Request<ListAttributesRequest>,
    ) -> Result<Response<ListAttributesResponse>, Status> {
        let page = asked::list(&self.0, request, &VOCABULARY).await?;
        let (attributes, next_page_token) = page.shown(|one: &Attribute| Some(events::message(one)));
        Ok(Response::new(ListAttributesResponse { attributes, next_page_token }))
    }

    async fn update_attribute(
        &self,
        request: Request<UpdateAttributeRequest>,
    ) -> Result<Response<UpdateAttributeResponse>, Status> {
        let change = asked::update::<Attribute, _, _>(&self.0, request, FIELDS, parse_definition)?;
        let stored = service::write(&self.0, change, commands::update).await?;
        Ok(Response::new(UpdateAttributeResponse { attribute: Some(events::message(&stored)) }))
    }

    async fn delete_attribute(
        &self,
        request: Request<DeleteAttributeRequest>,
    ) -> Result<Response<DeleteAttributeResponse>, Status> {
        let touch = asked::touch::<Attribute, _>(&self.0, request)?;
        service::write(&self.0, touch, commands::delete).await?;
        Ok(Response::new(DeleteAttributeResponse {}))
    }
}

impl Listed for Attribute {
    fn facts(&self, _now: Timestamp) -> Facts<'_> {
        let value_type = events::value_type(self.definition.reading).as_str_name();
        let value_type = value_type.strip_prefix("ATTRIBUTE_TYPE_").unwrap_or(value_type);
        Facts::new().with("attribute", fact(self, value_type))
    }
}

/// What a caller says of an attribute.
fn parse_definition(v: &mut Violations, attribute: v1::Attribute) -> Definition {
    Definition {
        display_name: field::text(v, "display_name", attribute.display_name, 0..=MAX_DISPLAY_NAME),
        description: field::text(v, "description", attribute.description, 0..=MAX_DESCRIPTION),
        reading: parse_type(v, attribute.value_type),
        personal: attribute.personal,
    }
}

fn parse_type(v: &mut Violations, value_type: i32) -> Reading {
    match AttributeType::try_from(value_type) {
        Ok(AttributeType::Unspecified | AttributeType::Text) => Reading::Text,
        Ok(AttributeType::Number) => Reading::Number,
        Ok(AttributeType::Boolean) => Reading::Truth,
        Ok(AttributeType::Date) => Reading::Date,
        Ok(AttributeType::Texts) => Reading::Texts,
        Err(_) => {
            v.add("value_type", "is none of the types of attributes");
            Reading::Text
        }
    }
}

/// An id that is the key of customers, and a field of rules.
fn check_key(new: &Asked<New<Definition>>) -> Outcome<()> {
    let mut v = Violations::new();
    let message =
        "must be the key that customers have it under: a letter or _, then letters, digits and _, up to 64";
    v.check(is_key(&new.what.id), "attribute_id", message);
    v.finish()
}
