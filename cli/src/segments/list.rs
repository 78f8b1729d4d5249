//! The customers of a list as rows of a file.

use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use tandem_proto::relationship::v1::segment_service_client::SegmentServiceClient;
use tandem_proto::relationship::v1::{
    ImportSegmentMembersRequest, ImportSegmentMembersResponse, SegmentMemberResult,
};
use tonic::Status;

use crate::connect::{Connection, Target};
use crate::failure::Failure;
use crate::files::cells::set_name;
use crate::files::column::{Column, Masked, Table};
use crate::files::import::{Answers, Block, Import, Told};
use crate::name;

const COLUMNS: &[Column<SegmentMemberResult>] = &[Column {
    name: "id",
    fields: &["customer"],
    write: |of| name::id("customers", &of.customer).to_owned(),
    read: |cell, _, of| set_name(&mut of.customer, "customers", cell),
}];

/// The list of a segment.
#[derive(Debug)]
pub struct List {
    /// "segments/{segment}".
    pub name: String,
}

impl Table for List {
    type Item = SegmentMemberResult;

    const KEY: &'static str = "id";
    const MESSAGE: &'static str = "tandem.relationship.v1.SegmentMemberResult";
    const MANY: &'static str = "customers";
    /// Who is on a list is on it.
    const MASKED: Option<Masked<SegmentMemberResult>> = None;

    fn columns() -> &'static [Column<SegmentMemberResult>] {
        COLUMNS
    }
}

impl Import for List {
    type Client = SegmentServiceClient<Connection>;

    const OUTCOMES: &'static [(&'static str, &'static str)] =
        &[("added", "added"), ("existing", "on it already")];
    const REASONS: &'static [(&'static str, &'static str)] = &[("NOT_FOUND", "id")];

    async fn connect(target: &Target) -> Result<Self::Client, Failure> {
        target.segments().await
    }

    async fn open(
        &self,
        client: &Self::Client,
        blocks: BoxStream<'static, Block<SegmentMemberResult>>,
    ) -> Result<Answers, Status> {
        let name = self.name.clone();
        let messages = blocks.map(move |block| {
            let customers = block.items.into_iter().map(|one| one.customer).collect();
            ImportSegmentMembersRequest { name: name.clone(), customers }
        });
        let answers = client.clone().import_segment_members(messages).await?.into_inner();
        Ok(answers.map_ok(told).boxed())
    }
}

fn told(answer: ImportSegmentMembersResponse) -> Told {
    let failures = answer.failures.into_iter().map(|failure| (failure.index, failure.status));
    Told { done: answer.done, counts: vec![answer.added, answer.existing], failures: failures.collect() }
}
