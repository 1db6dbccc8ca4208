//! What one config key is: its row, and how its text is read, checked and written back.

use std::fmt;

use crate::model::ErrorCode;

/// A config's type, with the number DescribeConfigs uses for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i8)]
pub enum ConfigType {
    Boolean = 1,
    String = 2,
    Int = 3,
    Short = 4,
    Long = 5,
    Double = 6,
    List = 7,
    Class = 8,
    Password = 9,
}

impl ConfigType {
    pub fn code(self) -> i8 {
        self as i8
    }

    pub fn name(self) -> &'static str {
        match self {
            ConfigType::Boolean => "BOOLEAN",
            ConfigType::String => "STRING",
            ConfigType::Int => "INT",
            ConfigType::Short => "SHORT",
            ConfigType::Long => "LONG",
            ConfigType::Double => "DOUBLE",
            ConfigType::List => "LIST",
            ConfigType::Class => "CLASS",
            ConfigType::Password => "PASSWORD",
        }
    }
}

/// Which values a config takes, beyond what its type says. Bounds are inclusive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Valid {
    Any,
    AtLeast(i64),
    Between(i64, i64),
    /// Between the bounds, or -1 for "the codec's own default".
    BetweenOrMinusOne(i64, i64),
    OneOf(&'static [&'static str]),
    OneOfAnyCase(&'static [&'static str]),
    /// Every item of the list is one of these.
    ItemsOf(&'static [&'static str]),
    /// A list of any items, none of them empty.
    Items,
    NonEmpty,
    /// `*` or `partition:broker,...`.
    ThrottledReplicas,
}

/// How a broker config can be changed while the broker runs. Topic configs can always be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateMode {
    ReadOnly,
    PerBroker,
    ClusterWide,
}

/// Whether a value has an effect here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Honoured {
    Yes,
    /// Kept and shown; one of Headwater's own settings decides it.
    SetBy(&'static str),
    /// Kept and shown, without effect, for this reason.
    No(&'static str),
}

/// One config key.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ConfigDef {
    pub name: &'static str,
    pub kind: ConfigType,
    /// Headwater's default. None: no value.
    pub default: Option<&'static str>,
    /// Apache Kafka's default, where Headwater's differs.
    pub kafka_default: Option<&'static str>,
    pub valid: Valid,
    pub update: UpdateMode,
    pub honoured: Honoured,
    /// Listed by DescribeConfigs only when set.
    pub hidden: bool,
    pub doc: &'static str,
}

impl ConfigDef {
    pub const fn new(
        update: UpdateMode,
        name: &'static str,
        kind: ConfigType,
        default: Option<&'static str>,
        valid: Valid,
        honoured: Honoured,
        doc: &'static str,
    ) -> ConfigDef {
        ConfigDef { name, kind, default, kafka_default: None, valid, update, honoured, hidden: false, doc }
    }

    /// Names Apache Kafka's default where Headwater's is another one.
    pub const fn kafka(mut self, default: &'static str) -> ConfigDef {
        self.kafka_default = Some(default);
        self
    }

    pub const fn hidden(mut self) -> ConfigDef {
        self.hidden = true;
        self
    }

    pub fn sensitive(&self) -> bool {
        self.kind == ConfigType::Password
    }

    /// Checks `text` and returns it as Kafka shows it: numbers, booleans and lists in one spelling.
    pub fn normalise(&self, text: &str) -> Result<String, ConfigError> {
        let trimmed = text.trim();
        match self.kind {
            ConfigType::Boolean => match trimmed {
                t if t.eq_ignore_ascii_case("true") => Ok("true".to_owned()),
                t if t.eq_ignore_ascii_case("false") => Ok("false".to_owned()),
                _ => Err(self.invalid(text, "Expected value to be either true or false")),
            },
            ConfigType::Int => self.normalise_integer(text, i64::from(i32::MIN), i64::from(i32::MAX)),
            ConfigType::Short => self.normalise_integer(text, i64::from(i16::MIN), i64::from(i16::MAX)),
            ConfigType::Long => self.normalise_integer(text, i64::MIN, i64::MAX),
            ConfigType::Double => {
                let value = parse_double(trimmed).ok_or_else(|| self.invalid(text, "Not a number of type DOUBLE"))?;
                let shown = double_text(value);
                self.check_bounds(value, &shown)?;
                Ok(shown)
            }
            ConfigType::List => self.normalise_list(trimmed),
            ConfigType::String | ConfigType::Class | ConfigType::Password => self.check_string(text).map(|()| text.to_owned()),
        }
    }

    /// What a value may be, for people: `[1,...]`, `[compact, delete]`, or nothing.
    pub fn valid_text(&self) -> String {
        match self.valid {
            Valid::Any | Valid::Items => String::new(),
            Valid::AtLeast(low) => format!("at least {low}"),
            Valid::Between(low, high) => format!("{low} to {high}"),
            Valid::BetweenOrMinusOne(low, high) => format!("{low} to {high}, or -1"),
            Valid::OneOf(words) | Valid::OneOfAnyCase(words) => format!("one of {}", words.join(", ")),
            Valid::ItemsOf(words) => format!("any of {}", words.join(", ")),
            Valid::NonEmpty => "not empty".to_owned(),
            Valid::ThrottledReplicas => "* or partition:broker,...".to_owned(),
        }
    }

