//! The consumer against a real stream that ends, dies, and comes back.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::{Stream, StreamExt, stream};
use tandem_platform::outbox::Cursor;
use tandem_platform::testing::engines;
use tandem_platform::{Call, Db, Fault};
use tandem_proto::campaign::v1::product_service_client::ProductServiceClient;
use tandem_proto::campaign::v1::{CreateProductRequest, Product};
use tandem_proto::common::v1::Event;
use tandem_proto::relationship::v1::event_service_server::{EventService, EventServiceServer};
use tandem_proto::relationship::v1::{SubscribeRequest, SubscribeResponse};
use tonic::transport::Server;
use tonic::{Request, Response, Status};

use super::{minor, redeemed, redemption, rolled_back, sums};
use crate::redemption::tasks;
use crate::relationship::double::Double;
use crate::testing::Harness;
use crate::{Config, MIGRATIONS};

#[derive(Default)]
struct Log {
    events: Vec<Event>,
    /// The oldest position that is kept.
    oldest: i64,
    cursors: Vec<String>,
    tenants: Vec<String>,
}

struct Service(Arc<Mutex<Log>>);

#[tonic::async_trait]
impl EventService for Service {
    type SubscribeStream = Pin<Box<dyn Stream<Item = Result<SubscribeResponse, Status>> + Send>>;

    async fn subscribe(
        &self,
        request: Request<SubscribeRequest>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        let mut log = self.0.lock().unwrap();
        let tenant = request.metadata().get("tandem-tenant").unwrap().to_str().unwrap().to_owned();
        assert!(request.metadata().get("grpc-timeout").is_none(), "a stream without end has no time limit");
        log.tenants.push(tenant);
        let cursor = request.into_inner().cursor;
        log.cursors.push(cursor.clone());
        let after = cursor.parse::<Cursor>().unwrap_or(Cursor::START);
        if !cursor.is_empty() && after.position + 1 < log.oldest {
            return Err(Fault::cursor_expired().into());
        }
        let later: Vec<_> = log
            .events
            .iter()
            .filter(|event| Cursor::of(event) > after && event.position >= log.oldest)
            .map(|event| {
                Ok(SubscribeResponse { cursor: Cursor::of(event).to_string(), event: Some(event.clone()) })
            })
            .collect();
        Ok(Response::new(Box::pin(stream::iter(later).chain(stream::pending()))))
    }
}

/// The peer's stream.
struct Peer {
    double: Double,
    log: Arc<Mutex<Log>>,
}

impl Peer {
    fn start() -> Self {
        let log = Arc::<Mutex<Log>>::default();
        let service = log.clone();
        let double = Double::start(move || {
            Server::builder().add_service(EventServiceServer::new(Service(service.clone())))
        });
        Self { double, log }
    }

    fn tells(&self, event: Event) {
        let mut log = self.log.lock().unwrap();
        let position = i64::try_from(log.events.len()).unwrap() + 1;
        log.events.push(Event { position, ..event });
    }
}

async fn start(db: Db, peer: &Peer) -> Harness {
    let mut config = Config::default();
    config.relationship.endpoint = peer.double.endpoint();
    let harness = Harness::with(db, config);
    // A tenant with a catalogue is one whose redemptions are followed.
    let request = CreateProductRequest {
        product: Some(Product::default()),
        product_id: "1".to_owned(),
        ..CreateProductRequest::default()
    };
    ProductServiceClient::new(harness.channel()).create_product(request).await.unwrap();
    harness.app.snapshots.refresh(&harness.app).await.unwrap();
    tasks::start(&harness.app);
    harness
}

/// Waits, fifteen seconds at most, until so many redemptions have flowed back.
async fn until(db: &Db, redemptions: i64) {
    let waiting = async {
        while sums(db, &["spring"]).await.redemptions != redemptions {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(15), waiting).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_dies_is_taken_up_where_it_broke() {
    engines(&MIGRATIONS, |db| async move {
        let mut peer = Peer::start();
        peer.tells(redeemed(1, redemption(1, "o-1", "customers/7", 500), 4_500));
        let harness = start(db.clone(), &peer).await;
        until(&db, 1).await;
        peer.double.kill();
        peer.tells(redeemed(2, redemption(2, "o-2", "customers/7", 300), 900));
        peer.tells(rolled_back(3, redemption(2, "o-2", "customers/7", 300), 2, 100));
        peer.double.up();
        until(&db, 2).await;
        let found = sums(&db, &["spring"]).await;
        assert_eq!((minor(&found.discounts), minor(&found.revenue)), (700, 5_400));
        {
            let log = peer.log.lock().unwrap();
            assert_eq!(log.cursors.first().map(String::as_str), Some(""));
            assert_eq!(log.cursors.last().map(String::as_str), Some("1.0"));
            assert!(log.tenants.iter().all(|tenant| tenant == Call::system("default").tenant.as_str()));
        }
        assert!(harness.app.tasks.finish_background(Duration::from_secs(10)).await);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cursor_that_expired_goes_on_with_the_oldest_event_that_is_left() {
    engines(&MIGRATIONS, |db| async move {
        let mut peer = Peer::start();
        peer.tells(redeemed(1, redemption(1, "o-1", "customers/7", 500), 4_500));
        let harness = start(db.clone(), &peer).await;
        until(&db, 1).await;
        peer.double.kill();
        for id in 2..=4 {
            peer.tells(redeemed(id.into(), redemption(id, &format!("o-{id}"), "customers/7", 100), 900));
        }
        peer.log.lock().unwrap().oldest = 4;
        peer.double.up();
        until(&db, 2).await;
        assert!(harness.app.tasks.finish_background(Duration::from_secs(10)).await);
    })
    .await;
}
