//! `show`, `list` and `create` of every kind, in one rhythm, and the steps of a campaign.

use clap::{Args, Subcommand};
use prost_reflect::{DynamicMessage, ReflectMessage};

use super::call::{Services, held};
use super::create::Creates;
use super::kind::{CUSTOMERS, Kind, state, text};
use super::text::yaml;
use crate::connect::Target;
use crate::failure::Failure;
use crate::name::full;
use crate::output::{self, Format};

/// What to do with resources of a kind.
#[derive(Debug, Subcommand)]
pub enum Command<C: Args> {
    /// Create one from flags; `tandem apply` creates and changes all that a file can say.
    Create(C),
    /// Show one.
    Show(Show),
    /// List them, by name.
    List(List),
}

/// What to do with campaigns.
#[derive(Debug, Subcommand)]
pub enum Campaigns {
    /// What every kind has.
    #[command(flatten)]
    Common(Command<super::create::Campaign>),
    /// A draft runs by itself when its window opens.
    Schedule(Step),
    /// A draft, or one that is scheduled, runs from now on.
    Launch(Step),
    /// No quote has its offers and prices any more; what is held is honoured.
    Pause(Step),
    /// Goes on after a pause.
    Resume(Step),
    /// Ends one before its window closes.
    End(Step),
    /// Calls one off.
    Cancel(Step),
    /// Files one away that is over.
    Archive(Step),
}

/// Which one.
#[derive(Debug, Args)]
pub struct Show {
    /// Its name, with or without its collection: `spring`.
    name: String,
}

/// Which ones.
#[derive(Debug, Args)]
pub struct List {
    /// Only those of which this rule is true: `campaign.state == "RUNNING"`.
    #[arg(long, default_value = "")]
    filter: String,
}

/// Which campaign.
#[derive(Debug, Args)]
pub struct Step {
    /// Its name: `spring` or `campaigns/spring`.
    name: String,
}

/// Creates, shows or lists.
pub async fn run<C: Args + Creates>(
    command: Command<C>,
    target: &Target,
    format: Format,
) -> Result<(), Failure> {
    let kind = Kind::in_collection(C::COLLECTION).ok_or_else(|| Failure::said("no such collection"))?;
    match command {
        Command::Create(arguments) => {
            let resource = arguments.resource(kind)?;
            let made = Services::new(target).create(kind, resource).await?;
            print(&made, format, || println!("{} is created", text(&made, "name")))
        }
        Command::Show(arguments) => show(kind, arguments, target, format).await,
        Command::List(arguments) => list(kind, arguments, target, format).await,
    }
}

/// The same of campaigns, and what becomes of one.
pub async fn campaigns(command: Campaigns, target: &Target, format: Format) -> Result<(), Failure> {
    let (step, Step { name }) = match command {
        Campaigns::Common(command) => return run(command, target, format).await,
        Campaigns::Schedule(of) => ("Schedule", of),
        Campaigns::Launch(of) => ("Launch", of),
        Campaigns::Pause(of) => ("Pause", of),
        Campaigns::Resume(of) => ("Resume", of),
        Campaigns::End(of) => ("End", of),
        Campaigns::Cancel(of) => ("Cancel", of),
        Campaigns::Archive(of) => ("Archive", of),
    };
    let kind = Kind::in_collection("campaigns").ok_or_else(|| Failure::said("no such collection"))?;
    let answer = Services::new(target).step(kind, step, &full("campaigns", &name)).await?;
    let after = held(&answer, "campaign")?;
    print(&answer, format, || println!("{} is {}", text(&after, "name"), state_word(&after)))
}

/// Customers are looked at in the same way: one of this full name.
pub async fn customer(name: &str, target: &Target) -> Result<DynamicMessage, Failure> {
    found(&CUSTOMERS, name, target).await
}

/// The same of all of them.
pub async fn list_customers(arguments: List, target: &Target, format: Format) -> Result<(), Failure> {
    list(&CUSTOMERS, arguments, target, format).await
}

async fn show(kind: &Kind, arguments: Show, target: &Target, format: Format) -> Result<(), Failure> {
    let found = found(kind, &full(kind.collection, &arguments.name), target).await?;
    let shown = yaml(&found)?;
    print(&found, format, || print!("{shown}"))
}

async fn found(kind: &Kind, name: &str, target: &Target) -> Result<DynamicMessage, Failure> {
    let found = Services::new(target).get(kind, name).await?;
    let missing = || {
        Failure::said(format!("{name} does not exist; `tandem {} list` shows those that do", kind.collection))
    };
    found.ok_or_else(missing)
}

async fn list(kind: &Kind, arguments: List, target: &Target, format: Format) -> Result<(), Failure> {
    let mut table = output::table(["name", "called", "state", "changed"]);
    let page = |answer: &DynamicMessage, resources: Vec<DynamicMessage>| {
        if format == Format::Json {
            return print(answer, format, || ());
        }
        for one in &resources {
            let changed =
                one.get_field_by_name("update_time").filter(|_| one.has_field_by_name("update_time"));
            let changed: Option<prost_types::Timestamp> =
                changed.and_then(|at| at.as_message().and_then(|at| at.transcode_to().ok()));
            let called = text(one, "display_name");
            table.add_row([text(one, "name"), called, state_word(one), output::time(changed.as_ref())]);
        }
        Ok(())
    };
    Services::new(target).list(kind, &arguments.filter, page).await?;
    if format == Format::Table {
        println!("{table}");
    }
    Ok(())
}

/// `running`, of CAMPAIGN_STATE_RUNNING.
fn state_word(resource: &DynamicMessage) -> String {
    let state = state(resource);
    state.rsplit_once("STATE_").map_or_else(String::new, |(_, word)| word.to_lowercase())
}

fn print(message: &DynamicMessage, format: Format, table: impl FnOnce()) -> Result<(), Failure> {
    match format {
        Format::Json => println!("{}", output::json(message.descriptor().full_name(), message)?),
        Format::Table => table(),
    }
    Ok(())
}
