//! A network between two services that can be cut, and that can stop at one frame: a TCP proxy which reads HTTP/2 far
//! enough to tell the calls of an order from everything else.

use std::collections::HashSet;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

/// What campaign-svc's calls for orders carry, as their request_id begins so.
const MARK: &str = "order-";
const PREFACE: usize = 24;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const END_STREAM: u8 = 1;

/// Where an order's call is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// Sent, and not there yet: the order is written down, the other service knows nothing.
    Asked,
    /// Answered, and the answer is not there yet: the other service has done it, the order does not know.
    Answered,
}

/// The proxy. It ends when dropped.
#[derive(Debug)]
pub struct Proxy {
    address: String,
    shared: Arc<Shared>,
    reached: mpsc::UnboundedReceiver<Point>,
    _serving: JoinSet<()>,
}

#[derive(Debug)]
struct Shared {
    upstream: String,
    /// What the calls that count carry.
    mark: String,
    /// Nothing passes, connections end.
    cut: watch::Sender<bool>,
    /// How long every answer is held back.
    delay: Mutex<Duration>,
    /// Answers are swallowed: what was asked is done, nobody hears of it.
    deaf: AtomicBool,
    armed: Mutex<Option<Point>>,
    told: mpsc::UnboundedSender<Point>,
}

impl Proxy {
    /// Before the relationship-svc at `upstream`: what campaign-svc asks for orders counts.
    ///
    /// # Panics
    /// Where no port is free.
    pub async fn to(upstream: &str) -> Self {
        Self::marking(upstream, MARK).await
    }

    /// Before the service at `upstream`: calls whose first message carries `mark` count as those of orders.
    ///
    /// # Panics
    /// Where no port is free.
    pub async fn marking(upstream: &str, mark: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound port").to_string();
        let (told, reached) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            upstream: upstream.to_owned(),
            mark: mark.to_owned(),
            cut: watch::Sender::new(false),
            delay: Mutex::default(),
            deaf: AtomicBool::new(false),
            armed: Mutex::default(),
            told,
        });
        let mut serving = JoinSet::new();
        let carrying = shared.clone();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                connections.spawn(carry(carrying.clone(), client));
            }
        });
        Self { address, shared, reached, _serving: serving }
    }

    /// `http://127.0.0.1:port`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends every connection and takes no other, or heals.
    pub fn cut(&self, cut: bool) {
        self.shared.cut.send_replace(cut);
    }

    /// Swallows answers from now on, or no more; ends every connection with it, for their state is lost.
    pub fn deaf(&self, deaf: bool) {
        self.shared.deaf.store(deaf, Ordering::SeqCst);
        if !deaf {
            self.cut(true);
            self.cut(false);
        }
    }

    /// Holds every answer back for so long.
    pub fn delay(&self, delay: Duration) {
        *self.shared.delay.lock().unwrap_or_else(PoisonError::into_inner) = delay;
    }

    /// Stops the next call of an order at `point`, for good: its connection ends there when the proxy is cut.
    pub fn stop_at(&self, point: Point) {
        *self.shared.armed.lock().unwrap_or_else(PoisonError::into_inner) = Some(point);
    }

    /// Stops nothing any more.
    pub fn pass(&self) {
        *self.shared.armed.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Waits until a call has been stopped.
    ///
    /// # Panics
    /// Where none is within ten seconds.
    pub async fn stopped(&mut self) -> Point {
        let reached = tokio::time::timeout(Duration::from_secs(10), self.reached.recv());
        reached.await.expect("a call of an order comes by").expect("the proxy lives")
    }
}

impl Shared {
    /// Whether this is where the call stops.
    fn stops(&self, point: Point) -> bool {
        let mut armed = self.armed.lock().unwrap_or_else(PoisonError::into_inner);
        let stops = *armed == Some(point);
        if stops {
            *armed = None;
            let _ = self.told.send(point);
        }
        stops
    }
}

async fn carry(shared: Arc<Shared>, client: TcpStream) {
    let mut cut = shared.cut.subscribe();
    if *cut.borrow_and_update() {
        return;
    }
    let Ok(server) = TcpStream::connect(&shared.upstream).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let orders = Arc::new(Mutex::new(HashSet::new()));
    tokio::select! {
        _ = ask(shared.clone(), orders.clone(), from_client, to_server) => {}
        _ = answer(shared.clone(), orders, from_server, to_client) => {}
        _ = cut.changed() => {}
    }
}

/// Streams of one connection that are calls of orders.
type Orders = Arc<Mutex<HashSet<u32>>>;

struct Frame {
    bytes: Vec<u8>,
}

impl Frame {
    async fn read(from: &mut OwnedReadHalf) -> io::Result<Self> {
        let mut bytes = vec![0; 9];
        from.read_exact(&mut bytes).await?;
        let length = u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]]) as usize;
        bytes.resize(9 + length, 0);
        from.read_exact(&mut bytes[9..]).await?;
        Ok(Self { bytes })
    }

    fn kind(&self) -> u8 {
        self.bytes[3]
    }

    fn ends_stream(&self) -> bool {
        self.bytes[4] & END_STREAM != 0
    }

    fn stream(&self) -> u32 {
        u32::from_be_bytes([self.bytes[5], self.bytes[6], self.bytes[7], self.bytes[8]]) & 0x7fff_ffff
    }

    fn carries(&self, mark: &str) -> bool {
        self.kind() == DATA && self.bytes[9..].windows(mark.len()).any(|window| window == mark.as_bytes())
    }
}

async fn ask(
    shared: Arc<Shared>,
    orders: Orders,
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
) -> io::Result<()> {
    let mut preface = [0; PREFACE];
    from.read_exact(&mut preface).await?;
    to.write_all(&preface).await?;
    loop {
        let frame = Frame::read(&mut from).await?;
        if frame.carries(&shared.mark) {
            orders.lock().unwrap_or_else(PoisonError::into_inner).insert(frame.stream());
            if shared.stops(Point::Asked) {
                std::future::pending::<()>().await;
            }
        }
        to.write_all(&frame.bytes).await?;
    }
}

async fn answer(
    shared: Arc<Shared>,
    orders: Orders,
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
) -> io::Result<()> {
    loop {
        let frame = Frame::read(&mut from).await?;
        let speaks = frame.kind() == DATA || (frame.kind() == HEADERS && frame.ends_stream());
        let of_order = orders.lock().unwrap_or_else(PoisonError::into_inner).contains(&frame.stream());
        if speaks && of_order && shared.stops(Point::Answered) {
            std::future::pending::<()>().await;
        }
        if of_order && shared.deaf.load(Ordering::SeqCst) {
            continue;
        }
        let delay = *shared.delay.lock().unwrap_or_else(PoisonError::into_inner);
        if speaks && of_order && !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        to.write_all(&frame.bytes).await?;
    }
}
