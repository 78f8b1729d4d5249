//! `tandem customers merge`: two customers who were one person.

use clap::{Args, ValueEnum};
use tandem_proto::relationship::v1::{
    Customer, MergeConflict, MergeCustomersRequest, MergeCustomersResponse, MergeField, MergePreview,
    MergeRule,
};

use crate::connect::Target;
use crate::failure::Failure;
use crate::name;
use crate::output::{self, Format};

/// Arguments of `tandem customers merge`.
#[derive(Debug, Args)]
#[command(
    after_help = "The source is not known any more; its id answers with the one who is kept, and all that it has is theirs: codes,
holds and redemptions with their limits, consents, orders, interactions, lists. What one profile alone says counts; where both
say something it is the one who is kept, unless --keep says otherwise. This cannot be undone: look first with --preview.

Examples:
  tandem customers merge 17 --into 7 --preview
  tandem customers merge 17 --into 7 --keep email=source --keep phone=newest"
)]
pub struct Merge {
    /// Who goes: `17` or `customers/17`.
    source: String,
    /// Who is kept.
    #[arg(long, value_name = "TARGET")]
    into: String,
    /// Whose value of a field counts where both have one: source, target or newest. `*=newest` is for every other field.
    #[arg(long, value_name = "FIELD=WHOSE", value_parser = kept)]
    keep: Vec<(String, Whose)>,
    /// Say what would be, and change nothing.
    #[arg(long)]
    preview: bool,
}

/// Whose value counts.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Whose {
    /// That of who goes.
    Source,
    /// That of who is kept.
    Target,
    /// That of the profile that was written last.
    Newest,
}

impl Whose {
    fn rule(self) -> MergeRule {
        match self {
            Self::Source => MergeRule::KeepSource,
            Self::Target => MergeRule::KeepTarget,
            Self::Newest => MergeRule::Newest,
        }
    }
}

fn kept(typed: &str) -> Result<(String, Whose), String> {
    let (field, whose) = typed.split_once('=').ok_or("must be FIELD=source, FIELD=target or FIELD=newest")?;
    Ok((field.trim().to_owned(), Whose::from_str(whose.trim(), true)?))
}

/// Merges a customer into another one.
pub async fn merge(arguments: Merge, target: &Target, format: Format) -> Result<(), Failure> {
    let (every, fields): (Vec<_>, Vec<_>) = arguments.keep.into_iter().partition(|(field, _)| field == "*");
    let field = |(field, whose): (String, Whose)| MergeField { field, rule: whose.rule().into() };
    let request = MergeCustomersRequest {
        source: name::full("customers", &arguments.source),
        target: name::full("customers", &arguments.into),
        rule: every.last().map_or(MergeRule::Unspecified, |(_, whose)| whose.rule()).into(),
        fields: fields.into_iter().map(field).collect(),
        validate_only: arguments.preview,
        request_id: String::new(),
    };
    let source = request.source.clone();
    let answer = target.customers().await?.merge_customers(request).await?.into_inner();
    match format {
        Format::Json => {
            println!("{}", output::json("tandem.relationship.v1.MergeCustomersResponse", &answer)?);
        }
        Format::Table => show(&source, &answer),
    }
    Ok(())
}

fn show(source: &str, answer: &MergeCustomersResponse) {
    let customer = answer.customer.clone().unwrap_or_default();
    match &answer.preview {
        Some(preview) => previewed(source, &customer, preview),
        None if answer.merged_before => println!("{source} had been merged into {}", customer.name),
        None => println!("{source} was merged into {}", customer.name),
    }
    if answer.preview.is_none() && !answer.done {
        println!("  what belongs to it is being moved; limits count over both already");
    }
}

fn previewed(source: &str, customer: &Customer, preview: &MergePreview) {
    println!("{source} would be merged into {}; nothing was changed", customer.name);
    let said = [
        ("name", &customer.display_name),
        ("e-mail", &customer.email),
        ("phone", &customer.phone),
        ("locale", &customer.locale),
        ("time zone", &customer.time_zone),
        ("country", &customer.country),
    ];
    for (label, value) in said.iter().filter(|(_, value)| !value.is_empty()) {
        println!("  {label}: {value}");
    }
    let MergePreview { redemptions, vouchers, orders, interactions, consents, lists, aliases, .. } = preview;
    println!(
        "  moves: {redemptions} redemptions, {vouchers} codes, {orders} orders, {interactions} interactions,"
    );
    println!("         {consents} consents, {lists} lists, {aliases} earlier ids and guests");
    for MergeConflict { field, source_wins, .. } in &preview.conflicts {
        println!(
            "  both have {field}: {} counts",
            if *source_wins { "the source's" } else { "the target's" }
        );
    }
    for limit in &preview.limits_over {
        let period = if limit.period.is_empty() { String::new() } else { format!(" in {}", limit.period) };
        println!(
            "  over a limit: {} uses of {} that {} allows{period}",
            limit.uses, limit.max_uses, limit.incentive
        );
    }
}
