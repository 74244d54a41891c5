//! A lane that reports scalars and logs, and deletes older tasks with their events.

use std::fmt::Write;

use anyhow::{Context, bail, ensure};
use async_trait::async_trait;
use clearml_driver::CallError;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

use super::{Lane, Scope, Session, answered};

/// Old tasks looked at after each round.
const SAMPLE: usize = 3;
const VARIANTS: [&str; 2] = ["train", "validation"];

pub(crate) struct Events {
    lane: u32,
    random: StdRng,
    tasks: Vec<Reported>,
    open: Option<Open>,
    touched: Vec<usize>,
    batches: u64,
    reported: u64,
}

/// A task with what was reported to it.
struct Reported {
    id: String,
    deleted: bool,
    batches: Vec<Batch>,
}

/// One call of `add_batch`; its values follow from the seed.
#[derive(Clone)]
struct Batch {
    seed: u64,
    first_iteration: i64,
    iterations: i64,
    lines: usize,
    /// The task's statistics hold it. A call without an answer may have stored its events and no more.
    counted: bool,
}

/// The call without an answer, and the task that it was about.
enum Open {
    Batch(usize, Batch),
    Deletion(usize),
}

impl Batch {
    /// Iteration and value of each scalar of a variant. All are exact in few digits.
    fn scalars(&self, variant: usize) -> impl Iterator<Item = (i64, f64)> {
        let mut random = StdRng::seed_from_u64(self.seed.wrapping_add(variant as u64));
        (self.first_iteration..self.first_iteration + self.iterations)
            .map(move |iteration| (iteration, f64::from(random.random_range(-1_000_000..1_000_000)) / 64.0))
    }

    fn messages(&self) -> impl Iterator<Item = String> {
        (0..self.lines).map(|line| format!("{:016x} line {line}: {}", self.seed, "words ".repeat(line % 20)))
    }

    fn body(&self, task: &str) -> String {
        let mut body = String::new();
        let time = 1_700_000_000_000 + self.first_iteration * 1000;
        for (variant, name) in VARIANTS.iter().enumerate() {
            for (iteration, value) in self.scalars(variant) {
                let event = json!({
                    "type": "training_stats_scalar", "task": task, "metric": "loss", "variant": name,
                    "iter": iteration, "value": value, "timestamp": time,
                });
                let _ = writeln!(body, "{event}");
            }
        }
        for (line, message) in self.messages().enumerate() {
            let event = json!({
                "type": "log", "task": task, "level": "INFO", "msg": message, "timestamp": time + line as i64,
            });
            let _ = writeln!(body, "{event}");
        }
        body
    }

    fn size(&self) -> u64 {
        self.iterations as u64 * VARIANTS.len() as u64 + self.lines as u64
    }
}

impl Events {
    pub(crate) fn new(lane: u32, random: StdRng) -> Self {
        Self { lane, random, tasks: Vec::new(), open: None, touched: Vec::new(), batches: 0, reported: 0 }
    }

    /// A running task. Those of one round go on in the next now and then.
    async fn task(&mut self, session: &Session) -> anyhow::Result<Option<usize>> {
        if let Some(last) = self.tasks.len().checked_sub(1)
            && !self.tasks[last].deleted
            && self.random.random_ratio(1, 3)
        {
            return Ok(Some(last));
        }
        let request = json!({"name": format!("events {}-{}", self.lane, session.round), "type": "training"});
        let Some(created) = answered(session.api.call("tasks.create", &request).await)? else {
            return Ok(None);
        };
        let id = created["id"].as_str().context("no id")?.to_owned();
        let Some(_) = answered(session.api.call("tasks.started", &json!({"task": id})).await)? else {
            return Ok(None);
        };
        self.tasks.push(Reported { id, deleted: false, batches: Vec::new() });
        Ok(Some(self.tasks.len() - 1))
    }

    async fn report(&mut self, session: &Session, task: usize) -> anyhow::Result<bool> {
        let reported = &self.tasks[task];
        let first_iteration =
            reported.batches.last().map_or(0, |batch| batch.first_iteration + batch.iterations);
        let batch = Batch {
            seed: self.random.random(),
            first_iteration,
            iterations: if self.random.random_ratio(1, 10) { 1000 } else { self.random.random_range(1..100) },
            lines: self.random.random_range(0..50),
            counted: true,
        };
        let body = batch.body(&reported.id);
        self.open = Some(Open::Batch(task, batch.clone()));
        let answer = answered(session.api.post("events.add_batch", "application/json-lines", body).await)?;
        let Some(answer) = answer else { return Ok(false) };
        self.open = None;
        let answer: Value = serde_json::from_slice(&answer)?;
        ensure!(answer["data"]["added"] == batch.size(), "{} events: {answer}", batch.size());
        self.batches += 1;
        self.reported += batch.size();
        self.tasks[task].batches.push(batch);
        Ok(true)
    }

