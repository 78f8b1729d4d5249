//! The compiled segments of a tenant. Every write to a tenant's segments, and to what it declares of attributes, raises its version; whoever reads a customer
//! reads that version in the same statement, so what is kept here is never older than the customer.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use tandem_kernel::rule::{Facts, Fullness, Rule};
use tandem_kernel::work::{Allowance, Work};
use tandem_platform::db::Session;
use tandem_platform::kept::Kept;
use tandem_platform::resource::Resource;
use tandem_platform::{Fault, Outcome, Tenant};

use super::ageing::Ageing;
use super::asked::Needed;
use super::known::Known;
use super::{Kind, Moment, Segment, compile, facts, steps, store};
use crate::attribute::{self, Declared};
use crate::customer::{self, Customer};

/// Tenants kept at least; twice as many at most.
const TENANTS: usize = 1_024;

/// Every segment of one tenant, compiled.
#[derive(Debug, Default)]
pub struct Catalogue {
    version: i64,
    /// What the tenant declares of attributes.
    pub declared: Declared,
    /// What some rule reads.
    needed: Needed,
    /// Some are lists.
    has_lists: bool,
    segments: BTreeMap<String, Arc<Compiled>>,
}

#[derive(Debug)]
struct Compiled {
    version: i64,
    who: Who,
    is_watched: bool,
}

/// How it is known who belongs.
#[derive(Debug)]
enum Who {
    Rule(Rule),
    Listed,
}

/// Somebody, as segments see them.
#[derive(Debug)]
pub struct Somebody<'a> {
    facts: Facts<'a>,
    /// Ids of the lists that they are on.
    lists: Option<&'a BTreeSet<String>>,
}

impl Catalogue {
    /// The work of judging these segments, or all, on a customer whose lists are so full.
    pub fn steps<'a>(&self, asked: Option<impl IntoIterator<Item = &'a str>>, fullness: Fullness) -> u64 {
        let steps = |segment: &Arc<Compiled>| segment.steps(fullness);
        match asked {
            None => self.segments.values().map(steps).fold(0, u64::saturating_add),
            Some(asked) => asked
                .into_iter()
                .filter_map(|id| self.segments.get(id))
                .map(steps)
                .fold(0, u64::saturating_add),
        }
    }

    /// The ids of the segments that somebody is in, in order.
    pub fn all_of<'a>(&'a self, somebody: &Somebody<'_>, work: &mut Work) -> Vec<&'a str> {
        let is_in = |(id, segment): &(&String, &Arc<Compiled>)| segment.has_member(id, somebody, work);
        self.segments.iter().filter(is_in).map(|(id, _)| id.as_str()).collect()
    }

    /// Whether somebody is in the segment; no more once the work is over. Unknown ones have no members.
    pub fn has_member(&self, segment: &str, somebody: &Somebody<'_>, work: &mut Work) -> bool {
        self.segments.get(segment).is_some_and(|one| one.has_member(segment, somebody, work))
    }

    /// The watched segments that somebody is in, with their versions.
    pub fn watched_of(&self, somebody: &Somebody<'_>) -> BTreeMap<String, i64> {
        let mut work = Work::new(Allowance { search: 0, total: u64::MAX });
        let watched = self.segments.iter().filter(|(_, segment)| segment.is_watched);
        watched
            .filter(|(id, segment)| segment.has_member(id, somebody, &mut work))
            .map(|(id, segment)| (id.clone(), segment.version))
            .collect()
    }

    /// The version of a segment that is watched.
    pub fn watched(&self, segment: &str) -> Option<i64> {
        self.segments.get(segment).filter(|one| one.is_watched).map(|one| one.version)
    }

    /// What the clock changes of what watched rules read.
    pub fn ageing(&self) -> Ageing {
        let watched = self.segments.values().filter(|segment| segment.is_watched);
        let ageing = watched.filter_map(|segment| match &segment.who {
            Who::Rule(rule) => Some(Ageing::of(rule)),
            Who::Listed => None,
        });
        ageing.fold(Ageing::default(), Ageing::and)
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
    /// The catalogue of a tenant whose version was read to be `version`. No statement where it is known, else two. Rows
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
        let declared = attribute::store::declared(session, tenant).await?;
        let catalogue = Arc::new(compiled(version, declared, segments, known.as_deref())?);
        // Where an older one takes the place of a newer, the next reader finds a higher version and reads again.
        self.0.put(tenant.clone(), catalogue.clone());
        Ok(catalogue)
    }

    /// Those of these customers that exist, with the segments of the same moment. One statement, and two more after a
    /// segment or a declaration has changed; one where there are lists, and a few where rules read more than profiles; none
    /// where nobody is asked for.
    pub async fn customers(
        &self,
        session: &mut impl Session,
        tenant: &Tenant,
        ids: Vec<String>,
        now: Timestamp,
    ) -> Outcome<Customers> {
        if ids.is_empty() {
            return Ok(Customers::default());
        }
        let ((found, called), version) = customer::store::find_with_catalogue(session, tenant, ids).await?;
        if found.is_empty() {
            return Ok(Customers::default());
        }
        let customers = self.of(session, tenant, version, found, now).await?;
        Ok(Customers { called, ..customers })
    }

    /// The same of customers that were read, when the tenant's version was this.
    pub async fn of(
        &self,
        session: &mut impl Session,
        tenant: &Tenant,
        version: i64,
        found: Vec<Customer>,
        now: Timestamp,
    ) -> Outcome<Customers> {
        let catalogue = self.at(session, tenant, version).await?;
        let ids = || found.iter().map(|one| one.id.clone()).collect::<Vec<_>>();
        let lists = if catalogue.has_lists {
            store::lists::of(session, tenant, ids()).await?
        } else {
            HashMap::new()
        };
        let known = Known::of(session, tenant, &catalogue.needed, ids(), now).await?;
        let customers = found.into_iter().map(|customer| (customer.id.clone(), customer)).collect();
        Ok(Customers { catalogue, customers, lists, known, called: HashMap::new() })
    }
}

