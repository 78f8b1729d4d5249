//! `tandem diff`: how files differ from what is there.

use std::path::PathBuf;

use clap::Args;
use similar::TextDiff;

use super::apply::tell_bad;
use super::call::Services;
use super::read::{self, Document};
use super::text::{normal, yaml};
use crate::connect::Target;
use crate::failure::Failure;
use crate::output::Format;

/// Arguments of `tandem diff`.
#[derive(Debug, Args)]
#[command(
    after_help = "Lines with - are there now, lines with + are what `tandem apply` would make of them. Ends with an
error where anything differs.

Example:
  tandem diff -f setup/"
)]
pub struct Arguments {
    /// A file, a folder with what is below it, or `-` for standard input; may be given more than once.
    #[arg(short = 'f', long = "file", value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

/// Compares every document with the resource of its name.
pub async fn run(arguments: Arguments, target: &Target) -> Result<(), Failure> {
    let documents = read::read(&arguments.files)?;
    let services = Services::new(target);
    services.connect().await?;
    documents.bad.iter().for_each(|bad| tell_bad(bad, Format::Table));
    let (bad, mut differ) = (documents.bad.len(), 0);
    for document in &documents.good {
        let text = difference(&services, document).await?;
        differ += usize::from(!text.is_empty());
        print!("{text}");
    }
    match (differ, bad) {
        (0, 0) => Ok(()),
        (differ, 0) => Err(Failure::said(format!("{differ} of {} differ", documents.good.len()))),
        (differ, bad) => Err(Failure::said(format!("{differ} differ, {bad} cannot be read"))),
    }
}

async fn difference(services: &Services<'_>, document: &Document) -> Result<String, Failure> {
    let Document { place, kind, name, resource, .. } = document;
    let before = match services.get(kind, name).await? {
        Some(stored) => yaml(&normal(&kind.owned(&stored)))?,
        None => String::new(),
    };
    let after = yaml(&normal(&kind.owned(resource)))?;
    let lines = TextDiff::from_lines(&before, &after);
    let here = if before.is_empty() { "nothing" } else { name };
    Ok(lines.unified_diff().context_radius(2).header(here, &place.to_string()).to_string())
}
