//! A checksum of many lines that does not depend on their order.

/// A sum of checksums modulo 2^256, least byte first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sum([u8; 32]);

impl Sum {
    pub(super) const fn of(checksum: [u8; 32]) -> Self {
        Self(checksum)
    }

    pub(super) fn add(&mut self, other: &Self) {
        let mut carry = 0;
        for (byte, other) in self.0.iter_mut().zip(&other.0) {
            let [low, high] = (u16::from(*byte) + u16::from(*other) + carry).to_le_bytes();
            *byte = low;
            carry = u16::from(high);
        }
    }

    pub(super) fn hex(&self) -> String {
        hex(&self.0)
    }

    /// What [`Self::hex`] made; anything else is a sum that nothing has.
    pub(super) fn from_hex(text: &str) -> Self {
        let mut sum = Self::default();
        for (byte, digits) in sum.0.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(digits).ok();
            *byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).unwrap_or(0);
        }
        sum
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carries_go_on_and_the_order_does_not_count() {
        let (mut most, one) = (Sum([255; 32]), Sum::from_hex("01"));
        most.add(&one);
        assert_eq!(most, Sum::default());
        let (mut sum, mut other) = (Sum([200; 32]), Sum([100; 32]));
        sum.add(&Sum([100; 32]));
        other.add(&Sum([200; 32]));
        assert_eq!(sum, other);
        assert_eq!(Sum::from_hex(&sum.hex()), sum);
    }
}
