//! `tandem customers`: bring in customers, look at them, show them all that is held, and erase them.

mod person;

use std::fs::File;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use tandem_proto::relationship::v1::{Customer, ImportCustomersRequest};

use crate::connect::Target;
use crate::failure::Failure;
use crate::output::{self, Format};
use crate::setup::browse;
use crate::{name, relationship};

/// What to do with customers.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create or replace customers from CSV with a column `id`.
    Import(Import),
    /// Show one: what is known, how they stand, and what happened last.
    Show(browse::Show),
    /// List them, by name.
    List(browse::List),
    /// All that is held on one, as JSON, line by line.
    Data(person::Data),
    /// Erase one for good.
    Erase(person::Erase),
}

/// Arguments of `tandem customers import`.
#[derive(Debug, Args)]
#[command(
    after_help = "Columns: id (needed), display_name, email, phone, locale, time_zone, country, tags (a|b|c); every
other column becomes an attribute of its name.

Example:
  tandem customers import --file customers.csv"
)]
pub struct Import {
    /// CSV with a head.
    #[arg(long)]
    file: PathBuf,
}

const CUSTOMERS_PER_MESSAGE: usize = 500;

/// Runs one of them.
pub async fn run(command: Command, target: &Target, format: Format) -> Result<(), Failure> {
    match command {
        Command::Import(arguments) => import(arguments, target, format).await,
        Command::Show(arguments) => {
            let customer = browse::show_customer(arguments, target, format).await?;
            relationship::show(&customer, target, format).await
        }
        Command::List(arguments) => browse::list_customers(arguments, target, format).await,
        Command::Data(arguments) => person::data(arguments, target).await,
        Command::Erase(arguments) => person::erase(arguments, target, format).await,
    }
}

async fn import(arguments: Import, target: &Target, format: Format) -> Result<(), Failure> {
    let customers = read(&arguments.file)?;
    let bar = output::progress(customers.len() as u64, "customers");
    let blocks: Vec<_> = customers.chunks(CUSTOMERS_PER_MESSAGE).map(<[Customer]>::to_vec).collect();
    let sent = bar.clone();
    let messages = futures::StreamExt::map(futures::stream::iter(blocks), move |customers| {
        sent.inc(customers.len() as u64);
        ImportCustomersRequest { customers, update_mask: None }
    });
    let answer = target.customers().await?.import_customers(messages).await?.into_inner();
    bar.finish();
    match format {
        Format::Json => {
            println!("{}", output::json("tandem.relationship.v1.ImportCustomersResponse", &answer)?)
        }
        Format::Table => {
            println!("{} created, {} updated, {} refused", answer.created, answer.updated, answer.failed);
            for failure in &answer.failures {
                let why = failure.status.as_ref().map_or("", |status| status.message.as_str());
                println!("  row {}: {}: {why}", failure.index + 1, failure.name);
            }
        }
    }
    if answer.failed > 0 { Err(Failure::said("some rows were refused")) } else { Ok(()) }
}

/// A CSV file that has the named column.
pub fn csv_with(path: &Path, column: &str) -> Result<csv::Reader<File>, Failure> {
    let mut rows = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_path(path)
        .map_err(|error| Failure::at(path.display(), error))?;
    let head = rows.headers().map_err(|error| Failure::at(path.display(), error))?;
    if !head.iter().any(|name| name == column) {
        return Err(Failure::at(path.display(), format!("the head has no column `{column}`")));
    }
    Ok(rows)
}

fn read(path: &Path) -> Result<Vec<Customer>, Failure> {
    let mut rows = csv_with(path, "id")?;
    let head = rows.headers().map_err(|error| Failure::at(path.display(), error))?.clone();
    let mut customers = Vec::new();
    for row in rows.records() {
        let row = row.map_err(|error| Failure::at(path.display(), error))?;
        let mut customer = Customer::default();
        for (column, value) in head.iter().zip(&row).filter(|(_, value)| !value.is_empty()) {
            let value = value.to_owned();
            match column {
                "id" => customer.name = name::full("customers", &value),
                "display_name" => customer.display_name = value,
                "email" => customer.email = value,
                "phone" => customer.phone = value,
                "locale" => customer.locale = value,
                "time_zone" => customer.time_zone = value,
                "country" => customer.country = value,
                "tags" => customer.tags = value.split('|').map(str::to_owned).collect(),
                _ => {
                    customer.attributes.insert(column.to_owned(), value);
                }
            }
        }
        customers.push(customer);
    }
    Ok(customers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_columns_become_attributes() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("customers.csv");
        std::fs::write(&file, "id,country,tags,shoe_size\n7,AT,vip|early,42\n8,,,\n").unwrap();
        let customers = read(&file).unwrap();
        assert_eq!(customers[0].name, "customers/7");
        assert_eq!(customers[0].tags, ["vip", "early"]);
        assert_eq!(customers[0].attributes["shoe_size"], "42");
        assert!(customers[1].attributes.is_empty());
    }

    #[test]
    fn a_file_without_ids_is_refused_before_anything_is_sent() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("customers.csv");
        std::fs::write(&file, "name\nx\n").unwrap();
        assert!(read(&file).unwrap_err().to_string().contains("no column `id`"));
    }
}
