//! HTTP listeners that drain: after the shutdown has begun, calls in progress may end.

use std::{net::SocketAddr, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, State},
    middleware::Next,
};
use http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;
use tower_http::catch_panic::CatchPanicLayer;

use crate::Shutdown;

/// Longest time for a caller to send the head of a request; also how long an idle connection may stay.
const HEADER_TIMEOUT: Duration = Duration::from_mins(2);
/// Largest head of a request, and most of a body that is read at once, in bytes.
const MAX_HEAD: usize = 256 * 1024;

/// A bound port that nobody serves yet.
#[derive(Debug)]
pub struct Listening {
    listener: TcpListener,
    /// With the real port, where 0 was asked for.
    pub address: SocketAddr,
}

/// Binds a port. The error names the address, and says what to do if it is taken.
pub async fn bind(address: SocketAddr, service: &str) -> std::io::Result<Listening> {
    let bound = async {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Listening { listener, address })
    };
    bound.await.map_err(|error: std::io::Error| {
        let hint = if error.kind() == std::io::ErrorKind::AddrInUse {
            "; hint: another program has this port, maybe another server; choose another, or 0 for a free one"
        } else {
            ""
        };
        std::io::Error::new(error.kind(), format!("the {service} can't listen on {address}: {error}{hint}"))
    })
}

/// Serves until the shutdown begins, then lets calls in progress end for as long as `drain_timeout`.
/// Panics of handlers are answered with 500.
pub async fn serve(listening: Listening, router: Router, shutdown: Shutdown, drain_timeout: Duration) {
    let router = router
        .layer(CatchPanicLayer::custom(answer_panic))
        .layer(axum::middleware::from_fn_with_state(shutdown.clone(), close_connections));
    let graceful = GracefulShutdown::new();
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).max_buf_size(MAX_HEAD);

    loop {
        let accepted = tokio::select! {
            accepted = listening.listener.accept() => accepted,
            () = shutdown.begun() => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, or a caller that went away: others may still be served.
                tracing::warn!(%error, "failed to accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let connection =
            server.serve_connection(TokioIo::new(prepare(stream)), service(router.clone(), peer));
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, %peer, "connection ended early");
            }
        });
    }
    drop(listening.listener);

    if tokio::time::timeout(drain_timeout, graceful.shutdown()).await.is_err() {
        tracing::warn!(timeout_sec = drain_timeout.as_secs(), "calls still in progress are cut off");
    }
}

fn prepare(stream: TcpStream) -> TcpStream {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "failed to set TCP_NODELAY");
    }
    stream
}

/// The router as hyper wants it, with the caller's address for those who ask.
fn service(
    router: Router,
    peer: SocketAddr,
) -> impl hyper::service::Service<
    Request<Incoming>,
    Response = Response<Body>,
    Error = std::convert::Infallible,
    Future: Send + 'static,
> + Send
+ 'static {
    hyper::service::service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().oneshot(request)
    })
}

/// Ends the connection after an answer where the next call had better come on another one: when the server is
/// about to stop, and always for the clearml SDK and agent, as the official server does. They fork, and both
/// processes go on with the connections they share: their requests would mix on one that stays open.
async fn close_connections(
    State(shutdown): State<Shutdown>,
    request: Request<Body>,
    next: Next,
) -> Response<Body> {
    let agent = request.headers().get(header::USER_AGENT);
    let forks = agent.is_some_and(|agent| agent.as_bytes().starts_with(b"python-requests/"));
    let mut response = next.run(request).await;
    if forks || shutdown.is_announced() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

#[expect(clippy::needless_pass_by_value, reason = "the layer's signature")]
fn answer_panic(panic: Box<dyn std::any::Any + Send>) -> Response<Body> {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("unknown");
    tracing::error!(panic = text, "a handler panicked");
    let mut response = Response::new(Body::from("Internal server error"));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}
