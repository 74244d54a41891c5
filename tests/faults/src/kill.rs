//! Kills the server again and again on one data directory while clients write, and compares what is there
//! after each restart with what was acknowledged.
//!
//! Each lane is one client that makes one call after the other, so at the moment of the kill at most one of
//! its calls is unanswered: that one may have happened in full or not at all, everything before must be there.

mod documents;
mod events;
mod files;
mod kinds;
mod queue;
mod removals;

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use async_trait::async_trait;
use clearml_driver::{Api, CallError, DataDir, Report, Server};
use futures::future::{join_all, try_join_all};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::process::Command;

/// How often the server is killed.
pub(crate) const ROUNDS: u32 = 200;
/// Longest time between the first write and the kill.
const LONGEST_LIFE: Duration = Duration::from_millis(400);
/// One of so many rounds kills the server once more while it starts.
const KILL_DURING_START: u32 = 8;

/// What lanes need of a running server.
pub(crate) struct Session {
    api: Api,
    files_url: String,
    /// Where the file server keeps files.
    files: PathBuf,
    round: u32,
}

/// How much is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// What the last round touched, and a sample of everything else.
    Recent,
    All,
}

/// A client that knows what has to be there.
#[async_trait]
pub(crate) trait Lane: Send {
    /// Writes until the server is gone. Errors: an answer that should not be.
    async fn write(&mut self, session: &Session) -> anyhow::Result<()>;

    /// Compares what is there with what has to be.
    async fn verify(&mut self, session: &Session, scope: Scope) -> anyhow::Result<()>;

    /// What was acknowledged so far, for people.
    fn summary(&self) -> String;
}

