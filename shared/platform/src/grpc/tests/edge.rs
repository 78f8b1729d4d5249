//! What callers are told, whoever refuses.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{ServerReflectionRequest, ServerReflectionResponse};
use tonic_types::StatusExt;

use super::*;

#[tokio::test]
async fn a_call_learns_who_asks_for_whom_and_until_when() {
    let server = Server::start(settings()).await;
    let channel = server.channel();
    let plain = send(&channel, "Ask", ask("call", "")).await.unwrap();
    assert_eq!(plain.message, "default anonymous true");

    let mut call = Call::system("shop-7");
    call.trace = crate::trace::Trace(0xfeed);
    let request = outgoing(&call, PATIENCE, ask("call", "").into_inner());
    let said = send(&channel, "Ask", request).await.unwrap();
    assert_eq!(said.message, "shop-7 system true");
    assert_eq!(said.locale, call.trace.to_string());
}

#[tokio::test]
async fn an_ill_formed_tenant_is_an_invalid_argument() {
    let server = Server::start(settings()).await;
    let mut request = ask("echo", "");
    request.metadata_mut().insert(TENANT, "No Such".parse().unwrap());
    let status = send(&server.channel(), "Ask", request).await.unwrap_err();
    assert_eq!(told(&status).0, Code::InvalidArgument);
    assert_eq!(status.get_error_details().bad_request().unwrap().field_violations[0].field, TENANT);
}

#[tokio::test]
async fn a_message_past_the_limit_is_told_the_limit_and_smaller_ones_pass() {
    let server = Server::start(settings()).await;
    let channel = server.channel();
    let status = send(&channel, "Ask", ask("echo", &"x".repeat(10 << 20))).await.unwrap_err();
    let (code, reason, metadata) = told(&status);
    assert_eq!((code, reason.as_str()), (Code::OutOfRange, "MESSAGE_TOO_LARGE"));
    assert_eq!(metadata["limit_bytes"], (4 << 20).to_string());
    assert!(metadata["size_bytes"].parse::<u64>().unwrap() > 10 << 20);
    // The connection survives, and what fits passes.
    let large = "x".repeat(4_000_000);
    assert_eq!(send(&channel, "Ask", ask("echo", &large)).await.unwrap().message, large);
}

#[tokio::test]
async fn bytes_that_are_no_text_are_an_invalid_argument() {
    let server = Server::start(settings()).await;
    let broken = Any { type_url: "echo".to_owned(), value: vec![0xff, 0xfe] };
    let status = send(&server.channel(), "Ask", Request::new(broken)).await.unwrap_err();
    let (code, reason, _) = told(&status);
    assert_eq!((code, reason.as_str()), (Code::InvalidArgument, "INVALID_ARGUMENT"));
}

#[tokio::test]
async fn an_unknown_method_or_service_is_unimplemented_with_a_reason() {
    let server = Server::start(settings()).await;
    let channel = server.channel();
    let method = send(&channel, "NoSuch", ask("", "")).await.unwrap_err();
    let (code, reason, _) = told(&method);
    assert_eq!((code, reason.as_str()), (Code::Unimplemented, "UNIMPLEMENTED"));

    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.unwrap();
    let codec = ProstCodec::<LocalizedMessage, LocalizedMessage>::default();
    let service = client.unary(ask("", ""), "/no.Such/Method".parse().unwrap(), codec).await.unwrap_err();
    assert_eq!(told(&service).1, "UNIMPLEMENTED");
}

#[tokio::test]
async fn a_panic_is_an_internal_answer_and_the_connection_lives_on() {
    let server = Server::start(settings()).await;
    let channel = server.channel();
    let status = send(&channel, "Ask", ask("panic", "")).await.unwrap_err();
    let (code, reason, metadata) = told(&status);
    assert_eq!((code, reason.as_str()), (Code::Internal, "INTERNAL"));
    assert_eq!(metadata["trace"].len(), 32);
    assert!(send(&channel, "Ask", ask("echo", "")).await.is_ok());

    let status = send(&channel, "Burst", ask("", "")).await.unwrap_err();
    assert_eq!(told(&status).1, "INTERNAL");
    assert!(send(&channel, "Ask", ask("echo", "")).await.is_ok());
}

