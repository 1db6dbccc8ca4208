//! Fraud windows and the join of purchases with payments.

use std::collections::{BTreeMap, HashSet};

use headwater::workshop::verdict::Judgement;
use serde_json::{Value, json};

use super::notebook::{Read, columns, crc32, digest, millis, offsets};
use super::town::{BANK, SHOP, Town, assert_mistake, assert_passes, failed, some_towns, towns};

const WINDOW_MS: i64 = 300_000;
const LATE_MS: i64 = 570_000;

/// What a gold notebook does with payments.
#[derive(Clone, Copy)]
struct Gold {
    by_arrival: bool,
    inclusive: bool,
    raw: bool,
    dedup: bool,
    positive: bool,
    open: bool,
    /// Keeps every so-manieth late payment.
    late: usize,
}

const GOLD: Gold = Gold { by_arrival: false, inclusive: false, raw: false, dedup: false, positive: false, open: false, late: 1 };

#[derive(Clone, Debug)]
struct GoldRow {
    start: i64,
    country: String,
    payments: u64,
    average: f64,
    high: u64,
    spike: bool,
}

impl Gold {
    fn run(self, read: &Read) -> Vec<GoldRow> {
        let mut windows: BTreeMap<(String, i64), (u64, f64, u64)> = BTreeMap::new();
        let (mut seen, mut newest, mut late) = (HashSet::new(), 0, 0);
        for (record, payment) in read {
            let Some(payment) = payment else { continue };
            if (self.dedup && !seen.insert(payment["event_id"].clone())) || (self.positive && payment["amount"].as_f64().unwrap() <= 0.0) {
                continue;
            }
            let happened = millis(payment["timestamp"].as_str().unwrap());
            let at = if self.by_arrival { record.timestamp.0 } else { happened };
            newest = newest.max(at);
            if record.timestamp.0 - at >= LATE_MS {
                late += 1;
                if late % self.late != 0 {
                    continue;
                }
            }
            let country = payment["country"].as_str().unwrap().to_owned();
            let window = windows.entry((country, at / WINDOW_MS * WINDOW_MS)).or_default();
            window.0 += 1;
            window.1 += payment[if self.raw { "amount" } else { "amount_usd" }].as_f64().unwrap();
            let risk = payment["risk_score"].as_f64().unwrap();
            window.2 += u64::from(risk > 0.7 || self.inclusive && risk == 0.7);
        }
        let mut rows: Vec<GoldRow> = Vec::new();
        for ((country, start), (payments, sum, high)) in windows {
            if !self.open && start + WINDOW_MS > newest - 600_000 {
                continue;
            }
            let before: Vec<u64> = rows.iter().rev().take_while(|row| row.country == country).take(3).map(|row| row.payments).collect();
            let mean = before.iter().sum::<u64>() as f64 / 3.0;
            let spike = before.len() == 3 && payments >= 20 && payments as f64 >= 3.0 * mean;
            rows.push(GoldRow { start, country, payments, average: sum / payments as f64, high, spike });
        }
        rows
    }
}

/// `2026-01-05T01:05Z`
fn minute(ms: i64) -> String {
    format!("2026-01-{:02}T{:02}:{:02}Z", ms / 86_400_000 - 20_453, ms / 3_600_000 % 24, ms / 60_000 % 60)
}

fn gold_receipt(town: &Town, rows: &[GoldRow]) -> Value {
    let row = |row: &GoldRow| {
        json!([minute(row.start), row.country, row.payments, (row.average * 10_000.0).round() / 10_000.0, row.high, row.spike])
    };
    json!({
        "ticket": town.nonce,
        "table": "workspace.ws_me.gold",
        "offsets": offsets(town, BANK),
        "windows": rows.iter().map(row).collect::<Vec<_>>(),
    })
}

fn gold(town: &Town, receipt: &Value) -> Judgement {
    town.judge("fraud-windows", "topic = \"financial-transactions\"", &[BANK], receipt)
}