/// The result of a call; `None`: the server was gone before it answered.
pub(crate) fn answered<T>(result: Result<T, CallError>) -> anyhow::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(CallError::Lost(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

pub(crate) async fn run(binary: &Path, rounds: u32, seed: u64, report: &mut Report) {
    println!("kill: {rounds} rounds, seed {seed}");
    report.note("first start", first_starts(binary, seed).await);
    let mut data = match DataDir::beside(binary) {
        Ok(data) => data,
        Err(error) => return report.note("kill", Err(error)),
    };
    let mut test = KillTest::new(binary, seed);
    for round in 1..=rounds {
        let outcome = test.round(&mut data, round).await;
        report.note(&format!("kill, round {round}, seed {seed}"), outcome);
        if report.failed() > 0 {
            break;
        }
    }
    if report.failed() == 0 {
        report.note("kill, everything at the end", test.finish(&mut data).await);
    }
    if report.failed() > 0 {
        data.keep();
        println!("the data directory and server.log are kept in {}", data.parent().display());
    }
}

struct KillTest<'a> {
    binary: &'a Path,
    random: StdRng,
    lanes: Vec<Box<dyn Lane>>,
    /// The token of the first start has to be good for all.
    authorization: Option<String>,
    /// Times from exec to ready, and of the verification.
    starts: Vec<Duration>,
    verifications: Vec<Duration>,
}

impl<'a> KillTest<'a> {
    fn new(binary: &'a Path, seed: u64) -> Self {
        let random = |lane: u64| StdRng::seed_from_u64(seed.wrapping_add(lane));
        let lanes: Vec<Box<dyn Lane>> = vec![
            Box::new(documents::Documents::<kinds::Tasks>::new(1, random(1))),
            Box::new(documents::Documents::<kinds::Tasks>::new(2, random(2))),
            Box::new(documents::Documents::<kinds::Models>::new(3, random(3))),
            Box::new(events::Events::new(4, random(4))),
            Box::new(events::Events::new(5, random(5))),
            Box::new(files::Files::new(6, random(6))),
            Box::new(files::Files::new(7, random(7))),
            Box::new(queue::Queue::default()),
            Box::new(removals::Removals::default()),
        ];
        Self {
            binary,
            random: random(0),
            lanes,
            authorization: None,
            starts: Vec::new(),
            verifications: Vec::new(),
        }
    }

    /// Start, comparison, writes, kill.
    async fn round(&mut self, data: &mut DataDir, round: u32) -> anyhow::Result<()> {
        if round > 1 && self.random.random_ratio(1, KILL_DURING_START) {
            let mut process = data.spawn(Command::new(self.binary))?;
            tokio::time::sleep(self.random.random_range(Duration::ZERO..LONGEST_LIFE)).await;
            process.kill().await?;
        }
        let (mut server, session) = self.start(data, round).await?;
        self.verify(&session, Scope::Recent).await?;

        let life = self.random.random_range(Duration::ZERO..LONGEST_LIFE);
        let kill = async {
            tokio::time::sleep(life).await;
            server.kill().await
        };
        let (written, killed) =
            tokio::join!(join_all(self.lanes.iter_mut().map(|lane| lane.write(&session))), kill);
        killed?;
        written.into_iter().collect::<anyhow::Result<Vec<()>>>().context("before the kill")?;
        if round.is_multiple_of(50) {
            println!("  {round} rounds");
        }
        Ok(())
    }

    async fn start(&mut self, data: &mut DataDir, round: u32) -> anyhow::Result<(Server, Session)> {
        let started = Instant::now();
        let server = data.start(self.binary).await?;
        self.starts.push(started.elapsed());
        let api = match &self.authorization {
            Some(authorization) => Api::with_authorization(&server.api_url, authorization.clone()),
            None => server.login().await?,
        };
        self.authorization = Some(api.authorization.clone());
        let files = data.path().join("files");
        let leftovers = std::fs::read_dir(files.join(".clearml-uploads"))?.count();
        ensure!(leftovers == 0, "{leftovers} unfinished uploads were left after the start");
        let session = Session { api, files_url: server.files_url.clone(), files, round };
        Ok((server, session))
    }

    async fn verify(&mut self, session: &Session, scope: Scope) -> anyhow::Result<()> {
        let started = Instant::now();
        try_join_all(self.lanes.iter_mut().map(|lane| lane.verify(session, scope))).await?;
        self.verifications.push(started.elapsed());
        Ok(())
    }

    async fn finish(&mut self, data: &mut DataDir) -> anyhow::Result<()> {
        let (mut server, session) = self.start(data, 0).await?;
        self.verify(&session, Scope::Recent).await?;
        self.verify(&session, Scope::All).await?;
        removals::no_orphans(&data.path()).await?;
        for lane in &self.lanes {
            println!("  {}", lane.summary());
        }
        server.kill().await?;
        let log = std::fs::read_to_string(data.log())?;
        let panic = log.lines().find(|line| line.contains("panicked"));
        ensure!(panic.is_none(), "the server panicked: {}", panic.unwrap_or_default());
        self.print_times();
        Ok(())
    }

    /// Whether starts take longer as the data grow is for people to see: a loaded machine proves nothing.
    fn print_times(&self) {
        let median = |times: &[Duration]| {
            let mut times = times.to_vec();
            times.sort_unstable();
            times.get(times.len() / 2).copied().unwrap_or_default()
        };
        for (name, times) in [("start", &self.starts), ("verification", &self.verifications)] {
            let quarter = times.len() / 4;
            let (first, last) = (&times[..quarter], &times[times.len() - quarter..]);
            println!("  {name}: median {:.0?} at first, {:.0?} at last", median(first), median(last));
        }
    }
}

/// Kills servers that just make their data directory: the next start has to bring a usable one.
async fn first_starts(binary: &Path, seed: u64) -> anyhow::Result<()> {
    let mut random = StdRng::seed_from_u64(seed);
    for _ in 0..10 {
        let mut data = DataDir::beside(binary)?;
        let mut process = data.spawn(Command::new(binary))?;
        let life = random.random_range(Duration::ZERO..LONGEST_LIFE);
        tokio::time::sleep(life).await;
        process.kill().await?;
        let usable = async {
            let server = data.start(binary).await?;
            if data.credentials.is_some() {
                return server.login().await;
            }
            // The first user was made, but the pair was never shown.
            let pair = new_credentials(binary, &data).await?;
            Api::login(&server.api_url, &pair.key, &pair.secret).await
        };
        if let Err(error) = usable.await {
            data.keep();
            let context = format!("killed {life:?} after its first start, in {}", data.parent().display());
            return Err(error.context(context));
        }
    }
    Ok(())
}

/// A key pair made by the administrator's command.
async fn new_credentials(binary: &Path, data: &DataDir) -> anyhow::Result<clearml_driver::Credentials> {
    let command = ["credentials", "create", "--print", "json", "--data-dir"];
    let output = Command::new(binary).args(command).arg(data.path()).output().await?;
    ensure!(output.status.success(), "credentials create: {}", String::from_utf8_lossy(&output.stderr));
    let made: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let text = |key: &str| made[key].as_str().map(str::to_owned).context("no key pair");
    Ok(clearml_driver::Credentials { key: text("access_key")?, secret: text("secret_key")? })
}
