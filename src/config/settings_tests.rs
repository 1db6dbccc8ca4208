//! Levels of settings and what is said to wrong ones.

use super::*;
use crate::config::BrokerConfig;

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

fn settings(flags: &[(&str, &str)], variables: &[(&str, &str)], file: &str) -> Result<Settings, String> {
    let given = Given { flags: pairs(flags), variables: pairs(variables), file: Some(("hw.toml".to_owned(), file.to_owned())) };
    Settings::from_given(&given).map_err(|e| e.to_string())
}

#[test]
fn nothing_given_is_a_workshop_on_loopback() {
    let settings = Settings::from_given(&Given::default()).unwrap();
    assert_eq!(
        (settings.doors.listeners[0].bind.to_string(), settings.doors.http.map(|a| a.to_string())),
        ("127.0.0.1:9092".into(), Some("127.0.0.1:8080".into()))
    );
    assert_eq!((settings.data_dir.to_str(), settings.generators), (Some("headwater-data"), true));
    assert_eq!(settings.guards, Guards::default());
    let config = BrokerConfig::new(&settings.broker);
    assert_eq!((config.num_partitions, config.auto_create_topics, config.node_id), (4, true, 1));
    assert_eq!(settings.broker.value("listeners").as_deref(), Some("PLAINTEXT://127.0.0.1:9092"));
}

#[test]
fn every_default_is_accepted_and_every_name_is_there_once() {
    for row in SETTING_ROWS.iter().filter(|row| !row.default.is_empty()) {
        assert!(settings(&[(row.name, row.default)], &[], "").is_ok(), "{}", row.name);
        assert!(settings(&[], &[(&row.variable(), row.default)], "").is_ok(), "{}", row.name);
        let in_file = settings(&[], &[], &format!("{} = {:?}", row.name, row.default));
        assert_eq!(in_file.is_ok(), row.in_file, "{}", row.name);
    }
    let mut names: Vec<&str> = SETTING_ROWS.iter().map(|row| row.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), SETTING_ROWS.len());
    for row in SETTING_ROWS {
        assert!(row.broker_config.is_none_or(|config| broker_row(config).is_some_and(|def| def.honoured == Honoured::Yes)));
    }
}

#[test]
fn a_flag_beats_a_variable_beats_the_file_each_setting_by_itself() {
    let file = "listen = '127.0.0.1:1'\nseed = 3\nnum_partitions = 3\n[broker]\nlog.retention.hours = 3\n\"log.roll.hours\" = 3";
    let variables = [("HEADWATER_LISTEN", "127.0.0.1:2"), ("HEADWATER_SEED", "2"), ("HEADWATER_SET", "log.roll.hours=2; num.partitions=2")];
    let settings = settings(&[("listen", "[::1]:3")], &variables, file).unwrap();
    assert_eq!((settings.doors.listeners[0].bind.to_string().as_str(), settings.seed), ("[::1]:3", 2));
    assert_eq!(settings.broker.long("log.roll.hours"), 2);
    assert_eq!(settings.broker.long("log.retention.hours"), 3);
    assert_eq!(settings.broker.long("num.partitions"), 2);
}

#[test]
fn a_bad_value_names_its_place_and_what_is_accepted() {
    let message = settings(&[("listen", "9092")], &[], "").unwrap_err();
    assert_eq!(message, "--listen: \"9092\" is not accepted; give HOST:PORT with a port up to 65535, as 127.0.0.1:9092");
    let message = settings(&[], &[("HEADWATER_GENERATORS", "maybe")], "").unwrap_err();
    assert_eq!(message, "HEADWATER_GENERATORS: \"maybe\" is not accepted; give on or off");
    let message = settings(&[], &[], "log_level = 'loud'").unwrap_err();
    assert_eq!(message, "hw.toml: log_level: \"loud\" is not accepted; give error, warn, info, debug, trace");
    let message = settings(&[("num-partitions", "0")], &[], "").unwrap_err();
    assert_eq!(message, "--num-partitions: Invalid value 0 for configuration num.partitions: Value must be at least 1; give at least 1");
    let message = settings(&[("set", "log.retention.hours=x")], &[], "").unwrap_err();
    assert!(
        message.starts_with("--set log.retention.hours: Invalid value x") && message.ends_with("give a value of type int"),
        "{message}"
    );
    assert!(settings(&[], &[], "a = [\nb").unwrap_err().starts_with("hw.toml, line "));
    assert!(!settings(&[], &[], "a = [\nb").unwrap_err().contains('\n'));
}

#[test]
fn only_a_virtual_clock_has_a_speed() {
    let clock = |flags: &[(&str, &str)]| settings(flags, &[], "").map(|settings| settings.clock);
    assert_eq!(clock(&[]), Ok(ClockSetting::Real));
    assert_eq!(clock(&[("clock", "virtual")]), Ok(ClockSetting::Virtual(Speed::Times(1.0))));
    assert_eq!(clock(&[("clock", "virtual"), ("speed", "0.25")]), Ok(ClockSetting::Virtual(Speed::Times(0.25))));
    let message = clock(&[("speed", "60")]).unwrap_err();
    assert_eq!(message, "--speed: \"60\" is not accepted; give 1, or a virtual clock as well (--clock virtual)");
    assert!(clock(&[("clock", "virtual"), ("speed", "-1")]).unwrap_err().contains("from 0 to 10000"));
    assert!(clock(&[("clock", "sundial")]).unwrap_err().ends_with("give real or virtual"));
    assert_eq!(settings(&[], &[], "clock = 'virtual'\nspeed = 1.5").unwrap().clock, ClockSetting::Virtual(Speed::Times(1.5)));
}

#[test]
fn an_unknown_name_is_answered_with_the_nearest() {
    assert_eq!(settings(&[], &[], "lisen = 'x'").unwrap_err(), "hw.toml: lisen: there is no such setting; did you mean listen?");
    assert!(settings(&[], &[], "num.partitions = 4").unwrap_err().contains("hw.toml: num: "));
    let message = settings(&[("set", "log.retention.hour=5")], &[], "").unwrap_err();
    assert_eq!(message, "--set log.retention.hour: Kafka has no broker config of that name; did you mean log.retention.hours?");
    let message = settings(&[("set", "listeners=PLAINTEXT://:1")], &[], "").unwrap_err();
    assert_eq!(message, "--set listeners: use --listen for this");
    let warnings = settings(&[], &[("HEADWATER_LISTN", "x"), ("HEADWATER_PORT_9092_TCP", "tcp://1.2.3.4")], "").unwrap().warnings;
    assert_eq!(warnings, ["HEADWATER_LISTN is not a setting and was ignored; did you mean HEADWATER_LISTEN?"]);
}

#[test]
fn the_same_config_twice_on_one_level_is_refused() {
    let message = settings(&[("num-partitions", "3"), ("set", "num.partitions=4")], &[], "").unwrap_err();
    assert_eq!(message, "--num-partitions: --set num.partitions says the same thing; give one of them");
}

#[test]
fn the_advertised_address_is_shown_under_kafkas_name() {
    let advertised = |text: &str| settings(&[("advertise", text)], &[], "").map(|s| s.broker.value("advertised.listeners"));
    assert_eq!(advertised("lab-pc"), Ok(Some("PLAINTEXT://lab-pc:9092".to_owned())));
    assert_eq!(advertised("10.0.0.5:19092"), Ok(Some("PLAINTEXT://10.0.0.5:19092".to_owned())));
    assert!(advertised("a b").unwrap_err().starts_with("--advertise: \"a b\" is not accepted; give auto, sni, HOST or HOST:PORT"));
}
