//! `tandem apply`: makes a tenant's set-up what files say.

use std::cell::Cell;
use std::path::PathBuf;

use clap::Args;
use futures::StreamExt;
use prost_reflect::{DynamicMessage, ReflectMessage, Value};
use serde_json::json;

use super::call::Services;
use super::kind::{state, text};
use super::read::{self, Bad, Document};
use super::text::normal;
use crate::connect::Target;
use crate::failure::Failure;
use crate::output::Format;

/// Resources of one kind that are on their way at once.
const AT_ONCE: usize = 8;

/// Arguments of `tandem apply`.
#[derive(Debug, Args)]
#[command(
    after_help = "A document is a message of the contracts as proto3 JSON, in YAML or JSON; its name says which one:
segments/…, objectives/…, products/…, campaigns/…, incentives/…, and settings/campaign and settings/relationship, which
are there always. What is not there is created, what differs is changed to be as the document says, field for field; what
a document leaves out is empty. A new campaign is a draft; the mix of one that is out is adapted. Whatever no document
names stays as it is.

Examples:
  tandem apply -f setup/
  tandem apply -f campaign.yaml --dry-run
  tandem export --to setup/ && tandem apply --tenant staging -f setup/
  tandem apply -f - < campaign.json"
)]
pub struct Arguments {
    /// A file, a folder with what is below it, or `-` for standard input; may be given more than once.
    #[arg(short = 'f', long = "file", value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Say what would be done, and do nothing. What only the services can judge is not judged.
    #[arg(long)]
    dry_run: bool,
    /// Why the mix of a campaign that is out is adapted, for the record.
    #[arg(long, default_value = "tandem apply")]
    reason: String,
}

/// What became of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Created,
    Updated,
    Unchanged,
}

impl Outcome {
    fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
        }
    }
}

/// Applies every document by itself, and fails at the end where one failed.
pub async fn run(arguments: Arguments, target: &Target, format: Format) -> Result<(), Failure> {
    let documents = read::read(&arguments.files)?;
    let services = Services::new(target);
    services.connect().await?;
    let (all, mut failed) = (documents.good.len() + documents.bad.len(), documents.bad.len());
    documents.bad.iter().for_each(|bad| tell_bad(bad, format));
    let mut rest = documents.good.as_slice();
    while let Some(first) = rest.first() {
        // One kind after the other, because the next names this one.
        let of_kind = rest.iter().take_while(|document| document.kind == first.kind).count();
        let (these, others) = rest.split_at(of_kind);
        let mut done = futures::stream::iter(these)
            .map(async |document| (document, apply(&services, document, &arguments).await))
            .buffered(AT_ONCE);
        while let Some((document, outcome)) = done.next().await {
            match outcome {
                Ok(outcome) => tell(document, outcome, &arguments, format),
                Err(failure) => {
                    failed += 1;
                    tell_bad(&refused(document, &failure), format);
                }
            }
        }
        rest = others;
    }
    if failed > 0 { Err(Failure::said(format!("{failed} of {all} documents failed"))) } else { Ok(()) }
}

async fn apply(
    services: &Services<'_>,
    document: &Document,
    arguments: &Arguments,
) -> Result<Outcome, Failure> {
    let Document { kind, name, resource, .. } = document;
    let Some(stored) = services.get(kind, name).await? else {
        if !arguments.dry_run {
            services.create(kind, resource.clone()).await?;
        }
        return Ok(Outcome::Created);
    };
    let mut fields = differing(&kind.owned(&stored), &kind.owned(resource));
    if fields.is_empty() {
        return Ok(Outcome::Unchanged);
    }
    if arguments.dry_run {
        return Ok(Outcome::Updated);
    }
    let mut now = stored.clone();
    let adapts = fields.iter().any(|field| field == "mix") && !state(&stored).ends_with("_DRAFT");
    if adapts {
        fields.retain(|field| field != "mix");
    }
    if !fields.is_empty() {
        now = services.update(kind, with_etag(resource, &now), &fields).await?;
    }
    if adapts {
        now = services.adapt(kind, &with_etag(resource, &now), &arguments.reason).await?;
    }
    // Where the document says in other words what is there, the service has changed nothing.
    let is_same = text(&now, "etag") == text(&stored, "etag");
    Ok(if is_same { Outcome::Unchanged } else { Outcome::Updated })
}

/// The wanted resource, guarded by the version that it was compared with.
fn with_etag(wanted: &DynamicMessage, stored: &DynamicMessage) -> DynamicMessage {
    let mut guarded = wanted.clone();
    guarded.set_field_by_name("etag", Value::String(text(stored, "etag")));
    guarded
}

/// The fields in which two resources differ, by what they mean.
fn differing(stored: &DynamicMessage, wanted: &DynamicMessage) -> Vec<String> {
    let (stored, wanted) = (normal(stored), normal(wanted));
    let differs = |field: &prost_reflect::FieldDescriptor| {
        stored.has_field(field) != wanted.has_field(field)
            || stored.get_field(field) != wanted.get_field(field)
    };
    let descriptor = wanted.descriptor();
    let fields = descriptor.fields().filter(differs);
    fields.map(|field| field.name().to_owned()).collect()
}

/// A document that a service refused, at the first field that it names.
fn refused(document: &Document, failure: &Failure) -> Bad {
    let line = Cell::new(None);
    let why = failure.told(&|field| {
        let field = in_file(document, field);
        line.set(line.get().or_else(|| document.lines.line(&field)));
        field
    });
    let mut place = document.place.clone();
    place.line = line.get().unwrap_or(place.line);
    Bad { place, name: document.name.clone(), why }
}

/// A field of the contract as a file has it: `price.offers[0].discount.ratePpm`.
fn in_file(document: &Document, field: &str) -> String {
    let own = format!("{}.", document.kind.field());
    let mut name = String::new();
    let mut rest = field.strip_prefix(&own).unwrap_or(field).chars();
    while let Some(letter) = rest.next() {
        match letter {
            '_' => name.extend(rest.next().map(|next| next.to_ascii_uppercase())),
            plain => name.push(plain),
        }
    }
    name
}

fn tell(document: &Document, outcome: Outcome, arguments: &Arguments, format: Format) {
    let Document { place, name, .. } = document;
    match format {
        Format::Table if arguments.dry_run && outcome != Outcome::Unchanged => {
            println!("would be {} {name}", outcome.word());
        }
        Format::Table => println!("{:<9} {name}", outcome.word()),
        Format::Json => {
            let outcome = outcome.word().to_uppercase();
            println!(
                "{}",
                json!({ "name": name, "outcome": outcome, "file": place.file, "line": place.line })
            );
        }
    }
}

/// A document that failed is told where the others are.
pub fn tell_bad(bad: &Bad, format: Format) {
    let Bad { place, name, why } = bad;
    match format {
        Format::Table if name.is_empty() => println!("failed    {place}: {why}"),
        Format::Table => println!("failed    {name} ({place}): {why}"),
        Format::Json => {
            let (file, line) = (&place.file, place.line);
            println!(
                "{}",
                json!({ "name": name, "outcome": "FAILED", "file": file, "line": line, "reason": why })
            );
        }
    }
}
