//! `tandem segments`: groups of customers, who is in them, and how they are found.

mod list;

use clap::{Args, Subcommand};
use tandem_proto::relationship::v1::{
    CountSegmentRequest, ExplainSegmentRequest, GetSegmentRequest, StreamSegmentMembersRequest,
};

use self::list::List;
use crate::connect::Target;
use crate::failure::Failure;
use crate::files::import;
use crate::files::read::{Changing, Reading};
use crate::name::{full, id};
use crate::output::{self, Format};
use crate::rules;
use crate::setup::{browse, create};

/// What to do with segments.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// What every kind has.
    #[command(flatten)]
    Common(browse::Command<create::Segment>),
    /// How many customers are in one now, or of how many a rule holds.
    Count(Wanted),
    /// Print the ids of those who are in one now, as CSV.
    Members(Members),
    /// Show the SQL that finds members, and what of the rule is judged customer by customer.
    Explain(Wanted),
    /// Put customers on the list of a segment, from CSV with a column `id`.
    Import(FromFile),
}

/// A segment, or a rule that is not saved.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  tandem segments count vips
  tandem segments explain --rule 'customer.age_days > 365 && customer.email.matches(\"@example\")'")]
pub struct Wanted {
    /// Its name: `vips` or `segments/vips`.
    #[arg(required_unless_present = "rule", conflicts_with = "rule")]
    name: Option<String>,
    /// A rule in CEL.
    #[arg(long)]
    rule: Option<String>,
}

impl Wanted {
    /// The name of the segment, or nothing, and the rule, or nothing.
    fn read(self) -> (String, String) {
        let name = self.name.map(|name| full("segments", &name));
        (name.unwrap_or_default(), self.rule.unwrap_or_default())
    }
}

/// Which segment.
#[derive(Debug, Args)]
pub struct Members {
    /// Its name: `vips` or `segments/vips`.
    name: String,
}

/// Arguments of `tandem segments import`.
#[derive(Debug, Args)]
#[command(
    after_help = "The column is id: 7, or customers/7. Another column is refused by name. Everybody who is a customer goes on the list;
every other is told by line, column and reason.

Examples:
  tandem segments members vips > vips.csv
  tandem segments import friends --file vips.csv
  tandem segments import friends --file vips.csv --rejects rejects.csv     (mend rejects.csv, then import it)"
)]
pub struct FromFile {
    /// Its name: `friends` or `segments/friends`.
    name: String,
    #[command(flatten)]
    how: Reading,
}

/// Runs one of them.
pub async fn run(command: Command, target: &Target, format: Format) -> Result<(), Failure> {
    match command {
        Command::Common(command) => browse::run(command, target, format).await,
        Command::Count(wanted) => count(wanted, target, format).await,
        Command::Members(members) => stream(members, target, format).await,
        Command::Explain(wanted) => explain(wanted, target, format).await,
        Command::Import(FromFile { name, how }) => {
            let list = List { name: full("segments", &name) };
            import::run(list, &how, &Changing::default(), target, format).await
        }
    }
}

async fn count(wanted: Wanted, target: &Target, format: Format) -> Result<(), Failure> {
    let (name, rule) = wanted.read();
    let request = CountSegmentRequest { name, rule };
    let answer = target.segments().await?.count_segment(request).await?.into_inner();
    match format {
        Format::Json => println!("{}", output::json("tandem.relationship.v1.CountSegmentResponse", &answer)?),
        Format::Table => println!("{} of {} customers", answer.members, answer.customers),
    }
    Ok(())
}

async fn stream(members: Members, target: &Target, format: Format) -> Result<(), Failure> {
    let request = StreamSegmentMembersRequest { name: full("segments", &members.name) };
    let mut blocks = target.segments().await?.stream_segment_members(request).await?.into_inner();
    if format == Format::Table {
        println!("id");
    }
    while let Some(block) = blocks.message().await? {
        match format {
            Format::Json => {
                println!("{}", output::json("tandem.relationship.v1.StreamSegmentMembersResponse", &block)?);
            }
            Format::Table => block.customers.iter().for_each(|name| println!("{}", id("customers", name))),
        }
    }
    Ok(())
}

async fn explain(wanted: Wanted, target: &Target, format: Format) -> Result<(), Failure> {
    let (name, rule) = wanted.read();
    let request = ExplainSegmentRequest { name: name.clone(), rule: rule.clone() };
    let mut segments = target.segments().await?;
    let answer = segments.explain_segment(request).await?.into_inner();
    if format == Format::Json {
        println!("{}", output::json("tandem.relationship.v1.ExplainSegmentResponse", &answer)?);
        return Ok(());
    }
    println!("{}", answer.statement);
    for (place, parameter) in answer.parameters.iter().enumerate() {
        println!("  ${} = {parameter:?}", place + 1);
    }
    if answer.kept.is_empty() {
        println!("the database says it all");
        return Ok(());
    }
    let rule = if rule.is_empty() {
        let found = segments.get_segment(GetSegmentRequest { name }).await?.into_inner();
        found.segment.unwrap_or_default().rule
    } else {
        rule
    };
    println!("judged customer by customer, of those:");
    answer.kept.iter().for_each(|kept| print!("{}", rules::shown(&rule, kept)));
    Ok(())
}
