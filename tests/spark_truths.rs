//! The kinds of truth of the Spark challenges, on receipts that the plainest of notebooks would have printed: the right ones pass, and
//! each mistake is called by its name, for three seeds at three levels of dirt.

#[path = "spark_truths/bank.rs"]
mod bank;
#[path = "spark_truths/notebook.rs"]
mod notebook;
#[path = "spark_truths/town.rs"]
mod town;

use serde_json::{Value, json};

use notebook::{Silver, SilverRow, bronze_receipt, bronze_rows, digest, silver_receipt};
use town::{BANK, SHOP, Town, assert_mistake, assert_passes, failed, some_towns, towns};

fn bronze(town: &Town, receipt: &Value) -> headwater::workshop::verdict::Judgement {
    town.judge("bronze", "topic = \"ecommerce-events\"", &[SHOP], receipt)
}

fn silver(town: &Town, receipt: &Value) -> headwater::workshop::verdict::Judgement {
    town.judge("silver", "topic = \"ecommerce-events\"", &[SHOP], receipt)
}

/// Two versions that wrote all rows together.
fn two(rows: usize) -> Value {
    json!([[0, 0, null], [1, 10, 0], [2, rows - 10, 1]])
}

#[test]
fn a_bronze_table_is_the_log() {
    for town in towns() {
        let rows = bronze_rows(&town, SHOP);
        let receipt = bronze_receipt(&town.nonce, &rows, two(rows.len()));
        assert_passes(&bronze(&town, &receipt));
        // Without Delta there is no history to look at.
        assert_passes(&bronze(&town, &bronze_receipt(&town.nonce, &rows, json!([]))));
        // One run shows nothing of the second.
        assert_eq!(failed(&bronze(&town, &bronze_receipt(&town.nonce, &rows, json!([[1, rows.len(), 0]])))), ["history"]);
        // An overwriting second run.
        assert_eq!(failed(&bronze(&town, &bronze_receipt(&town.nonce, &rows, json!([[1, 10, 0], [2, rows.len(), 1]])))), ["history"]);
        let mut no_ingested = receipt.clone();
        no_ingested["schema"].as_array_mut().unwrap().pop();
        assert_eq!(failed(&bronze(&town, &no_ingested)), ["schema"]);
        let mut text_offset = receipt.clone();
        text_offset["schema"][4] = json!("offset:string");
        assert_eq!(failed(&bronze(&town, &text_offset)), ["schema"]);
    }
}

#[test]
fn mistakes_in_bronze_have_their_names() {
    for town in some_towns() {
        let (rows, nonce) = (bronze_rows(&town, SHOP), &town.nonce);
        let ends: Vec<i64> = town.partitions(SHOP).iter().map(|lane| lane.len() as i64).collect();
        let receipt = |rows: &[notebook::BronzeRow], versions: Value| bronze(&town, &bronze_receipt(nonce, rows, versions));

        assert_mistake(&receipt(&[], json!([])), Some("latest"));
        let newest: Vec<_> = rows.iter().filter(|row| row.1 >= ends[row.0 as usize] - 50).cloned().collect();
        let latest = receipt(&newest, json!([[1, newest.len(), 0]]));
        assert_mistake(&latest, Some("latest"));
        assert_eq!(latest.mistake.unwrap().facts["rows"], newest.len().to_string());
        assert_mistake(&receipt(&newest, json!([[1, newest.len(), 3]])), Some("shared-checkpoint"));

        let absent: Vec<_> = rows.iter().filter(|row| row.0 != 2).cloned().collect();
        let shared = receipt(&absent, two(absent.len()));
        assert_mistake(&shared, Some("shared-checkpoint"));
        assert_eq!(shared.mistake.unwrap().facts["partitions"], "1");
        let hole: Vec<_> = rows.iter().filter(|row| !(400..500).contains(&row.1)).cloned().collect();
        assert_mistake(&receipt(&hole, json!([[1, 10, 0], [2, hole.len() - 10, 2]])), Some("shared-checkpoint"));
        assert_mistake(&receipt(&hole, two(hole.len())), None);

        let parses = |row: &&notebook::BronzeRow| serde_json::from_slice::<Value>(&row.2).is_ok();
        let parsed: Vec<_> = rows.iter().filter(parses).cloned().collect();
        if parsed.len() < rows.len() {
            let lost = receipt(&parsed, two(parsed.len()));
            assert_mistake(&lost, Some("parsed-in-bronze"));
            assert_eq!(lost.mistake.unwrap().facts["lost"], (rows.len() - parsed.len()).to_string());
        }
        let bare: Vec<_> = parsed.iter().map(|row| (row.0, row.1, Vec::new())).collect();
        assert_mistake(&receipt(&bare, two(bare.len())), Some("parsed-in-bronze"));

        let first_run = |row: &&notebook::BronzeRow| row.1 < ends[row.0 as usize] - 100;
        let twice: Vec<_> = rows.iter().chain(rows.iter().filter(first_run)).cloned().collect();
        let deleted = receipt(&twice, two(twice.len()));
        assert_mistake(&deleted, Some("checkpoint-deleted"));
        assert_eq!(deleted.mistake.unwrap().facts["twice"], (twice.len() - rows.len()).to_string());

        let mut other = rows.clone();
        other[12].2[5] ^= 1;
        let changed = receipt(&other, two(other.len()));
        assert_mistake(&changed, None);
        assert_eq!(failed(&changed), ["unchanged"]);
        let mut stale = bronze_receipt("another", &rows, two(rows.len()));
        stale["ticket"] = json!(nonce);
        assert_mistake(&bronze(&town, &stale), None);
    }
}

