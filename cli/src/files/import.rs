//! An import from its file to its last answer: rows are read as they are sent, sent as they are answered, and every row that is
//! refused is kept with its line. What breaks off is tried again, and says where to go on.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use indicatif::{HumanCount, ProgressBar};
use prost::Message;
use prost_types::FieldMask;
use tokio::sync::mpsc;
use tonic::{Code, Status};

use super::column::{self, Slot, Table};
use super::read::{Changing, Mask, Reader, Reading, Refused, Sent, Settle, Window, together};
use super::rejects::{Like, Rejects};
use crate::connect::Target;
use crate::failure::Failure;
use crate::output::{self, Format};

/// Windows that are on their way and not answered yet, and as many again that are read.
const WINDOWS_AHEAD: usize = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Tries in a row that get no further.
const TRIES: usize = 5;

/// Rows that are sent in one message.
#[derive(Debug)]
pub struct Block<T> {
    /// What they say.
    pub items: Vec<T>,
    /// What they change, where that is not just what they say.
    pub mask: Option<FieldMask>,
}

/// How far a stream is.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// Rows of the stream that are durable or refused.
    pub done: i64,
    /// What became of those that were not refused, in the order of [`Import::OUTCOMES`].
    pub counts: Vec<i64>,
    /// Those that were refused since the last time: their place in the stream, and why.
    pub failures: Vec<(i64, Option<tonic_types::Status>)>,
}

/// The answers to a stream of blocks.
pub type Answers = BoxStream<'static, Result<Told, Status>>;

/// A kind of which files are imported.
pub trait Import: Table {
    /// Whom it calls.
    type Client;
    /// What may become of a row, as JSON and people call it.
    const OUTCOMES: &'static [(&'static str, &'static str)];
    /// Columns that a reason of a refusal is about, where it names no field.
    const REASONS: &'static [(&'static str, &'static str)] = &[];

    /// What becomes of each row as it is read.
    fn settle(&self) -> Settle<Self::Item> {
        Box::new(|_| Ok(()))
    }

    /// Connects to the service that takes them.
    async fn connect(target: &Target) -> Result<Self::Client, Failure>;

    /// Opens a stream.
    async fn open(
        &self,
        client: &Self::Client,
        blocks: BoxStream<'static, Block<Self::Item>>,
    ) -> Result<Answers, Status>;
}

/// Imports a file, and tells what became of it.
///
/// # Errors
/// Where rows were refused, or it broke off.
pub async fn run<K: Import>(
    kind: K,
    how: &Reading,
    change: &Changing,
    target: &Target,
    format: Format,
) -> Result<(), Failure> {
    let mut reader = Reader::<K>::open(how, change, kind.settle())?;
    let slots = reader.slots.clone();
    let added = slots.iter().map(|slot| matches!(slot, Slot::Reject)).collect();
    let like = Like { head: &reader.head, separator: reader.separator(), marked: reader.marked, added };
    let client = K::connect(target).await?;
    let rejects = Rejects::open(how, like)?;
    let bar = output::reading(reader.total);
    let (hand, windows) = mpsc::channel(WINDOWS_AHEAD);
    // A thread of its own, which may wait for standard input when everything else is over.
    std::thread::spawn(move || {
        while let Some(window) = reader.next().transpose() {
            if hand.blocking_send(window).is_err() {
                break;
            }
        }
    });
    let from = how.from_line.unwrap_or(0);
    let mut run = Run::<K> {
        slots,
        rejects,
        bar,
        counts: vec![0; K::OUTCOMES.len()],
        before: vec![0; K::OUTCOMES.len()],
        flight: Flight { windows: VecDeque::new(), rows: VecDeque::new(), done: 0 },
        next_line: from,
        is_over: false,
    };
    let ended = run.all(&kind, &client, windows).await;
    run.bar.finish_and_clear();
    run.tell(format);
    match ended {
        Err(failure) => Err(Failure::said(format!("{}\n  {}", broken(&failure), run.goes_on(from)))),
        Ok(()) if run.rejects.count > 0 => {
            Err(Failure::said(format!("{} rows were refused", run.rejects.count)))
        }
        Ok(()) => Ok(()),
    }
}

/// Why an import ended before its end.
fn broken(failure: &Failure) -> String {
    match failure {
        Failure::Refused(status) if may_pass(failure) => {
            format!("the import broke off: {}", status.message())
        }
        failure => failure.to_string(),
    }
}

/// What is sent and not answered yet.
struct Flight<T> {
    /// Of each window how many rows are not answered, and what is to be done when they are.
    windows: VecDeque<(usize, Window<T>)>,
    rows: VecDeque<Sent<T>>,
    /// Rows of the stream that are answered.
    done: i64,
}

