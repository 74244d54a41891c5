//! The sampling rules of scalar histograms (spec 05 §7.1), shared by all back ends.

/// The most points that one group of series may have in sum.
const MAX_GROUP_SIZE: i64 = 6000;

/// The most series of one group.
const MAX_GROUP_SERIES: usize = 50;

/// Extent of one series over the sampled field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Number of events; it may be capped at the wanted number of samples.
    pub count: u64,
    pub min: i64,
    pub max: i64,
}

/// A group of series that are sampled with the same interval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group<T> {
    pub interval: i64,
    /// Ordered by interval, equal intervals as they were given.
    pub members: Vec<T>,
}

/// Start of the bucket of a value: the greatest multiple of `interval` that is not above it.
pub fn bucket_key(value: i64, interval: i64) -> i64 {
    let interval = interval.max(1);
    value.div_euclid(interval).saturating_mul(interval)
}

/// Interval of a series and how many points it yields.
pub fn interval_and_size(extent: Extent, samples: usize) -> (i64, i64) {
    let samples = i64::try_from(samples.max(1)).unwrap_or(i64::MAX);
    let count = i64::try_from(extent.count).unwrap_or(i64::MAX);
    if count < samples {
        return (1, count);
    }
    let range = extent.max.saturating_sub(extent.min).saturating_add(1).max(1);
    let interval = divide_up(range, samples).max(1);
    (interval, divide_up(range, interval))
}

/// Groups series, given by metric and variant ascending, whose intervals are alike (spec 05 §7.1, step 3).
pub fn group<T>(series: impl IntoIterator<Item = (T, Extent)>, samples: usize) -> Vec<Group<T>> {
    let mut sized: Vec<(i64, i64, T)> = series
        .into_iter()
        .map(|(member, extent)| {
            let (interval, size) = interval_and_size(extent, samples);
            (interval, size, member)
        })
        .collect();
    sized.sort_by_key(|(interval, ..)| *interval);

    let mut groups: Vec<Group<T>> = Vec::new();
    let (mut bound, mut group_size) = (0, 0);
    for (interval, size, member) in sized {
        match groups.last_mut() {
            Some(group)
                if interval <= bound
                    && group_size + size <= MAX_GROUP_SIZE
                    && group.members.len() < MAX_GROUP_SERIES =>
            {
                group.interval = interval;
                group.members.push(member);
            }
            _ => {
                bound = interval.saturating_add(interval / 10);
                group_size = 0;
                groups.push(Group { interval, members: vec![member] });
            }
        }
        group_size += size;
    }
    groups
}

/// Averages values in buckets. Cheapest when values come in ascending order of their keys.
#[derive(Debug, Clone)]
pub struct Buckets {
    interval: i64,
    /// Bucket start, sum, number of values; ascending.
    buckets: Vec<(i64, f64, u64)>,
}

impl Buckets {
    /// Empty buckets of this width.
    pub fn new(interval: i64) -> Self {
        Self { interval: interval.max(1), buckets: Vec::new() }
    }

    /// Adds an event; one without value only makes its bucket exist.
    pub fn add(&mut self, key: i64, value: Option<f64>) {
        let position = match self.buckets.last() {
            // The usual case first, and without a division.
            Some((start, ..)) if key >= *start && key.wrapping_sub(*start) < self.interval => {
                self.buckets.len() - 1
            }
            _ => self.position(bucket_key(key, self.interval)),
        };
        if let (Some(bucket), Some(value)) = (self.buckets.get_mut(position), value) {
            bucket.1 += value;
            bucket.2 += 1;
        }
    }

    /// Merges buckets of the same width.
    pub fn merge(&mut self, other: Self) {
        for (start, sum, count) in other.buckets {
            let position = self.position(start);
            if let Some(bucket) = self.buckets.get_mut(position) {
                bucket.1 += sum;
                bucket.2 += count;
            }
        }
    }

    /// Bucket starts ascending, and the averages.
    pub fn averages(self) -> (Vec<i64>, Vec<Option<f64>>) {
        let average = |(start, sum, count): (i64, f64, u64)| (start, (count > 0).then(|| sum / count as f64));
        self.buckets.into_iter().map(average).unzip()
    }

    /// Index of the bucket with this start, which is made if it isn't there.
    fn position(&mut self, start: i64) -> usize {
        match self.buckets.last() {
            Some((last, ..)) if *last >= start => {}
            _ => {
                self.buckets.push((start, 0.0, 0));
                return self.buckets.len() - 1;
            }
        }
        self.buckets.binary_search_by_key(&start, |bucket| bucket.0).unwrap_or_else(|position| {
            self.buckets.insert(position, (start, 0.0, 0));
            position
        })
    }
}

fn divide_up(value: i64, divisor: i64) -> i64 {
    value / divisor + i64::from(value % divisor != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extent(count: u64, min: i64, max: i64) -> Extent {
        Extent { count, min, max }
    }

    #[test]
    fn intervals_of_the_worked_examples() {
        assert_eq!(interval_and_size(extent(10, 1, 10), 4), (3, 4));
        assert_eq!(interval_and_size(extent(3, 1, 3), 4), (1, 3));
        assert_eq!(interval_and_size(extent(12, 1, 40), 4), (10, 4));
        assert_eq!(interval_and_size(extent(12, 1, 43), 4), (11, 4));
        assert_eq!(interval_and_size(extent(100, 1, 100), 10), (10, 10));
        assert_eq!(interval_and_size(extent(9, i64::MIN, i64::MAX), 1).1, 1);
    }

    #[test]
    fn groups_of_the_worked_example() {
        let series = [
            ("A/a", extent(10, 1, 10)),
            ("A/b", extent(3, 1, 3)),
            ("C/c", extent(12, 1, 40)),
            ("D/d", extent(12, 1, 43)),
        ];
        let groups = group(series, 4);
        let shape: Vec<_> = groups.iter().map(|group| (group.interval, group.members.clone())).collect();
        assert_eq!(shape, [(1, vec!["A/b"]), (3, vec!["A/a"]), (11, vec!["C/c", "D/d"])]);
    }

    #[test]
    fn groups_are_limited_in_series_and_points() {
        let many = (0..120).map(|index| (index, extent(2, 0, 1)));
        let sizes: Vec<_> = group(many, 100).iter().map(|group| group.members.len()).collect();
        assert_eq!(sizes, [50, 50, 20]);
        let large = (0..4).map(|index| (index, extent(2500, 0, 2499)));
        let sizes: Vec<_> = group(large, 6000).iter().map(|group| group.members.len()).collect();
        assert_eq!(sizes, [2, 2]);
    }

    #[test]
    fn buckets_take_any_order_and_negative_keys() {
        let mut buckets = Buckets::new(3);
        for key in [5, -1, 4, 0, 2, -3] {
            buckets.add(key, Some(key as f64));
        }
        buckets.add(9, None);
        let mut more = Buckets::new(3);
        more.add(1, Some(4.0));
        buckets.merge(more);
        assert_eq!(buckets.averages(), (vec![-3, 0, 3, 9], vec![Some(-2.0), Some(2.0), Some(4.5), None]));
    }
}
