//! What DescribeConfigs says about a key, and what AlterConfigs asks to change.

use std::collections::BTreeMap;

use super::def::{ConfigError, ConfigType};

/// Config texts by name, as they were given.
pub type ConfigValues = BTreeMap<String, String>;

/// Where a value comes from, with the number DescribeConfigs uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i8)]
pub enum ConfigSource {
    DynamicTopic = 1,
    DynamicBroker = 2,
    DynamicDefaultBroker = 3,
    StaticBroker = 4,
    Default = 5,
}

impl ConfigSource {
    pub fn code(self) -> i8 {
        self as i8
    }
}

/// One place a value could come from, in the order they are asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigSynonym {
    pub name: String,
    pub value: Option<String>,
    pub source: ConfigSource,
}

/// One key as DescribeConfigs shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigEntry {
    pub name: String,
    /// None where there is none, and for everything sensitive.
    pub value: Option<String>,
    pub source: ConfigSource,
    pub read_only: bool,
    pub sensitive: bool,
    /// None for a key that nobody knows (the wire's type 0).
    pub kind: Option<ConfigType>,
    pub doc: Option<&'static str>,
    pub synonyms: Vec<ConfigSynonym>,
}

impl ConfigEntry {
    pub fn is_default(&self) -> bool {
        self.source == ConfigSource::Default
    }

    pub fn type_code(&self) -> i8 {
        self.kind.map_or(0, ConfigType::code)
    }
}

/// IncrementalAlterConfigs' operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlterOp {
    Set,
    Delete,
    Append,
    Subtract,
}

impl AlterOp {
    pub fn from_code(code: i8) -> Option<AlterOp> {
        match code {
            0 => Some(AlterOp::Set),
            1 => Some(AlterOp::Delete),
            2 => Some(AlterOp::Append),
            3 => Some(AlterOp::Subtract),
            _ => None,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            AlterOp::Set => "SET",
            AlterOp::Delete => "DELETE",
            AlterOp::Append => "APPEND",
            AlterOp::Subtract => "SUBTRACT",
        }
    }
}

/// One asked-for change of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alteration {
    pub name: String,
    pub op: AlterOp,
    pub value: Option<String>,
}

impl Alteration {
    /// AlterConfigs' entry: a key and what it becomes.
    pub fn set(name: &str, value: Option<&str>) -> Alteration {
        Alteration { name: name.to_owned(), op: AlterOp::Set, value: value.map(str::to_owned) }
    }
}

/// What Kafka refuses before it looks at any key: the same key twice, and a null where a value belongs.
pub(super) fn check_request(alterations: &[Alteration]) -> Result<(), ConfigError> {
    let mut names: Vec<&str> = alterations.iter().map(|a| a.name.as_str()).collect();
    names.sort_unstable();
    if names.windows(2).any(|pair| matches!(pair, [a, b] if a == b)) {
        return Err(ConfigError::request("Error due to duplicate config keys"));
    }
    let nulls: Vec<&str> = alterations.iter().filter(|a| a.op != AlterOp::Delete && a.value.is_none()).map(|a| a.name.as_str()).collect();
    if !nulls.is_empty() {
        return Err(ConfigError::request(format!("Null value not supported for : {}", nulls.join(","))));
    }
    Ok(())
}

/// The list `current` with the items of `value` added where missing, or taken out. Items are compared as they were
/// written, spaces included, as in Kafka.
pub(super) fn edit_list(current: &str, op: AlterOp, value: &str) -> String {
    let mut items: Vec<&str> = if current.is_empty() { Vec::new() } else { current.split(',').collect() };
    for item in value.split(',') {
        let at = items.iter().position(|have| *have == item);
        match (op, at) {
            (AlterOp::Append, None) => items.push(item),
            (AlterOp::Subtract, Some(at)) => {
                items.remove(at);
            }
            _ => {}
        }
    }
    items.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_edits_compare_items_as_written() {
        assert_eq!(edit_list("delete", AlterOp::Append, "compact"), "delete,compact");
        assert_eq!(edit_list("delete", AlterOp::Append, "delete"), "delete");
        assert_eq!(edit_list("delete", AlterOp::Subtract, "delete"), "");
        assert_eq!(edit_list("compact, delete", AlterOp::Subtract, "delete"), "compact, delete");
        assert_eq!(edit_list("", AlterOp::Append, "compact,compact"), "compact");
        assert_eq!(edit_list("delete", AlterOp::Append, ""), "delete,");
    }

    #[test]
    fn a_key_twice_or_a_null_is_a_bad_request() {
        let set = |name: &str, value: Option<&str>| Alteration { name: name.into(), op: AlterOp::Set, value: value.map(Into::into) };
        assert!(check_request(&[set("a", Some("1")), set("b", Some("1"))]).is_ok());
        assert_eq!(check_request(&[set("a", Some("1")), set("a", Some("2"))]).unwrap_err().code.code(), 42);
        assert_eq!(check_request(&[set("a", None)]).unwrap_err().code.code(), 42);
        assert!(check_request(&[Alteration { name: "a".into(), op: AlterOp::Delete, value: None }]).is_ok());
    }
}
