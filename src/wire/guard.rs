//! The guard: walks over a request's body by its schema before the codec sees it.
//!
//! The codec takes a length field at its word (`Vec::with_capacity(n)`), so one forged array length aborts the process.
//! The walk checks every length against the bytes that are left, bounds the number of elements, and accepts what Apache
//! Kafka accepts. Where the codec is stricter than Kafka or reads something else, the walk hands it a copy of the body in
//! which those bytes are rewritten, always in their own width so that nothing moves:
//!
//! | in the body | Kafka reads | rewritten to |
//! |---|---|---|
//! | nullable string, bytes or array with a length below -1 | null | length -1, compact 0 |
//! | nullable struct whose first byte is neither 1 nor negative | a struct | 1 |
//! | a negative number of tagged fields | none | 0 |
//! | a known tag in a version that has no such field | refuses it; clients do send it | an unknown tag |
//! | a string that is not UTF-8 | replacement characters | `?` for each wrong byte |
//!
//! As in Kafka, bytes after a complete body are dropped, unknown tags may come in any order and twice, and of a tag that
//! comes twice the last one counts.

use bytes::Bytes;

use super::WireError;
use super::schema::{Api, Field, Kind};

/// Most array elements and tagged fields in one request. A frame of one-byte elements would otherwise become gigabytes of structs.
pub const ELEMENTS_MAX: usize = 200_000;

/// Kafka's limit for strings, also where the length field could say more.
const STRING_MAX: usize = i16::MAX as usize;

/// A body that the codec may decode.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The body without what follows it; the same memory as the frame unless something had to be rewritten.
    pub body: Bytes,
    /// Array elements and tagged fields in it.
    pub elements: usize,
}

/// How a length stands in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LengthKind {
    /// int16, -1 for null: strings.
    Int16,
    /// int32, -1 for null: bytes and arrays.
    Int32,
    /// Unsigned varint of length + 1, 0 for null: strings, bytes and arrays of flexible versions.
    Compact,
    /// Unsigned varint: how many tagged fields follow, or how long one of them is.
    Tagged,
}

/// Where a length stands in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LengthField {
    pub field: &'static str,
    pub at: usize,
    pub width: usize,
    pub kind: LengthKind,
}

/// Checks a body for the codec.
pub fn check(api_key: i16, version: i16, body: &Bytes) -> Result<Checked, WireError> {
    let mut walker = Walker::start(api_key, version, body)?;
    walker.walk_fields(walker.api.fields)?;
    let length = walker.position();
    let elements = walker.elements;
    let mut body = walker.rewritten.map_or_else(|| body.clone(), Bytes::from);
    body.truncate(length);
    Ok(Checked { body, elements })
}

/// Every length field of a body, in wire order.
pub fn length_fields(api_key: i16, version: i16, body: &[u8]) -> Result<Vec<LengthField>, WireError> {
    let mut walker = Walker::start(api_key, version, body)?;
    walker.lengths = Some(Vec::new());
    walker.walk_fields(walker.api.fields)?;
    Ok(walker.lengths.unwrap_or_default())
}

struct Walker<'a> {
    api: &'static Api,
    version: i16,
    flexible: bool,
    body: &'a [u8],
    rest: &'a [u8],
    elements: usize,
    rewritten: Option<Vec<u8>>,
    lengths: Option<Vec<LengthField>>,
}