    async fn delete(&mut self, session: &Session, task: usize) -> anyhow::Result<bool> {
        if self.tasks[task].deleted {
            return Ok(true);
        }
        self.touched.push(task);
        self.open = Some(Open::Deletion(task));
        let request = json!({"task": self.tasks[task].id, "force": true});
        let Some(_) = answered(session.api.call("tasks.delete", &request).await)? else {
            return Ok(false);
        };
        self.open = None;
        self.tasks[task].deleted = true;
        Ok(true)
    }

    async fn compare(&mut self, session: &Session, index: usize) -> anyhow::Result<()> {
        let reported = &mut self.tasks[index];
        let context = || format!("task {} of round {} or before", reported.id, session.round);
        let task = match session.api.call("tasks.get_by_id", &json!({"task": reported.id})).await {
            Ok(answer) => answer["task"].clone(),
            Err(CallError::Refused { .. }) if reported.deleted => return Ok(()),
            Err(CallError::Refused { .. }) if matches!(self.open, Some(Open::Deletion(open)) if open == index) =>
            {
                reported.deleted = true;
                self.open = None;
                return Ok(());
            }
            Err(error) => return Err(error).with_context(context),
        };
        ensure!(!reported.deleted, "task {} is there again", reported.id);
        ensure!(task["status"] == "in_progress", "task {} is {}", reported.id, task["status"]);

        let open = match self.open.take() {
            Some(Open::Batch(open, batch)) if open == index => Some(batch),
            // The task is there, so all its events have to be.
            Some(Open::Deletion(open)) if open == index => None,
            other => {
                self.open = other;
                None
            }
        };
        let scalars = scalars_match(session, reported, open.as_ref()).await.with_context(context)?;
        let lines = logs_match(session, reported, open.as_ref()).await.with_context(context)?;
        if let Some(mut batch) = open {
            ensure!(
                scalars == lines || batch.lines == 0,
                "of a call to task {} without an answer the scalars are there: {scalars}, the log lines: {lines}",
                reported.id
            );
            batch.counted = scalars && statistics_match(&task, reported, Some(&batch)).is_ok();
            if scalars {
                reported.batches.push(batch);
            }
        }
        statistics_match(&task, reported, None).with_context(context)
    }
}

/// Compares the scalars. The answer: those of `open` are there too.
async fn scalars_match(session: &Session, task: &Reported, open: Option<&Batch>) -> anyhow::Result<bool> {
    let request = json!({"task": task.id, "metric": {"metric": "loss"}, "batch_size": 200_000});
    let answer = session.api.call("events.scalar_metrics_iter_raw", &request).await?;
    let mut with_open = Vec::new();
    for (variant, name) in VARIANTS.iter().enumerate() {
        let found = &answer["variants"][name];
        let list = |key: &str| found[key].as_array().cloned().unwrap_or_default();
        let (x, y) = (list("iter"), list("y"));
        ensure!(x.len() == y.len(), "{} iterations and {} values", x.len(), y.len());
        let found: Vec<_> = x.iter().map(Value::as_i64).zip(y.iter().map(Value::as_f64)).collect();
        let expected = task.batches.iter().flat_map(|batch| batch.scalars(variant));
        let expected: Vec<_> = expected.map(|(x, y)| (Some(x), Some(y))).collect();
        let rest = found.strip_prefix(expected.as_slice());
        let Some(rest) = rest else { bail!("{name}: {}", first_difference(&expected, &found)) };
        let of_open = open.map(|batch| batch.scalars(variant).collect::<Vec<_>>()).unwrap_or_default();
        let of_open: Vec<_> = of_open.into_iter().map(|(x, y)| (Some(x), Some(y))).collect();
        ensure!(
            rest.is_empty() || rest == of_open,
            "{name}: {} scalars of a call without an answer with {}",
            rest.len(),
            of_open.len()
        );
        with_open.push(!rest.is_empty());
    }
    ensure!(with_open[0] == with_open[1], "half a call without an answer is there");
    Ok(with_open[0])
}