#[test]
fn a_gold_table_holds_the_closed_windows() {
    let mut spikes = 0;
    for town in towns() {
        let read = town.objects(BANK);
        let run = |how: Gold| gold(&town, &gold_receipt(&town, &how.run(&read)));
        assert_passes(&run(Gold { late: 1_000_000, ..GOLD }));
        for (dedup, positive) in [(false, false), (false, true), (true, false), (true, true)] {
            for late in [1, 2] {
                assert_passes(&run(Gold { dedup, positive, late, ..GOLD }));
            }
        }
        let open = run(Gold { open: true, ..GOLD });
        assert_passes(&open);
        assert!(open.evidence.iter().any(|line| line.contains("still open")), "{open:?}");
        // Older windows may be left out.
        let rows = GOLD.run(&read);
        spikes += rows.iter().filter(|row| row.spike).count();
        let newer: Vec<_> = rows.iter().filter(|row| row.start >= rows[0].start + 3 * WINDOW_MS).cloned().collect();
        assert_passes(&gold(&town, &gold_receipt(&town, &newer)));
        let mut dashboard = gold_receipt(&town, &rows);
        let widgets = json!([{"layout": [{"widget": {}}, {"widget": {}}, {"widget": {}}]}]);
        dashboard["dashboard"] = json!({"datasets": [{"name": "g", "query": "SELECT * FROM gold"}], "pages": widgets});
        assert_passes(&gold(&town, &dashboard));
        dashboard["dashboard"]["datasets"][0]["query"] = json!("SELECT 1");
        assert_eq!(failed(&gold(&town, &dashboard)), ["dashboard"]);
    }
    assert!(spikes > 0, "no town has a spike");
}

#[test]
fn mistakes_in_gold_have_their_names() {
    let (mut missed_spikes, mut at_least) = (0, 0);
    for town in towns() {
        let read = town.objects(BANK);
        let rows = GOLD.run(&read);
        let judged = |rows: &[GoldRow]| gold(&town, &gold_receipt(&town, rows));
        let run = |how: Gold| judged(&how.run(&read));
        // Without dirt payments arrive at once: then the windows may be the same, and nothing is wrong.
        let clean = town.nonce.ends_with('0');
        for arrival in [Gold { by_arrival: true, ..GOLD }, Gold { by_arrival: true, dedup: true, positive: true, ..GOLD }] {
            let judgement = run(arrival);
            if !(clean && judgement.passed()) {
                assert_mistake(&judgement, Some("processing-time"));
            }
        }
        assert_mistake(&run(Gold { raw: true, ..GOLD }), Some("raw-amount"));
        let inclusive = Gold { inclusive: true, ..GOLD }.run(&read);
        if inclusive.iter().zip(&rows).any(|(one, other)| one.high != other.high) {
            at_least += 1;
            assert_mistake(&judged(&inclusive), Some("at-least"));
        }
        // All that was read in one run, in the window of the run.
        let now = town.ticket(&[BANK]).issued_ms.0 / WINDOW_MS * WINDOW_MS;
        let mut by_country: BTreeMap<&str, GoldRow> = BTreeMap::new();
        for row in &rows {
            let sum = by_country.entry(&row.country).or_insert(GoldRow { start: now, payments: 0, ..row.clone() });
            sum.payments += row.payments;
        }
        assert_mistake(&judged(&by_country.into_values().collect::<Vec<_>>()), Some("processing-time"));
        // Every batch writes all windows as they are by then.
        let smaller = rows.iter().map(|row| GoldRow { payments: row.payments - 1, ..row.clone() });
        let appended: Vec<_> = smaller.filter(|row| row.payments > 0).chain(rows.iter().cloned()).collect();
        assert_mistake(&judged(&appended), Some("complete-mode"));
        let unknown = GoldRow { country: String::new(), ..rows[0].clone() };
        let mut receipt = gold_receipt(&town, &[rows.clone(), vec![unknown]].concat());
        let last = receipt["windows"].as_array_mut().unwrap().last_mut().unwrap();
        (last[0], last[1]) = (Value::Null, Value::Null);
        assert_mistake(&gold(&town, &receipt), Some("malformed-counted"));

        let half = rows.len() / 2;
        let one_off = |change: &dyn Fn(&mut GoldRow)| {
            let mut rows = rows.clone();
            change(&mut rows[half]);
            judged(&rows)
        };
        for (change, check) in [
            (Box::new(|row: &mut GoldRow| row.payments += 60) as Box<dyn Fn(&mut GoldRow)>, "counts"),
            (Box::new(|row: &mut GoldRow| row.average += 60.0), "averages"),
            (Box::new(|row: &mut GoldRow| row.high += 20), "high-risk"),
            (Box::new(|row: &mut GoldRow| row.country = "Atlantis".to_owned()), "windows"),
        ] {
            let judgement = one_off(&*change);
            assert_mistake(&judgement, None);
            assert_eq!(failed(&judgement), [check]);
        }
        let unmarked: Vec<_> = rows.iter().map(|row| GoldRow { spike: false, ..row.clone() }).collect();
        let judgement = judged(&unmarked);
        missed_spikes += usize::from(failed(&judgement) == ["spikes"]);
        let marked: Vec<_> = rows.iter().map(|row| GoldRow { spike: true, ..row.clone() }).collect();
        assert_eq!(failed(&judged(&marked)), ["spikes"]);
    }
    assert!(missed_spikes > 0 && at_least > 0, "{missed_spikes} {at_least}");
}

