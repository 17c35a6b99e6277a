//! A histogram of durations that is counted into without a lock.

use core::fmt::Error;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::sync::Arc;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::{MetricType, TypedMetric};

/// Upper bounds in nanoseconds and in seconds: a decision from the cache up to
/// a disk that is in trouble.
const BOUNDS: [(u64, f64); 14] = [
    (500, 5e-7),
    (1_000, 1e-6),
    (2_500, 2.5e-6),
    (5_000, 5e-6),
    (10_000, 1e-5),
    (25_000, 2.5e-5),
    (100_000, 1e-4),
    (500_000, 5e-4),
    (1_000_000, 1e-3),
    (5_000_000, 5e-3),
    (25_000_000, 0.025),
    (100_000_000, 0.1),
    (1_000_000_000, 1.0),
    (u64::MAX, f64::INFINITY),
];

/// The library's histogram takes a lock for every observation.
#[derive(Clone, Debug, Default)]
pub(super) struct Latency {
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    buckets: [AtomicU64; BOUNDS.len()],
    nanoseconds: AtomicU64,
}

impl Latency {
    pub(super) fn observe(&self, duration: Duration) {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.iter().position(|(bound, _)| nanoseconds <= *bound);
        let counts = &*self.counts;
        if let Some(bucket) = bucket.and_then(|bucket| counts.buckets.get(bucket)) {
            bucket.fetch_add(1, Ordering::Relaxed);
            counts.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
        }
    }
}

impl TypedMetric for Latency {
    const TYPE: MetricType = MetricType::Histogram;
}

impl EncodeMetric for Latency {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), Error> {
        let counts = self.counts.buckets.iter();
        let counts = counts.map(|count| count.load(Ordering::Relaxed));
        let bounds = BOUNDS.iter().map(|(_, seconds)| *seconds);
        let buckets: Vec<(f64, u64)> = bounds.zip(counts).collect();
        let count = buckets.iter().map(|(_, count)| *count);
        let count = count.fold(0, u64::saturating_add);
        let nanoseconds = self.counts.nanoseconds.load(Ordering::Relaxed);
        let sum = Duration::from_nanos(nanoseconds).as_secs_f64();
        encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}
