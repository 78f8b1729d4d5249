//! The consumer against a real stream that ends, dies, and comes back.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::{Stream, StreamExt, stream};
use tandem_platform::outbox::Cursor;
use tandem_platform::testing::engines;
use tandem_platform::{Db, Fault, Tenant};
use tandem_proto::common::v1::Event;
use tandem_proto::relationship::v1::event_service_server::{EventService, EventServiceServer};
use tandem_proto::relationship::v1::{
    Gap, SubscribeAllRequest, SubscribeAllResponse, SubscribeRequest, SubscribeResponse, TenantCursor,
};
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};

use super::{minor, redeemed, redemption, rolled_back, sums};
use crate::redemption::{store, tasks};
use crate::relationship::double::Double;
use crate::testing::Harness;
use crate::{Config, MIGRATIONS};

#[derive(Default)]
struct Log {
    events: Vec<Event>,
    /// The oldest position that is kept.
    oldest: i64,
    /// What each subscriber said it knows.
    known: Vec<HashMap<String, String>>,
}

impl Log {
    fn after(&self, known: &HashMap<String, String>) -> Vec<SubscribeAllResponse> {
        let cursor = |event: &Event| known.get(&event.tenant).map(|cursor| cursor.parse::<Cursor>().unwrap());
        let reached = |event: &Event| TenantCursor {
            tenant: event.tenant.clone(),
            cursor: Cursor::of(event).to_string(),
        };
        let expired = |event: &&Event| {
            event.position == self.oldest
                && cursor(event).is_some_and(|cursor| cursor.position + 1 < self.oldest)
        };
        let gaps = self.events.iter().filter(expired).map(|event| SubscribeAllResponse {
            reached: Some(TenantCursor { tenant: event.tenant.clone(), cursor: Cursor::START.to_string() }),
            event: None,
            gap: Gap::Expired.into(),
        });
        let later = self.events.iter().filter(|event| {
            event.position >= self.oldest && cursor(event).is_none_or(|cursor| Cursor::of(event) > cursor)
        });
        let told = later.map(|event| SubscribeAllResponse {
            reached: Some(reached(event)),
            event: Some(event.clone()),
            gap: Gap::Unspecified.into(),
        });
        gaps.chain(told).collect()
    }
}

struct Service(Arc<Mutex<Log>>);

#[tonic::async_trait]
impl EventService for Service {
    type SubscribeStream = Pin<Box<dyn Stream<Item = Result<SubscribeResponse, Status>> + Send>>;
    type SubscribeAllStream = Pin<Box<dyn Stream<Item = Result<SubscribeAllResponse, Status>> + Send>>;

    async fn subscribe(
        &self,
        _: Request<SubscribeRequest>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        Err(Fault::internal("one tenant's events are not asked for").into())
    }

    async fn subscribe_all(
        &self,
        request: Request<Streaming<SubscribeAllRequest>>,
    ) -> Result<Response<Self::SubscribeAllStream>, Status> {
        assert!(request.metadata().get("grpc-timeout").is_none(), "a stream without end has no time limit");
        let (mut known, mut said) = (HashMap::new(), request.into_inner());
        while let Some(part) = said.message().await? {
            known.extend(part.cursors.into_iter().map(|one| (one.tenant, one.cursor)));
        }
        let mut log = self.0.lock().unwrap();
        let later = log.after(&known);
        log.known.push(known);
        Ok(Response::new(Box::pin(stream::iter(later.into_iter().map(Ok)).chain(stream::pending()))))
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
        self.tells_of("default", event);
    }

    fn tells_of(&self, tenant: &str, event: Event) {
        let mut log = self.log.lock().unwrap();
        let before = log.events.iter().filter(|event| event.tenant == tenant).count();
        let position = i64::try_from(before).unwrap() + 1;
        log.events.push(Event { position, tenant: tenant.to_owned(), ..event });
    }
}

fn start(db: Db, peer: &Peer) -> Harness {
    let mut config = Config::default();
    config.relationship.endpoint = peer.double.endpoint().into();
    let harness = Harness::with(db, config);
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
        let harness = start(db.clone(), &peer);
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
            let cursor = |known: &HashMap<String, String>| known.get("default").cloned();
            assert_eq!(log.known.first().and_then(cursor), None);
            assert_eq!(log.known.last().and_then(cursor).as_deref(), Some("1.0"));
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
        let harness = start(db.clone(), &peer);
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_stream_carries_all_tenants_and_each_is_taken_up_where_it_was() {
    engines(&MIGRATIONS, |db| async move {
        const TENANTS: u32 = 1_200;
        let mut peer = Peer::start();
        let tell = |peer: &Peer, round: u32| {
            for n in 0..TENANTS {
                let id = round * TENANTS + n;
                let event = redeemed(id.into(), redemption(id, &format!("o-{id}"), "", 100), 900);
                peer.tells_of(&format!("t-{n}"), event);
            }
        };
        tell(&peer, 0);
        let harness = start(db.clone(), &peer);
        let until = async |each: i64| {
            let waiting = async {
                for n in 0..TENANTS {
                    let tenant = Tenant::parse(&format!("t-{n}")).unwrap();
                    let count = async || {
                        let mut reader = db.read().await.unwrap();
                        store::sums(&mut reader, &tenant, &["spring"]).await.unwrap().redemptions
                    };
                    while count().await != each {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                }
            };
            tokio::time::timeout(Duration::from_secs(30), waiting).await.unwrap();
        };
        until(1).await;
        peer.double.kill();
        tell(&peer, 1);
        peer.double.up();
        until(2).await;
        {
            let log = peer.log.lock().unwrap();
            let known = log.known.last().unwrap();
            assert_eq!(known.len(), TENANTS as usize, "said in several messages");
            assert!(known.values().all(|cursor| cursor == "1.0"));
        }
        assert!(harness.app.tasks.finish_background(Duration::from_secs(10)).await);
    })
    .await;
}