/// An import that goes on.
struct Run<K: Import> {
    slots: Arc<Vec<Slot<K::Item>>>,
    rejects: Rejects,
    bar: ProgressBar,
    counts: Vec<i64>,
    /// What streams before this one counted.
    before: Vec<i64>,
    flight: Flight<K::Item>,
    /// All rows before this line are done.
    next_line: u64,
    /// The file has been read.
    is_over: bool,
}

type Windows<T> = mpsc::Receiver<std::io::Result<Window<T>>>;

impl<K: Import> Run<K> {
    /// Sends everything, over as many streams as it takes.
    async fn all(
        &mut self,
        kind: &K,
        client: &K::Client,
        mut windows: Windows<K::Item>,
    ) -> Result<(), Failure> {
        let mut pauses = pauses();
        loop {
            let line = self.next_line;
            let failure = match self.stream(kind, client, &mut windows).await {
                Ok(()) => return Ok(()),
                Err(failure) => failure,
            };
            if self.next_line > line {
                pauses = self::pauses();
            }
            let pause = if may_pass(&failure) { pauses.next() } else { None };
            let Some(pause) = pause else { return Err(failure) };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = tokio::signal::ctrl_c() => return Err(failure),
            }
        }
    }

    /// Sends over one stream what is not answered, and what is read meanwhile.
    async fn stream(
        &mut self,
        kind: &K,
        client: &K::Client,
        windows: &mut Windows<K::Item>,
    ) -> Result<(), Failure> {
        let (send, blocks) = mpsc::unbounded_channel();
        let blocks = stream::unfold(blocks, |mut blocks| async { Some((blocks.recv().await?, blocks)) });
        self.before.clone_from(&self.counts);
        self.flight.done = 0;
        for block in blocks_of(self.flight.rows.iter()) {
            let _ = send.send(block);
        }
        // Dropped when all is sent: so the service knows.
        let mut send = Some(send);
        let mut answers = kind.open(client, blocks.boxed()).await?;
        loop {
            if self.is_over && self.flight.windows.is_empty() {
                send = None;
            }
            let room = !self.is_over && self.flight.windows.len() < WINDOWS_AHEAD;
            tokio::select! {
                answer = answers.next() => match answer {
                    Some(told) => self.take(told?)?,
                    None if send.is_none() => return Ok(()),
                    None => return Err(Failure::said("the service ended the import before its end")),
                },
                window = windows.recv(), if room => match window {
                    Some(window) => self.send(window?, send.as_ref())?,
                    None => self.is_over = true,
                },
                _ = tokio::signal::ctrl_c() => return Err(Failure::said("interrupted")),
            }
        }
    }

    /// Sends a window, and keeps it until it is answered.
    fn send(
        &mut self,
        mut window: Window<K::Item>,
        to: Option<&mpsc::UnboundedSender<Block<K::Item>>>,
    ) -> Result<(), Failure> {
        let rows = std::mem::take(&mut window.rows);
        for block in blocks_of(rows.iter()) {
            // Where nobody takes it the answers say so.
            let _ = to.map(|to| to.send(block));
        }
        self.flight.windows.push_back((rows.len(), window));
        self.flight.rows.extend(rows);
        self.settle()
    }

    /// Takes an answer in.
    fn take(&mut self, told: Told) -> Result<(), Failure> {
        for (index, status) in told.failures {
            let at = usize::try_from(index - self.flight.done).ok();
            let Some(row) = at.and_then(|at| self.flight.rows.get(at).map(|row| (at, row))) else { continue };
            let (at, Sent { line, cells, .. }) = row;
            let (column, reason) = self.why(&status.unwrap_or_default());
            let refused = Refused { line: *line, cells: cells.clone(), column, reason };
            self.flight.window_of(at).into_iter().for_each(|window| window.refused.push(refused.clone()));
        }
        for (place, count) in told.counts.iter().enumerate() {
            self.counts[place] = self.before[place] + count;
        }
        let answered = usize::try_from(told.done - self.flight.done).unwrap_or(0);
        self.flight.answered(answered.min(self.flight.rows.len()));
        self.flight.done = told.done;
        self.settle()
    }

    /// Ends the windows of which all rows are answered.
    fn settle(&mut self) -> Result<(), Failure> {
        while let Some((_, window)) = self.flight.windows.pop_front_if(|(left, _)| *left == 0) {
            self.rejects.keep(window.refused)?;
            self.next_line = window.next_line;
            self.bar.set_position(window.taken);
        }
        let rows = self.counts.iter().sum::<i64>().unsigned_abs() + self.rejects.count;
        self.bar.set_message(format!("{} {}", HumanCount(rows), K::MANY));
        Ok(())
    }

    /// Why the service refused a row: in which column, and what is wrong there.
    fn why(&self, status: &tonic_types::Status) -> (String, String) {
        let details = status.encode_to_vec();
        let whole = Status::with_details(Code::from(status.code), status.message.clone(), details.into());
        let details = tonic_types::StatusExt::get_error_details(&whole);
        let violations = details.bad_request().map(|bad| bad.field_violations.as_slice()).unwrap_or_default();
        let mut wrong: Vec<(String, String)> = violations
            .iter()
            .map(|one| (column::of_field::<K>(&one.field, &self.slots), one.description.clone()))
            .collect();
        let info = details.error_info();
        if wrong.is_empty() {
            let reason = info.map(|info| info.reason.as_str()).unwrap_or_default();
            let of_reason =
                K::REASONS.iter().find(|(known, _)| *known == reason).map(|(_, column)| (*column).to_owned());
            let fields = info.and_then(|info| info.metadata.get("fields"));
            let named = fields.map(|fields| self.columns(fields));
            wrong.push((named.or(of_reason).unwrap_or_default(), status.message.clone()));
        } else if let Some(more) = info.and_then(|info| info.metadata.get("violations_omitted")) {
            wrong.push((String::new(), format!("and {more} more")));
        }
        together(wrong)
    }

    /// The columns of fields with commas between them.
    fn columns(&self, fields: &str) -> String {
        fields
            .split(", ")
            .map(|field| column::of_field::<K>(field, &self.slots))
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// Where an import goes on that began at this line.
    fn goes_on(&self, from: u64) -> String {
        match self.next_line {
            line if line > from => {
                format!("all rows before line {line} are done; go on with --from-line {line}")
            }
            _ => "no row is done; try again".to_owned(),
        }
    }

    /// Says what became of the rows.
    fn tell(&self, format: Format) {
        let counted = || K::OUTCOMES.iter().zip(&self.counts);
        let refused = self.rejects.count;
        if format == Format::Json {
            // Numbers as the contract's JSON has those of 64 bits.
            let all = counted().map(|((name, _), count)| ((*name).to_owned(), count.to_string().into()));
            let all = all.chain([("failed".to_owned(), refused.to_string().into())]);
            println!("{}", serde_json::Value::Object(all.collect()));
            self.rejects.told().iter().for_each(|line| eprintln!("{line}"));
            return;
        }
        let all: Vec<String> = counted().map(|((_, called), count)| format!("{count} {called}")).collect();
        println!("{}, {refused} refused", all.join(", "));
        self.rejects.told().iter().for_each(|line| println!("  {line}"));
    }
}

