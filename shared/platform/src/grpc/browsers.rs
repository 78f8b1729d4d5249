//! Pages that may call: a browser asks first, by a preflight, whether the page's origin may.

use std::time::Duration;

use http::{HeaderName, HeaderValue, Method, Uri};
use tower::util::Either;
use tower::{Layer, layer::util::Identity};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use crate::config::{ConfigError, ServerConfig};

/// How long a browser remembers what it was answered.
const REMEMBERED: Duration = Duration::from_secs(2 * 60 * 60);
/// What a page may read of an answer, beside its body.
const SHOWN: [&str; 6] = [
    "grpc-status",
    "grpc-message",
    "grpc-status-details-bin",
    "grpc-encoding",
    "retry-after",
    "tandem-catalogue",
];

/// Fails on what is no origin.
pub fn check_origins(config: &ServerConfig) -> Result<(), ConfigError> {
    for origin in config.web_origins.iter().filter(|origin| *origin != "*") {
        let read = origin.parse::<Uri>().ok();
        let plain = read.is_some_and(|uri| {
            matches!(uri.scheme_str(), Some("http" | "https"))
                && uri.path() == "/"
                && uri.query().is_none()
                && !origin.ends_with('/')
        });
        if !plain {
            return Err(ConfigError::new(format!(
                "server.web_origins has {origin:?}: write https://shop.example, without a path, or * for every origin"
            )));
        }
    }
    Ok(())
}

/// The layer that answers preflights, where any origin may call.
pub fn browsers<S>(
    config: &ServerConfig,
) -> impl Layer<S, Service = Either<<CorsLayer as Layer<S>>::Service, S>> + Clone {
    let origins = &config.web_origins;
    let origin = if origins.iter().any(|origin| origin == "*") {
        AllowOrigin::any()
    } else {
        AllowOrigin::list(origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()))
    };
    let cors = CorsLayer::new()
        .allow_origin(origin)
        .allow_methods([Method::POST])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(SHOWN.map(HeaderName::from_static))
        .max_age(REMEMBERED);
    if origins.is_empty() { Either::Right(Identity::new()) } else { Either::Left(cors) }
}
