//! Latencies: how often each was seen, in steps of about 3 %.

use std::time::Duration;

/// Steps per doubling.
const STEPS: u64 = 32;
const STEP_BITS: u32 = STEPS.trailing_zeros();

#[derive(Debug)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
    longest: u64,
}

impl Histogram {
    pub(crate) fn new() -> Self {
        Self { counts: vec![0; bucket(u64::MAX) + 1], total: 0, longest: 0 }
    }

    pub(crate) fn record(&mut self, latency: Duration) {
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.counts[bucket(nanos)] += 1;
        self.total += 1;
        self.longest = self.longest.max(nanos);
    }

    /// Microseconds that the given share of all latencies does not exceed.
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        let wanted = (self.total as f64 * share).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return value(index) as f64 / 1000.0;
            }
        }
        0.0
    }

    pub(crate) fn longest(&self) -> f64 {
        self.longest as f64 / 1000.0
    }
}

/// Values below `STEPS` have a bucket each, those above one per step of their doubling.
fn bucket(nanos: u64) -> usize {
    if nanos < STEPS {
        return nanos as usize;
    }
    let doubling = nanos.ilog2() - STEP_BITS;
    (u64::from(doubling) * STEPS + (nanos >> doubling)) as usize
}

/// The lowest value of a bucket.
fn value(index: usize) -> u64 {
    let index = index as u64;
    if index < STEPS {
        return index;
    }
    let doubling = index / STEPS - 1;
    (index - doubling * STEPS) << doubling
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_fine_enough_and_in_order() {
        let mut last = 0;
        for nanos in (0..5000).chain([1 << 20, (1 << 20) + (1 << 16), 1 << 40, u64::MAX]) {
            let index = bucket(nanos);
            assert!(index >= last);
            last = index;
            let low = value(index);
            assert!(low <= nanos && nanos - low <= nanos / 16, "{nanos} {low}");
        }
    }

    #[test]
    fn quantiles() {
        let mut histogram = Histogram::new();
        for micros in 1..=100 {
            histogram.record(Duration::from_micros(micros));
        }
        assert!((histogram.quantile(0.5) - 50.0).abs() < 2.0);
        assert!((histogram.quantile(0.99) - 99.0).abs() < 4.0);
        assert!((histogram.longest() - 100.0).abs() < 0.01);
    }
}
