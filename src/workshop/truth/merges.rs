//! What a running total can be after a number of hits, when those of several partitions are merged in any order.

/// Steps that it takes at most to find the exact bounds.
const STEPS_MAX: usize = 150_000_000;

/// For each number of hits, the least and the most that they can make.
pub struct Merges {
    bounds: Vec<(i64, i64)>,
    total: i64,
}

impl Merges {
    /// Of the amounts of each partition, in their order. With very many hits the bounds are nothing and everything.
    pub fn of(partitions: &[Vec<i64>]) -> Merges {
        let total = partitions.iter().flatten().fold(0, |sum: i64, amount| sum.saturating_add(*amount));
        let (mut steps, mut length): (usize, usize) = (0, 1);
        for partition in partitions {
            steps = steps.saturating_add(length.saturating_mul(partition.len().saturating_add(1)));
            length = length.saturating_add(partition.len());
        }
        if steps > STEPS_MAX {
            return Merges { bounds: Vec::new(), total };
        }
        let mut bounds = vec![(0, 0)];
        for partition in partitions.iter().filter(|partition| !partition.is_empty()) {
            bounds = with(&bounds, partition);
        }
        Merges { bounds, total }
    }

    pub fn after(&self, hits: usize) -> (i64, i64) {
        self.bounds.get(hits).copied().unwrap_or((self.total.min(0), self.total.max(0)))
    }
}

/// One more partition: each number of hits of those before goes with each of its beginnings.
fn with(bounds: &[(i64, i64)], partition: &[i64]) -> Vec<(i64, i64)> {
    let mut joined = vec![(i64::MAX, i64::MIN); bounds.len().saturating_add(partition.len())];
    let mut beginning: i64 = 0;
    for taken in 0..=partition.len() {
        let later = joined.get_mut(taken..).unwrap_or_default();
        for ((least, most), (low, high)) in later.iter_mut().zip(bounds) {
            *least = (*least).min(low.saturating_add(beginning));
            *most = (*most).max(high.saturating_add(beginning));
        }
        beginning = beginning.saturating_add(partition.get(taken).copied().unwrap_or_default());
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All sums that some merge has after a number of hits, by trying each.
    fn tried(partitions: &[Vec<i64>], hits: usize) -> Vec<i64> {
        let Some((first, rest)) = partitions.split_first() else {
            return if hits == 0 { vec![0] } else { Vec::new() };
        };
        let beginnings = (0..=first.len().min(hits)).map(|taken| (taken, first[..taken].iter().sum::<i64>()));
        beginnings.flat_map(|(taken, sum)| tried(rest, hits - taken).into_iter().map(move |more| sum + more)).collect()
    }

    #[test]
    fn the_bounds_are_those_of_all_merges() {
        let partitions = [vec![500, 20, 7], vec![], vec![1, 1_000], vec![30, 30, 30, -5]];
        let merges = Merges::of(&partitions);
        for hits in 0..=9 {
            let sums = tried(&partitions, hits);
            assert_eq!(merges.after(hits), (*sums.iter().min().unwrap(), *sums.iter().max().unwrap()), "{hits}");
        }
        assert_eq!(merges.after(9).0, merges.after(9).1);
        assert_eq!(merges.after(10), (0, 1_613));
    }
}