/// Customers of one tenant and its segments.
#[derive(Debug, Default)]
pub struct Customers {
    /// The segments.
    pub catalogue: Arc<Catalogue>,
    customers: HashMap<String, Customer>,
    /// Ids of the lists that customers are on.
    lists: HashMap<String, BTreeSet<String>>,
    known: Known,
    /// Who counts for ids that were asked for, where that is another one.
    called: HashMap<String, String>,
}

impl Customers {
    fn id<'a>(&'a self, customer: &'a str) -> &'a str {
        self.called.get(customer).map_or(customer, String::as_str)
    }

    /// Whether there is such a customer.
    pub fn know(&self, customer: &str) -> bool {
        self.customers.contains_key(self.id(customer))
    }

    /// How full the lists of a customer are.
    pub fn fullness(&self, customer: &str) -> Option<Fullness> {
        self.customers.get(self.id(customer)).map(customer::fullness)
    }

    /// A customer as segments see them; `None` where there is no such customer.
    pub fn somebody(&self, customer: &str, at: &Moment) -> Option<Somebody<'_>> {
        let customer = self.customers.get(self.id(customer))?;
        let lists = self.lists.get(&customer.id);
        Some(Somebody { facts: facts(customer, &self.known, &self.catalogue.needed, at), lists })
    }

    /// When a customer is to be looked at again, who is looked at now; `None`: when something is written.
    pub fn next(&self, ageing: Ageing, customer: &str, at: &Moment) -> Option<Timestamp> {
        let profile = ageing.next(self.customers.get(customer)?, at.now, &at.zone);
        let beside = self.known.next(customer, &self.catalogue.needed, at);
        profile.into_iter().chain(beside).min()
    }

    /// The customer of this id.
    pub fn get(&self, customer: &str) -> Option<&Customer> {
        self.customers.get(self.id(customer))
    }
}

/// Compiles what has changed since `known`; all, where something else is declared.
fn compiled(
    version: i64,
    declared: Declared,
    segments: Vec<Segment>,
    known: Option<&Catalogue>,
) -> Outcome<Catalogue> {
    let known = known.filter(|known| known.declared == declared);
    let mut catalogue = Catalogue {
        version,
        declared,
        needed: Needed::default(),
        has_lists: false,
        segments: BTreeMap::new(),
    };
    for segment in segments {
        let before = known.and_then(|known| known.segments.get(&segment.id));
        let compiled = match before.filter(|before| before.is(&segment)) {
            Some(before) => before.clone(),
            None => Arc::new(Compiled::new(&segment, &catalogue.declared)?),
        };
        match &compiled.who {
            Who::Rule(rule) => catalogue.needed = std::mem::take(&mut catalogue.needed).and(Needed::by(rule)),
            Who::Listed => catalogue.has_lists = true,
        }
        catalogue.segments.insert(segment.id, compiled);
    }
    Ok(catalogue)
}

impl Compiled {
    fn steps(&self, fullness: Fullness) -> u64 {
        match &self.who {
            Who::Rule(rule) => steps(rule, fullness),
            Who::Listed => 1,
        }
    }

    fn has_member(&self, id: &str, somebody: &Somebody<'_>, work: &mut Work) -> bool {
        work.spend(self.steps(somebody.facts.fullness()));
        match &self.who {
            _ if work.is_over() => false,
            Who::Rule(rule) => rule.matches(&somebody.facts),
            Who::Listed => somebody.lists.is_some_and(|lists| lists.contains(id)),
        }
    }

    /// What was valid when it was saved compiles when it is loaded.
    fn new(segment: &Segment, declared: &Declared) -> Outcome<Self> {
        let who = match segment.definition.kind {
            Kind::List => Who::Listed,
            Kind::Rule => Who::Rule(compile(&segment.definition.rule, declared).map_err(|error| {
                Fault::internal("a stored rule does not compile")
                    .with("resource", segment.name())
                    .caused_by(error)
            })?),
        };
        Ok(Self { version: segment.version, who, is_watched: segment.definition.watched })
    }

    /// A segment that was deleted and made again has an old version and, perhaps, another rule.
    fn is(&self, segment: &Segment) -> bool {
        let who = match &self.who {
            Who::Rule(rule) => {
                segment.definition.kind == Kind::Rule && rule.text() == segment.definition.rule
            }
            Who::Listed => segment.definition.kind == Kind::List,
        };
        who && self.version == segment.version && self.is_watched == segment.definition.watched
    }
}
