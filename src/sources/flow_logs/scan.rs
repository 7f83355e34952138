//! Where fields and lines end, and numbers and addresses in them: the part that runs once for every byte of a flow log.
//! Eight bytes are looked at together in one word ("SIMD within a register"); there is no unsafe code in it.

use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr};

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Tells the places of all bytes up to and with the space (0x20): what parts fields, and lines.
#[inline]
pub(super) fn breaks(text: &[u8], mut each: impl FnMut(u32)) {
    let (words, rest) = text.as_chunks::<8>();
    let mut base = 0;
    for word in words {
        let w = u64::from_le_bytes(*word);
        // The high bit of a byte is set where its low seven bits are above 0x20, or where it has it itself.
        let mut small = !(((w & !HIGH) + ONES * (0x7F - 0x20)) | w) & HIGH;
        while small != 0 {
            each(base + small.trailing_zeros() / 8);
            small &= small - 1;
        }
        base += 8;
    }
    (base..).zip(rest).filter(|(_, b)| **b <= b' ').for_each(|(at, _)| each(at));
}

/// A number that fits 64 bits: the digits `from..to` of a block.
pub(super) fn number(block: &[u8], from: usize, to: usize) -> Option<u64> {
    match to - from {
        0 => None,
        len @ 1..=8 => digits(block, to, len),
        len @ 9..=16 => Some(digits(block, to - 8, len - 8)? * 100_000_000 + digits(block, to, 8)?),
        _ => {
            let text = str::from_utf8(&block[from..to]).ok()?;
            text.parse().ok().filter(|_| !text.starts_with('+'))
        }
    }
}

/// The one to eight digits before a place.
fn digits(block: &[u8], to: usize, len: usize) -> Option<u64> {
    let word = match block[..to].last_chunk::<8>() {
        Some(word) => *word,
        None => {
            let mut word = [b'0'; 8];
            word[8 - len..].copy_from_slice(&block[to - len..to]);
            word
        }
    };
    // What stands before the digits becomes zeros in front of them.
    let w = (u64::from_le_bytes(word) ^ (ONES * u64::from(b'0'))) & u64::MAX << (64 - 8 * len);
    if ((w + ONES * (0x7F - 9)) | w) & HIGH != 0 {
        return None;
    }
    // Pairs of digits, of pairs, of fours: the most significant one stands in the lowest byte.
    let pairs = (w * 10 + (w >> 8)) & 0x00FF_00FF_00FF_00FF;
    let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_FFFF_0000_FFFF;
    Some((fours * 10_000 + (fours >> 32)) & 0xFFFF_FFFF)
}

/// IPv4 addresses that were read before, by their text: one side of each record is one of a few of our own.
pub(super) struct Addresses {
    slots: Box<[Cell<(u128, u32)>]>,
}

/// Slots of a cache, a power of two. Together they stay in the second level of a processor's cache.
pub(super) const SLOTS: usize = 4_096;

/// The slot of a text.
#[inline]
pub(super) fn slot(text: u128) -> usize {
    let mixed = (text as u64 ^ (text >> 64) as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 52) as usize % SLOTS
}

impl Default for Addresses {
    fn default() -> Self {
        Addresses { slots: vec![Cell::new((0, 0)); SLOTS].into() }
    }
}

impl Addresses {
    /// The address that stands in a block from one place to another.
    #[inline]
    pub(super) fn read(&self, block: &[u8], from: usize, to: usize) -> Option<IpAddr> {
        let (len, text) = (to - from, &block[from..to]);
        if !(7..16).contains(&len) {
            return address(text);
        }
        let window = block[from..].first_chunk::<16>().copied().unwrap_or_else(|| {
            let mut window = [0; 16];
            window[..len].copy_from_slice(text);
            window
        });
        let key = u128::from_le_bytes(window) & ((1 << (8 * len)) - 1);
        let slot = &self.slots[slot(key)];
        let (known, bits) = slot.get();
        if known == key {
            return Some(IpAddr::V4(Ipv4Addr::from_bits(bits)));
        }
        let read = v4(text);
        if let Some(address) = read {
            slot.set((key, address.to_bits()));
        }
        read.map(IpAddr::V4).or_else(|| address(text))
    }
}

