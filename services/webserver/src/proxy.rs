//! The services behind `/api` and `/files`: in this process or over HTTP.

use std::{net::SocketAddr, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request},
    response::Response,
};
use http::{HeaderName, HeaderValue, Uri, header, uri::Authority};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tower::ServiceExt;

/// How long a backend may take to begin its answer.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(10);

/// A service that requests are passed to.
#[allow(clippy::large_enum_variant, reason = "a process has two of them")]
pub enum Backend {
    /// A service of this process.
    InProcess(Router),
    /// A service at an `http://` address.
    Http { client: Client<HttpConnector, Body>, authority: Authority, path: String },
}

/// The address of a backend can't be used.
#[derive(Debug, thiserror::Error)]
#[error("{address} is no http:// address of a backend")]
pub struct InvalidBackend {
    address: String,
}

/// A backend did not answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BackendError {
    #[error("{0}")]
    Unreachable(#[from] hyper_util::client::legacy::Error),
    #[error("no answer within {} s", ANSWER_TIMEOUT.as_secs())]
    TimedOut,
    #[error("invalid address: {0}")]
    Address(#[from] http::Error),
}

impl Backend {
    /// A backend at an address such as `http://apiserver:8008`.
    pub fn http(address: &str) -> Result<Self, InvalidBackend> {
        let invalid = || InvalidBackend { address: address.to_owned() };
        let uri: Uri = address.parse().map_err(|_| invalid())?;
        if uri.scheme_str() != Some("http") {
            return Err(invalid());
        }
        let authority = uri.authority().cloned().ok_or_else(invalid)?;
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(Duration::from_secs(10)));
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self::Http { client, authority, path: uri.path().trim_end_matches('/').to_owned() })
    }

    /// Passes a request on and its answer back; both bodies stream.
    pub(crate) async fn call(&self, mut request: Request) -> Result<Response, BackendError> {
        let client_address =
            request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_string());
        let headers = request.headers_mut();
        for name in HOP_BY_HOP {
            headers.remove(name);
        }
        if let Some(address) = client_address.and_then(|address| HeaderValue::from_str(&address).ok()) {
            headers.insert(HeaderName::from_static("x-real-ip"), address);
        }
        if let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok())
            && let Ok(host) = host.parse::<Authority>()
            && let Ok(host) = HeaderValue::from_str(host.host())
        {
            headers.insert(header::HOST, host);
        }
        match self {
            Self::InProcess(router) => match router.clone().oneshot(request).await {
                Ok(response) => Ok(response),
                Err(never) => match never {},
            },
            Self::Http { client, authority, path } => {
                let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
                let target = format!("{path}{target}");
                *request.uri_mut() = Uri::builder()
                    .scheme("http")
                    .authority(authority.clone())
                    .path_and_query(target)
                    .build()?;
                let answer = tokio::time::timeout(ANSWER_TIMEOUT, client.request(request)).await;
                let mut response = answer.map_err(|_| BackendError::TimedOut)??;
                for name in HOP_BY_HOP {
                    response.headers_mut().remove(name);
                }
                Ok(response.map(Body::new))
            }
        }
    }
}

/// Headers that concern one connection only.
const HOP_BY_HOP: [HeaderName; 7] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];
