//! A TCP balancer, and a cable that can be cut.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

/// How often the balancer asks a replica whether it is ready.
const PROBE_INTERVAL: Duration = Duration::from_millis(100);
/// A replica that does not answer within this time is not ready.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// What is wrong with the way to a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// Connections are cut, and new ones refused: the process is gone.
    Refused,
    /// Connections stay open, and nothing comes through: the machine is gone.
    Silent,
}

/// Takes TCP connections and passes each on to one of its targets, in turn.
pub struct Proxy {
    pub address: SocketAddr,
    fault: watch::Sender<Fault>,
    _tasks: JoinSet<()>,
}

struct Target {
    address: SocketAddr,
    is_ready: AtomicBool,
}

impl Proxy {
    /// Passes connections on to one target.
    pub async fn to(target: SocketAddr) -> anyhow::Result<Self> {
        Self::start(vec![Target { address: target, is_ready: AtomicBool::new(true) }], None).await
    }

    /// Balances over replicas as long as they answer `GET /ready` with 200, which they do now.
    pub async fn balance(targets: Vec<SocketAddr>) -> anyhow::Result<Self> {
        let targets = targets.into_iter().map(|address| Target { address, is_ready: AtomicBool::new(true) });
        Self::start(targets.collect(), Some(PROBE_INTERVAL)).await
    }

    async fn start(targets: Vec<Target>, probes: Option<Duration>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (fault, faults) = watch::channel(Fault::None);
        let targets = Arc::new(targets);
        let mut tasks = JoinSet::new();
        if let Some(interval) = probes {
            for index in 0..targets.len() {
                tasks.spawn(probe(Arc::clone(&targets), index, interval));
            }
        }
        tasks.spawn(accept(listener, address, targets, faults));
        Ok(Self { address, fault, _tasks: tasks })
    }

    /// Breaks or mends the way.
    pub fn set_fault(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }
}

async fn probe(targets: Arc<Vec<Target>>, index: usize, interval: Duration) {
    let target = &targets[index];
    loop {
        let answer = tokio::time::timeout(PROBE_TIMEOUT, is_ready(target.address)).await;
        target.is_ready.store(matches!(answer, Ok(Ok(true))), Ordering::Relaxed);
        tokio::time::sleep(interval).await;
    }
}

async fn is_ready(address: SocketAddr) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"GET /ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await?;
    let mut status = [0; 12];
    stream.read_exact(&mut status).await?;
    Ok(status.ends_with(b" 200"))
}

async fn accept(
    listener: TcpListener,
    address: SocketAddr,
    targets: Arc<Vec<Target>>,
    mut faults: watch::Receiver<Fault>,
) {
    let turn = Arc::new(AtomicUsize::new(0));
    let mut listener = Some(listener);
    let mut connections = JoinSet::new();
    loop {
        let fault = *faults.borrow_and_update();
        if fault == Fault::Refused {
            listener = None;
            connections.abort_all();
        } else if listener.is_none() {
            listener = TcpListener::bind(address).await.ok();
        }
        while connections.try_join_next().is_some() {}
        let accepted = async {
            match &listener {
                Some(listener) => listener.accept().await.ok().map(|(stream, _)| stream),
                None => std::future::pending().await,
            }
        };
        let stream = tokio::select! {
            changed = faults.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return,
            },
            stream = accepted => stream,
        };
        if let Some(stream) = stream {
            connections.spawn(pass_on(stream, Arc::clone(&targets), Arc::clone(&turn), faults.clone()));
        }
    }
}

async fn pass_on(
    mut from: TcpStream,
    targets: Arc<Vec<Target>>,
    turn: Arc<AtomicUsize>,
    mut faults: watch::Receiver<Fault>,
) {
    let Ok(mut to) = connect(&targets, &turn).await else { return };
    let _ = (from.set_nodelay(true), to.set_nodelay(true));
    loop {
        tokio::select! {
            // Dropping the copy loses nothing but what a cut loses.
            _ = copy_bidirectional(&mut from, &mut to), if *faults.borrow() == Fault::None => return,
            changed = faults.changed() => if changed.is_err() { return },
        }
        if *faults.borrow() == Fault::None {
            // A connection that was silent for a while is none that a store would still know.
            return;
        }
    }
}

/// The next replica that is ready and takes the connection.
async fn connect(targets: &[Target], turn: &AtomicUsize) -> anyhow::Result<TcpStream> {
    let first = turn.fetch_add(1, Ordering::Relaxed);
    for offset in 0..targets.len() {
        let target = &targets[(first + offset) % targets.len()];
        if !target.is_ready.load(Ordering::Relaxed) {
            continue;
        }
        if let Ok(stream) = TcpStream::connect(target.address).await {
            return Ok(stream);
        }
    }
    anyhow::bail!("no replica is ready")
}

/// A free port, for a program that has to come back on it.
pub(crate) fn free_port() -> anyhow::Result<u16> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").context("no free port")?;
    Ok(listener.local_addr()?.port())
}
