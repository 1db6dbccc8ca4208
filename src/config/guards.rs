//! What keeps a broker usable when its disk fills up or its starts go wrong.

/// From Headwater's own settings; fixed while the broker runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guards {
    /// Below this share of the disk a warning is given.
    pub warn_percent: u64,
    /// Producers are refused below this share of the disk, but not below less than `floor_bytes`, nor while `ceiling_bytes` are free.
    pub floor_percent: u64,
    pub floor_bytes: u64,
    pub ceiling_bytes: u64,
    /// A file of this size is given up when space is gone. 0: none.
    pub ballast_bytes: u64,
    /// So many unclean starts in a row make a start read-only. 0: never.
    pub read_only_after: u32,
}

impl Default for Guards {
    fn default() -> Self {
        Guards {
            warn_percent: 10,
            floor_percent: 5,
            floor_bytes: 256 << 20,
            ceiling_bytes: 2 << 30,
            ballast_bytes: 32 << 20,
            read_only_after: 3,
        }
    }
}

impl Guards {
    /// Free bytes below which producers are refused on a disk of this size.
    pub fn floor(&self, total_bytes: u64) -> u64 {
        share(total_bytes, self.floor_percent).min(self.ceiling_bytes).max(self.floor_bytes)
    }

    /// Free bytes below which a warning is given.
    pub fn warning(&self, total_bytes: u64) -> u64 {
        share(total_bytes, self.warn_percent).min(self.ceiling_bytes.saturating_mul(2)).max(self.floor(total_bytes))
    }
}

fn share(total: u64, percent: u64) -> u64 {
    (total / 100).saturating_mul(percent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_larger_floor_counts_and_the_warning_comes_no_later() {
        let guards = Guards::default();
        assert_eq!((guards.floor(20 << 30), guards.warning(20 << 30)), (share(20 << 30, 5), share(20 << 30, 10)));
        assert_eq!((guards.floor(1 << 30), guards.warning(1 << 30)), (256 << 20, 256 << 20));
    }

    /// A class on a laptop with a disk of a terabyte needs a few hundred megabytes, and 5 % of that disk are 50 GB.
    #[test]
    fn a_large_disk_is_full_when_little_is_left_not_when_a_share_is() {
        let guards = Guards::default();
        assert_eq!((guards.floor(1 << 40), guards.warning(1 << 40)), (2 << 30, 4 << 30));
        let own = Guards { floor_bytes: 8 << 30, ..guards };
        assert_eq!((own.floor(1 << 40), own.warning(1 << 40)), (8 << 30, 8 << 30));
    }
}
