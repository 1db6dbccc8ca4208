//! A simulated day: frauds that look like frauds, visitors who come back, fashions that come and go.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::OnceLock;

use super::dirt::DirtLevel;
use super::draft::{Body, CHAPTER_MS, Draft, Drafts};
use super::ecommerce::{self, EventType};
use super::finance::{self, Payment};
use super::fraud::{Pattern, RING_ACCOUNTS, RING_LIMITS, RINGS};
use super::town::places::COUNTRIES;
use super::world::{World, time_of_day};

const HOURS: i64 = 24;
const HOUR_MS: i64 = 3_600_000;

struct Seen {
    at: i64,
    story: u64,
    payment: Payment,
}

#[derive(Default)]
struct Visit {
    person: u16,
    from: i64,
    to: i64,
    first: u16,
    cart: Vec<u16>,
    bought: Vec<u16>,
}

#[derive(Default)]
struct Day {
    payments: Vec<Seen>,
    /// In order of their beginning.
    visits: Vec<Visit>,
    /// When, what and by whom something was bought.
    purchases: Vec<(i64, u16, u16)>,
}

/// A day of seed 7 without dirt.
fn day() -> &'static Day {
    static DAY: OnceLock<Day> = OnceLock::new();
    DAY.get_or_init(|| {
        let world = World::new(7, DirtLevel::None);
        let mut day = Day::default();
        let mut visits: BTreeMap<u64, Visit> = BTreeMap::new();
        let mut accept = |draft: Draft| {
            let (at, story) = (draft.happened, draft.serial.0 >> 16);
            match draft.body {
                Body::Payment(payment) => day.payments.push(Seen { at, story, payment }),
                Body::Shop(event) => {
                    let (person, product) = (event.person, event.product);
                    let new = || Visit { person, from: at, first: product, ..Visit::default() };
                    let visit = visits.entry(story).or_insert_with(new);
                    visit.to = at;
                    match event.kind {
                        EventType::AddToCart => visit.cart.push(product),
                        EventType::RemoveFromCart | EventType::Purchase => visit.cart.retain(|&held| held != product),
                        _ => {}
                    }
                    if event.kind == EventType::Purchase {
                        visit.bought.push(product);
                        day.purchases.push((at, product, person));
                    }
                }
                _ => {}
            }
        };
        for chapter in 0..HOURS * HOUR_MS / CHAPTER_MS {
            ecommerce::tell(&world, chapter, &mut Drafts::new(&mut accept));
            finance::tell(&world, chapter, &mut Drafts::new(&mut accept));
        }
        day.visits = visits.into_values().collect();
        day.visits.sort_by_key(|visit| visit.from);
        day
    })
}

/// The payments of each fraud of a pattern, in order of time.
fn stories(pattern: Pattern) -> Vec<Vec<&'static Seen>> {
    let mut stories: BTreeMap<u64, Vec<&Seen>> = BTreeMap::new();
    for seen in day().payments.iter().filter(|seen| seen.payment.fraud == Some(pattern)) {
        stories.entry(seen.story).or_default().push(seen);
    }
    stories.values_mut().for_each(|story| story.sort_by_key(|seen| seen.at));
    stories.into_values().collect()
}

/// Where each person pays most, as anyone can see.
fn homes() -> HashMap<u16, u8> {
    let mut counts: HashMap<u16, [u32; COUNTRIES.len()]> = HashMap::new();
    for Seen { payment, .. } in &day().payments {
        counts.entry(payment.person).or_default()[usize::from(payment.country)] += 1;
    }
    let most = |counts: [u32; COUNTRIES.len()]| (0..counts.len()).max_by_key(|&country| counts[country]).unwrap() as u8;
    counts.into_iter().map(|(person, counts)| (person, most(counts))).collect()
}

struct Score {
    precision: f64,
    recall: f64,
}

impl Score {
    fn f1(&self) -> f64 {
        2.0 * self.precision * self.recall / (self.precision + self.recall)
    }
}

fn score(suspects: impl Fn(&Payment) -> bool) -> Score {
    let (mut right, mut suspected, mut frauds) = (0.0, 0.0, 0.0);
    for Seen { payment, .. } in &day().payments {
        let (suspect, fraud) = (suspects(payment), payment.fraud.is_some());
        suspected += f64::from(u8::from(suspect));
        frauds += f64::from(u8::from(fraud));
        right += f64::from(u8::from(suspect && fraud));
    }
    Score { precision: right / suspected, recall: right / frauds }
}

