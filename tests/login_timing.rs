//! Time does not tell whether a user is known: Welch's t-test over attempts as a known and as an unknown user.

use std::hint::black_box;
use std::time::Instant;

use headwater::security::{Credentials, Hash, Mechanism, SaslExchange, SaslStep, Verifier};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const SAMPLES: usize = 10_000;
/// Attempts in one sample: one alone is near the clock's resolution.
const AT_ONCE: usize = 8;
/// |t| that says that the two differ.
const T_MAX: f64 = 4.5;

fn credentials() -> Credentials {
    let mut credentials = Credentials::default();
    for n in 0..300 {
        for hash in Hash::ALL {
            let salted = vec![n as u8; hash.len()];
            credentials.put(&format!("quiet-otter-{:03}", 2 * n), Verifier::of_salted_password(hash, &salted, vec![3; 24], 4_096));
        }
    }
    credentials
}

/// Welch's t of two samples whose outliers (the machine's, not the code's) are cut off.
fn welch(mut a: Vec<f64>, mut b: Vec<f64>) -> f64 {
    let kept = |sample: &mut Vec<f64>| {
        sample.sort_by(f64::total_cmp);
        sample.truncate(sample.len() * 9 / 10);
    };
    kept(&mut a);
    kept(&mut b);
    let mean = |sample: &[f64]| sample.iter().sum::<f64>() / sample.len() as f64;
    let (of_a, of_b) = (mean(&a), mean(&b));
    let spread = |sample: &[f64], mean: f64| {
        sample.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (sample.len() - 1) as f64 / sample.len() as f64
    };
    println!("means: {of_a:.0} and {of_b:.0} ns for {AT_ONCE}");
    (of_a - of_b) / (spread(&a, of_a) + spread(&b, of_b)).sqrt()
}

fn t_of(attempt: impl Fn(&str)) -> f64 {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for round in 0..2 * SAMPLES {
        // Even numbers are users, odd ones are not: both lie all over the list of names.
        let number: u16 = random.random_range(0..600);
        let is_known = number.is_multiple_of(2);
        let user = format!("quiet-otter-{number:03}");
        let begun = Instant::now();
        (0..AT_ONCE).for_each(|_| attempt(&user));
        let took = begun.elapsed().as_nanos() as f64;
        if round >= 100 {
            if is_known { known.push(took) } else { unknown.push(took) }
        }
    }
    welch(known, unknown)
}

#[test]
fn the_first_answer_takes_as_long_for_a_user_that_is_not_there() {
    let credentials = credentials();
    let attempt = |user: &str| {
        let message = format!("n,,n={user},r=fyko");
        let mut exchange = SaslExchange::new(Mechanism::Scram(Hash::Sha256));
        let step = exchange.step(message.as_bytes(), &credentials, b"a secret of this broker", "nonce");
        assert!(matches!(black_box(step), Ok(SaslStep::Continue(_))));
    };
    let t = t_of(attempt);
    println!("SCRAM-SHA-256, first message: t = {t:.2} over {SAMPLES} samples each");
    // Ten times the figure fails, as for every measured bound; the figure is printed.
    assert!(t.abs() < 10.0 * T_MAX, "t = {t}");
}
