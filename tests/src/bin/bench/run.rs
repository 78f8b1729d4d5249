//! One run: the stage, the rows, the memory.

use tandem_tests::process::Service;

use crate::args::Args;
use crate::report::{Beside, Report, Target};
use crate::world::World;
use crate::{
    Outcome, commit, generate, hard, interactions, members, people, quotes, redeem, start, tenants, year,
};

const MEMORY: &str = "resident memory after the run";
const MEMORY_LIMIT_MIB: f64 = 200.0;

/// Measures what is asked for.
pub async fn all(args: &Args) -> Outcome<Report> {
    let scale = args.scale();
    let mut report = Report::default();
    let (quotes, redeem) = (quotes::wanted(args, &scale), redeem::wanted(args));
    let (commit, generate) = (commit::wanted(args), generate::wanted(args, &scale));
    let interactions = interactions::wanted(args);
    if quotes || redeem || commit || generate || interactions {
        let mut world = World::start().await;
        eprintln!("PostgreSQL {}, {} cores", world.server.version().await?, cores());
        people::set(world.relationship.channel(), &scale).await?;
        // Before the first quote is asked for, because the copy needs the service to stop.
        let mut prepared = match redeem || commit || generate || interactions {
            true => Some(redeem::Redeem::prepare(&mut world, scale).await?),
            false => None,
        };
        let campaign = match quotes {
            true => Some(quotes::measure(&world, args, &mut report, &scale).await?),
            false => None,
        };
        // With campaign-svc beside it, which consumes what is redeemed, as in production.
        let campaign = match campaign {
            None if redeem => Some(world.campaign("campaign").await),
            running => running,
        };
        if let Some(prepared) = prepared.as_mut() {
            prepared.measure(&world, args, &mut report).await?;
        }
        let mut resident = campaign.as_ref().map(Service::resident_bytes);
        let campaign = match prepared.as_mut().filter(|_| commit) {
            Some(prepared) => {
                // Only one follows what is redeemed.
                drop(campaign);
                Some(commit::measure(&mut world, prepared, args, &mut report).await?)
            }
            None => campaign,
        };
        if generate {
            generate::measure(&world, args, &mut report, &scale).await?;
        }
        if interactions {
            interactions::measure(&world, args, &mut report, &scale).await?;
        }
        resident = resident.max(campaign.as_ref().map(Service::resident_bytes));
        memory(args, &mut report, "relationship-svc", Some(world.relationship.resident_bytes()));
        memory(args, &mut report, "campaign-svc", resident);
        if args.stay {
            stay(&world, campaign.as_ref())?;
        }
    }
    redeem::on_sqlite(args, &mut report, scale).await?;
    tenants::measure(args, &mut report, &scale).await;
    start::measure(args, &mut report, &scale).await;
    year::measure(args, &mut report, &scale).await;
    members::measure(args, &mut report, &scale).await;
    hard::measure(args, &mut report, &scale).await;
    Ok(report)
}

fn memory(args: &Args, report: &mut Report, name: &str, resident_bytes: Option<u64>) {
    let name = format!("{MEMORY}, {name}");
    if let Some(bytes) = resident_bytes.filter(|_| args.wants(&name)) {
        let mib = bytes as f64 / (1024.0 * 1024.0);
        report.add(name, "MiB", &[mib], Beside::nothing(Target::Below(MEMORY_LIMIT_MIB)));
    }
}

fn stay(world: &World, campaign: Option<&Service>) -> Outcome {
    let campaign =
        campaign.map(|service| format!(", campaign-svc {} (pid {})", service.address(), service.pid()));
    eprintln!(
        "database {}, relationship-svc {} (pid {}){}; Enter ends",
        world.server.cluster.url(),
        world.relationship.address(),
        world.relationship.pid(),
        campaign.unwrap_or_default()
    );
    std::io::stdin().read_line(&mut String::new())?;
    Ok(())
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(0, usize::from)
}
