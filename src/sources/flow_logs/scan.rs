//! Where fields and lines end, and numbers and addresses in them: the part that runs once for every byte of a flow log.
//! Eight bytes are looked at together in one word ("SIMD within a register"); there is no unsafe code in it.

use std::net::{IpAddr, Ipv4Addr};
use wide::u8x16;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Tells the places of all bytes up to and with the space (0x20): what parts fields, and lines.
#[inline]
pub(super) fn breaks(text: &[u8], mut each: impl FnMut(u32)) {
    let (blocks, rest) = text.as_chunks::<64>();
    let mut base = 0;
    for block in blocks {
        let (parts, _) = block.as_chunks::<16>();
        // One bit for each byte: a loop over sixteen of them at a time would end where no processor can foresee.
        let bits = |(i, part): (usize, &[u8; 16])| u64::from(small(*part)) << (16 * i);
        let mut found = parts.iter().enumerate().map(bits).fold(0, |all, some| all | some);
        while found != 0 {
            each(base + found.trailing_zeros());
            found &= found - 1;
        }
        base += 64;
    }
    (base..).zip(rest).filter(|(_, b)| **b <= b' ').for_each(|(at, _)| each(at));
}

/// Which of sixteen bytes are at most a space: a bit each.
#[inline]
fn small(part: [u8; 16]) -> u32 {
    let part = u8x16::from(part);
    part.min(u8x16::splat(b' ')).simd_eq(part).to_bitmask()
}

/// A number that fits 64 bits: the digits `from..to` of a block.
#[inline(always)]
pub(super) fn number(block: &[u8], from: usize, to: usize) -> Option<u64> {
    match to - from {
        0 => None,
        len @ 1..=8 => digits(block, to, len),
        len @ 9..=16 => Some(digits(block, to - 8, len - 8)? * 100_000_000 + digits(block, to, 8)?),
        _ => long_number(&block[from..to]),
    }
}

/// A number of more digits than anything in a flow log has.
#[cold]
fn long_number(text: &[u8]) -> Option<u64> {
    let text = str::from_utf8(text).ok()?;
    text.parse().ok().filter(|_| !text.starts_with('+'))
}

/// The one to eight digits before a place.
#[inline(always)]
fn digits(block: &[u8], to: usize, len: usize) -> Option<u64> {
    let word = match block[..to].last_chunk::<8>() {
        Some(word) => *word,
        None => first_digits(block, to, len),
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

/// The digits before a place near the begin of a block, where no eight bytes stand before it.
#[cold]
fn first_digits(block: &[u8], to: usize, len: usize) -> [u8; 8] {
    let mut word = [b'0'; 8];
    word[8 - len..].copy_from_slice(&block[to - len..to]);
    word
}

/// An address of at most 15 bytes, and what stands behind it.
type Room = [u8; 20];

/// The address that stands in a block from one place to another.
#[inline(always)]
pub(super) fn address_in(block: &[u8], from: usize, to: usize) -> Option<IpAddr> {
    // Bits come in a register, where an address comes in pieces.
    let bits = match block[from..].first_chunk() {
        Some(room) => v4(room, to - from),
        None => last_v4(&block[from..to]),
    };
    bits.map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits))).or_else(|| address(&block[from..to]))
}

/// An IPv4 or IPv6 address.
#[cold]
fn address(text: &[u8]) -> Option<IpAddr> {
    str::from_utf8(text).ok()?.parse().ok()
}

/// Bits of the IPv4 address near the end of a block, where no room is behind it.
#[cold]
fn last_v4(text: &[u8]) -> Option<u32> {
    let mut room = Room::default();
    room.get_mut(..text.len())?.copy_from_slice(text);
    v4(&room, text.len())
}

/// Bits of the IPv4 address of a length: four numbers up to 255 without leading zeros, with dots between them. It takes as
/// many steps for a short one as for a long one, so that nothing has to be guessed ahead.
fn v4(room: &Room, len: usize) -> Option<u32> {
    if len > 15 {
        return None;
    }
    let (window, _) = room.as_chunks::<16>();
    let dots = u8x16::from(window[0]).simd_eq(u8x16::splat(b'.')).to_bitmask();
    // Those within, and what ends the last number.
    let mut dots = dots & ((1 << len) - 1) | 1 << len;
    let (mut whole, mut from, mut odd) = (0, 0, false);
    for _ in 0..4 {
        let to = dots.trailing_zeros() as usize;
        let (number, is_odd) = octet(room, from, to.wrapping_sub(from));
        (whole, odd) = (whole << 8 | number, odd | is_odd);
        (from, dots) = (to + 1, dots & dots.wrapping_sub(1));
    }
    (!odd && dots == 0).then_some(whole)
}

/// A number of one to three digits, and whether it is none, is too big, or begins with a zero that says nothing.
#[inline]
fn octet(room: &Room, from: usize, len: usize) -> (u32, bool) {
    let word = room.get(from..).and_then(|r| r.first_chunk()).map_or(0, |c| u32::from_le_bytes(*c));
    let missing = 3_u32.wrapping_sub(len as u32) & 3;
    // The last digit stands in the third byte, and zeros before the first one.
    let digits = (word ^ 0x30_3030) << (8 * missing) & 0xFF_FFFF;
    let (a, b, c) = (digits & 0xFF, digits >> 8 & 0xFF, digits >> 16);
    let number = a * 100 + b * 10 + c;
    let no_digit = ((digits + 0x76_7676) | digits) & 0x80_8080 != 0;
    let zero = (len > 1) & ((word & 0xFF) as u8 == b'0');
    (number & 0xFF, (len == 0) | (len > 3) | no_digit | zero | (number > 255))
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
        for text in odd.into_iter().map(str::to_owned).chain(many) {
            assert_eq!(address(text.as_bytes()), text.parse().ok(), "{text:?}");
            for after in ["", " 1.2.3.4 5.6.7.8 9"] {
                let block = format!("9 {text}{after}");
                assert_eq!(address_in(block.as_bytes(), 2, 2 + text.len()), text.parse().ok(), "{block:?}");
            }
        }
    }
}