/// What a join notebook does.
#[derive(Clone, Copy)]
struct Join {
    by_order: bool,
    from_ms: i64,
    to_ms: i64,
    dedup_purchases: bool,
    dedup_payments: bool,
    valid: bool,
}

const JOIN: Join = Join { by_order: true, from_ms: 0, to_ms: 120_000, dedup_purchases: true, dedup_payments: true, valid: false };

struct Pair {
    id: String,
    late: bool,
}

struct Event<'a> {
    happened: i64,
    late: bool,
    json: &'a Value,
}

fn events(read: &Read, dedup: bool, keep: impl Fn(&Value) -> bool) -> Vec<Event<'_>> {
    let mut seen = HashSet::new();
    let kept = read.iter().filter_map(|(record, json)| Some((record, json.as_ref()?))).filter(|(_, json)| keep(json));
    let once = kept.filter(|(_, json)| !dedup || seen.insert(json["event_id"].clone()));
    once.map(|(record, json)| {
        let happened = millis(json["timestamp"].as_str().unwrap());
        Event { happened, late: record.timestamp.0 - happened >= LATE_MS, json }
    })
    .collect()
}

impl Join {
    /// Pairs, and the orders of purchases that have none.
    fn run(self, shop: &Read, bank: &Read) -> (Vec<Pair>, Vec<String>) {
        let positive = |value: &Value| value.as_f64().is_some_and(|number| number > 0.0);
        let valid = |event: &Value| !self.valid || (positive(&event["price"]) && !event["product_id"].is_null());
        let purchases =
            events(shop, self.dedup_purchases, |event| event["event_type"] == "purchase" && event["user_id"].is_string() && valid(event));
        let payments = events(bank, self.dedup_payments, |event| !self.valid || positive(&event["amount"]));
        let key =
            |event: &Event<'_>| event.json[if self.by_order { "order_id" } else { "user_id" }].as_str().unwrap_or_default().to_owned();
        let mut by_key: BTreeMap<String, Vec<&Event<'_>>> = BTreeMap::new();
        payments.iter().for_each(|payment| by_key.entry(key(payment)).or_default().push(payment));
        let (mut pairs, mut unmatched) = (Vec::new(), Vec::new());
        for purchase in &purchases {
            let order = purchase.json["order_id"].as_str().unwrap();
            let mut none = true;
            for payment in by_key.get(&key(purchase)).into_iter().flatten() {
                let after = payment.happened - purchase.happened;
                if payment.json["user_id"] == purchase.json["user_id"] && self.from_ms <= after && after <= self.to_ms {
                    none = false;
                    let id = format!("{order}|{}", payment.json["transaction_id"].as_str().unwrap());
                    pairs.push(Pair { id, late: purchase.late || payment.late });
                }
            }
            if none {
                unmatched.push(order.to_owned());
            }
        }
        (pairs, unmatched)
    }
}

fn checksums<'a>(nonce: &str, ids: impl IntoIterator<Item = &'a String>) -> Vec<u32> {
    ids.into_iter().map(|id| crc32(format!("{nonce}|{id}").as_bytes())).collect()
}

fn join_receipt(town: &Town, pairs: &[Pair]) -> Value {
    let (late, on_time): (Vec<&Pair>, Vec<&Pair>) = pairs.iter().partition(|pair| pair.late);
    let schema = columns(&[
        ("order_id", "string"),
        ("transaction_id", "string"),
        ("user_id", "string"),
        ("product_id", "string"),
        ("price", "decimal(10,2)"),
        ("quantity", "int"),
        ("amount", "double"),
        ("status", "string"),
        ("purchased_at", "timestamp"),
        ("paid_at", "timestamp"),
        ("purchase_arrived_at", "timestamp"),
        ("payment_arrived_at", "timestamp"),
    ]);
    json!({
        "ticket": town.nonce,
        "table": "purchases_paid",
        "schema": schema,
        "offsets": {SHOP: offsets(town, SHOP), BANK: offsets(town, BANK)},
        "on_time": digest(&town.nonce, on_time.iter().map(|pair| &pair.id)),
        "late": checksums(&town.nonce, late.iter().map(|pair| &pair.id)),
        "watermark": "2026-01-05T01:04:00.000Z",
    })
}

fn join(town: &Town, receipt: &Value) -> Judgement {
    town.judge("payment-join", "purchases = \"ecommerce-events\"\npayments = \"financial-transactions\"", &[SHOP, BANK], receipt)
}

