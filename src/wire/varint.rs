//! Variable-length integers.

use bytes::BufMut;

/// An unsigned varint, as compact lengths and tags are written.
pub(super) fn put_varint(out: &mut impl BufMut, mut value: u32) {
    while value >= 0x80 {
        let [_, _, _, low] = value.to_be_bytes();
        out.put_u8(low | 0x80);
        value >>= 7;
    }
    let [_, _, _, low] = value.to_be_bytes();
    out.put_u8(low);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seven_bits_go_into_each_byte_the_low_ones_first() {
        for (value, expected) in
            [(0, &b"\x00"[..]), (127, b"\x7f"), (128, b"\x80\x01"), (300, b"\xac\x02"), (u32::MAX, b"\xff\xff\xff\xff\x0f")]
        {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            assert_eq!(out, expected, "{value}");
        }
    }
}
