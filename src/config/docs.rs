//! `docs/configs.md`, written from the tables.

use super::broker::{OWN, broker_rows};
use super::def::{ConfigDef, Honoured, UpdateMode};
use super::settings::{SETTING_ROWS, SettingRow};
use super::topic::{TopicRow, topic_rows};

const INTRO: &str = "\
# Configs

Every topic and broker config of Apache Kafka 4.3, with what Headwater does with it. This page is written from the
tables in `src/config`; `UPDATE_DOCS=1 cargo test --lib config_page` writes it again.

All of them are listed by DescribeConfigs, take the values that Kafka takes and keep them. *Honoured* ones work. The
others are accepted so that tools and recipes run, and have no effect, for the reason given.

A broker config is given at the start (`--set name=value`, a key under `[broker]` in the settings file) or, where it
says so, changed while the broker runs: *cluster-wide* for all brokers or for one, *per broker* for one only. Where
Headwater's default is not Kafka's, Kafka's stands behind it.
";

const OWN_INTRO: &str = "
## Headwater's own limits

Broker configs that Apache Kafka does not have; they are given like the others. What a client sees of them is in
[limits.md](limits.md).

| config | type | default | values | changed | what it does |
|---|---|---|---|---|---|
";

/// The whole page.
pub fn config_page() -> String {
    let mut page = INTRO.to_owned();
    page.push_str("\n## Headwater's own settings\n\n| flag | variable | file key | default | what it does |\n|---|---|---|---|---|\n");
    for row in SETTING_ROWS {
        page.push_str(&setting_line(row));
    }
    page.push_str("\nA flag beats a variable, a variable beats the file, each setting by itself. In the file, `-` and `_` are the same.\n");
    let topics = topic_rows();
    page.push_str(
        "\n## Topic configs, honoured\n\n| config | type | default | values | falls back to | what it does |\n|---|---|---|---|---|---|\n",
    );
    for row in topics.iter().filter(|row| row.def.honoured == Honoured::Yes) {
        page.push_str(&topic_line(row));
    }
    page.push_str(
        "\n## Topic configs without effect\n\n| config | type | default | what it does in Kafka | why not here |\n|---|---|---|---|---|\n",
    );
    for def in topics.iter().map(|row| &row.def) {
        page.push_str(&idle_line(def));
    }
    page.push_str(
        "\n## Broker configs, honoured\n\n| config | type | default | values | changed | what it does |\n|---|---|---|---|---|---|\n",
    );
    let (own, kafkas): (Vec<_>, Vec<_>) =
        broker_rows().iter().filter(|def| def.honoured == Honoured::Yes).partition(|def| def.name.starts_with(OWN));
    for def in kafkas {
        page.push_str(&broker_line(def));
    }
    page.push_str(OWN_INTRO);
    for def in own {
        page.push_str(&broker_line(def));
    }
    page.push_str(
        "\n## Broker configs without effect\n\n| config | type | default | what it does in Kafka | why not here |\n|---|---|---|---|---|\n",
    );
    for def in broker_rows() {
        page.push_str(&idle_line(def));
    }
    page
}

fn setting_line(row: &SettingRow) -> String {
    let key = match row.name {
        "set" => "table `[broker]`".to_owned(),
        name if row.in_file => format!("`{name}`"),
        _ => String::new(),
    };
    let default = if row.default.is_empty() { String::new() } else { format!("`{}`", row.default) };
    let value = row.value.replace('|', "\\|");
    format!("| `--{} {value}` | `{}` | {key} | {default} | {}. |\n", row.name, row.variable(), row.doc)
}

fn topic_line(row: &TopicRow) -> String {
    let def = &row.def;
    let synonyms: Vec<String> = row.synonyms.iter().map(|(name, _)| format!("`{name}`")).collect();
    format!("{} {} | {} | {} |\n", start(def), def.valid_text(), synonyms.join(", "), def.doc)
}

fn broker_line(def: &ConfigDef) -> String {
    let changed = match def.update {
        UpdateMode::ReadOnly => "at the start",
        UpdateMode::PerBroker => "per broker",
        UpdateMode::ClusterWide => "cluster-wide",
    };
    format!("{} {} | {changed} | {} |\n", start(def), def.valid_text(), def.doc)
}

/// A row of the tables "without effect"; nothing for a config that is honoured.
fn idle_line(def: &ConfigDef) -> String {
    let reason = match def.honoured {
        Honoured::Yes => return String::new(),
        Honoured::SetBy(setting) => format!("Set by `{setting}`."),
        Honoured::No(reason) => reason.to_owned(),
    };
    format!("{} {} | {reason} |\n", start(def), def.doc)
}

fn start(def: &ConfigDef) -> String {
    let shown = |text: Option<&str>| match text {
        None => "none".to_owned(),
        Some("") => "empty".to_owned(),
        Some(text) => format!("`{text}`"),
    };
    let kafka = def.kafka_default.map(|k| format!(" (Kafka: {})", if k == "none" { k.to_owned() } else { shown(Some(k)) }));
    format!("| `{}` | {} | {}{} |", def.name, def.kind.name().to_lowercase(), shown(def.default), kafka.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configs.md");

    #[test]
    fn the_committed_config_page_is_up_to_date() {
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(PAGE, config_page()).unwrap();
        }
        let committed = std::fs::read_to_string(PAGE).unwrap_or_default();
        assert!(committed == config_page(), "docs/configs.md is old; `UPDATE_DOCS=1 cargo test --lib config_page` writes it again");
    }
}