#[test]
fn a_joined_table_holds_each_pair_once() {
    for town in towns() {
        let (shop, bank) = (town.objects(SHOP), town.objects(BANK));
        let (mut pairs, unmatched) = JOIN.run(&shop, &bank);
        assert!(pairs.len() > 700, "{}", pairs.len());
        let receipt = join_receipt(&town, &pairs);
        assert_passes(&join(&town, &receipt));
        let (valid, _) = Join { valid: true, ..JOIN }.run(&shop, &bank);
        assert_passes(&join(&town, &join_receipt(&town, &valid)));
        // A watermark may have dropped any late pair.
        let mut dropped = receipt.clone();
        dropped["late"].as_array_mut().unwrap().pop();
        assert_passes(&join(&town, &dropped));
        dropped["late"] = json!([17]);
        assert_eq!(failed(&join(&town, &dropped)), ["late"]);
        // A left outer join, with all that is given up and with what may not be yet.
        let mut outer = receipt.clone();
        outer["unmatched"] = json!(checksums(&town.nonce, &unmatched));
        assert_eq!(join(&town, &outer).stars, ["left-outer"]);
        let twice: Vec<&String> = unmatched.iter().chain(unmatched.first()).collect();
        outer["unmatched"] = json!(checksums(&town.nonce, twice));
        assert!(join(&town, &outer).stars.is_empty());
        outer["unmatched"] = json!([]);
        assert!(join(&town, &outer).stars.is_empty());

        let mut state_grows = receipt.clone();
        state_grows["watermark"] = Value::Null;
        let judgement = join(&town, &state_grows);
        assert_mistake(&judgement, Some("no-watermark"));
        assert_eq!(failed(&judgement), ["watermark"]);
        pairs.retain(|pair| !pair.late);
        assert_passes(&join(&town, &join_receipt(&town, &pairs)));
    }
}

#[test]
fn mistakes_in_the_join_have_their_names() {
    let mut beyond = 0;
    for town in some_towns() {
        let (shop, bank) = (town.objects(SHOP), town.objects(BANK));
        let pairs = |how: Join| how.run(&shop, &bank).0;
        let run = |how: Join| join(&town, &join_receipt(&town, &pairs(how)));
        for valid in [false, true] {
            let judgement = run(Join { by_order: false, valid, ..JOIN });
            assert_mistake(&judgement, Some("no-order-id"));
            assert!(judgement.mistake.unwrap().facts["factor"].parse::<f64>().unwrap() >= 1.0);
        }
        assert_mistake(&run(Join { from_ms: -120_000, to_ms: -1, ..JOIN }), Some("one-direction"));
        let right = pairs(JOIN).len();
        let unbounded = Join { to_ms: i64::MAX, ..JOIN };
        if pairs(unbounded).iter().filter(|pair| !pair.late).count() > pairs(JOIN).iter().filter(|pair| !pair.late).count() {
            beyond += 1;
            assert_mistake(&run(unbounded), Some("one-direction"));
        }
        if !town.nonce.ends_with('0') {
            for (dedup_purchases, dedup_payments, which) in [(false, false, "both"), (false, true, "purchases"), (true, false, "payments")]
            {
                let doubled = Join { dedup_purchases, dedup_payments, ..JOIN };
                assert!(pairs(doubled).len() > right);
                let judgement = run(doubled);
                assert_mistake(&judgement, Some("duplicates-doubled"));
                assert_eq!(judgement.mistake.unwrap().facts["which"], which);
            }
        }
        let mut other = pairs(JOIN);
        other.iter_mut().find(|pair| !pair.late).unwrap().id.push('x');
        assert_mistake(&join(&town, &join_receipt(&town, &other)), None);
    }
    println!("{beyond} towns have payments after more than two minutes");
}

pub fn the_order_changes_nothing(town: &Town, shuffled: &Town) {
    for town in [town, shuffled] {
        let (shop, bank) = (town.objects(SHOP), town.objects(BANK));
        assert_passes(&gold(town, &gold_receipt(town, &GOLD.run(&bank))));
        assert_passes(&join(town, &join_receipt(town, &JOIN.run(&shop, &bank).0)));
        assert_mistake(&gold(town, &gold_receipt(town, &Gold { raw: true, ..GOLD }.run(&bank))), Some("raw-amount"));
        assert_mistake(&join(town, &join_receipt(town, &Join { by_order: false, ..JOIN }.run(&shop, &bank).0)), Some("no-order-id"));
    }
}

pub fn measure(bank: &Town, shop: &Town, took: &mut dyn FnMut(&str, &dyn Fn() -> Judgement)) {
    let rows = GOLD.run(&Town::of(7, 1).objects(BANK));
    let receipt = gold_receipt(bank, &rows);
    took("fraud-windows, wrong", &|| gold(bank, &receipt));
    let (shop_read, bank_read) = (Town::of(7, 1).objects(SHOP), Town::of(7, 1).objects(BANK));
    let mut receipt = join_receipt(shop, &JOIN.run(&shop_read, &bank_read).0);
    receipt["on_time"]["sum"] = json!(1);
    took("payment-join, wrong", &|| join(shop, &receipt));
}
