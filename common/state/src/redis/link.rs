//! The connection to a Redis: one, shared by all callers, made anew when it breaks.

use std::time::Duration;

use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionInfo, ErrorKind, IntoConnectionInfo, RedisError,
    RedisResult, ServerErrorKind, Value,
    aio::{ConnectionLike, MultiplexedConnection},
    cluster::ClusterClientBuilder,
    cluster_async::ClusterConnection,
    cluster_routing::{RoutingInfo, SingleNodeRoutingInfo},
    sentinel::{SentinelClientBuilder, SentinelServerType},
};
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

use super::{RedisServers, RedisSettings};
use crate::{StateError, StateResult};

/// For so long after a failed attempt to connect, others that wait are answered with its error.
const FAILURE_COUNTS: Duration = Duration::from_millis(250);

/// Whether a command may be sent again after it is unknown whether the first one arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    Harmless,
    Never,
}

pub(super) struct Link {
    settings: RedisSettings,
    shared: Mutex<Shared>,
}

#[derive(Default)]
struct Shared {
    connection: Option<Connection>,
    /// Number of the connection, so that only the one that broke is dropped.
    number: u64,
    failure: Option<(Instant, StateError)>,
}

#[derive(Clone)]
enum Connection {
    Server(MultiplexedConnection),
    Cluster(ClusterConnection),
}

/// Host and port of a node of a cluster.
pub(super) type Node = (String, u16);

impl Connection {
    /// `node`: of a cluster; `None`: the one that holds the command's key.
    async fn send(&mut self, command: &Cmd, node: Option<&Node>) -> RedisResult<Value> {
        match (self, node) {
            (Self::Server(connection), _) => connection.req_packed_command(command).await,
            (Self::Cluster(connection), None) => connection.req_packed_command(command).await,
            (Self::Cluster(connection), Some((host, port))) => {
                let to = SingleNodeRoutingInfo::ByAddress { host: host.clone(), port: *port };
                connection.route_command(command.clone(), RoutingInfo::SingleNode(to)).await
            }
        }
    }
}

