//! A value of a table.

/// Text is what the file holds: it need not be UTF-8.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Cell {
    #[default]
    Null,
    Bool(bool),
    Int(i64),
    Real(f64),
    Text(Vec<u8>),
    /// Microseconds since 1970.
    Time(i64),
}

impl Cell {
    pub fn is_null(&self) -> bool {
        *self == Cell::Null
    }

    pub fn int(&self) -> Option<i64> {
        match self {
            Cell::Int(number) => Some(*number),
            _ => None,
        }
    }

    pub fn real(&self) -> Option<f64> {
        match self {
            Cell::Real(number) => Some(*number),
            Cell::Int(number) => Some(*number as f64),
            _ => None,
        }
    }

    pub fn bool(&self) -> Option<bool> {
        match self {
            Cell::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// As `CAST(... AS STRING)` writes texts and whole numbers.
    pub fn text(&self) -> Option<Vec<u8>> {
        match self {
            Cell::Text(text) => Some(text.clone()),
            Cell::Int(number) => Some(number.to_string().into_bytes()),
            Cell::Bool(value) => Some(value.to_string().into_bytes()),
            _ => None,
        }
    }
}