impl<T> Flight<T> {
    /// The window of the row at this place of those that are not answered.
    fn window_of(&mut self, mut at: usize) -> Option<&mut Window<T>> {
        for (left, window) in &mut self.windows {
            match at.checked_sub(*left) {
                None => return Some(window),
                Some(rest) => at = rest,
            }
        }
        None
    }

    /// So many more rows are answered.
    fn answered(&mut self, mut count: usize) {
        self.rows.drain(..count);
        for (left, _) in &mut self.windows {
            let of_this = count.min(*left);
            (*left, count) = (*left - of_this, count - of_this);
        }
    }
}

/// Rows as messages: those behind one another that change the same.
fn blocks_of<'r, T: Clone + 'r>(rows: impl Iterator<Item = &'r Sent<T>>) -> Vec<Block<T>> {
    const ROWS: usize = 1_000;
    let mut blocks: Vec<(&Mask, Vec<T>)> = Vec::new();
    for row in rows {
        match blocks.last_mut() {
            Some((mask, items)) if **mask == row.mask && items.len() < ROWS => items.push(row.item.clone()),
            _ => blocks.push((&row.mask, vec![row.item.clone()])),
        }
    }
    let mask = |paths: &Mask| paths.as_ref().map(|paths| FieldMask { paths: paths.to_vec() });
    blocks.into_iter().map(|(paths, items)| Block { items, mask: mask(paths) }).collect()
}

/// Whether it may be another time.
fn may_pass(failure: &Failure) -> bool {
    let Failure::Refused(status) = failure else { return false };
    matches!(
        status.code(),
        Code::Unavailable
            | Code::DeadlineExceeded
            | Code::ResourceExhausted
            | Code::Aborted
            | Code::Unknown
            | Code::Cancelled
    )
}

fn pauses() -> ExponentialBackoff {
    let pauses = ExponentialBuilder::default().with_min_delay(FIRST_PAUSE).with_max_delay(LONGEST_PAUSE);
    pauses.with_max_times(TRIES).build()
}