    fn normalise_integer(&self, text: &str, low: i64, high: i64) -> Result<String, ConfigError> {
        let value = parse_integer(text.trim()).filter(|v| (low..=high).contains(v));
        let value = value.ok_or_else(|| self.invalid(text, &format!("Not a number of type {}", self.kind.name())))?;
        let shown = value.to_string();
        if let Some((low, high)) = self.bounds() {
            if value < low && !self.is_minus_one_allowed(value) {
                return Err(self.out_of_bounds(&shown));
            }
            if value > high {
                return Err(self.out_of_bounds(&shown));
            }
        }
        Ok(shown)
    }

    fn is_minus_one_allowed(&self, value: i64) -> bool {
        value == -1 && matches!(self.valid, Valid::BetweenOrMinusOne(..))
    }

    fn bounds(&self) -> Option<(i64, i64)> {
        match self.valid {
            Valid::AtLeast(low) => Some((low, i64::MAX)),
            Valid::Between(low, high) | Valid::BetweenOrMinusOne(low, high) => Some((low, high)),
            _ => None,
        }
    }

    fn check_bounds(&self, value: f64, shown: &str) -> Result<(), ConfigError> {
        match self.bounds() {
            Some((low, high)) if value < low as f64 || value > high as f64 => Err(self.out_of_bounds(shown)),
            _ => Ok(()),
        }
    }

    fn out_of_bounds(&self, shown: &str) -> ConfigError {
        let negative = shown.starts_with('-');
        let reason = match self.valid {
            Valid::BetweenOrMinusOne(low, high) => format!("Value must be between {low} and {high} or equal to -1"),
            Valid::Between(low, high) => {
                let below = parse_double(shown).is_some_and(|v| v < low as f64);
                if below { format!("Value must be at least {low}") } else { format!("Value must be no more than {high}") }
            }
            Valid::AtLeast(low) => format!("Value must be at least {low}"),
            _ if negative => "Value must not be negative".to_owned(),
            _ => "Value is out of range".to_owned(),
        };
        self.invalid(shown, &reason)
    }

    fn normalise_list(&self, trimmed: &str) -> Result<String, ConfigError> {
        let items: Vec<&str> = split_list(trimmed);
        if self.valid == Valid::ThrottledReplicas {
            return match items.iter().all(|item| *item == "*" || is_replica(item)) && (items.len() <= 1 || !items.contains(&"*")) {
                true => Ok(items.join(",")),
                false => Err(self.invalid(
                    &format!("[{}]", items.join(", ")),
                    &format!("{} must be the literal '*' or a list of replicas written as partition:broker,partition:broker", self.name),
                )),
            };
        }
        if items.iter().any(|item| item.is_empty()) {
            return Err(ConfigError::invalid(format!("Configuration '{}' values must not be empty.", self.name)));
        }
        if let Valid::ItemsOf(words) = self.valid
            && let Some(item) = items.iter().find(|item| !words.contains(item))
        {
            return Err(self.invalid(item, &format!("String must be one of: {}", words.join(", "))));
        }
        let mut unique: Vec<&str> = Vec::with_capacity(items.len());
        for item in items {
            if !unique.contains(&item) {
                unique.push(item);
            }
        }
        Ok(unique.join(","))
    }

    fn check_string(&self, text: &str) -> Result<(), ConfigError> {
        match self.valid {
            Valid::OneOf(words) if !words.contains(&text) => {
                Err(self.invalid(text, &format!("String must be one of: {}", words.join(", "))))
            }
            Valid::OneOfAnyCase(words) if !words.iter().any(|w| w.eq_ignore_ascii_case(text)) => {
                Err(self.invalid(text, &format!("String must be one of (case insensitive): {}", words.join(", "))))
            }
            Valid::NonEmpty if text.is_empty() => Err(self.invalid(text, "String must be non-empty")),
            _ => Ok(()),
        }
    }

    fn invalid(&self, shown: &str, reason: &str) -> ConfigError {
        let shown = if self.sensitive() { "[hidden]" } else { shown };
        ConfigError::invalid(format!("Invalid value {shown} for configuration {}: {reason}", self.name))
    }
}

/// A refused config: the code and the sentence the client gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    pub code: ErrorCode,
    pub message: String,
}

impl ConfigError {
    pub fn invalid(message: impl Into<String>) -> ConfigError {
        ConfigError { code: ErrorCode::InvalidConfig, message: message.into() }
    }

