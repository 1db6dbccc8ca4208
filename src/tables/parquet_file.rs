//! A Parquet file: its columns, and some of them batch by batch.

use std::fs::File;
use std::path::Path;

use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type as Physical};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::DataType;
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use parquet::record::{Field, Row};
use parquet::schema::types::{ColumnDescriptor, Type};
use serde_json::{Map, Value};

use super::cell::Cell;
use super::table::{Column, TableError};

/// Rows that are in memory at a time, of each file.
const BATCH: usize = 1_024;

pub struct ParquetFile {
    reader: SerializedFileReader<File>,
    name: String,
}

impl ParquetFile {
    pub fn open(path: &Path) -> Result<ParquetFile, TableError> {
        let name = path.display().to_string();
        let file = File::open(path).map_err(|error| TableError::Unreadable { path: name.clone(), why: error.to_string() })?;
        let reader =
            SerializedFileReader::new(file).map_err(|error| TableError::Unreadable { path: name.clone(), why: error.to_string() })?;
        Ok(ParquetFile { reader, name })
    }

    fn wrong(&self, error: impl ToString) -> TableError {
        TableError::Unreadable { path: self.name.clone(), why: error.to_string() }
    }

    /// Those on the top level: a nested one has the kind `struct`, `array` or `map`.
    pub fn columns(&self) -> Vec<Column> {
        let schema = self.reader.metadata().file_metadata().schema_descr();
        let top = schema.root_schema().get_fields();
        let kind = |field: &Type| {
            let flat = schema.columns().iter().find(|column| column.path().parts() == [field.name()]);
            flat.map_or_else(|| "struct".to_owned(), |column| meaning(column).0)
        };
        top.iter().map(|field| Column { name: field.name().to_owned(), kind: kind(field) }).collect()
    }

    /// Visits these columns of every row. A column that the file does not have is null.
    pub fn rows(&self, wanted: &[&str], visit: &mut dyn FnMut(&[Cell])) -> Result<(), TableError> {
        let schema = self.reader.metadata().file_metadata().schema_descr_ptr();
        let places: Vec<Option<usize>> =
            wanted.iter().map(|name| schema.columns().iter().position(|column| column.path().parts() == [*name])).collect();
        for group in 0..self.reader.num_row_groups() {
            let group = self.reader.get_row_group(group).map_err(|error| self.wrong(error))?;
            let mut readers = places.iter().map(|place| self.lane(group.as_ref(), *place)).collect::<Result<Vec<_>, _>>()?;
            let mut left = usize::try_from(group.metadata().num_rows()).unwrap_or_default();
            let mut row = vec![Cell::Null; wanted.len()];
            while left > 0 {
                let count = left.min(BATCH);
                let mut lanes = Vec::with_capacity(readers.len());
                for reader in &mut readers {
                    let cells = reader.as_mut().map(|lane| lane.cells(count)).transpose().map_err(|error| self.wrong(error))?;
                    lanes.push(cells.map(Vec::into_iter));
                }
                for _ in 0..count {
                    for (cell, lane) in row.iter_mut().zip(&mut lanes) {
                        *cell = match lane {
                            Some(cells) => cells.next().ok_or_else(|| self.wrong("a column has fewer values than the file has rows"))?,
                            None => Cell::Null,
                        };
                    }
                    visit(&row);
                }
                left -= count;
            }
        }
        Ok(())
    }

    fn lane(&self, group: &dyn RowGroupReader, place: Option<usize>) -> Result<Option<Lane>, TableError> {
        let schema = self.reader.metadata().file_metadata().schema_descr_ptr();
        let Some((place, column)) = place.and_then(|place| Some((place, schema.columns().get(place)?))) else { return Ok(None) };
        if column.max_rep_level() > 0 {
            return Err(self.wrong(format!("the column {} is a list", column.name())));
        }
        let reader = group.get_column_reader(place).map_err(|error| self.wrong(error))?;
        Ok(Some(Lane { reader, meaning: meaning(column).1, deepest: column.max_def_level() }))
    }

    /// Visits the actions of a Delta checkpoint as the JSON that they have in a commit.
    pub fn actions(&self, wanted: &[&str], visit: &mut dyn FnMut(&Value)) -> Result<(), TableError> {
        let root = self.reader.metadata().file_metadata().schema();
        let fields = root.get_fields().iter().filter(|field| wanted.contains(&field.name())).cloned().collect();
        let projection = Type::group_type_builder(root.name()).with_fields(fields).build().map_err(|error| self.wrong(error))?;
        for row in self.reader.get_row_iter(Some(projection)).map_err(|error| self.wrong(error))? {
            visit(&object(&row.map_err(|error| self.wrong(error))?));
        }
        Ok(())
    }
}

/// How the numbers of a column are meant.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Meaning {
    Plain,
    /// So many in a microsecond, or so many microseconds.
    Time {
        divide: i64,
        multiply: i64,
    },
    /// Divided by this.
    Decimal(f64),
}