#[test]
fn receipts_that_make_no_sense_are_refused_in_words() {
    let town = Town::of(7, 1);
    let rows = bronze_rows(&town, SHOP);
    let mut receipt = bronze_receipt(&town.nonce, &rows, json!([]));
    receipt["partitions"]["0"]["max"] = json!("12");
    let judgement = bronze(&town, &receipt);
    assert_eq!(failed(&judgement), ["receipt"]);
    assert!(judgement.checks[0].message.contains("string"), "{judgement:?}");
    receipt["partitions"]["0"]["max"] = json!(i64::MAX);
    assert_eq!(failed(&bronze(&town, &receipt)), ["receipt"]);
    receipt["partitions"]["0"]["max"] = json!(-9);
    assert_eq!(failed(&bronze(&town, &receipt)), ["receipt"]);
    for (kind, parameters) in [
        ("silver", "topic = \"ecommerce-events\""),
        ("fraud-windows", "topic = \"financial-transactions\""),
        ("payment-join", "purchases = \"ecommerce-events\"\npayments = \"financial-transactions\""),
    ] {
        let judgement = town.judge(kind, parameters, &[SHOP, BANK], &json!({"ticket": town.nonce}));
        assert_eq!(failed(&judgement), ["receipt"], "{kind}");
    }
}

#[test]
fn a_silver_table_holds_the_valid_events_once() {
    for town in towns() {
        let (rows, mut quarantine) = Silver::default().run(&town.objects(SHOP));
        assert!(rows.len() > 8_000, "{}", rows.len());
        let receipt = silver_receipt(&town, &rows, &quarantine);
        assert_passes(&silver(&town, &receipt));
        // A watermark may have dropped any of those that came late.
        let late = |row: &SilverRow| row.arrived - row.happened >= 570_000;
        let dropped: Vec<_> = rows.iter().filter(|row| !late(row) || row.happened % 2 == 0).cloned().collect();
        assert_passes(&silver(&town, &silver_receipt(&town, &dropped, &quarantine)));
        let none: Vec<_> = rows.iter().filter(|row| !late(row)).cloned().collect();
        let judgement = silver(&town, &silver_receipt(&town, &none, &quarantine));
        assert_passes(&judgement);
        assert_eq!(judgement.evidence.len(), usize::from(none.len() < rows.len()));
        // A quarantine may hold a repeated record once.
        quarantine.sort();
        quarantine.dedup();
        assert_passes(&silver(&town, &silver_receipt(&town, &rows, &quarantine)));
        let mut unrefused = receipt.clone();
        unrefused["rejected"] = json!("no error");
        assert_eq!(failed(&silver(&town, &unrefused)), ["rejected"]);
    }
}

