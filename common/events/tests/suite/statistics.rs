//! Usage statistics.
//!
//! Times are moments of a few seconds behind [`T0`], which all intervals divide.

use super::T0;
use clearml_events::{
    BucketRange, QueueSample, SampleKind, Samples, ServingAggregate, ServingField, ServingQuery,
    ServingSample, StatisticsStore, WorkerBucket, WorkerSample, WorkerStatsQuery,
};

fn sample(worker: &str, timestamp: i64, metric: &str, variant: &str, value: f64) -> WorkerSample {
    WorkerSample {
        timestamp: T0 + timestamp,
        worker: worker.to_owned(),
        task: None,
        category: metric.split('_').next().unwrap_or_default().to_owned(),
        metric: metric.to_owned(),
        variant: variant.to_owned(),
        value,
    }
}

pub(crate) async fn workers(store: &dyn StatisticsStore) {
    let busy = WorkerSample { task: Some("t".to_owned()), ..sample("b", 2500, "gpu_usage", "0", 1.0) };
    store
        .add_worker_samples(
            "c",
            vec![
                sample("a", 1000, "cpu_usage", "0", 10.0),
                sample("a", 1999, "cpu_usage", "1", 30.0),
                sample("a", 2000, "cpu_usage", "0", 0.1),
                sample("a", 2000, "memory_used", "total", 5.0),
                sample("b", 2100, "cpu_usage", "0", 7.0),
                busy,
            ],
        )
        .await
        .unwrap();

    let keys = store.worker_metric_keys("c", &[]).await.unwrap();
    let keys: Vec<_> = keys.iter().map(|keys| (keys.name.as_str(), keys.metric_keys.join(","))).collect();
    let expected = [("cpu", "cpu_usage"), ("gpu", "gpu_usage"), ("memory", "memory_used")];
    assert_eq!(keys, expected.map(|(name, keys)| (name, keys.to_owned())));
    let of_a = store.worker_metric_keys("c", &["a".to_owned(), "unknown".to_owned()]).await.unwrap();
    assert_eq!(of_a.len(), 2);
    assert_eq!(store.worker_metric_keys("c", &["unknown".to_owned()]).await.unwrap(), []);
    assert_eq!(store.worker_metric_keys("other", &[]).await.unwrap(), []);

    let range = BucketRange { from: T0 + 1000, to: T0 + 2999, interval: 1000 };
    let query = WorkerStatsQuery {
        range,
        metrics: vec!["cpu_usage".to_owned()],
        workers: Vec::new(),
        split_by_variant: false,
    };
    let series = store.worker_series("c", &query).await.unwrap();
    assert_eq!(series.iter().map(|series| series.worker.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    let expected = [
        WorkerBucket { start: T0 + 1000, average: 20.0, minimum: 10.0, maximum: 30.0 },
        WorkerBucket {
            start: T0 + 2000,
            average: f64::from(0.1_f32),
            minimum: f64::from(0.1_f32),
            maximum: f64::from(0.1_f32),
        },
    ];
    assert_eq!(series[0].buckets, expected);
    let split = WorkerStatsQuery { split_by_variant: true, workers: vec!["a".to_owned()], ..query };
    let series = store.worker_series("c", &split).await.unwrap();
    let variants: Vec<_> = series.iter().map(|series| series.variant.as_deref().unwrap()).collect();
    assert_eq!(variants, ["0", "1"]);

    assert_eq!(store.worker_activity("other", range).await.unwrap(), None);
    let activity = store.worker_activity("c", range).await.unwrap().unwrap();
    let counts: Vec<_> = activity.iter().map(|bucket| (bucket.start, bucket.total, bucket.active)).collect();
    assert_eq!(counts, [(T0 + 1000, 1, 0), (T0 + 2000, 2, 1)]);
    let later = BucketRange { from: T0 + 5000, to: T0 + 6000, interval: 1000 };
    assert_eq!(store.worker_activity("c", later).await.unwrap(), Some(Vec::new()));

    let many = (0..15).map(|worker| sample(&format!("w{worker:02}"), 1000, "cpu_usage", "0", 1.0));
    store.add_worker_samples("many", many.collect()).await.unwrap();
    let query = WorkerStatsQuery {
        range,
        metrics: vec!["cpu_usage".to_owned()],
        workers: Vec::new(),
        split_by_variant: false,
    };
    let series = store.worker_series("many", &query).await.unwrap();
    assert_eq!((series.len(), series[9].worker.as_str()), (10, "w09"));
}

pub(crate) async fn queues(store: &dyn StatisticsStore) {
    let point = |queue: &str, timestamp: i64, average_waiting_time, queue_length| QueueSample {
        timestamp: T0 + timestamp,
        queue: queue.to_owned(),
        average_waiting_time,
        queue_length,
    };
    store
        .add_queue_samples(
            "c",
            vec![
                point("q", 100, 5.0, 1),
                point("q", 150, 7.5, 2),
                point("q", 160, 7.5, 9),
                point("q", 170, 1.0, 50),
                point("r", 250, 0.0, 3),
            ],
        )
        .await
        .unwrap();
    let range = BucketRange { from: T0, to: T0 + 300, interval: 100 };
    let buckets = store.queue_buckets("c", range, &[]).await.unwrap().unwrap();
    let points: Vec<_> = buckets
        .iter()
        .flat_map(|bucket| bucket.queues.iter().map(|point| (bucket.start, point)))
        .map(|(start, point)| (start, point.queue.as_str(), point.average_waiting_time, point.queue_length))
        .collect();
    assert_eq!(points, [(T0 + 100, "q", 7.5, 9), (T0 + 200, "r", 0.0, 3)]);
    let only_r = store.queue_buckets("c", range, &["r".to_owned()]).await.unwrap().unwrap();
    assert_eq!(only_r.len(), 1);
    assert_eq!(store.queue_buckets("other", range, &[]).await.unwrap(), None);
}

pub(crate) async fn serving(store: &dyn StatisticsStore) {
    let report = |container: &str, timestamp: i64, requests_num, cpu_usage| ServingSample {
        timestamp: T0 + timestamp,
        container_id: container.to_owned(),
        endpoint_url: "http://e".to_owned(),
        requests_num,
        cpu_usage,
        ..ServingSample::default()
    };
    store
        .add_serving_samples(
            "c",
            vec![
                report("b", 100, Some(5.0), Some(0.1)),
                report("a", 110, Some(20_000_001.9), None),
                report("b", 120, Some(3.0), Some(0.3)),
                report("b", 300, None, Some(0.5)),
            ],
        )
        .await
        .unwrap();
    let history = async |field, aggregate| {
        let query = ServingQuery {
            endpoint_url: "http://e".to_owned(),
            range: BucketRange { from: T0 + 100, to: T0 + 399, interval: 100 },
            field,
            aggregate,
        };
        let buckets = store.serving_buckets("c", &query).await.unwrap();
        buckets.into_iter().map(|bucket| (bucket.start, bucket.containers)).collect::<Vec<_>>()
    };
    let named = |name: &str, value| (name.to_owned(), value);
    let requests = history(ServingField::RequestsNum, ServingAggregate::Maximum).await;
    assert_eq!(requests[0], (T0 + 100, vec![named("a", Some(20_000_001.0)), named("b", Some(5.0))]));
    assert_eq!(requests[1], (T0 + 300, vec![named("b", None)]));
    let load = history(ServingField::CpuUsage, ServingAggregate::Average).await;
    let average = f64::midpoint(f64::from(0.1_f32), f64::from(0.3_f32));
    assert_eq!(load[0], (T0 + 100, vec![named("a", None), named("b", Some(average))]));
    let nobody = ServingQuery {
        endpoint_url: "http://unknown".to_owned(),
        range: BucketRange { from: 0, to: 1, interval: 1 },
        field: ServingField::CpuNum,
        aggregate: ServingAggregate::Average,
    };
    assert_eq!(store.serving_buckets("c", &nobody).await.unwrap(), []);
}

/// Pages of all samples of a kind, as text.
async fn copied(store: &dyn StatisticsStore, kind: SampleKind) -> Vec<String> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = store.samples("copied", kind, after.as_deref(), 2).await.unwrap();
        let lines: Vec<String> = match page.samples {
            Samples::Workers(samples) => samples.iter().map(|sample| format!("{sample:?}")).collect(),
            Samples::Queues(samples) => samples.iter().map(|sample| format!("{sample:?}")).collect(),
            Samples::Serving(samples) => samples.iter().map(|sample| format!("{sample:?}")).collect(),
        };
        let Some(next) = page.next else {
            assert_eq!(lines, [""; 0]);
            found.sort();
            return found;
        };
        assert!(lines.len() <= 2);
        found.extend(lines);
        after = Some(next);
    }
}

