//! Imports: rows come in a stream of messages, are written in blocks, and are answered for while the stream goes on.
//!
//! Nothing is read ahead of what is written, and nothing is written ahead of what the caller has taken: whoever reads slowly
//! slows his own import, and neither side keeps more than a block.

use std::collections::VecDeque;
use std::future::Future;

use futures::{FutureExt, Stream, StreamExt, stream};
use prost::Message;
use tonic::Status;

use super::answer::ANSWER_BYTES;
use crate::fault::Outcome;

/// The most rows of one message, and of one block.
pub const BLOCK_ROWS: usize = 1_000;

/// What an aggregate does with the rows that come.
pub trait Import: Send + Sync + 'static {
    /// What rows come in.
    type Message: Message + Default + 'static;
    /// What is told of rows: counts of all that are decided, and the refusals of those since the answer before.
    type Answer: Default + Send + 'static;
    /// What became of one row.
    type Row: Send;

    /// How many rows a message has.
    fn rows(message: &Self::Message) -> usize;

    /// What is wrong with a message itself: it ends the stream.
    ///
    /// # Errors
    /// Every violation.
    fn check(&self, message: &Self::Message) -> Outcome<()>;

    /// Makes the rows of these messages durable, but for those that are refused. Answers what became of each, in order.
    fn write(&self, block: Vec<Self::Message>) -> impl Future<Output = Outcome<Vec<Self::Row>>> + Send;

    /// Counts one more row. Answers by how many bytes the answer grew.
    fn tell(answer: &mut Self::Answer, row: Self::Row) -> usize;

    /// The same counts with no refusals: what the next answer begins with.
    fn counts(answer: &Self::Answer) -> Self::Answer;
}

/// The answers to a stream of rows, one or more for each block.
pub fn import<I, S>(
    import: I,
    messages: S,
) -> impl Stream<Item = Result<I::Answer, Status>> + Send + use<I, S>
where
    I: Import,
    S: Stream<Item = Result<I::Message, Status>> + Unpin + Send + 'static,
{
    let run =
        Run { import, messages, held: None, so_far: I::Answer::default(), ready: VecDeque::new(), end: None };
    stream::try_unfold(run, Run::next)
}

/// How a stream ends: well, or with what.
type End = Result<(), Status>;

/// An import that goes on.
struct Run<I: Import, S> {
    import: I,
    messages: S,
    /// Came behind a block that it did not fit into.
    held: Option<I::Message>,
    so_far: I::Answer,
    /// What is durable and not told yet.
    ready: VecDeque<I::Answer>,
    end: Option<End>,
}

impl<I, S> Run<I, S>
where
    I: Import,
    S: Stream<Item = Result<I::Message, Status>> + Unpin + Send + 'static,
{
    async fn next(mut self) -> Result<Option<(I::Answer, Self)>, Status> {
        loop {
            if let Some(answer) = self.ready.pop_front() {
                return Ok(Some((answer, self)));
            }
            let block = self.block().await;
            if block.is_empty() {
                return self.end.unwrap_or(Ok(())).map(|()| None);
            }
            let rows = self.import.write(block).await?;
            self.ready = told::<I>(&mut self.so_far, rows);
        }
    }

    /// Waits for a message; those that have arrived behind it come along as far as a block has room. None at the end.
    async fn block(&mut self) -> Vec<I::Message> {
        let (mut block, mut rows, mut bytes) = (Vec::new(), 0, 0);
        while self.held.is_some() || self.end.is_none() {
            let message = match self.held.take() {
                Some(message) => Some(message),
                None if block.is_empty() => self.messages.next().await.and_then(|come| self.checked(come)),
                None => match self.messages.next().now_or_never() {
                    Some(come) => come.and_then(|come| self.checked(come)),
                    None => break,
                },
            };
            let Some(message) = message else {
                self.end.get_or_insert(Ok(()));
                break;
            };
            (rows, bytes) = (rows + I::rows(&message), bytes + message.encoded_len());
            if !block.is_empty() && (rows > BLOCK_ROWS || bytes > ANSWER_BYTES) {
                self.held = Some(message);
                break;
            }
            block.push(message);
        }
        block
    }

    /// What came, unless it ends the stream.
    fn checked(&mut self, come: Result<I::Message, Status>) -> Option<I::Message> {
        let right = |message| self.import.check(&message).map(|()| message).map_err(Status::from);
        match come.and_then(right) {
            Ok(message) => Some(message),
            Err(status) => {
                self.end = Some(Err(status));
                None
            }
        }
    }
}