    pub fn request(message: impl Into<String>) -> ConfigError {
        ConfigError { code: ErrorCode::InvalidRequest, message: message.into() }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
impl std::error::Error for ConfigError {}

/// The items of a list's text; none for an empty text.
pub fn split_list(text: &str) -> Vec<&str> {
    let trimmed = text.trim();
    if trimmed.is_empty() { Vec::new() } else { trimmed.split(',').map(str::trim).collect() }
}

/// A whole number as Kafka reads it: an optional sign and digits, nothing else.
pub fn parse_integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

fn is_replica(item: &str) -> bool {
    matches!(item.split_once(':'), Some((partition, broker)) if [partition, broker].iter().all(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit())))
}

/// A decimal number as Kafka reads it: Rust's words for infinity and "not a number" are not taken, Java's are, and
/// a trailing `f` or `d` is.
pub fn parse_double(text: &str) -> Option<f64> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    match rest {
        "NaN" => return Some(f64::NAN),
        "Infinity" => return Some(sign * f64::INFINITY),
        _ => {}
    }
    let number = rest.strip_suffix(['f', 'F', 'd', 'D']).unwrap_or(rest);
    if !number.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    number.parse::<f64>().ok().map(|v| sign * v)
}

/// A double as Kafka writes it: at least one decimal, and an exponent below 0.001 and from ten million on.
pub fn double_text(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity".to_owned() } else { "-Infinity".to_owned() };
    }
    let size = value.abs();
    if size == 0.0 || (1e-3..1e7).contains(&size) {
        return format!("{value:?}");
    }
    let text = format!("{value:e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) if mantissa.contains('.') => format!("{mantissa}E{exponent}"),
        Some((mantissa, exponent)) => format!("{mantissa}.0E{exponent}"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn def(kind: ConfigType, valid: Valid) -> ConfigDef {
        ConfigDef::new(UpdateMode::ClusterWide, "some.key", kind, None, valid, Honoured::Yes, "A key.")
    }

    #[test]
    fn numbers_read_as_kafka_reads_them() {
        let long = def(ConfigType::Long, Valid::AtLeast(-1));
        for (text, shown) in [(" 5 ", "5"), ("+5", "5"), ("-1", "-1"), ("9223372036854775807", "9223372036854775807")] {
            assert_eq!(long.normalise(text).as_deref(), Ok(shown));
        }
        for text in ["", "abc", "1e6", "5.0", "0x10", "--5", "+", "9223372036854775808"] {
            let message = long.normalise(text).unwrap_err().message;
            assert_eq!(message, format!("Invalid value {text} for configuration some.key: Not a number of type LONG"));
        }
        assert_eq!(long.normalise("-2").unwrap_err().message, "Invalid value -2 for configuration some.key: Value must be at least -1");
        assert!(def(ConfigType::Int, Valid::Any).normalise("2147483648").is_err());
        assert!(def(ConfigType::Short, Valid::Any).normalise("32768").is_err());
        let level = def(ConfigType::Int, Valid::BetweenOrMinusOne(1, 9));
        assert!(level.normalise("-1").is_ok() && level.normalise("9").is_ok());
        assert!(level.normalise("0").is_err() && level.normalise("10").is_err() && level.normalise("-2").is_err());
    }

    #[test]
    fn doubles_read_and_show_as_kafka_does() {
        let ratio = def(ConfigType::Double, Valid::Between(0, 1));
        for (text, shown) in [("1", "1.0"), ("0.50", "0.5"), ("0.5f", "0.5"), (".5d", "0.5"), ("1e-5", "1.0E-5"), ("NaN", "NaN")] {
            assert_eq!(ratio.normalise(text).as_deref(), Ok(shown), "{text}");
        }
        for text in ["x", "inf", "nan", "", "infinity"] {
            assert!(ratio.normalise(text).is_err(), "{text}");
        }
        assert!(ratio.normalise("1.5").unwrap_err().message.ends_with("Value must be no more than 1"));
        assert!(ratio.normalise("-0.1").unwrap_err().message.ends_with("Value must be at least 0"));
        assert_eq!(double_text(f64::MAX), "1.7976931348623157E308");
    }

    #[test]
    fn lists_are_trimmed_and_lose_their_repeats() {
        let list = def(ConfigType::List, Valid::ItemsOf(&["compact", "delete"]));
        for (text, shown) in [("", ""), (" ", ""), ("compact, delete", "compact,delete"), ("delete,delete", "delete")] {
            assert_eq!(list.normalise(text).as_deref(), Ok(shown));
        }
        assert_eq!(list.normalise("delete,,compact").unwrap_err().message, "Configuration 'some.key' values must not be empty.");
        assert!(list.normalise("delete,foo").unwrap_err().message.starts_with("Invalid value foo for configuration some.key"));
        let replicas = def(ConfigType::List, Valid::ThrottledReplicas);
        assert!(replicas.normalise("0:1,1:1").is_ok() && replicas.normalise("*").is_ok() && replicas.normalise("").is_ok());
        assert!(replicas.normalise("x").is_err() && replicas.normalise("*,0:1").is_err());
    }

    #[test]
    fn booleans_and_words_are_strict_about_case_as_kafka_is() {
        let flag = def(ConfigType::Boolean, Valid::Any);
        assert_eq!(flag.normalise(" TRUE ").as_deref(), Ok("true"));
        assert!(flag.normalise("yes").is_err() && flag.normalise("1").is_err() && flag.normalise("").is_err());
        let word = def(ConfigType::String, Valid::OneOf(&["gzip"]));
        assert!(word.normalise("gzip").is_ok() && word.normalise("Gzip").is_err());
    }
}
