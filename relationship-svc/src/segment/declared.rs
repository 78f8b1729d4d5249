//! Rules as readers of what is declared of attributes.

use jiff::Timestamp;
use tandem_kernel::rule::Reading;
use tandem_kernel::rule::plan::Term;
use tandem_platform::resource::Resource;
use tandem_platform::{Db, Outcome, Tenant, Tx};

use super::store::members::Search;
use super::{Kind, Moment, compile, store};
use crate::attribute::Declared;
use crate::attribute::readers::Readers;

/// Refused rules that are named.
const NAMED: usize = 10;

/// The rules of segments.
#[derive(Debug, Clone)]
pub struct Rules(pub Db);

impl Readers for Rules {
    async fn hold(&self, tx: &mut Tx, tenant: &Tenant, now: Timestamp) -> Outcome<()> {
        store::raise().run(tx, tenant).await?;
        store::watch::sweep_watched(now).run(tx, tenant).await
    }

    async fn against(&self, tx: &mut Tx, tenant: &Tenant, declared: &Declared) -> Outcome<Vec<String>> {
        let mut segments = store::all(tx, tenant).await?;
        segments.retain(|segment| segment.definition.kind == Kind::Rule);
        segments.retain(|segment| compile(&segment.definition.rule, declared).is_err());
        segments.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(segments.iter().take(NAMED).map(Resource::name).collect())
    }

    /// One statement: there is a value, and there is none of the type.
    async fn unfit(&self, tx: &mut Tx, tenant: &Tenant, key: &str, reading: Reading) -> Outcome<u64> {
        if matches!(reading, Reading::Text | Reading::Texts) {
            return Ok(0);
        }
        let kept = Term::Entry("customer.attributes".to_owned(), Box::new(Term::Text(key.to_owned())));
        let read = Term::There(Box::new(Term::Read(reading, Box::new(kept.clone()))));
        let said = [Term::There(Box::new(kept)), Term::Not(Box::new(read))];
        let at = Moment::any();
        let search = Search { db: &self.0, tenant, said: &said, joined: false, at: &at };
        let (members, _) = search.count(tx).await?;
        Ok(u64::try_from(members).unwrap_or_default())
    }
}
