//! What a Prometheus server reads of a service: a process of its own, scraped over a real connection.

use prost::Message;
use tandem_proto::campaign::v1::GetObjectiveRequest;
use tandem_tests::database::{Database, Engine};
use tandem_tests::process::{Kind, Service};
use tandem_tests::raw::Raw;
use tandem_tests::scrape::{free_address, scrape};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Code, Request};

/// A service, and where it is scraped.
struct Scraped {
    service: Service,
    address: String,
    _database: Database,
}

impl Scraped {
    async fn start(kind: Kind, engine: Engine) -> Self {
        let database = Database::new(engine).await;
        let address = free_address();
        let service = Service::start(kind, database.url(), &[("METRICS__LISTEN", &address)]);
        Self { service, address, _database: database }
    }

    fn scrape(&self) -> String {
        scrape(&self.address)
    }
}

async fn call(channel: &Channel, method: &str, message: &impl Message) -> Code {
    let mut client = tonic::client::Grpc::new(channel.clone());
    client.ready().await.unwrap();
    let (path, body) = (PathAndQuery::try_from(method).unwrap(), message.encode_to_vec());
    client.unary(Request::new(body.into()), path, Raw).await.map_or_else(|status| status.code(), |_| Code::Ok)
}

/// `list` answers; `get` answers NOT_FOUND to the name of one that is not there.
async fn calls_are_counted(kind: Kind, engine: Engine, list: &str, get: &str, name: &str) {
    let scraped = Scraped::start(kind, engine).await;
    let channel = scraped.service.channel();
    // The first field of every Get is the name.
    let missing = GetObjectiveRequest { name: name.to_owned() };
    for _ in 0..3 {
        assert_eq!(call(&channel, list, &()).await, Code::Ok);
    }
    for _ in 0..2 {
        assert_eq!(call(&channel, get, &missing).await, Code::NotFound);
    }
    let before = scraped.scrape();
    for at in 0..1_000 {
        assert_eq!(call(&channel, &format!("/made.Up{at}/Method"), &()).await, Code::Unimplemented);
    }
    let text = scraped.scrape();
    for (method, code, count) in [(list, "OK", 3), (get, "NOT_FOUND", 2), ("other", "UNIMPLEMENTED", 1_000)] {
        let labels = format!("rpc_method=\"{method}\",rpc_response_status_code=\"{code}\"");
        let lines = [
            format!("rpc_server_call_duration_seconds_count{{{labels}}} {count}\n"),
            format!("rpc_server_call_duration_seconds_bucket{{{labels},le=\"+Inf\"}} {count}\n"),
            format!("rpc_server_active_calls{{rpc_method=\"{method}\"}} 0\n"),
        ];
        for line in lines {
            assert!(text.contains(&line), "{line}{text}");
        }
    }
    for state in ["used", "idle"] {
        assert!(text.contains(&format!("db_client_connection_count{{state=\"{state}\"}} ")), "{text}");
    }
    assert!(text.contains(&format!("target_info{{service_name=\"{}\"}} 1\n", kind.program())), "{text}");
    // 1,000 names of strangers are one histogram and one gauge: its buckets, +Inf, sum, count, and the calls in progress.
    let series = |text: &str| text.lines().filter(|line| !line.starts_with('#')).count();
    assert_eq!(series(&text), series(&before) + 15 + 4, "{text}");
    assert!(!text.contains("made.Up"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_calls_of_campaign_svc_are_scraped_by_method_and_code() {
    let service = "/tandem.campaign.v1.ObjectiveService";
    let (list, get) = (format!("{service}/ListObjectives"), format!("{service}/GetObjective"));
    calls_are_counted(Kind::Campaign, Engine::Sqlite, &list, &get, "objectives/none").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_calls_of_relationship_svc_are_scraped_by_method_and_code() {
    let service = "/tandem.relationship.v1.SegmentService";
    let (list, get) = (format!("{service}/ListSegments"), format!("{service}/GetSegment"));
    for engine in Engine::BOTH {
        calls_are_counted(Kind::Relationship, engine, &list, &get, "segments/none").await;
    }
}
