//! What no client should send, over plain TCP to all three ports of one server. After each case the server has
//! to answer a ping; no answer may be a 5xx, and its memory must not grow.

mod connections;
mod floods;
mod http_syntax;
mod json;
mod multipart;
mod paths;
mod tokens;
mod types;
mod wire;

use std::{
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use clearml_driver::{Api, DataDir, Report, Server};
use serde_json::{Value, json};

use self::wire::{Ending, Target};

/// Growth of the server's resident memory over the whole run, in MB.
const MOST_GROWTH: f64 = 64.0;

/// What requests may take at most, in MB: the share of `apiserver.request.max_memory_size` (192), and as much
/// again as a third for all that the estimates leave out.
const MOST_IN_USE: f64 = 256.0;

/// A rise of the peak that is worth a line, in MB.
const NOTABLE: u64 = 16;

/// How long freed memory may take to be given back.
const SETTLING: Duration = Duration::from_secs(30);

/// The statuses that refuse a request.
const REFUSALS: [u16; 13] = [400, 401, 403, 404, 405, 408, 411, 413, 414, 415, 416, 417, 431];

/// One thing that no client should send.
struct Case {
    name: String,
    target: Target,
    bytes: Vec<u8>,
    ending: Ending,
    expected: Expected,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// A 4xx, or the end of the connection.
    Refused,
    /// Anything but a 5xx.
    NoHarm,
}

/// What cases need of the server: where it is, and a token.
struct Subject {
    server: Server,
    api: Api,
    /// A running task to report to.
    task: String,
    /// Text of a file outside of what may be read.
    secret: String,
    /// The most memory that the server has taken, in MB.
    peak: AtomicU64,
}

pub(crate) async fn run(binary: &Path, only: &str, report: &mut Report) {
    println!("input: what no client should send");
    if let Err(error) = run_all(binary, only, report).await {
        report.note("input", Err(error));
    }
}

async fn run_all(binary: &Path, only: &str, report: &mut Report) -> anyhow::Result<()> {
    let mut data = DataDir::beside(binary)?;
    let mut subject = Subject::start(binary, &mut data).await?;
    let (before, _) = subject.server.memory()?;
    let failed = report.failed();

    let mut cases = http_syntax::cases(&subject);
    cases.extend(tokens::cases(&subject));
    cases.extend(json::cases(&subject));
    cases.extend(multipart::cases(&subject));
    cases.extend(paths::cases(&subject));
    for case in cases.into_iter().filter(|case| case.name.contains(only)) {
        let outcome = subject.try_case(&case).await;
        report.note(&format!("input, {}", case.name), outcome);
        subject.watch(&case.name)?;
        if subject.server.ended()?.is_some() {
            data.keep();
            bail!("the server has ended; see {}", data.log().display());
        }
    }
    types::run(&subject, only, report).await;
    connections::run(&subject, only, report).await;
    floods::run(&subject, only, report).await;
    report.note("input, nothing was written elsewhere", paths::nothing_escaped(&data));

    // What was freed goes back to the system within seconds.
    let settled = async {
        while subject.server.memory()?.0 - before > MOST_GROWTH {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        anyhow::Ok(())
    };
    let _ = tokio::time::timeout(SETTLING, settled).await;
    let (after, peak) = subject.server.memory()?;
    println!("  memory {before:.0} MB before, {after:.0} MB after, {peak:.0} MB at most");
    let growth = after - before;
    let outcome = || {
        ensure!(peak - before <= MOST_IN_USE, "the server took {:.0} MB for requests", peak - before);
        ensure!(growth <= MOST_GROWTH, "the server's memory grew by {growth:.0} MB");
        Ok(())
    };
    report.note("input, memory", outcome());
    let log = std::fs::read_to_string(data.log())?;
    let no_panic = || match log.lines().find(|line| line.contains("panicked")) {
        Some(panic) => bail!("{panic}"),
        None => Ok(()),
    };
    report.note("input, no panic", no_panic());
    if report.failed() > failed {
        data.keep();
        println!("the data directory and server.log are kept in {}", data.parent().display());
    }
    Ok(())
}

impl Subject {
    async fn start(binary: &Path, data: &mut DataDir) -> anyhow::Result<Self> {
        let server = data.start(binary).await?;
        let api = server.login().await?;
        let created = api.call("tasks.create", &json!({"name": "input", "type": "training"})).await?;
        let task = created["id"].as_str().context("no id")?.to_owned();
        api.call("tasks.started", &json!({"task": task})).await?;
        let secret = format!("{:032x}", rand::random::<u128>());
        std::fs::write(data.parent().join("outside.txt"), &secret)?;
        std::fs::write(data.path().join("outside.txt"), &secret)?;
        let peak = AtomicU64::new(server.memory()?.1 as u64);
        Ok(Self { server, api, task, secret, peak })
    }

    /// Says what made the server take much more memory than ever before.
    fn watch(&self, what: &str) -> anyhow::Result<()> {
        let peak = self.server.memory()?.1 as u64;
        let before = self.peak.fetch_max(peak, Ordering::Relaxed);
        if peak >= before + NOTABLE {
            println!("  memory {peak} MB at most after {what}");
        }
        Ok(())
    }

    fn address(&self, target: Target) -> &str {
        let url = match target {
            Target::Api => &self.server.api_url,
            Target::Files => &self.server.files_url,
            Target::Web => &self.server.web_url,
        };
        url.strip_prefix("http://").unwrap_or(url)
    }

    async fn try_case(&self, case: &Case) -> anyhow::Result<()> {
        let answer = wire::exchange(self.address(case.target), &case.bytes, case.ending).await?;
        self.judge(&answer, case.expected)?;
        self.tidy(&answer).await?;
        self.ping().await
    }

    fn judge(&self, answer: &wire::Answer, expected: Expected) -> anyhow::Result<()> {
        for status in &answer.statuses {
            ensure!(*status < 500, "answered {status}: {}", answer.start());
        }
        let leak = [self.secret.as_str(), "root:x:0", "token_secret"];
        ensure!(
            !leak.iter().any(|text| answer.contains(text)),
            "what is outside was shown: {}",
            answer.start()
        );
        if expected == Expected::Refused
            && let Some(status) = answer.statuses.iter().find(|status| !REFUSALS.contains(status))
        {
            bail!("answered {status}: {}", answer.start());
        }
        Ok(())
    }

    /// Large documents that were made are not left to the cases that follow.
    async fn tidy(&self, answer: &wire::Answer) -> anyhow::Result<()> {
        let body = answer.body().and_then(|body| serde_json::from_slice::<Value>(body).ok());
        let Some(body) = body.filter(|body| body["meta"]["endpoint"]["name"] == "tasks.create") else {
            return Ok(());
        };
        if let Some(id) = body["data"]["id"].as_str() {
            self.api.call("tasks.delete", &json!({"task": id, "force": true})).await?;
        }
        Ok(())
    }

    async fn ping(&self) -> anyhow::Result<()> {
        self.api.call("debug.ping", &Value::Null).await.context("no ping afterwards")?;
        Ok(())
    }

    /// A request whose connection the server closes after its answer.
    fn request(&self, line: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
        let length = body.len().to_string();
        let mut all = vec![("Content-Length", length.as_str())];
        all.extend(headers);
        let mut bytes = self.head(line, &all);
        bytes.extend_from_slice(body);
        bytes
    }

    /// The head of a request with a token.
    fn head(&self, line: &str, headers: &[(&str, &str)]) -> Vec<u8> {
        let mut all = vec![("Authorization", self.api.authorization.as_str())];
        all.extend(headers);
        wire::head(line, &all)
    }
}