#[tokio::test]
async fn an_internal_answer_has_the_callers_trace_and_not_the_cause() {
    let server = Server::start(settings()).await;
    let mut call = Call::system("default");
    call.trace = crate::trace::Trace(0xbeef);
    let request = outgoing(&call, PATIENCE, ask("internal", "").into_inner());
    let status = send(&server.channel(), "Ask", request).await.unwrap_err();
    assert_eq!(told(&status).2["trace"], call.trace.to_string());
    assert!(!format!("{status:?}").contains("secret"));

    // A stream fails in its trailers.
    let status = send(&server.channel(), "Fail", ask("", "")).await.unwrap_err();
    assert_eq!(told(&status).2["trace"].len(), 32);
}

#[tokio::test]
async fn five_hundred_violations_arrive_within_4_kib() {
    let server = Server::start(settings()).await;
    let status = send(&server.channel(), "Ask", ask("invalid", &"f".repeat(40))).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.details().len() <= 4 * 1024);
    let shown = status.get_error_details().bad_request().unwrap().field_violations.len();
    assert_eq!(shown + told(&status).2["violations_omitted"].parse::<usize>().unwrap(), 500);
}

#[tokio::test]
async fn health_is_not_serving_until_told_and_an_unknown_service_has_a_reason() {
    let server = Server::start(settings()).await;
    let mut client = HealthClient::new(server.channel());
    for service in ["", "tandem.test.Probe"] {
        let asked = HealthCheckRequest { service: service.to_owned() };
        assert_eq!(client.check(asked).await.unwrap().into_inner().status, 2, "{service:?}");
    }
    for (serving, whole, reads) in [
        (Serving::Everything, 1, 1),
        (Serving::Reads, 2, 1),
        (Serving::Nothing, 2, 2),
        (Serving::Everything, 1, 1),
    ] {
        server.health.set_serving(serving).await;
        for (service, expected) in [("", whole), ("tandem.test.Probe", whole), ("tandem.reads", reads)] {
            let asked = HealthCheckRequest { service: service.to_owned() };
            let answer = client.check(asked).await.unwrap().into_inner();
            assert_eq!(answer.status, expected, "{serving:?} {service:?}");
        }
    }
    let unknown = client.check(HealthCheckRequest { service: "no.Such".to_owned() }).await.unwrap_err();
    assert_eq!(told(&unknown).1, "NOT_FOUND");
}