#[test]
fn two_in_a_hundred_payments_are_fraud_and_risk_scores_are_as_stated() {
    let share = |of: &dyn Fn(&Payment) -> bool, among: &dyn Fn(&Payment) -> bool| {
        let among: Vec<&Seen> = day().payments.iter().filter(|seen| among(&seen.payment)).collect();
        among.iter().filter(|seen| of(&seen.payment)).count() as f64 / among.len() as f64
    };
    let risky = |payment: &Payment| payment.risk > 7_000;
    let all = share(&|payment| payment.fraud.is_some(), &|_| true);
    let (legit, fraud) = (share(&risky, &|payment| payment.fraud.is_none()), share(&risky, &|payment| payment.fraud.is_some()));
    let per_s = day().payments.len() as f64 / (HOURS * 3600) as f64;
    println!("{per_s:.2} payments a second, {:.2} % fraud; above 0.7: {:.2} % and {:.1} %", 100.0 * all, 100.0 * legit, 100.0 * fraud);
    assert!((0.0185..0.0215).contains(&all) && (0.003..0.005).contains(&legit) && (0.78..0.82).contains(&fraud));
    assert!((3.9..4.25).contains(&per_s));
    for pattern in [Pattern::StolenCard, Pattern::AccountTakeover, Pattern::Ring] {
        let share = share(&|payment| payment.fraud == Some(pattern), &|payment| payment.fraud.is_some());
        println!("{}: {:.1} % of the frauds' payments, {} frauds", pattern.name(), 100.0 * share, stories(pattern).len());
        assert!(share > 0.2);
    }
}

#[test]
fn a_rule_on_three_features_beats_the_risk_score_alone() {
    let homes = homes();
    let rule = score(|payment| {
        let away = payment.country != homes[&payment.person];
        payment.risk > RULE_RISK && (away || payment.amount_usd_cents > RULE_USD_CENTS)
    });
    let alone: Vec<(u16, Score)> = (50..100).map(|hundredth| (hundredth * 100, score(|payment| payment.risk > hundredth * 100))).collect();
    let (threshold, best) = alone.iter().max_by(|a, b| a.1.f1().total_cmp(&b.1.f1())).unwrap();
    let usual = &alone.iter().find(|(threshold, _)| *threshold == 7_000).unwrap().1;
    let show = |what: &str, score: &Score| {
        println!("{what}: precision {:.3}, recall {:.3}, F1 {:.3}", score.precision, score.recall, score.f1());
    };
    show("risk_score > 0.7", usual);
    show(&format!("best threshold {threshold}"), best);
    show("rule", &rule);
    println!("{} payments", day().payments.len());
    assert!(rule.f1() > best.f1() + 0.08);
    assert!(rule.precision > usual.precision && rule.recall > usual.recall);
}

/// The rule of docs/fraud.md.
const RULE_RISK: u16 = 5_500;
const RULE_USD_CENTS: i64 = 40_000;

#[test]
fn a_stolen_card_is_tried_and_then_used_up_abroad() {
    for story in stories(Pattern::StolenCard) {
        let small = story.iter().take_while(|seen| seen.payment.amount_usd_cents <= 201).count();
        let large = &story[small..];
        assert!((2..=4).contains(&small) && (2..=4).contains(&large.len()));
        assert!(
            large.iter().all(|seen| seen.payment.amount_usd_cents > 10_000 && ["electronics", "travel"].contains(&seen.payment.merchant))
        );
        assert!(story[small - 1].at - story[0].at < 4 * 60_000 && story[story.len() - 1].at - story[0].at < 25 * 60_000);
        let first = &story[0].payment;
        assert!(story.iter().all(|Seen { payment, .. }| {
            (payment.card, payment.person, payment.country) == (first.card, first.person, first.country) && payment.country != payment.money
        }));
    }
}

#[test]
fn a_taken_account_buys_dearer_and_dearer_from_abroad() {
    let world = World::new(7, DirtLevel::None);
    let mut at_other_hours = 0.0;
    let stories = stories(Pattern::AccountTakeover);
    for story in &stories {
        let person = &world.town.people[usize::from(story[0].payment.person)];
        at_other_hours += f64::from(u8::from(person.activity(time_of_day(story[0].at)) < 1.0));
        assert!(story[story.len() - 1].at - story[0].at < 30 * 60_000);
        let mut amounts: HashMap<u64, (i64, i64)> = HashMap::new();
        for Seen { at, payment, .. } in story {
            assert!(payment.country != person.country && payment.channel == "online");
            amounts.entry(payment.order.unwrap()).or_insert((payment.amount_cents, *at));
        }
        assert!(amounts.len() <= 6);
        let mut amounts: Vec<(i64, i64)> = amounts.into_values().collect();
        amounts.sort_unstable();
        // A payment can overtake the one before, as a bank takes its time.
        assert!(amounts.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 < pair[1].1 + 100_000));
    }
    assert!(at_other_hours / stories.len() as f64 > 0.9);
}

#[test]
fn a_ring_pays_one_kind_of_merchant_just_under_a_limit() {
    let mut members: HashSet<u16> = HashSet::new();
    let stories = stories(Pattern::Ring);
    for story in &stories {
        let first = &story[0].payment;
        assert!((8..=13).contains(&story.len()) && story[story.len() - 1].at - story[0].at < 600_000);
        let payers: HashSet<u16> = story.iter().map(|seen| seen.payment.person).collect();
        assert!((2..=8).contains(&payers.len()));
        members.extend(payers);
        let limit = RING_LIMITS.iter().map(|limit| (limit * 100.0) as i64).find(|&limit| first.amount_usd_cents < limit).unwrap();
        for Seen { payment, .. } in story {
            assert_eq!((payment.country, payment.merchant), (first.country, first.merchant));
            assert!((limit * 96 / 100..limit).contains(&payment.amount_usd_cents), "{payment:?}");
        }
    }
    // The same accounts come back.
    assert!(stories.len() > 100 && members.len() <= RINGS * RING_ACCOUNTS.1);
}

