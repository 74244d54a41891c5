//! Clients that write through the balancers and know what has to be there afterwards.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use clearml_driver::{Api, CallError, full};
use http::{Method, Request, header};
use rand::RngExt;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// A call without an answer after so long hangs: longer than the time-outs of all stores together.
const HANGS_AFTER: Duration = Duration::from_mins(1);
/// Tasks that one client writes to before it makes a new one.
const ROUNDS_PER_TASK: i64 = 10;
/// Scalars per call.
const SCALARS: i64 = 20;

/// What the stores hold, as far as it was acknowledged.
#[derive(Default)]
struct Known {
    /// Comment of each task; `None`: two are possible, because a call got no good answer.
    comments: HashMap<String, Option<String>>,
    /// Iterations whose scalars were acknowledged.
    iterations: HashMap<String, BTreeSet<i64>>,
    /// Files with their content.
    files: HashMap<String, String>,
    calls: u64,
    failures: Vec<Failure>,
}

/// A call that failed.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) call: String,
    pub(crate) at: Instant,
    /// How long the caller waited.
    pub(crate) after: Duration,
    pub(crate) kind: FailureKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FailureKind {
    /// The connection ended without an answer.
    Lost(String),
    /// An answer with an error: status and body.
    Refused(u16, String),
    /// No answer in time.
    Hung,
}

/// Running clients.
pub(crate) struct Load {
    known: Arc<Mutex<Known>>,
    stop: CancellationToken,
    clients: JoinSet<anyhow::Result<()>>,
}

struct Client {
    api: Api,
    files_url: String,
    known: Arc<Mutex<Known>>,
    stop: CancellationToken,
}

impl Load {
    /// Starts clients.
    pub(crate) fn start(api: &Api, files_url: &str, clients: usize) -> Self {
        let mut load =
            Self { known: Arc::default(), stop: CancellationToken::new(), clients: JoinSet::new() };
        for _ in 0..clients {
            let client = Client {
                api: api.clone(),
                files_url: files_url.to_owned(),
                known: Arc::clone(&load.known),
                stop: load.stop.clone(),
            };
            load.clients.spawn(client.run());
        }
        load
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls answered well so far.
    pub(crate) fn calls(&self) -> u64 {
        self.known().calls
    }

    /// Ends the clients; what failed.
    pub(crate) async fn finish(&mut self) -> anyhow::Result<Vec<Failure>> {
        self.stop.cancel();
        while let Some(ended) = self.clients.join_next().await {
            ended??;
        }
        Ok(std::mem::take(&mut self.known().failures))
    }

    /// Compares what the stores hold with what was acknowledged; what was compared, for people.
    pub(crate) async fn verify(&self, api: &Api, files_url: &str) -> anyhow::Result<String> {
        let (comments, iterations, files) = {
            let known = self.known();
            (known.comments.clone(), known.iterations.clone(), known.files.clone())
        };
        for (task, comment) in &comments {
            let answer = api.call("tasks.get_by_id", &json!({"task": task})).await;
            let answer = answer.with_context(|| format!("task {task} was acknowledged"))?;
            let found = &answer["task"]["comment"];
            if let Some(comment) = comment {
                ensure!(found == comment, "task {task} has the comment {found}, acknowledged was {comment}");
            }
        }
        let mut scalars = 0;
        for (task, iterations) in &iterations {
            let found = stored_iterations(api, task).await?;
            let missing: Vec<_> = iterations.difference(&found).collect();
            ensure!(missing.is_empty(), "scalars of task {task} are gone: iterations {missing:?}");
            scalars += iterations.len();
        }
        for (path, content) in &files {
            let found = send(api, Method::GET, &format!("{files_url}/{path}"), None).await;
            let found = found.with_context(|| format!("file {path} was acknowledged"))?;
            ensure!(found == content.as_bytes(), "file {path} has other content");
        }
        Ok(format!("{} tasks, {scalars} scalars, {} files are there", comments.len(), files.len()))
    }
}

async fn stored_iterations(api: &Api, task: &str) -> anyhow::Result<BTreeSet<i64>> {
    let request = json!({"task": task, "samples": 6000});
    let answer = api.call("events.scalar_metrics_iter_histogram", &request).await?;
    let Some(metrics) = answer.as_object() else { bail!("no answer: {answer}") };
    let mut found: Option<BTreeSet<i64>> = None;
    for variant in metrics.values().filter_map(Value::as_object).flat_map(|variants| variants.values()) {
        let iterations = variant["x"].as_array().context("no x")?.iter().filter_map(Value::as_i64).collect();
        // An iteration is there when all its scalars are.
        found = Some(match found {
            None => iterations,
            Some(found) => &found & &iterations,
        });
    }
    Ok(found.unwrap_or_default())
}

async fn send(
    api: &Api,
    method: Method,
    url: &str,
    body: Option<(String, String)>,
) -> Result<bytes::Bytes, CallError> {
    let mut request =
        Request::builder().method(method).uri(url).header(header::AUTHORIZATION, &api.authorization);
    let mut content = String::new();
    if let Some((kind, text)) = body {
        request = request.header(header::CONTENT_TYPE, kind);
        content = text;
    }
    let request = request.body(full(content)).map_err(|error| CallError::Lost(Box::new(error)))?;
    api.http.send(request).await
}

impl Client {
    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Errors: a good answer with the wrong content.
    async fn run(self) -> anyhow::Result<()> {
        while !self.stop.is_cancelled() {
            let marker = marker();
            let request = json!({"name": format!("load {marker}"), "type": "training", "comment": marker});
            let Some(answer) = self.call("tasks.create", &request).await else { continue };
            let task = answer["id"].as_str().context("no id")?.to_owned();
            self.known().comments.insert(task.clone(), Some(marker));
            for round in 0..ROUNDS_PER_TASK {
                if self.stop.is_cancelled() {
                    return Ok(());
                }
                self.round(&task, round).await?;
            }
        }
        Ok(())
    }

