//! All there is of a list, page after page.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use tonic::{Code, Response, Status};

use crate::failure::Failure;

const TRIES: usize = 5;
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Asks for pages, from the first to the last, and hands each on; one that is not answered is asked for again.
///
/// # Errors
/// Where a page is refused, or cannot be handed on.
pub async fn each<A, F>(
    mut ask: impl FnMut(String) -> F,
    mut take: impl FnMut(A) -> Result<String, Failure>,
) -> Result<(), Failure>
where
    F: Future<Output = Result<Response<A>, Status>>,
{
    let mut token = String::new();
    loop {
        let pauses = ExponentialBuilder::default().with_max_delay(LONGEST_PAUSE).with_max_times(TRIES);
        let page = || ask(token.clone());
        let answer = page.retry(pauses).when(|status| status.code() == Code::Unavailable).await?;
        token = take(answer.into_inner())?;
        if token.is_empty() {
            return Ok(());
        }
    }
}
