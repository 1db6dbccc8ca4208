//! The vocabulary of the request table: what a field is, in which versions it is there, where it may be null.

use super::schema_table::APIS;

/// "No flexible version" (KIP-482).
pub const NEVER: i16 = i16::MAX;

/// One request: its versions and its fields in wire order.
#[derive(Debug)]
pub struct Api {
    pub key: i16,
    pub name: &'static str,
    pub version_min: i16,
    pub version_max: i16,
    /// First version with compact lengths and tagged fields.
    pub flexible_from: i16,
    pub fields: &'static [Field],
}

/// What a field holds. Widths are the wire's; strings, bytes and arrays carry a length.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Boolean,
    Int8,
    Int16,
    Int32,
    Int64,
    Float64,
    Uuid,
    Str,
    Bytes,
    Struct(&'static [Field]),
    StructArray(&'static [Field]),
    Array(&'static Kind),
}

/// One field. A field with a tag stands in the tag section of its struct instead of in wire order.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    pub name: &'static str,
    pub kind: Kind,
    pub since: i16,
    pub until: i16,
    /// First version in which null is allowed.
    pub nullable_since: i16,
    pub tag: Option<u32>,
}

impl Api {
    /// The request with this key, if we decode it at all.
    pub fn by_key(key: i16) -> Option<&'static Api> {
        APIS.binary_search_by_key(&key, |api| api.key).ok().and_then(|index| APIS.get(index))
    }

    pub fn is_flexible(&self, version: i16) -> bool {
        version >= self.flexible_from
    }

    pub fn has_version(&self, version: i16) -> bool {
        (self.version_min..=self.version_max).contains(&version)
    }
}

impl Field {
    pub fn is_in(&self, version: i16) -> bool {
        (self.since..=self.until).contains(&version)
    }

    pub fn is_nullable_in(&self, version: i16) -> bool {
        version >= self.nullable_since
    }

    pub const fn since(mut self, version: i16) -> Field {
        self.since = version;
        self
    }

    pub const fn until(mut self, version: i16) -> Field {
        self.until = version;
        self
    }

    pub const fn nullable(self) -> Field {
        self.nullable_since(0)
    }

    pub const fn nullable_since(mut self, version: i16) -> Field {
        self.nullable_since = version;
        self
    }

    pub const fn tag(mut self, tag: u32) -> Field {
        self.tag = Some(tag);
        self
    }
}

/// A row of the table.
pub const fn api(key: i16, name: &'static str, version_min: i16, version_max: i16, flexible_from: i16, fields: &'static [Field]) -> Api {
    Api { key, name, version_min, version_max, flexible_from, fields }
}

const fn field(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, since: 0, until: i16::MAX, nullable_since: NEVER, tag: None }
}

macro_rules! field_constructors {
    ($($function:ident: $kind:ident),*) => {
        $(pub const fn $function(name: &'static str) -> Field {
            field(name, Kind::$kind)
        })*
    };
}
field_constructors!(boolean: Boolean, int8: Int8, int16: Int16, int32: Int32, int64: Int64);
field_constructors!(float64: Float64, uuid: Uuid, string: Str, bytes: Bytes);

/// A struct of its own, one byte before it where it may be null.
pub const fn object(name: &'static str, fields: &'static [Field]) -> Field {
    field(name, Kind::Struct(fields))
}

/// An array of structs.
pub const fn array(name: &'static str, fields: &'static [Field]) -> Field {
    field(name, Kind::StructArray(fields))
}

/// An array of plain values.
pub const fn array_of(name: &'static str, kind: &'static Kind) -> Field {
    field(name, Kind::Array(kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::messages::ApiKey;

    #[test]
    fn every_row_is_found_by_its_key_and_the_codec_knows_its_versions() {
        for api in APIS {
            assert_eq!(Api::by_key(api.key).map(|found| found.name), Some(api.name));
            let codec = ApiKey::try_from(api.key).expect(api.name).valid_versions();
            assert!(codec.min <= api.version_min && codec.max >= api.version_max, "{}: codec has {codec}", api.name);
            let codec_flexible = (api.version_min..=api.version_max)
                .filter(|version| ApiKey::try_from(api.key).is_ok_and(|key| key.request_header_version(*version) >= 2));
            let ours = (api.version_min..=api.version_max).filter(|version| api.is_flexible(*version));
            assert!(codec_flexible.eq(ours), "{}: flexible versions differ", api.name);
        }
        assert!(Api::by_key(4).is_none());
        assert!(Api::by_key(-1).is_none());
    }
}