/// The answers about the rows of a block. A new one begins where the refusals of one have become as large as an answer may be.
fn told<I: Import>(so_far: &mut I::Answer, rows: Vec<I::Row>) -> VecDeque<I::Answer> {
    let (mut answers, mut bytes) = (VecDeque::new(), 0);
    for row in rows {
        if bytes >= ANSWER_BYTES {
            let counts = I::counts(so_far);
            answers.push_back(std::mem::replace(so_far, counts));
            bytes = 0;
        }
        bytes += I::tell(so_far, row);
    }
    let counts = I::counts(so_far);
    answers.push_back(std::mem::replace(so_far, counts));
    answers
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::fault::Fault;

    /// A message of so many rows; a row of less than 100 bytes is stored.
    #[derive(Clone, PartialEq, Message)]
    struct Rows {
        #[prost(string, repeated, tag = "1")]
        rows: Vec<String>,
    }

    #[derive(Debug, Default)]
    struct Answer {
        done: usize,
        refused: Vec<String>,
    }

    #[derive(Default)]
    struct Shelf {
        blocks: Arc<AtomicUsize>,
    }

    impl Import for Shelf {
        type Message = Rows;
        type Answer = Answer;
        type Row = Result<(), String>;

        fn rows(message: &Rows) -> usize {
            message.rows.len()
        }

        fn check(&self, message: &Rows) -> Outcome<()> {
            match message.rows.iter().any(|row| row == "bad") {
                true => Err(Fault::invalid_field("rows", "bad")),
                false => Ok(()),
            }
        }

        async fn write(&self, block: Vec<Rows>) -> Outcome<Vec<Self::Row>> {
            self.blocks.fetch_add(1, Ordering::Relaxed);
            let rows = block.into_iter().flat_map(|message| message.rows);
            Ok(rows.map(|row| if row.len() < 100 { Ok(()) } else { Err(row) }).collect())
        }

        fn tell(answer: &mut Answer, row: Self::Row) -> usize {
            answer.done += 1;
            let bytes = row.as_ref().err().map_or(0, String::len);
            answer.refused.extend(row.err());
            bytes
        }

        fn counts(answer: &Answer) -> Answer {
            Answer { done: answer.done, refused: Vec::new() }
        }
    }

    fn message(rows: usize) -> Result<Rows, Status> {
        Ok(Rows { rows: vec!["row".to_owned(); rows] })
    }

    #[tokio::test]
    async fn messages_that_are_there_are_written_together_up_to_a_block_and_told_in_order() {
        let messages = vec![message(1), message(998), message(0), message(2), message(1_000), message(7)];
        let answers: Vec<_> = import(Shelf::default(), stream::iter(messages)).collect().await;
        let done: Vec<usize> = answers.into_iter().map(|answer| answer.unwrap().done).collect();
        assert_eq!(done, [999, 1_001, 2_001, 2_008]);
    }

    #[tokio::test]
    async fn nothing_is_written_ahead_of_what_the_caller_has_taken() {
        let shelf = Shelf::default();
        let (blocks, taken) = (shelf.blocks.clone(), Arc::new(AtomicUsize::new(0)));
        let counted = taken.clone();
        let messages = stream::iter(0..100).map(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
            message(1_000)
        });
        let mut answers = Box::pin(import(shelf, messages));
        for told in 1..=3 {
            assert_eq!(answers.next().await.unwrap().unwrap().done, told * 1_000);
            assert_eq!(blocks.load(Ordering::Relaxed), told);
            assert!(taken.load(Ordering::Relaxed) <= told + 1);
        }
    }

    #[tokio::test]
    async fn every_refusal_is_told_in_as_many_answers_as_it_takes() {
        let large = |number: usize| format!("{number}{}", "x".repeat(ANSWER_BYTES / 2));
        let rows: Vec<String> = (0..5).map(large).chain(["row".to_owned()]).collect();
        let answers: Vec<_> =
            import(Shelf::default(), stream::iter([Ok(Rows { rows: rows.clone() })])).collect().await;
        let answers: Vec<Answer> = answers.into_iter().map(Result::unwrap).collect();
        assert_eq!(answers.iter().map(|answer| answer.done).collect::<Vec<_>>(), [2, 4, 6]);
        let refused: Vec<String> = answers.into_iter().flat_map(|answer| answer.refused).collect();
        assert_eq!(refused, rows[..5]);
    }

    #[tokio::test]
    async fn what_came_before_a_wrong_message_or_a_break_is_written_and_told() {
        let bad = Ok(Rows { rows: vec!["bad".to_owned()] });
        let broken = Err(Fault::overloaded("a break").into());
        for end in [bad, broken] {
            let messages = vec![message(3), end, message(3)];
            let answers: Vec<_> = import(Shelf::default(), stream::iter(messages)).collect().await;
            assert_eq!(answers.len(), 2);
            assert_eq!(answers[0].as_ref().unwrap().done, 3);
            assert!(answers[1].is_err());
        }
    }
}