impl<'a> Walker<'a> {
    fn start(api_key: i16, version: i16, body: &'a [u8]) -> Result<Walker<'a>, WireError> {
        let api = Api::by_key(api_key).ok_or(WireError::UnknownApi(api_key))?;
        if !api.has_version(version) {
            return Err(WireError::UnknownVersion { api: api.name, version });
        }
        let flexible = api.is_flexible(version);
        Ok(Walker { api, version, flexible, body, rest: body, elements: 0, rewritten: None, lengths: None })
    }

    fn walk_fields(&mut self, fields: &'static [Field]) -> Result<(), WireError> {
        for field in fields {
            if field.tag.is_none() && field.is_in(self.version) {
                self.walk_field(field)?;
            }
        }
        if self.flexible { self.walk_tags(fields) } else { Ok(()) }
    }

    fn walk_field(&mut self, field: &'static Field) -> Result<(), WireError> {
        let nullable = field.is_nullable_in(self.version);
        match field.kind {
            Kind::Struct(fields) => {
                if nullable && !self.is_struct_present(field)? {
                    return Ok(());
                }
                self.walk_fields(fields)
            }
            Kind::StructArray(fields) => {
                for _ in 0..self.array_length(field, nullable)? {
                    self.walk_fields(fields)?;
                }
                Ok(())
            }
            Kind::Array(kind) => {
                for _ in 0..self.array_length(field, nullable)? {
                    self.walk_plain(field, *kind, false)?;
                }
                Ok(())
            }
            kind => self.walk_plain(field, kind, nullable),
        }
    }

    /// A value without fields of its own.
    fn walk_plain(&mut self, field: &'static Field, kind: Kind, nullable: bool) -> Result<(), WireError> {
        let width = match kind {
            Kind::Boolean | Kind::Int8 => 1,
            Kind::Int16 => 2,
            Kind::Int32 => 4,
            Kind::Int64 | Kind::Float64 => 8,
            Kind::Uuid => 16,
            Kind::Str => return self.walk_string(field, nullable),
            Kind::Bytes => self.length(field, LengthKind::Int32, nullable)?.unwrap_or(0),
            Kind::Struct(_) | Kind::StructArray(_) | Kind::Array(_) => return Err(self.malformed(field.name, "nested array")),
        };
        self.take(field.name, width).map(|_| ())
    }

    fn walk_string(&mut self, field: &'static Field, nullable: bool) -> Result<(), WireError> {
        let Some(length) = self.length(field, LengthKind::Int16, nullable)? else { return Ok(()) };
        if length > STRING_MAX {
            return Err(self.malformed(field.name, "string longer than 32767 bytes"));
        }
        let mut at = self.position();
        let text = self.take(field.name, length)?;
        if std::str::from_utf8(text).is_err() {
            for chunk in text.utf8_chunks() {
                at = at.saturating_add(chunk.valid().len());
                self.rewrite(at, b"???".get(..chunk.invalid().len()).unwrap_or_default());
                at = at.saturating_add(chunk.invalid().len());
            }
        }
        Ok(())
    }

    /// The tag section that ends every struct of a flexible version: how many; then tag, size and content of each.
    fn walk_tags(&mut self, fields: &'static [Field]) -> Result<(), WireError> {
        const NAME: &str = "tagged fields";
        let at = self.position();
        let count = self.varint(NAME)?;
        self.note(NAME, at, LengthKind::Tagged);
        let Ok(count) = i32::try_from(count) else {
            self.rewrite(at, &[0x80, 0x80, 0x80, 0x80, 0]);
            return Ok(());
        };
        self.count_elements(NAME, usize::try_from(count).unwrap_or(0))?;
        for _ in 0..count {
            let at = self.position();
            let tag = self.varint(NAME)?;
            let size_at = self.position();
            let size = self.varint(NAME)?;
            self.note(NAME, size_at, LengthKind::Tagged);
            match fields.iter().find(|field| field.tag == Some(tag)) {
                Some(field) if field.is_in(self.version) => self.walk_field(field)?,
                known => {
                    if known.is_some() {
                        self.rename_tag(at, size_at);
                    }
                    self.take(NAME, usize::try_from(size).unwrap_or(usize::MAX))?;
                }
            }
        }
        Ok(())
    }

    /// Replaces the tag between two positions by the largest one of that width, which no message defines.
    fn rename_tag(&mut self, from: usize, to: usize) {
        let last = to.saturating_sub(1);
        for at in from..last {
            self.rewrite(at, &[0xff]);
        }
        let width_max = last.saturating_sub(from) >= 4;
        self.rewrite(last, if width_max { &[0x0f] } else { &[0x7f] });
    }

    /// Whether a nullable struct is there: a byte before it, negative for null.
    fn is_struct_present(&mut self, field: &'static Field) -> Result<bool, WireError> {
        let at = self.position();
        match self.take(field.name, 1)? {
            [byte] if *byte < 0x80 => {
                if *byte != 1 {
                    self.rewrite(at, &[1]);
                }
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Number of elements to come, 0 for null. Each takes at least a byte, so no array is longer than what is left.
    fn array_length(&mut self, field: &'static Field, nullable: bool) -> Result<usize, WireError> {
        let length = self.length(field, LengthKind::Int32, nullable)?.unwrap_or(0);
        self.count_elements(field.name, length)?;
        Ok(length)
    }

    fn count_elements(&mut self, field: &'static str, count: usize) -> Result<(), WireError> {
        if count > self.rest.len() {
            return Err(self.malformed(field, "more elements than bytes left"));
        }
        self.elements = self.elements.saturating_add(count);
        if self.elements > ELEMENTS_MAX {
            return Err(self.malformed(field, "too many elements in one request"));
        }
        Ok(())
    }

    /// A length, None for null. `classic` is its form outside flexible versions.
    fn length(&mut self, field: &'static Field, classic: LengthKind, nullable: bool) -> Result<Option<usize>, WireError> {
        let at = self.position();
        let kind = if self.flexible { LengthKind::Compact } else { classic };
        let (length, is_plain_null) = match kind {
            LengthKind::Compact | LengthKind::Tagged => {
                let value = self.varint(field.name)?;
                // Kafka's reader works in int32: what is too large for it is a negative length.
                (value.cast_signed().wrapping_sub(1), value == 0)
            }
            LengthKind::Int16 => {
                let length = i16::from_be_bytes(self.take_array(field.name)?);
                (i32::from(length), length == -1)
            }
            LengthKind::Int32 => {
                let length = i32::from_be_bytes(self.take_array(field.name)?);
                (length, length == -1)
            }
        };
        self.note(field.name, at, kind);
        if let Ok(length) = usize::try_from(length) {
            return Ok(Some(length));
        }
        if !nullable {
            return Err(self.malformed(field.name, "null where a value must be"));
        }
        if !is_plain_null {
            match kind {
                LengthKind::Compact | LengthKind::Tagged => self.rewrite(at, &[0x80, 0x80, 0x80, 0x80, 0]),
                LengthKind::Int16 => self.rewrite(at, &[0xff; 2]),
                LengthKind::Int32 => self.rewrite(at, &[0xff; 4]),
            }
        }
        Ok(None)
    }

    /// An unsigned varint of at most five bytes.
    fn varint(&mut self, field: &'static str) -> Result<u32, WireError> {
        let mut value = 0_u32;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.take_array(field)?;
            value |= u32::from(byte & 0x7f).wrapping_shl(shift);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(self.malformed(field, "varint longer than five bytes"))
    }

    fn take(&mut self, field: &'static str, count: usize) -> Result<&'a [u8], WireError> {
        let Some((taken, rest)) = self.rest.split_at_checked(count) else {
            return Err(self.malformed(field, "longer than the frame"));
        };
        self.rest = rest;
        Ok(taken)
    }

    fn take_array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], WireError> {
        let Some((taken, rest)) = self.rest.split_first_chunk::<N>() else {
            return Err(self.malformed(field, "longer than the frame"));
        };
        self.rest = rest;
        Ok(*taken)
    }

    fn position(&self) -> usize {
        self.body.len().saturating_sub(self.rest.len())
    }

    /// Remembers the length field between `at` and the present position, if someone asked for them.
    fn note(&mut self, field: &'static str, at: usize, kind: LengthKind) {
        let width = self.position().saturating_sub(at);
        if let Some(lengths) = &mut self.lengths {
            lengths.push(LengthField { field, at, width, kind });
        }
    }

    fn rewrite(&mut self, at: usize, bytes: &[u8]) {
        let body = self.body;
        let copy = self.rewritten.get_or_insert_with(|| body.to_vec());
        for (place, byte) in copy.iter_mut().skip(at).zip(bytes) {
            *place = *byte;
        }
    }

    fn malformed(&self, field: &'static str, problem: &'static str) -> WireError {
        WireError::Malformed { api: self.api.name, version: self.version, field, at: self.position(), problem }
    }
}