impl Link {
    /// Connects for the first time.
    pub(super) async fn open(settings: RedisSettings) -> StateResult<Self> {
        if settings.tls.is_some() {
            // Fails if the process has one already, which is as good.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let link = Self { settings, shared: Mutex::default() };
        link.within_time(link.connection()).await??;
        Ok(link)
    }

    pub(super) fn settings(&self) -> &RedisSettings {
        &self.settings
    }

    /// Sends a command; after a broken connection once more if that is harmless.
    pub(super) async fn send(&self, command: &Cmd, repeat: Repeat) -> StateResult<Value> {
        self.send_within_time(command, None, repeat).await
    }

    /// Sends a command that changes nothing to one node of a cluster.
    pub(super) async fn ask(&self, node: Option<&Node>, command: &Cmd) -> StateResult<Value> {
        self.send_within_time(command, node, Repeat::Harmless).await
    }

    async fn send_within_time(
        &self,
        command: &Cmd,
        node: Option<&Node>,
        repeat: Repeat,
    ) -> StateResult<Value> {
        let mut used = 0;
        let attempts = async {
            let mut first = true;
            loop {
                let (mut connection, number) = self.connection().await?;
                used = number;
                let error = match connection.send(command, node).await {
                    Ok(value) => return Ok(value),
                    Err(error) => error,
                };
                let fault = Fault::of(&error);
                if fault != Fault::Answered {
                    self.discard(number).await;
                }
                let may_repeat =
                    fault == Fault::NotDone || (fault == Fault::Broken && repeat == Repeat::Harmless);
                if !(first && may_repeat) {
                    return Err(self.explain(&error));
                }
                first = false;
            }
        };
        let outcome = timeout(self.settings.timeout, attempts).await;
        if let Ok(outcome) = outcome {
            return outcome;
        }
        // Nobody knows whether the server hears this connection any more.
        self.discard(used).await;
        Err(self.no_answer())
    }

    async fn connection(&self) -> StateResult<(Connection, u64)> {
        let mut shared = self.shared.lock().await;
        if let Some(connection) = &shared.connection {
            return Ok((connection.clone(), shared.number));
        }
        if let Some((at, error)) = &shared.failure
            && at.elapsed() < FAILURE_COUNTS
        {
            return Err(error.clone());
        }
        let connected = match timeout(self.settings.connect_timeout, connect(&self.settings)).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(Unconnected::Settings(error))) => Err(error),
            Ok(Err(Unconnected::Redis(error))) => Err(self.explain(&error)),
            Err(_) => Err(self.no_answer()),
        };
        match connected {
            Ok(connection) => {
                if shared.failure.take().is_some() {
                    tracing::info!(server = %self.settings, "Redis answers again");
                }
                shared.number += 1;
                shared.connection = Some(connection.clone());
                Ok((connection, shared.number))
            }
            Err(error) => {
                if shared.failure.is_none() {
                    tracing::warn!(server = %self.settings, %error, "Redis can't be reached");
                }
                shared.failure = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    async fn discard(&self, number: u64) {
        let mut shared = self.shared.lock().await;
        if shared.number == number {
            shared.connection = None;
        }
    }

    async fn within_time<T>(&self, work: impl Future<Output = T>) -> StateResult<T> {
        timeout(self.settings.timeout, work).await.map_err(|_| self.no_answer())
    }

    fn no_answer(&self) -> StateError {
        StateError::Unavailable(format!("{} does not answer", self.settings))
    }

    pub(super) fn explain(&self, error: &RedisError) -> StateError {
        StateError::Unavailable(format!("{}: {error}", self.settings))
    }
}

/// What a failed command says about its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// The server has answered with an error.
    Answered,
    /// The connection broke; the command may have been done.
    Broken,
    /// The server does not work as a primary any more: surely not done, another connection may help.
    NotDone,
}

impl Fault {
    fn of(error: &RedisError) -> Self {
        match error.kind() {
            ErrorKind::Server(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown) => Self::NotDone,
            ErrorKind::Io
            | ErrorKind::Parse
            | ErrorKind::AuthenticationFailed
            | ErrorKind::ClusterConnectionNotFound => Self::Broken,
            _ => Self::Answered,
        }
    }
}

enum Unconnected {
    Settings(StateError),
    Redis(RedisError),
}

impl From<RedisError> for Unconnected {
    fn from(error: RedisError) -> Self {
        Self::Redis(error)
    }
}

impl From<StateError> for Unconnected {
    fn from(error: StateError) -> Self {
        Self::Settings(error)
    }
}

async fn connect(settings: &RedisSettings) -> Result<Connection, Unconnected> {
    match &settings.servers {
        RedisServers::Single(server) => {
            let info = settings.server(server).into_connection_info()?;
            let info = info.set_redis_settings(settings.login());
            let client = match settings.certificates()? {
                Some(certificates) => Client::build_with_tls(info, certificates)?,
                None => Client::open(info)?,
            };
            Ok(Connection::Server(multiplexed(settings, &client).await?))
        }
        RedisServers::Cluster(nodes) => connect_to_cluster(settings, nodes).await,
        RedisServers::Sentinel { sentinels, primary, username, password } => {
            let sentinels = sentinels.iter().map(|sentinel| settings.sentinel(sentinel));
            let mut builder = SentinelClientBuilder::new(sentinels, primary, SentinelServerType::Master)?
                .set_client_to_redis_db(i64::from(settings.database));
            if let Some(username) = &settings.username {
                builder = builder.set_client_to_redis_username(username);
            }
            if let Some(password) = &settings.password {
                builder = builder.set_client_to_redis_password(password);
            }
            if let Some(username) = username {
                builder = builder.set_client_to_sentinel_username(username);
            }
            if let Some(password) = password {
                builder = builder.set_client_to_sentinel_password(password);
            }
            if let Some(mode) = settings.tls_mode() {
                builder = builder.set_client_to_redis_tls_mode(mode).set_client_to_sentinel_tls_mode(mode);
            }
            if let Some(certificates) = settings.certificates()? {
                builder = builder
                    .set_client_to_redis_certificates(certificates.clone())
                    .set_client_to_sentinel_certificates(certificates);
            }
            let client = builder.build()?.async_get_client().await?;
            Ok(Connection::Server(multiplexed(settings, &client).await?))
        }
    }
}

async fn multiplexed(settings: &RedisSettings, client: &Client) -> RedisResult<MultiplexedConnection> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(settings.connect_timeout))
        .set_response_timeout(Some(settings.timeout));
    client.get_multiplexed_async_connection_with_config(&config).await
}

async fn connect_to_cluster(settings: &RedisSettings, nodes: &[String]) -> Result<Connection, Unconnected> {
    let nodes: Vec<ConnectionInfo> =
        nodes.iter().map(|node| settings.server(node).into_connection_info()).collect::<RedisResult<_>>()?;
    let mut builder = ClusterClientBuilder::new(nodes)
        .connection_timeout(settings.connect_timeout)
        .response_timeout(settings.timeout);
    if let Some(username) = &settings.username {
        builder = builder.username(username);
    }
    if let Some(password) = &settings.password {
        builder = builder.password(password);
    }
    if let Some(mode) = settings.tls_mode() {
        builder = builder.tls(mode);
    }
    if let Some(certificates) = settings.certificates()? {
        builder = builder.certs(certificates);
    }
    Ok(Connection::Cluster(builder.build()?.get_async_connection().await?))
}
