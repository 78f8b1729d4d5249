//! The compiled segments of a tenant. Every write to a tenant's segments raises its version; whoever reads a customer
//! reads that version in the same statement, so what is kept here is never older than the customer.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tandem_kernel::rule::{Facts, Fullness, Rule};
use tandem_kernel::work::Work;
use tandem_platform::db::Session;
use tandem_platform::kept::Kept;
use tandem_platform::resource::Resource;
use tandem_platform::{Fault, Outcome, Tenant};

use super::{Segment, compile, facts, steps, store};
use crate::customer::{self, Customer};

/// Tenants kept at least; twice as many at most.
const TENANTS: usize = 1_024;

/// Every segment of one tenant, compiled.
#[derive(Debug, Default)]
pub struct Catalogue {
    version: i64,
    segments: BTreeMap<String, Arc<Compiled>>,
}

#[derive(Debug)]
struct Compiled {
    version: i64,
    rule: Rule,
}

impl Catalogue {
    /// The work of judging these segments, or all, on a customer whose lists are so full.
    pub fn steps<'a>(&self, asked: Option<impl IntoIterator<Item = &'a str>>, fullness: Fullness) -> u64 {
        let steps = |segment: &Arc<Compiled>| steps(&segment.rule, fullness);
        match asked {
            None => self.segments.values().map(steps).fold(0, u64::saturating_add),
            Some(asked) => asked
                .into_iter()
                .filter_map(|id| self.segments.get(id))
                .map(steps)
                .fold(0, u64::saturating_add),
        }
    }

    /// The ids of the segments that somebody with these facts is in, in order.
    pub fn all_of<'a>(&'a self, facts: &Facts<'_>, work: &mut Work) -> Vec<&'a str> {
        let is_in = |(_, segment): &(&String, &Arc<Compiled>)| segment.has_member(facts, work);
        self.segments.iter().filter(is_in).map(|(id, _)| id.as_str()).collect()
    }

    /// Whether somebody with these facts is in the segment; no more once the work is over. Unknown ones have no members.
    pub fn has_member(&self, segment: &str, facts: &Facts<'_>, work: &mut Work) -> bool {
        self.segments.get(segment).is_some_and(|segment| segment.has_member(facts, work))
    }

    /// Whether there is such a segment.
    pub fn contains(&self, segment: &str) -> bool {
        self.segments.contains_key(segment)
    }
}

/// The catalogues of one process: those of the tenants that were asked for lately.
#[derive(Debug)]
pub struct Catalogues(Kept<Tenant, Arc<Catalogue>>);

impl Default for Catalogues {
    fn default() -> Self {
        Self(Kept::new(TENANTS))
    }
}

impl Catalogues {
    /// The catalogue of a tenant whose version was read to be `version`. No statement where it is known, else one. Rows
    /// that are newer than the version do no harm: the next reader finds a higher version and reads again.
    pub async fn at(
        &self,
        session: &mut impl Session,
        tenant: &Tenant,
        version: i64,
    ) -> Outcome<Arc<Catalogue>> {
        let known = self.0.get(tenant);
        if let Some(known) = &known
            && known.version >= version
        {
            return Ok(known.clone());
        }
        let segments = store::all(session, tenant).await?;
        let catalogue = Arc::new(compiled(version, segments, known.as_deref())?);
        // Where an older one takes the place of a newer, the next reader finds a higher version and reads again.
        self.0.put(tenant.clone(), catalogue.clone());
        Ok(catalogue)
    }

    /// Those of these customers that exist, with the segments of the same moment. One statement, and one more after a
    /// segment has changed; none where nobody is asked for.
    pub async fn customers(
        &self,
        session: &mut impl Session,
        tenant: &Tenant,
        ids: Vec<String>,
    ) -> Outcome<Customers> {
        if ids.is_empty() {
            return Ok(Customers::default());
        }
        let (found, version) = customer::store::find_with_catalogue(session, tenant, ids).await?;
        if found.is_empty() {
            return Ok(Customers::default());
        }
        let catalogue = self.at(session, tenant, version).await?;
        let customers = found.into_iter().map(|customer| (customer.id.clone(), customer)).collect();
        Ok(Customers { catalogue, customers })
    }
}

/// Customers of one tenant and its segments.
#[derive(Debug, Default)]
pub struct Customers {
    /// The segments.
    pub catalogue: Arc<Catalogue>,
    customers: HashMap<String, Customer>,
}

impl Customers {
    /// Whether there is such a customer.
    pub fn know(&self, customer: &str) -> bool {
        self.customers.contains_key(customer)
    }

    /// How full the lists of a customer are.
    pub fn fullness(&self, customer: &str) -> Option<Fullness> {
        self.customers.get(customer).map(customer::fullness)
    }

    /// What the rules of segments read of a customer at `now`; `None` where there is no such customer.
    pub fn facts(&self, customer: &str, now: Timestamp, zone: &TimeZone) -> Option<Facts<'_>> {
        self.customers.get(customer).map(|customer| facts(customer, now, zone))
    }
}

/// Compiles what has changed since `known`.
fn compiled(version: i64, segments: Vec<Segment>, known: Option<&Catalogue>) -> Outcome<Catalogue> {
    let mut catalogue = Catalogue { version, segments: BTreeMap::new() };
    for segment in segments {
        let before = known.and_then(|known| known.segments.get(&segment.id));
        let compiled = match before.filter(|before| before.is(&segment)) {
            Some(before) => before.clone(),
            None => Arc::new(Compiled::new(&segment)?),
        };
        catalogue.segments.insert(segment.id, compiled);
    }
    Ok(catalogue)
}

impl Compiled {
    fn has_member(&self, facts: &Facts<'_>, work: &mut Work) -> bool {
        work.spend(steps(&self.rule, facts.fullness()));
        !work.is_over() && self.rule.matches(facts)
    }

    /// What was valid when it was saved compiles when it is loaded.
    fn new(segment: &Segment) -> Outcome<Self> {
        let rule = compile(&segment.definition.rule).map_err(|error| {
            Fault::internal("a stored rule does not compile")
                .with("resource", segment.name())
                .caused_by(error)
        })?;
        Ok(Self { version: segment.version, rule })
    }

    /// A segment that was deleted and made again has an old version and, perhaps, another rule.
    fn is(&self, segment: &Segment) -> bool {
        self.version == segment.version && self.rule.text() == segment.definition.rule
    }
}