pub(crate) async fn copies(store: &dyn StatisticsStore) {
    let busy = WorkerSample { task: Some("t".to_owned()), ..sample("b", 5, "gpu_usage", "0", 0.1) };
    let workers =
        vec![sample("a", 5, "cpu_usage", "0", 1.5), busy.clone(), busy, sample("a", 9, "cpu_num", "0", 2.0)];
    let point = |queue: &str, timestamp| QueueSample {
        timestamp: T0 + timestamp,
        queue: queue.to_owned(),
        average_waiting_time: 0.3,
        queue_length: 4,
    };
    let queues = vec![point("q", 5), point("p", 5), point("q", 7)];
    let report = |url: &str, cpu_usage| ServingSample {
        timestamp: T0,
        container_id: "container".to_owned(),
        endpoint_url: url.to_owned(),
        cpu_usage,
        ..ServingSample::default()
    };
    let serving = vec![report("http://b", None), report("http://a", Some(0.1)), report("http://a", None)];
    let text = |mut lines: Vec<String>| {
        lines.sort();
        lines
    };
    let expected = [
        (SampleKind::Workers, text(workers.iter().map(|sample| format!("{sample:?}")).collect())),
        (SampleKind::Queues, text(queues.iter().map(|sample| format!("{sample:?}")).collect())),
        (SampleKind::Serving, text(serving.iter().map(|sample| format!("{sample:?}")).collect())),
    ];
    for samples in [Samples::Workers(workers), Samples::Queues(queues), Samples::Serving(serving)] {
        store.add_samples("copied", samples).await.unwrap();
    }
    for (kind, expected) in expected {
        assert_eq!(copied(store, kind).await, expected);
    }
    let nobody = store.samples("nobody", SampleKind::Workers, None, 10).await.unwrap();
    assert_eq!((nobody.samples, nobody.next), (Samples::Workers(Vec::new()), None));
}