#[tokio::test]
async fn reflection_lists_the_services_of_this_process() {
    let server = Server::start(settings()).await;
    let mut client = ServerReflectionClient::new(server.channel());
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut answers = client.server_reflection_info(tokio_stream::once(request)).await.unwrap().into_inner();
    let answer: ServerReflectionResponse = answers.message().await.unwrap().unwrap();
    let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else {
        panic!("{answer:?}")
    };
    let mut names: Vec<_> = list.service.into_iter().map(|service| service.name).collect();
    names.sort();
    assert_eq!(names, ["grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "tandem.test.Probe"]);
}

#[tokio::test]
async fn a_browser_is_answered_over_http_1() {
    let server = Server::start(settings()).await;
    let mut browser = TcpStream::connect(server.address).await.unwrap();
    // One gRPC frame with an empty message.
    let head = "POST /grpc.health.v1.Health/Check HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
                content-type: application/grpc-web+proto\r\ncontent-length: 5\r\n\r\n";
    browser.write_all(head.as_bytes()).await.unwrap();
    browser.write_all(&[0; 5]).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(PATIENCE, browser.read_to_end(&mut answer)).await.unwrap().unwrap();
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("application/grpc-web"), "{answer}");
    assert!(answer.contains("grpc-status:0"), "{answer}");
}

/// What a browser hears that asks whether a page of this origin may call.
async fn preflight(server: &Server, origin: &str) -> String {
    let mut browser = TcpStream::connect(server.address).await.unwrap();
    let head = format!(
        "OPTIONS /grpc.health.v1.Health/Check HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\norigin: {origin}\r\n\
         access-control-request-method: POST\r\n\
         access-control-request-headers: content-type,tandem-tenant,x-grpc-web\r\n\r\n"
    );
    browser.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(PATIENCE, browser.read_to_string(&mut answer)).await.unwrap().unwrap();
    answer.to_lowercase()
}

#[tokio::test]
async fn pages_of_the_origins_that_are_named_may_call_and_no_others() {
    let named = ["https://shop.example", "http://localhost:3000"].map(str::to_owned).to_vec();
    let server = Server::start(ServerConfig { web_origins: named, ..settings() }).await;
    let answer = preflight(&server, "https://shop.example").await;
    assert!(answer.starts_with("http/1.1 200"), "{answer}");
    for line in [
        "access-control-allow-origin: https://shop.example",
        "access-control-allow-methods: post",
        "access-control-allow-headers: content-type,tandem-tenant,x-grpc-web",
        "access-control-max-age: 7200",
    ] {
        assert!(answer.contains(line), "{line}: {answer}");
    }
    assert!(!preflight(&server, "https://other.example").await.contains("access-control-allow-origin"));

    let everybody = Server::start(ServerConfig { web_origins: vec!["*".to_owned()], ..settings() }).await;
    assert!(preflight(&everybody, "https://other.example").await.contains("access-control-allow-origin: *"));
    let nobody = Server::start(settings()).await;
    assert!(!preflight(&nobody, "https://shop.example").await.contains("access-control-allow-origin"));
}

#[tokio::test]
async fn a_page_reads_the_answer_and_its_status() {
    let named = vec!["https://shop.example".to_owned()];
    let server = Server::start(ServerConfig { web_origins: named, ..settings() }).await;
    let mut browser = TcpStream::connect(server.address).await.unwrap();
    let head = "POST /grpc.health.v1.Health/Check HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
                origin: https://shop.example\r\ncontent-type: application/grpc-web+proto\r\ncontent-length: 5\r\n\r\n";
    browser.write_all(head.as_bytes()).await.unwrap();
    browser.write_all(&[0; 5]).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(PATIENCE, browser.read_to_end(&mut answer)).await.unwrap().unwrap();
    let answer = String::from_utf8_lossy(&answer).to_lowercase();
    assert!(answer.contains("access-control-allow-origin: https://shop.example"), "{answer}");
    assert!(answer.contains("access-control-expose-headers: grpc-status,grpc-message"), "{answer}");
    assert!(answer.contains("grpc-status:0"), "{answer}");
}

#[test]
fn what_is_no_origin_is_refused_by_name() {
    for origin in
        ["shop.example", "https://shop.example/", "https://shop.example/till", "ftp://shop.example", ""]
    {
        let config = ServerConfig { web_origins: vec![origin.to_owned()], ..settings() };
        let refusal = check_origins(&config).unwrap_err().to_string();
        assert!(
            refusal.contains("server.web_origins") && refusal.contains(&format!("{origin:?}")),
            "{refusal}"
        );
    }
}

#[tokio::test]
async fn every_call_is_counted_by_code_also_one_whose_caller_went_away() {
    let server = Server::start(settings()).await;
    let channel = server.channel();
    send(&channel, "Ask", ask("echo", "")).await.unwrap();
    send(&channel, "Ask", ask("no-such", "")).await.unwrap_err();
    let mut waiting = Box::pin(send(&channel, "Ask", ask("wait", "")));
    assert!(futures::poll!(&mut waiting).is_pending());
    tokio::select! {
        _ = &mut waiting => panic!("answered"),
        () = async { for _ in 0..3 { server.entered().await } } => {}
    }
    assert_eq!(server.active(), 1);
    drop(waiting);
    until(|| server.ended("CANCELLED") == 1).await;
    assert_eq!((server.ended("OK"), server.ended("NOT_FOUND")), (1, 1));
    assert_eq!(server.active(), 0);
}
