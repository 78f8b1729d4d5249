//! What every call of one process shares.

use std::ops::Deref;
use std::sync::Arc;

use tandem_kernel::clock::{Clock, Ids};
use tandem_kernel::person::PersonKeys;
use tandem_kernel::seal::Keyring;
use tandem_platform::config::ConfigError;
use tandem_platform::counters::tracks::Known;
use tandem_platform::heavy::Heavy;
use tandem_platform::{Core, Db, lanes, seal};
use tokio::sync::Notify;

use crate::campaign::Campaign;
use crate::config::Config;
use crate::incentive::definitions::Definitions;
use crate::interaction::Interactions;
use crate::redemption::Redemptions;
use crate::redemption::evaluate::Evaluations;
use crate::segment::catalogue::Catalogues;
use crate::settings::{self, Tenancy};
use crate::voucher::formats::Formats;

/// The service without its network: tests call it as the server does.
pub struct App {
    /// The platform's part.
    pub core: Core,
    /// The settings in force.
    pub config: Config,
    /// What tenants have set over them.
    pub tenancy: Tenancy,
    /// The keys that open quotes.
    pub keys: Keyring,
    /// The keys of links that people open.
    pub links: Keyring,
    /// The keys that hide people.
    pub people: Arc<PersonKeys>,
    /// Compiled rules of segments.
    pub catalogues: Catalogues,
    /// Compiled incentives.
    pub definitions: Definitions,
    /// How the codes of tenants look.
    pub formats: Formats,
    /// The lanes of a quote's questions.
    pub evaluations: Evaluations,
    /// The lanes of redemptions, and who guesses codes.
    pub redemptions: Redemptions,
    /// The other service, where its events are followed.
    pub campaign: Campaign,
    /// The lanes of interactions.
    pub interactions: Interactions,
    /// Incentives whose uses are counted in more than their limits ask for.
    pub tracks: Arc<Known>,
    /// Wakes what goes on with erasures.
    pub erasures: Arc<Notify>,
    /// Wakes what moves behind merges.
    pub merges: Arc<Notify>,
    /// Where evaluations that take long are computed.
    pub heavy: Heavy,
}

impl App {
    /// Everything but the tasks that run by themselves; [`crate::serve`] starts those.
    pub fn new(
        db: Db,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
        config: Config,
    ) -> Result<Arc<Self>, ConfigError> {
        let tenancy = Tenancy::new(settings::Own::of(&config)?);
        let keys = seal::keyring(&config.seal_keys, &config.server)?;
        let campaign = Campaign::new(&config.campaign)?;
        let links = keys.derived("link");
        let people = Arc::new(PersonKeys::of(&seal::person_keyring(&config.address_keys, &config.server)?));
        let redemptions = Redemptions::new(&config.redemption);
        let threads = match config.long_evaluation_threads {
            0 => lanes::cores() / 2,
            threads => threads,
        };
        let heavy = Heavy::new(threads, config.long_evaluation_queue);
        Ok(Arc::new(Self {
            core: Core::new("relationship-svc", db, clock, ids)?,
            config,
            tenancy,
            keys,
            links,
            people,
            catalogues: Catalogues::default(),
            definitions: Definitions::default(),
            formats: Formats::default(),
            evaluations: Evaluations::default(),
            redemptions,
            campaign,
            interactions: Interactions::default(),
            tracks: Arc::default(),
            erasures: Arc::default(),
            merges: Arc::default(),
            heavy,
        }))
    }
}

impl Deref for App {
    type Target = Core;

    fn deref(&self) -> &Core {
        &self.core
    }
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("db", &self.db).finish_non_exhaustive()
    }
}
