//! Chance that gives the same bytes on every machine.
//!
//! The random numbers of a seed are part of what a seed promises, so neither the generator nor a distribution may change with
//! a dependency or a platform: both are written out here. Only `+ - * /` and `sqrt` on `f64` are used, which IEEE 754 defines
//! to the last bit; `ln`, `exp` and `sin` of the standard library come from the platform and differ in that bit.

/// Mixes one more word into a hash (the finaliser of SplitMix64, a bijection that spreads every input bit).
pub fn mix(state: u64, word: u64) -> u64 {
    let mut z = state.wrapping_mul(0xD134_2543_DE82_EF95) ^ word.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A seeded generator (xoshiro256++): small, fast, and cheap to start, because every story has its own.
#[derive(Clone, Debug)]
pub struct Dice {
    state: [u64; 4],
}

impl Dice {
    pub fn new(seed: u64) -> Dice {
        let word = |n: u64| mix(seed, n);
        Dice { state: [word(1), word(2), word(3), word(4)] }
    }

    /// The dice of one thing among many: same seed and path, same throws.
    pub fn of(seed: u64, path: &[u64]) -> Dice {
        Dice::new(path.iter().fold(seed, |state, &word| mix(state, word)))
    }

    pub fn word(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let result = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let (c, d) = (c ^ a, d ^ b);
        self.state = [a ^ d, b ^ c, c ^ (b << 17), d.rotate_left(45)];
        result
    }

    /// Uniform in (0, 1), never 0 and never 1, so that `ln` and quantiles need no special case.
    pub fn unit(&mut self) -> f64 {
        ((self.word() >> 12) as f64 + 0.5) / 4_503_599_627_370_496.0
    }

    /// Uniform in `0..count`; 0 if `count` is 0.
    pub fn below(&mut self, count: usize) -> usize {
        ((u128::from(self.word()) * count as u128) >> 64) as usize
    }

    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    pub fn normal(&mut self) -> f64 {
        normal_quantile(self.unit())
    }

    pub fn log_normal(&mut self, median: f64, spread: f64) -> f64 {
        median * exp(spread * self.normal())
    }

    /// How many arrivals an expected number of arrivals turns into. For expectations up to a few hundred.
    pub fn poisson(&mut self, expected: f64) -> usize {
        let limit = exp(-expected);
        let mut product = self.unit();
        let mut count = 0;
        while product > limit {
            product *= self.unit();
            count += 1;
        }
        count
    }

    /// Beta(`rank`, `of - rank + 1`): the `rank`-th smallest of `of` uniform numbers is distributed so. `of` is at most 16.
    pub fn beta_as_order_statistic(&mut self, rank: usize, of: usize) -> f64 {
        let mut throws = [2.0_f64; 16];
        throws.iter_mut().take(of).for_each(|slot| *slot = self.unit());
        throws.sort_unstable_by(f64::total_cmp);
        throws.get(rank.saturating_sub(1)).copied().unwrap_or(1.0)
    }

    /// Pareto with exponent `alpha` from `scale` up, cut (not piled up) at `limit`.
    pub fn pareto_cut(&mut self, scale: f64, alpha: f64, limit: f64) -> f64 {
        let beyond = power(scale / limit, alpha);
        let survival = 1.0 - self.unit() * (1.0 - beyond);
        scale * power(survival, -1.0 / alpha)
    }

    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

/// Picks indexes with given weights.
#[derive(Clone, Debug)]
pub struct Weights {
    /// Running sums, scaled so that the last is 1.
    sums: Vec<f64>,
}

impl Weights {
    pub fn new(weights: impl IntoIterator<Item = f64>) -> Weights {
        let mut total = 0.0;
        let mut sums: Vec<f64> = weights
            .into_iter()
            .map(|weight| {
                total += weight;
                total
            })
            .collect();
        sums.iter_mut().for_each(|sum| *sum /= total);
        Weights { sums }
    }

    /// Weight of rank k (from 1) is `1 / (k + shift)^exponent`: Zipf's law, its head flattened by `shift`.
    pub fn zipf(count: usize, exponent: f64, shift: f64) -> Weights {
        Weights::new((1..=count).map(|rank| power(rank as f64 + shift, -exponent)))
    }

    pub fn pick(&self, dice: &mut Dice) -> usize {
        let target = dice.unit();
        self.sums.partition_point(|&sum| sum < target).min(self.sums.len().saturating_sub(1))
    }

    /// The share of index `index`.
    pub fn share(&self, index: usize) -> f64 {
        let below = if index == 0 { 0.0 } else { self.sums[index - 1] };
        self.sums[index] - below
    }

    pub fn count(&self) -> usize {
        self.sums.len()
    }
}

/// Natural logarithm of a positive, normal number, to about 1e-14.
pub fn ln(x: f64) -> f64 {
    let bits = x.to_bits();
    let mut exponent = ((bits >> 52) & 0x7ff) as i64 - 1023;
    let mut mantissa = f64::from_bits((bits & 0x000f_ffff_ffff_ffff) | 0x3ff0_0000_0000_0000);
    if mantissa > std::f64::consts::SQRT_2 {
        mantissa *= 0.5;
        exponent += 1;
    }
    // ln m = 2 artanh((m-1)/(m+1)); the argument is at most 0.172, so eight terms do.
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let square = s * s;
    let series = (0..9).rev().fold(0.0, |sum, term| sum * square + 1.0 / f64::from(2 * term + 1));
    2.0 * s * series + exponent as f64 * std::f64::consts::LN_2
}

/// e to the power of `x`, for |x| up to 700.
pub fn exp(x: f64) -> f64 {
    let x = x.clamp(-700.0, 700.0);
    let doublings = (x / std::f64::consts::LN_2 + 0.5).floor();
    let rest = x - doublings * std::f64::consts::LN_2;
    let series = (1..14).rev().fold(1.0, |sum, term| 1.0 + sum * rest / f64::from(term));
    series * f64::from_bits(((doublings as i64 + 1023) as u64) << 52)
}

/// `base` to the power of `exponent`, for a positive base.
pub fn power(base: f64, exponent: f64) -> f64 {
    exp(exponent * ln(base))
}

/// Sine of an angle given in turns: 0.25 is a quarter of a circle.
pub fn sin_turns(turns: f64) -> f64 {
    let turn = turns - turns.floor();
    // Fold the circle onto the quarter around 0, where the series converges fast.
    let folded = if turn < 0.25 {
        turn
    } else if turn < 0.75 {
        0.5 - turn
    } else {
        turn - 1.0
    };
    let x = folded * std::f64::consts::TAU;
    let square = x * x;
    let series = (1..9).rev().fold(1.0, |sum, term| 1.0 - sum * square / f64::from(2 * term * (2 * term + 1)));
    x * series
}

/// The value below which a standard normal variable falls with probability `p` (Acklam's rational approximation, relative error 1e-9).
pub fn normal_quantile(p: f64) -> f64 {
    const A: [f64; 6] =
        [-3.969683028665376e1, 2.209460984245205e2, -2.759285104469687e2, 1.38357751867269e2, -3.066479806614716e1, 2.506628277459239];
    const B: [f64; 6] = [-5.447609879822406e1, 1.615858368580409e2, -1.556989798598866e2, 6.680131188771972e1, -1.328068155288572e1, 1.0];
    const C: [f64; 6] =
        [-7.784894002430293e-3, -3.223964580411365e-1, -2.400758277161838, -2.549732539343734, 4.374664141464968, 2.938163982698783];
    const D: [f64; 5] = [7.784695709041462e-3, 3.224671290700398e-1, 2.445134137142996, 3.754408661907416, 1.0];
    const TAIL: f64 = 0.02425;
    let horner = |coefficients: &[f64], x: f64| coefficients.iter().fold(0.0, |sum, c| sum * x + c);
    if p < TAIL {
        let q = (-2.0 * ln(p)).sqrt();
        horner(&C, q) / horner(&D, q)
    } else if p > 1.0 - TAIL {
        let q = (-2.0 * ln(1.0 - p)).sqrt();
        -horner(&C, q) / horner(&D, q)
    } else {
        let q = p - 0.5;
        let r = q * q;
        q * horner(&A, r) / horner(&B, r)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_agree_with_the_platform_to_ten_digits() {
        for i in 1..2000 {
            let x = f64::from(i) * 0.037;
            assert!((ln(x) - x.ln()).abs() < 1e-12, "ln {x}");
            assert!((exp(x - 30.0) / (x - 30.0).exp() - 1.0).abs() < 1e-12, "exp {x}");
            assert!((sin_turns(x - 40.0) - ((x - 40.0) * std::f64::consts::TAU).sin()).abs() < 1e-10, "sin {x}");
        }
        assert!((power(7.0, -1.05) - 7.0_f64.powf(-1.05)).abs() < 1e-12);
        assert!((normal_quantile(0.975) - 1.959_963_985).abs() < 1e-7);
        assert!((normal_quantile(0.001) + 3.090_232_306).abs() < 1e-7);
    }

    #[test]
    fn the_generator_is_xoshiro256_plus_plus() {
        // First outputs for state 1, 2, 3, 4, from the authors' reference implementation.
        let mut dice = Dice { state: [1, 2, 3, 4] };
        let first: Vec<u64> = (0..4).map(|_| dice.word()).collect();
        assert_eq!(first, [41943041, 58720359, 3588806011781223, 3591011842654386]);
    }

    #[test]
    fn distributions_have_the_stated_moments() {
        let mut dice = Dice::new(7);
        let n = 40_000;
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let normals: Vec<f64> = (0..n).map(|_| dice.normal()).collect();
        assert!(mean(&normals).abs() < 0.02);
        assert!((mean(&normals.iter().map(|x| x * x).collect::<Vec<_>>()) - 1.0).abs() < 0.03);
        let counts: Vec<f64> = (0..n).map(|_| dice.poisson(21.0) as f64).collect();
        assert!((mean(&counts) - 21.0).abs() < 0.15);
        let legit: Vec<f64> = (0..n).map(|_| dice.beta_as_order_statistic(2, 7)).collect();
        assert!((mean(&legit) - 0.25).abs() < 0.005);
        let fraud: Vec<f64> = (0..n).map(|_| dice.beta_as_order_statistic(8, 9)).collect();
        assert!((mean(&fraud) - 0.8).abs() < 0.005);
        let cascade: Vec<f64> = (0..n).map(|_| dice.pareto_cut(5.0, 1.6, 400.0)).collect();
        assert!(cascade.iter().all(|&x| (5.0..=400.0).contains(&x)));
    }

    #[test]
    fn weights_are_met() {
        let weights = Weights::zipf(200, 1.05, 0.0);
        let mut dice = Dice::new(3);
        let top: usize = (0..20_000).filter(|_| weights.pick(&mut dice) < 5).count();
        assert!((0.40..0.46).contains(&(top as f64 / 20_000.0)));
        assert!(((0..200).map(|i| weights.share(i)).sum::<f64>() - 1.0).abs() < 1e-9);
    }
}
