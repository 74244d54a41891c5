//! The nodes of a cluster: whose turn it is, and which one rests after a failure.

use std::{
    sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use elasticsearch::{
    auth::Credentials,
    cert::{Certificate, CertificateValidation},
    http::{
        Url,
        headers::{ACCEPT_ENCODING, HeaderValue},
        transport::{SingleNodeConnectionPool, Transport, TransportBuilder},
    },
};

use super::{ElasticCluster, ElasticLogin};
use crate::{EventError, EventResult};

/// Rest after the first failure; it doubles with each further one.
const SHORTEST_REST: Duration = Duration::from_secs(1);

/// The longest rest.
const LONGEST_REST: Duration = Duration::from_secs(30);

/// One node.
pub(super) struct Node {
    pub(super) transport: Transport,
    pub(super) address: String,
    /// Failures in a row.
    failures: AtomicU32,
    /// End of the rest in milliseconds since the start of [`Nodes`].
    rests_until: AtomicU64,
}

/// All nodes, used in turn.
pub(super) struct Nodes {
    all: Vec<Node>,
    turn: AtomicUsize,
    start: Instant,
}

impl Nodes {
    /// Prepares connections; none is made yet.
    pub(super) fn new(settings: &ElasticCluster) -> EventResult<Self> {
        if settings.hosts.is_empty() {
            return Err(EventError::Backend("no Elasticsearch hosts are given".to_owned()));
        }
        let nodes = settings.hosts.iter().map(|host| node(settings, host)).collect::<EventResult<_>>()?;
        Ok(Self { all: nodes, turn: AtomicUsize::new(0), start: Instant::now() })
    }

    /// Number of nodes.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// The next node that does not rest; if all do, the one whose rest ends first.
    pub(super) fn next(&self) -> &Node {
        let first = self.turn.fetch_add(1, Ordering::Relaxed);
        let now = self.now();
        let in_turn = (0..self.all.len()).map(|step| &self.all[(first.wrapping_add(step)) % self.all.len()]);
        let mut best: Option<(&Node, u64)> = None;
        for node in in_turn {
            let until = node.rests_until.load(Ordering::Relaxed);
            if until <= now {
                return node;
            }
            if best.is_none_or(|(_, earliest)| until < earliest) {
                best = Some((node, until));
            }
        }
        best.map_or(&self.all[0], |(node, _)| node)
    }

    /// Whether some node does not rest.
    pub(super) fn any_awake(&self) -> bool {
        let now = self.now();
        self.all.iter().any(|node| node.rests_until.load(Ordering::Relaxed) <= now)
    }

    /// Lets a node rest.
    pub(super) fn failed(&self, node: &Node) {
        let failures = node.failures.fetch_add(1, Ordering::Relaxed).min(8);
        let rest = (SHORTEST_REST * (1 << failures)).min(LONGEST_REST);
        node.rests_until.store(self.now() + rest.as_millis() as u64, Ordering::Relaxed);
    }

    /// Notes that a node answered.
    pub(super) fn answered(node: &Node) {
        if node.failures.swap(0, Ordering::Relaxed) > 0 {
            node.rests_until.store(0, Ordering::Relaxed);
        }
    }

    fn now(&self) -> u64 {
        self.start.elapsed().as_millis() as u64
    }
}

fn node(settings: &ElasticCluster, host: &str) -> EventResult<Node> {
    let malformed = |error: &dyn std::fmt::Display| {
        EventError::Backend(format!("Elasticsearch host {}: {error}", without_login(host)))
    };
    let mut url = Url::parse(host).map_err(|error| malformed(&error))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(malformed(&"not an http or https address"));
    }
    let login = login(settings, &mut url)?;
    let address = url.to_string();
    let mut builder = TransportBuilder::new(SingleNodeConnectionPool::new(url))
        .disable_proxy()
        .enable_meta_header(false)
        .timeout(settings.timeout)
        .request_body_compression(settings.compress);
    if !settings.compress {
        builder = builder.header(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    if let Some(login) = login {
        builder = builder.auth(login);
    }
    if !settings.verify_certificates {
        builder = builder.cert_validation(CertificateValidation::None);
    } else if let Some(pem) = &settings.authorities {
        let certificate = Certificate::from_pem(pem).map_err(|error| malformed(&error))?;
        builder = builder.cert_validation(CertificateValidation::Full(certificate));
    }
    let transport = builder.build().map_err(|error| malformed(&error))?;
    Ok(Node { transport, address, failures: AtomicU32::new(0), rests_until: AtomicU64::new(0) })
}

/// The login of the settings, or else that of the address, from which it is taken.
fn login(settings: &ElasticCluster, url: &mut Url) -> EventResult<Option<Credentials>> {
    let decode = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    let in_address = (!url.username().is_empty())
        .then(|| Credentials::Basic(decode(url.username()), decode(url.password().unwrap_or_default())));
    if in_address.is_some() {
        // An address with a host takes both.
        let _ = url.set_username("");
        let _ = url.set_password(None);
    }
    Ok(match &settings.login {
        ElasticLogin::None => in_address,
        ElasticLogin::Password { user, password } => Some(Credentials::Basic(user.clone(), password.clone())),
        ElasticLogin::ApiKey(key) => {
            let plain = key.bytes().all(|byte| byte.is_ascii_graphic());
            if key.is_empty() || !plain {
                return Err(EventError::Backend("the Elasticsearch API key is malformed".to_owned()));
            }
            Some(Credentials::EncodedApiKey(key.clone()))
        }
    })
}

/// The address as it may be logged.
fn without_login(host: &str) -> &str {
    host.rsplit_once('@').map_or(host, |(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(hosts: &[&str]) -> Nodes {
        let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
        Nodes::new(&ElasticCluster { hosts, ..ElasticCluster::default() }).unwrap()
    }

    #[test]
    fn nodes_take_turns_and_rest_after_failures() {
        let nodes = nodes(&["http://a:1", "http://b:2", "http://c:3"]);
        let turns: Vec<_> = (0..4).map(|_| nodes.next().address.clone()).collect();
        assert_eq!(turns, ["http://a:1/", "http://b:2/", "http://c:3/", "http://a:1/"]);
        nodes.failed(&nodes.all[1]);
        let turns: Vec<_> = (0..4).map(|_| nodes.next().address.clone()).collect();
        assert!(!turns.contains(&"http://b:2/".to_owned()));
        nodes.failed(&nodes.all[0]);
        nodes.failed(&nodes.all[2]);
        assert!(!nodes.any_awake());
        Nodes::answered(&nodes.all[2]);
        assert_eq!(nodes.next().address, "http://c:3/");
    }

    #[test]
    fn addresses_may_hold_logins_but_errors_do_not() {
        let nodes = nodes(&["https://user:p%40ss@a:9200/prefix"]);
        assert_eq!(nodes.next().address, "https://a:9200/prefix");
        let settings =
            ElasticCluster { hosts: vec!["ftp://u:secret@a".to_owned()], ..ElasticCluster::default() };
        let error = Nodes::new(&settings).err().unwrap().to_string();
        assert!(error.contains("a: not an http") && !error.contains("secret"), "{error}");
    }
}
