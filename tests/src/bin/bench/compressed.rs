//! What compression costs and saves: the same quotes for clients that accept none, gzip and zstd.

use http_body_util::{BodyExt, Full};
use prost::bytes::{BufMut, Bytes, BytesMut};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::http::Request;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tower::{Service, ServiceExt};

use crate::args::{Args, QUOTERS, Scale};
use crate::load::{self, Calls, Target};
use crate::report::{Beside, Report, Target as Aim};
use crate::{Outcome, baskets};

const SMALL: &str = "quote, 10 lines, gzip";
const LARGE: [(&str, &str); 2] = [("quote, 100 lines, gzip", "gzip"), ("quote, 100 lines, zstd", "zstd")];
const PLAIN: &str = "the same, clients that accept no compression";
const NONE: &str = "identity";

/// Whether any of these rows is asked for.
pub fn wanted(args: &Args) -> bool {
    args.wants(SMALL) || LARGE.iter().any(|(row, _)| args.wants(row))
}

/// Measures the rows that are asked for, on a service that has its catalogue.
pub async fn measure(address: &str, args: &Args, report: &mut Report, scale: &Scale) -> Outcome {
    let target = Target::connect(address, baskets::PATH).await?;
    let (small, large) = (baskets::anonymous(), baskets::large());
    if args.wants(SMALL) {
        row(&target, SMALL, "gzip", small, args, report, scale).await?;
    }
    for (name, encoding) in LARGE {
        if args.wants(name) {
            row(&target, name, encoding, large.clone(), args, report, scale).await?;
        }
    }
    Ok(())
}

async fn row(
    target: &Target,
    name: &str,
    encoding: &'static str,
    requests: Vec<Bytes>,
    args: &Args,
    report: &mut Report,
    scale: &Scale,
) -> Outcome {
    let (plain, accepting) = (target.accepting(NONE), target.accepting(encoding));
    let (before, after) =
        (plain.call(requests[0].clone()).await?, accepting.call(requests[0].clone()).await?);
    eprintln!("{name}: {} bytes instead of {}", after.len(), before.len());
    let calls = Calls::again(requests);
    let (mut compressed, mut uncompressed) = (vec![], vec![]);
    for round in 1..=args.rounds {
        eprintln!("{name}, round {round}");
        for (target, rates) in [(&plain, &mut uncompressed), (&accepting, &mut compressed)] {
            load::run(target, &calls, QUOTERS, scale.warm_up).await?;
            let measured = load::run(target, &calls, QUOTERS, scale.measure).await?;
            eprintln!("  {}", measured.shown());
            rates.push(measured.rate());
        }
    }
    report.add(
        name,
        "1/s",
        &compressed,
        Beside { yardstick: PLAIN, values: &uncompressed, target: Aim::None },
    );
    Ok(())
}

/// One call whose answer may be compressed, and is not read.
pub async fn call(
    channel: &mut Channel,
    path: &PathAndQuery,
    accepted: &'static str,
    message: Bytes,
) -> Result<Bytes, Status> {
    let mut frame = BytesMut::with_capacity(5 + message.len());
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    frame.put(message);
    let request = Request::post(path.as_str())
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("grpc-accept-encoding", accepted)
        .body(Body::new(Full::new(frame.freeze())))
        .map_err(|error| Status::from_error(error.into()))?;
    let channel = channel.ready().await.map_err(|error| Status::from_error(error.into()))?;
    let answer = channel.call(request).await.map_err(|error| Status::from_error(error.into()))?;
    if let Some(refused) = Status::from_header_map(answer.headers()) {
        return Err(refused);
    }
    let answer = answer.into_body().collect().await?;
    match answer.trailers().and_then(Status::from_header_map) {
        Some(status) if status.code() == tonic::Code::Ok => Ok(answer.to_bytes()),
        Some(refused) => Err(refused),
        None => Err(Status::unknown("an answer without a status")),
    }
}
