//! `tandem export`: a tenant's set-up as a folder of files.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use prost_reflect::DynamicMessage;

use super::call::Services;
use super::kind::{KINDS, Kind, text};
use super::text::{normal, yaml};
use crate::connect::Target;
use crate::failure::Failure;
use crate::name;

/// Arguments of `tandem export`.
#[derive(Debug, Args)]
#[command(
    after_help = "One file for each resource: objectives/grow.yaml, products/mug.yaml, …, and settings/campaign.yaml where
the tenant has set something. What the services set (states, times, versions) stands in none, so that
`tandem apply -f FOLDER` makes the same set-up elsewhere. What is archived, ended or cancelled is left out; customers,
codes and orders are no set-up.

Example:
  tandem export --to setup/ && tandem apply --tenant staging -f setup/"
)]
pub struct Arguments {
    /// The folder; made where it is missing. Files of the same resources are written anew.
    #[arg(long, value_name = "FOLDER")]
    to: PathBuf,
    /// Remove files of resources that are not there any more.
    #[arg(long)]
    prune: bool,
}

/// Writes every resource that is part of the set-up.
pub async fn run(arguments: Arguments, target: &Target) -> Result<(), Failure> {
    let services = Services::new(target);
    services.connect().await?;
    for kind in &KINDS {
        let folder = arguments.to.join(kind.collection);
        let mut written = BTreeSet::new();
        let write = |resources: Vec<DynamicMessage>| {
            for resource in resources.iter().filter(|resource| !kind.is_over(resource)) {
                let file =
                    folder.join(format!("{}.yaml", name::id(kind.collection, &text(resource, "name"))));
                write(&file, &yaml(&normal(&kind.owned(resource)))?)?;
                written.insert(file);
            }
            Ok(())
        };
        let mut write = write;
        match kind.only {
            None => services.list(kind, "", |_, resources| write(resources)).await?,
            Some(_) => write(said(&services, kind).await?)?,
        }
        let count = written.len();
        if count > 0 && kind.only.is_some() {
            println!("{}", kind.names());
        } else if count > 0 {
            println!("{count} {}", if count == 1 { kind.field() } else { kind.collection.to_owned() });
        }
        others(kind, &folder, &written, arguments.prune)?;
    }
    Ok(())
}

/// What the tenant has set; nothing where that is nothing.
async fn said(services: &Services<'_>, kind: &Kind) -> Result<Vec<DynamicMessage>, Failure> {
    let found = services.get(kind, &kind.names()).await?;
    let says =
        |settings: &DynamicMessage| kind.owned(settings).fields().any(|(field, _)| field.name() != "name");
    Ok(found.into_iter().filter(says).collect())
}

fn write(file: &Path, text: &str) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::at(file.display(), error);
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    fs::write(file, text).map_err(failed)
}

/// Files of a kind that no resource has any more: removed, or told of.
fn others(kind: &Kind, folder: &Path, written: &BTreeSet<PathBuf>, prune: bool) -> Result<(), Failure> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    let files = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let is_of_kind =
        |file: &Path| kind.only.is_none_or(|only| file.file_stem().is_some_and(|stem| stem == only));
    let is_other = |file: &PathBuf| {
        file.extension().is_some_and(|end| end == "yaml") && is_of_kind(file) && !written.contains(file)
    };
    for file in files.filter(is_other) {
        if prune {
            fs::remove_file(&file).map_err(|error| Failure::at(file.display(), error))?;
        } else {
            eprintln!(
                "{}: there are no such {} any more; --prune removes it",
                file.display(),
                kind.collection
            );
        }
    }
    Ok(())
}