/// Compares the log. The answer: the lines of `open` are there too.
async fn logs_match(session: &Session, task: &Reported, open: Option<&Batch>) -> anyhow::Result<bool> {
    let mut found = Vec::new();
    let mut from = Value::Null;
    loop {
        let request = json!({
            "task": task.id, "batch_size": 5000, "navigate_earlier": false, "from_timestamp": from,
        });
        let answer = session.api.call("events.get_task_log", &request).await?;
        let events = answer["events"].as_array().context("no events")?;
        let Some(last) = events.last() else { break };
        from = last["timestamp"].clone();
        found.extend(events.iter().map(|event| event["msg"].as_str().unwrap_or_default().to_owned()));
    }
    let expected: Vec<_> = task.batches.iter().flat_map(Batch::messages).collect();
    let rest = found.strip_prefix(expected.as_slice());
    let Some(rest) = rest else { bail!("log: {}", first_difference(&expected, &found)) };
    let of_open: Vec<_> = open.into_iter().flat_map(Batch::messages).collect();
    ensure!(
        rest.is_empty() || rest == of_open,
        "{} log lines of a call without an answer with {}",
        rest.len(),
        of_open.len()
    );
    Ok(!rest.is_empty())
}

/// Compares what the task says about its events.
fn statistics_match(task: &Value, reported: &Reported, open: Option<&Batch>) -> anyhow::Result<()> {
    let counted: Vec<_> = reported.batches.iter().filter(|batch| batch.counted).chain(open).collect();
    let last = counted.iter().map(|batch| batch.first_iteration + batch.iterations - 1).max().unwrap_or(0);
    ensure!(task["last_iteration"] == last, "last_iteration {} instead of {last}", task["last_iteration"]);
    let metrics = task["last_metrics"].as_object().context("no last_metrics")?;
    let variants = metrics.values().filter_map(Value::as_object).flat_map(|variants| variants.values());
    let variants: Vec<_> = variants.collect();
    for (variant, name) in VARIANTS.iter().enumerate() {
        let found = variants.iter().find(|found| found["variant"] == *name);
        let values: Vec<_> =
            counted.iter().flat_map(|batch| batch.scalars(variant)).map(|(_, value)| value).collect();
        let Some(found) = found else {
            ensure!(values.is_empty(), "no last_metrics of {name}");
            continue;
        };
        let expected = [
            ("count", values.len() as f64),
            ("min_value", values.iter().copied().fold(f64::INFINITY, f64::min)),
            ("max_value", values.iter().copied().fold(f64::NEG_INFINITY, f64::max)),
            ("first_value", values.first().copied().unwrap_or_default()),
            ("value", values.last().copied().unwrap_or_default()),
        ];
        for (key, expected) in expected {
            ensure!(
                found[key].as_f64() == Some(expected),
                "{name}: {key} {} instead of {expected}",
                found[key]
            );
        }
    }
    Ok(())
}

fn first_difference<T: PartialEq + std::fmt::Debug>(expected: &[T], found: &[T]) -> String {
    let at = expected.iter().zip(found).take_while(|(expected, found)| expected == found).count();
    format!(
        "{} instead of {}; at {at} {:?} instead of {:?}",
        found.len(),
        expected.len(),
        found.get(at),
        expected.get(at)
    )
}

#[async_trait]
impl Lane for Events {
    async fn write(&mut self, session: &Session) -> anyhow::Result<()> {
        self.touched.clear();
        let Some(task) = self.task(session).await? else { return Ok(()) };
        self.touched.push(task);
        loop {
            let deletes = task > 0 && self.random.random_ratio(1, 20);
            let goes_on = if deletes {
                let old = self.random.random_range(0..task);
                self.delete(session, old).await?
            } else {
                self.report(session, task).await?
            };
            if !goes_on {
                return Ok(());
            }
        }
    }

    async fn verify(&mut self, session: &Session, scope: Scope) -> anyhow::Result<()> {
        let mut indexes = self.touched.clone();
        if scope == Scope::All {
            indexes.extend(0..self.tasks.len());
        } else if !self.tasks.is_empty() {
            indexes.extend((0..SAMPLE).map(|_| self.random.random_range(0..self.tasks.len())));
        }
        for index in indexes {
            self.compare(session, index).await?;
        }
        Ok(())
    }

    fn summary(&self) -> String {
        format!("events: {} in {} batches to {} tasks", self.reported, self.batches, self.tasks.len())
    }
}
