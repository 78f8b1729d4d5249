//! `tandem handbook`: those pages of the handbook that are written from what they tell of. A test holds the ones that are
//! kept in docs/handbook to what is written here.

mod api;
mod contract;
mod errors;
mod events;
mod settings;
mod text;

use std::path::PathBuf;

use clap::Args;

use crate::failure::Failure;
use crate::{output, rules};

/// Where the pages stand in the handbook. Everything there is written, nothing is typed.
const FOLDER: &str = "reference";

/// Arguments of `tandem handbook`.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  tandem handbook --to docs/handbook/src")]
pub struct Arguments {
    /// The folder of the handbook's pages; these go into `reference` below it.
    #[arg(long, value_name = "FOLDER")]
    to: PathBuf,
}

/// A page.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Page {
    /// Its place below [`FOLDER`]: `api/campaign/order.md`.
    path: String,
    text: String,
}

/// Writes every page.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let folder = arguments.to.join(FOLDER);
    for Page { path, text } in pages()? {
        let file = folder.join(&path);
        let at = |error| Failure::at(file.display(), error);
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder).map_err(at)?;
        }
        std::fs::write(&file, text).map_err(at)?;
    }
    Ok(())
}

fn pages() -> Result<Vec<Page>, Failure> {
    let pool = output::pool()?;
    let mut pages = api::pages(pool)?;
    pages.push(errors::page(pool)?);
    pages.push(events::page()?);
    pages.extend(settings::pages());
    pages.push(Page { path: "rules.md".to_owned(), text: rules::page() });
    Ok(pages)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::*;

    fn kept(folder: &Path, below: &str, found: &mut BTreeMap<String, String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = format!("{below}{}", path.file_name().unwrap().to_string_lossy());
            if path.is_dir() {
                kept(&path, &format!("{name}/"), found);
            } else {
                found.insert(name, std::fs::read_to_string(path).unwrap());
            }
        }
    }

    #[test]
    fn the_pages_are_what_the_contracts_and_the_code_say() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/handbook/src").join(FOLDER);
        let mut found = BTreeMap::new();
        kept(&folder, "", &mut found);
        let wanted: BTreeMap<_, _> =
            pages().unwrap().into_iter().map(|page| (page.path, page.text)).collect();
        let anew = "write them anew: cargo run --bin tandem -- handbook --to docs/handbook/src";
        for (path, text) in &wanted {
            assert!(found.get(path) == Some(text), "{FOLDER}/{path} is not what it should be; {anew}");
        }
        for path in found.keys() {
            assert!(
                wanted.contains_key(path),
                "{FOLDER}/{path} tells of what is not there any more: remove it"
            );
        }
    }
}