#[test]
fn mistakes_in_silver_have_their_names() {
    for town in some_towns() {
        let dirty = !town.nonce.ends_with('0');
        let read = town.objects(SHOP);
        let (rows, quarantine) = Silver::default().run(&read);
        let judged = |rows: &[SilverRow], quarantine: &[Vec<u8>]| silver(&town, &silver_receipt(&town, rows, quarantine));
        let run = |silver: Silver| {
            let (rows, quarantine) = silver.run(&read);
            judged(&rows, &quarantine)
        };
        for hours in [2, -5, 1] {
            let zone = run(Silver { zone: hours, ..Silver::default() });
            assert_mistake(&zone, Some("local-zone"));
            assert_eq!(zone.mistake.unwrap().facts["hours"], format!("{hours:+}"));
        }
        let monday: Vec<_> = rows.iter().map(|row| SilverRow { day: (row.day + 5) % 7, ..row.clone() }).collect();
        assert_mistake(&judged(&monday, &quarantine), Some("week-from-monday"));
        let nulled: Vec<_> = rows.iter().map(|row| SilverRow { device: None, country: None, ..row.clone() }).collect();
        let wrong_type = judged(&nulled, &quarantine);
        assert_mistake(&wrong_type, Some("wrong-type-nulls"));
        assert_eq!(wrong_type.mistake.unwrap().facts["which"], "context");
        if dirty {
            assert_mistake(&run(Silver { account_tests: true, ..Silver::default() }), Some("tests-kept"));
            let tests = run(Silver { marked_tests: true, account_tests: true, ..Silver::default() });
            assert_mistake(&tests, Some("tests-kept"));
        }
        let dropna: Vec<_> = rows.iter().filter(|row| row.campaign).cloned().collect();
        assert_mistake(&judged(&dropna, &quarantine), Some("nulls-filtered"));
        let everything: Vec<_> = town.records(SHOP).map(|record| record.value.clone().unwrap().to_vec()).collect();
        assert_mistake(&judged(&[], &everything), Some("wrong-type-nulls"));
        if dirty {
            assert_mistake(&run(Silver { dedup: false, ..Silver::default() }), Some("dedup-missing"));
            for rule in ["user", "product", "type", "number", "positive", "future"] {
                let judgement = run(Silver::without(rule));
                assert_mistake(&judgement, Some("invalid-kept"));
            }
            assert_mistake(&judged(&rows, &[]), Some("no-quarantine"));
            let parses = |value: &&Vec<u8>| serde_json::from_slice::<Value>(value).is_ok();
            let parsed: Vec<_> = quarantine.iter().filter(parses).cloned().collect();
            assert_mistake(&judged(&rows, &parsed), Some("no-quarantine"));
            // `NOT (price > 0)` is null where the price is.
            let known: Vec<_> =
                quarantine.iter().filter(|value| !String::from_utf8_lossy(value).contains("\"price\":\"")).cloned().collect();
            let filtered = judged(&rows, &known);
            assert_mistake(&filtered, Some("nulls-filtered"));
            assert_eq!(filtered.mistake.unwrap().facts["which"], "a price that is no number");
        }
        let mut other = rows.clone();
        other[3].id = "01M84103M976CW5NC1NM2DZ221".to_owned();
        assert_mistake(&judged(&other, &quarantine), None);
        other = rows.clone();
        other.truncate(rows.len() - 7);
        assert_mistake(&judged(&other, &quarantine), None);
        let mut columns = rows.clone();
        columns[3].hour += 1;
        let judgement = judged(&columns, &quarantine);
        assert_mistake(&judgement, None);
        assert_eq!(failed(&judgement), ["derived"]);
    }
}

#[test]
fn the_order_of_arrival_changes_no_verdict() {
    let town = Town::of(11, 2);
    let mut state = 1_u64;
    let shuffled = town.shuffled(|below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    });
    let (mut rows, quarantine) = Silver::default().run(&town.objects(SHOP));
    rows.reverse();
    let receipt = silver_receipt(&town, &rows, &quarantine);
    assert_passes(&silver(&town, &receipt));
    let (again, quarantine) = Silver::default().run(&shuffled.objects(SHOP));
    let other = silver_receipt(&shuffled, &again, &quarantine);
    assert_passes(&silver(&shuffled, &other));
    assert_eq!(digest("n", rows.iter().map(|row| &row.id)), digest("n", again.iter().map(|row| &row.id)));
    bank::the_order_changes_nothing(&town, &shuffled);
}

/// Prints how long each kind takes for a million records, right and wrong: `cargo test --release --test spark_truths -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn a_million_records_take_less_than_a_second() {
    let town = Town::of(7, 1);
    let count = town.records(SHOP).count().max(1);
    let (shop, bank) = (town.repeated(1_000_000 / count + 1), town.repeated(1_000_000 / town.records(BANK).count().max(1) + 1));
    let (rows, quarantine) = Silver::default().run(&shop.objects(SHOP));
    let mut silver_right = silver_receipt(&shop, &rows, &quarantine);
    let mut bronze_any = bronze_receipt(&shop.nonce, &bronze_rows(&town, SHOP), json!([]));
    for (id, lane) in shop.partitions(SHOP).iter().enumerate() {
        silver_right["offsets"][id.to_string()] = json!([0, lane.len()]);
        bronze_any["partitions"][id.to_string()]["max"] = json!(lane.len() - 1);
    }
    let mut silver_wrong = silver_right.clone();
    silver_wrong["derived"]["sum"] = json!(1);
    let mut took = |what: &str, run: &dyn Fn() -> headwater::workshop::verdict::Judgement| {
        let (began, cpu) = (std::time::Instant::now(), cpu_ms());
        let judgement = run();
        println!("{what}: {:?}, {} ms on all cores, {} checks failed", began.elapsed(), cpu_ms() - cpu, failed(&judgement).len());
    };
    took("bronze, wrong", &|| bronze(&shop, &bronze_any));
    took("silver", &|| silver(&shop, &silver_right));
    took("silver, wrong hours", &|| silver(&shop, &silver_wrong));
    let mut silver_wrong = silver_right.clone();
    silver_wrong["nested"]["sum"] = json!(1);
    took("silver, wrong fields", &|| silver(&shop, &silver_wrong));
    bank::measure(&bank, &shop, &mut took);
}

/// What this process has used, which others on the machine do not change.
fn cpu_ms() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    // User and system time in hundredths of a second: fields 14 and 15 of all.
    (fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()) * 10
}