    async fn round(&self, task: &str, round: i64) -> anyhow::Result<()> {
        let iterations = round * SCALARS..(round + 1) * SCALARS;
        if self.events(task, iterations.clone()).await {
            self.known().iterations.entry(task.to_owned()).or_default().extend(iterations);
        }

        let comment = marker();
        let edited = self.call("tasks.edit", &json!({"task": task, "comment": comment})).await.is_some();
        self.known().comments.insert(task.to_owned(), edited.then(|| comment.clone()));
        if let Some(answer) = self.call("tasks.get_by_id", &json!({"task": task})).await
            && edited
        {
            ensure!(answer["task"]["comment"] == comment, "an acknowledged comment does not show: {answer}");
        }

        let (path, content) = (format!("load/{task}/{round}.txt"), marker().repeat(200));
        let part = format!(
            "--x\r\nContent-Disposition: form-data; name=\"{path}\"; filename=\"{path}\"\r\n\r\n{content}\r\n--x--\r\n"
        );
        let kind = "multipart/form-data; boundary=x".to_owned();
        let upload = send(&self.api, Method::POST, &self.files_url, Some((kind, part)));
        if self.noted("upload", upload).await.is_some() {
            self.known().files.insert(path, content);
        }
        Ok(())
    }

    async fn events(&self, task: &str, iterations: std::ops::Range<i64>) -> bool {
        let lines: String = iterations
            .flat_map(|iteration| ["loss", "accuracy"].map(|metric| (iteration, metric)))
            .map(|(iteration, metric)| {
                let event = json!({
                    "type": "training_stats_scalar", "task": task, "iter": iteration,
                    "metric": metric, "variant": "train", "value": 0.5,
                });
                format!("{event}\n")
            })
            .collect();
        let call = async {
            let answer = self.api.post("events.add_batch", "application/json-lines", lines).await?;
            Ok(serde_json::from_slice::<Value>(&answer)?)
        };
        let Some(answer) = self.noted("events.add_batch", call).await else { return false };
        answer["data"]["errors"] == 0 || answer["data"]["errors"] == json!([])
    }

    async fn call(&self, endpoint: &str, request: &Value) -> Option<Value> {
        self.noted(endpoint, self.api.call(endpoint, request)).await
    }

    /// The result of a call if it was good; else it is noted as failed.
    async fn noted<T>(&self, call: &str, result: impl Future<Output = Result<T, CallError>>) -> Option<T> {
        let begun = Instant::now();
        let result = tokio::time::timeout(HANGS_AFTER, result).await;
        let kind = match result {
            Ok(Ok(answer)) => {
                let mut known = self.known();
                known.calls += 1;
                return Some(answer);
            }
            Ok(Err(CallError::Refused { status, body })) => FailureKind::Refused(status.as_u16(), body),
            Ok(Err(error)) => FailureKind::Lost(error.to_string()),
            Err(_) => FailureKind::Hung,
        };
        let failure = Failure { call: call.to_owned(), at: Instant::now(), after: begun.elapsed(), kind };
        self.known().failures.push(failure);
        // A client that fails at once is no load.
        tokio::time::sleep(Duration::from_millis(100)).await;
        None
    }
}

fn marker() -> String {
    format!("{:016x}", rand::rng().random::<u64>())
}