/// An IPv4 or IPv6 address.
pub(super) fn address(text: &[u8]) -> Option<IpAddr> {
    v4(text).map(IpAddr::V4).or_else(|| str::from_utf8(text).ok()?.parse().ok())
}

/// Four numbers up to 255 without leading zeros, with dots between them.
fn v4(text: &[u8]) -> Option<Ipv4Addr> {
    let (mut whole, mut part, mut len, mut dots) = (0u32, 0u32, 0, 0);
    for &b in text {
        let digit = u32::from(b.wrapping_sub(b'0'));
        if digit < 10 {
            if len == 3 || len > 0 && part == 0 {
                return None;
            }
            part = part * 10 + digit;
            len += 1;
        } else {
            if b != b'.' || len == 0 || part > 255 {
                return None;
            }
            whole = whole << 8 | part;
            (part, len, dots) = (0, 0, dots + 1);
        }
    }
    (dots == 3 && len > 0 && part <= 255).then(|| Ipv4Addr::from(whole << 8 | part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn breaks_are_where_the_bytes_say() {
        let text: Vec<u8> = (0..2_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let mut found = Vec::new();
        for from in 0..40 {
            found.clear();
            breaks(&text[from..], |at| found.push(at));
            let plain = text[from..].iter().enumerate().filter(|(_, b)| **b <= b' ').map(|(i, _)| i as u32);
            assert!(found.iter().copied().eq(plain), "from {from}");
        }
    }

    #[test]
    fn numbers_are_those_of_the_standard_library() {
        let mut random = 7u64;
        for len in 0..24 {
            for _ in 0..500 {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let mut text = format!("{random:020}{random:020}")[3..3 + len].to_owned();
                if random.is_multiple_of(5) && len > 0 {
                    let strange = ["/", ":", "-", "+", " ", "a", "\u{0}", "\u{7f}"];
                    text.replace_range(len / 2..=len / 2, strange[random as usize / 5 % strange.len()]);
                }
                let plain = text.parse::<u64>().ok().filter(|_| !text.starts_with('+'));
                for before in ["", "1234 ", "99999999999999999999"] {
                    let block = format!("{before}{text} 77");
                    let told = number(block.as_bytes(), before.len(), before.len() + text.len());
                    assert_eq!(told, plain, "{block:?}");
                }
            }
        }
        assert_eq!(number(b"99999999999999999999", 0, 20), None);
        assert_eq!(number(u64::MAX.to_string().as_bytes(), 0, 20), Some(u64::MAX));
    }

    #[test]
    fn addresses_are_those_of_the_standard_library() {
        let odd = [
            "",
            "1.2.3",
            "1.2.3.4.5",
            "256.1.1.1",
            "1..2.3",
            "01.2.3.4",
            "0.0.0.0",
            "1.2.3.4 ",
            "1.2.3.",
            "1.2.3.4567",
            ".1.2.3",
            "1.2.3.999",
            "00.1.1.1",
            "1.2.3./",
            "::1",
            "1.2.3.0",
        ];
        let many = (0..3_000u32).map(|i| Ipv4Addr::from(i.wrapping_mul(2_654_435_761)).to_string());
        let cache = Addresses::default();
        for text in odd.into_iter().map(str::to_owned).chain(many) {
            assert_eq!(address(text.as_bytes()), text.parse().ok(), "{text:?}");
            for after in ["", " 1.2.3.4 5.6.7.8 9"] {
                let block = format!("9 {text}{after}");
                let read = || cache.read(block.as_bytes(), 2, 2 + text.len());
                assert_eq!([read(), read()], [text.parse().ok(); 2], "{block:?}");
            }
        }
    }
}
