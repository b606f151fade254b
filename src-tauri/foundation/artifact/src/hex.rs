//! Bytes as people and files write them.

/// Bytes in lower-case hex, two characters each.
#[must_use]
pub fn hex(bytes: impl AsRef<[u8]>) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let bytes = bytes.as_ref();
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::hex;

    #[test]
    fn every_byte_has_two_characters() {
        assert_eq!(hex([0, 7, 0x1f, 0xa0, 0xff]), "00071fa0ff");
        assert_eq!(hex([]), "");
    }
}