#[test]
fn prices_and_best_sellers_are_as_stated_over_the_day() {
    let world = World::new(7, DirtLevel::None);
    let price = |product: u16| world.town.products[usize::from(product)].price_cents;
    let count = day().purchases.len() as f64;
    let dear = day().purchases.iter().filter(|(_, product, _)| price(*product) > 50_000).count() as f64 / count;
    let mut prices: Vec<i64> = day().purchases.iter().map(|(_, product, _)| price(*product)).collect();
    prices.sort_unstable();
    let (median, mean) = (prices[prices.len() / 2] as f64 / 100.0, prices.iter().sum::<i64>() as f64 / count / 100.0);
    let mut sold: HashMap<u16, f64> = HashMap::new();
    day().purchases.iter().for_each(|(_, product, _)| *sold.entry(*product).or_default() += 1.0 / count);
    let mut shares: Vec<f64> = sold.into_values().collect();
    shares.sort_unstable_by(|a, b| b.total_cmp(a));
    let top: f64 = shares.iter().take(5).sum();
    let per_s = count / (HOURS * 3600) as f64;
    println!("{per_s:.3} purchases a second, {dear:.4} above 500, median {median}, mean {mean:.0}, top five {top:.3}");
    assert!((0.085..0.115).contains(&dear) && (54.0..78.0).contains(&median) && (155.0..198.0).contains(&mean));
    assert!((0.38..0.45).contains(&top) && (1.42..1.6).contains(&per_s));
}

#[test]
fn what_sells_changes_over_the_hours() {
    let ranked = |from: i64| -> Vec<u16> {
        let mut sold: HashMap<u16, u32> = HashMap::new();
        let within = day().purchases.iter().filter(|(at, ..)| (from * HOUR_MS..(from + 2) * HOUR_MS).contains(at));
        within.for_each(|(_, product, _)| *sold.entry(*product).or_default() += 1);
        let mut sold: Vec<(u16, u32)> = sold.into_iter().collect();
        sold.sort_unstable_by_key(|&(product, count)| (std::cmp::Reverse(count), product));
        sold.into_iter().map(|(product, _)| product).take(10).collect()
    };
    let tops: Vec<Vec<u16>> = (0..HOURS).step_by(2).map(ranked).collect();
    tops.iter().for_each(|top| println!("{top:?}"));
    let fives: HashSet<Vec<u16>> = tops.iter().map(|top| top[..5].to_vec()).collect();
    let ever: HashSet<u16> = tops.iter().flatten().copied().collect();
    assert!(fives.len() >= 8 && (12..40).contains(&ever.len()), "{} {}", fives.len(), ever.len());
}

/// Of what stayed in a cart and of what was bought: how often the same person begins a visit with it, half an hour to two hours later.
#[test]
fn who_left_a_cart_comes_back_for_it() {
    let mut by_person: HashMap<u16, Vec<&Visit>> = HashMap::new();
    day().visits.iter().for_each(|visit| by_person.entry(visit.person).or_default().push(visit));
    let (mut left, mut bought) = ([0.0; 2], [0.0; 2]);
    for visits in by_person.values() {
        for (index, visit) in visits.iter().enumerate().filter(|(_, visit)| visit.from < (HOURS - 3) * HOUR_MS) {
            let later =
                visits[index + 1..].iter().filter(|other| (HOUR_MS / 2 - CHAPTER_MS..2 * HOUR_MS).contains(&(other.from - visit.from)));
            let firsts: Vec<u16> = later.map(|other| other.first).collect();
            visit.cart.iter().for_each(|product| left[usize::from(firsts.contains(product))] += 1.0);
            visit.bought.iter().for_each(|product| bought[usize::from(firsts.contains(product))] += 1.0);
        }
    }
    let share = |counts: [f64; 2]| counts[1] / (counts[0] + counts[1]);
    println!("a later visit begins with what was left {:.3}, with what was bought {:.3}", share(left), share(bought));
    assert!(share(left) > share(bought) + 0.05);
}

#[test]
fn people_buy_what_they_like_at_their_hours() {
    let world = World::new(7, DirtLevel::None);
    let (mut liked, mut at_hour) = (0.0, 0.0);
    for (at, product, person) in &day().purchases {
        let person = &world.town.people[usize::from(*person)];
        let category = world.town.products[usize::from(*product)].category as u8;
        liked += f64::from(u8::from(person.favourites.contains(&category)));
        at_hour += f64::from(u8::from(person.activity(time_of_day(*at)) == 1.0));
    }
    let count = day().purchases.len() as f64;
    println!("{:.3} of purchases of a favourite category, {:.3} at the buyer's hours", liked / count, at_hour / count);
    // By chance they were 0.2 and 0.4.
    assert!(liked / count > 0.33 && at_hour / count > 0.55);
}