/// A column's type in Spark's short words, and what its numbers mean.
fn meaning(column: &ColumnDescriptor) -> (String, Meaning) {
    let time = |divide, multiply| Meaning::Time { divide, multiply };
    match (column.physical_type(), column.logical_type_ref(), column.converted_type()) {
        (_, Some(LogicalType::Timestamp(stamp)), _) => {
            let scale = match stamp.unit {
                TimeUnit::MILLIS => time(1, 1_000),
                TimeUnit::MICROS => time(1, 1),
                TimeUnit::NANOS => time(1_000, 1),
            };
            (if stamp.is_adjusted_to_u_t_c { "timestamp" } else { "timestamp_ntz" }.to_owned(), scale)
        }
        (_, _, ConvertedType::TIMESTAMP_MILLIS) => ("timestamp".to_owned(), time(1, 1_000)),
        (_, _, ConvertedType::TIMESTAMP_MICROS) => ("timestamp".to_owned(), time(1, 1)),
        (Physical::INT96, _, _) => ("timestamp".to_owned(), time(1, 1)),
        (_, _, ConvertedType::DECIMAL) => {
            let kind = format!("decimal({},{})", column.type_precision(), column.type_scale());
            (kind, Meaning::Decimal(10_f64.powi(column.type_scale())))
        }
        (Physical::INT32, _, ConvertedType::DATE) => ("date".to_owned(), Meaning::Plain),
        (Physical::INT32, _, ConvertedType::INT_8) => ("tinyint".to_owned(), Meaning::Plain),
        (Physical::INT32, _, ConvertedType::INT_16) => ("smallint".to_owned(), Meaning::Plain),
        (Physical::INT32, _, _) => ("int".to_owned(), Meaning::Plain),
        (Physical::INT64, _, _) => ("bigint".to_owned(), Meaning::Plain),
        (Physical::BOOLEAN, _, _) => ("boolean".to_owned(), Meaning::Plain),
        (Physical::FLOAT, _, _) => ("float".to_owned(), Meaning::Plain),
        (Physical::DOUBLE, _, _) => ("double".to_owned(), Meaning::Plain),
        (_, _, ConvertedType::UTF8 | ConvertedType::JSON | ConvertedType::ENUM) => ("string".to_owned(), Meaning::Plain),
        _ => ("binary".to_owned(), Meaning::Plain),
    }
}

/// A column on its way.
struct Lane {
    reader: ColumnReader,
    meaning: Meaning,
    deepest: i16,
}

impl Lane {
    fn cells(&mut self, count: usize) -> Result<Vec<Cell>, parquet::errors::ParquetError> {
        let (meaning, deepest) = (self.meaning, self.deepest);
        let whole = |number: i64| match meaning {
            Meaning::Plain => Cell::Int(number),
            Meaning::Time { divide, multiply } => Cell::Time(number.div_euclid(divide).saturating_mul(multiply)),
            Meaning::Decimal(scale) => Cell::Real(number as f64 / scale),
        };
        let bytes = |bytes: &[u8]| match meaning {
            // Big-endian, in two's complement.
            Meaning::Decimal(scale) => {
                let sign = bytes.first().map_or(0_i128, |first| if first & 0x80 > 0 { -1 } else { 0 });
                Cell::Real(bytes.iter().fold(sign, |number, byte| number.wrapping_shl(8) | i128::from(*byte)) as f64 / scale)
            }
            _ => Cell::Text(bytes.to_vec()),
        };
        match &mut self.reader {
            ColumnReader::BoolColumnReader(reader) => read(reader, count, deepest, |value| Cell::Bool(*value)),
            ColumnReader::Int32ColumnReader(reader) => read(reader, count, deepest, |value| whole(i64::from(*value))),
            ColumnReader::Int64ColumnReader(reader) => read(reader, count, deepest, |value| whole(*value)),
            ColumnReader::Int96ColumnReader(reader) => read(reader, count, deepest, |value| Cell::Time(value.to_micros())),
            ColumnReader::FloatColumnReader(reader) => read(reader, count, deepest, |value| Cell::Real(f64::from(*value))),
            ColumnReader::DoubleColumnReader(reader) => read(reader, count, deepest, |value| Cell::Real(*value)),
            ColumnReader::ByteArrayColumnReader(reader) => read(reader, count, deepest, |value| bytes(value.data())),
            ColumnReader::FixedLenByteArrayColumnReader(reader) => read(reader, count, deepest, |value| bytes(value.data())),
        }
    }
}

fn read<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    count: usize,
    deepest: i16,
    cell: impl Fn(&T::T) -> Cell,
) -> Result<Vec<Cell>, parquet::errors::ParquetError> {
    let (mut cells, mut levels, mut values) = (Vec::with_capacity(count), Vec::new(), Vec::new());
    while cells.len() < count {
        levels.clear();
        values.clear();
        let (records, ..) = reader.read_records(count - cells.len(), Some(&mut levels), None, &mut values)?;
        if records == 0 {
            break;
        }
        let mut values = values.iter();
        if deepest == 0 {
            cells.extend(values.map(&cell));
        } else {
            cells.extend(levels.iter().map(|level| if *level == deepest { values.next().map_or(Cell::Null, &cell) } else { Cell::Null }));
        }
    }
    Ok(cells)
}

fn object(row: &Row) -> Value {
    let fields = row.get_column_iter().map(|(name, field)| (name.clone(), json(field))).filter(|(_, value)| !value.is_null());
    Value::Object(fields.collect::<Map<_, _>>())
}

/// As far as actions need it: other values are null.
fn json(field: &Field) -> Value {
    match field {
        Field::Bool(value) => Value::Bool(*value),
        Field::Int(number) => Value::from(*number),
        Field::Long(number) => Value::from(*number),
        Field::Str(text) => Value::from(text.as_str()),
        Field::Group(row) => object(row),
        Field::ListInternal(list) => list.elements().iter().map(json).collect(),
        Field::MapInternal(map) => {
            let pairs = map.entries().iter().filter_map(|(key, value)| match key {
                Field::Str(key) => Some((key.clone(), json(value))),
                _ => None,
            });
            Value::Object(pairs.collect())
        }
        _ => Value::Null,
    }
}
