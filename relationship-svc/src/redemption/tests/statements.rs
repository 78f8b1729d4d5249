//! Every statement prepares on both engines.

use tandem_platform::{counters, testing};

use super::super::store;
use crate::{MIGRATIONS, voucher};

#[tokio::test]
async fn every_statement_prepares_on_both_engines() {
    testing::engines(&MIGRATIONS, |db| async move {
        testing::prepare_all(&db, store::STATEMENTS).await;
        testing::prepare_all(&db, counters::STATEMENTS).await;
        testing::prepare_all(&db, store::audit::STATEMENTS).await;
        testing::prepare_all(&db, voucher::store::STATEMENTS).await;
    })
    .await;
}
