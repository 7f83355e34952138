//! Taking gzip apart: at once where the trailer says a size that fits into memory, else as a stream.

use crate::config::Source;
use flate2::read::MultiGzDecoder;
use libdeflater::Decompressor;
use std::io::Read;

/// Objects up to this size are inflated at once.
const AT_ONCE: usize = 64 << 20;
/// Small objects may grow as they like.
const SMALL: u64 = 1 << 20;
/// What a stream is read by.
const BLOCK: usize = 65_536;

/// What one object may have once unpacked.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// Bytes.
    pub unpacked: u64,
    /// How many times its size.
    pub growth: u64,
}

impl Limits {
    /// Those of a source. Deflate ends at about a thousandfold.
    pub(super) fn of(source: &Source) -> Limits {
        Limits { unpacked: source.max_unpacked.unwrap_or(4 << 30), growth: source.max_growth.unwrap_or(200) }
    }

    /// Most bytes of an object of gzip.
    fn most(self, packed: &[u8]) -> u64 {
        self.unpacked.min(SMALL.max((packed.len() as u64).saturating_mul(self.growth)))
    }
}

/// Takes objects apart, one after the other, in one buffer.
pub(super) struct Unpacker {
    limits: Limits,
    decompressor: Decompressor,
    buffer: Vec<u8>,
}

impl Unpacker {
    /// One that keeps to limits.
    pub(super) fn new(limits: Limits) -> Unpacker {
        Unpacker { limits, decompressor: Decompressor::new(), buffer: Vec::new() }
    }

    /// Gives the text of a gzip file to `each`, piece by piece.
    ///
    /// # Errors
    /// What is wrong with the file; what came before it was given.
    pub(super) fn gzip(&mut self, packed: &[u8], each: &mut dyn FnMut(&[u8])) -> Result<(), String> {
        if let Some(size) = self.at_once(packed) {
            each(&self.buffer[..size]);
            return Ok(());
        }
        let most = self.limits.most(packed);
        let (mut stream, mut total) = (MultiGzDecoder::new(packed), 0);
        self.buffer.resize(self.buffer.len().max(BLOCK), 0);
        loop {
            match stream.read(&mut self.buffer[..BLOCK]) {
                Ok(0) => return Ok(()),
                Ok(n) => {
                    total += n as u64;
                    if total > most {
                        return Err(format!("grows beyond {most} bytes: a bomb"));
                    }
                    each(&self.buffer[..n]);
                }
                Err(e) => return Err(e.to_string()),
            }
        }
    }

    /// Inflates a file of one member whose trailer says a size that fits; the size, when it did.
    fn at_once(&mut self, packed: &[u8]) -> Option<usize> {
        let trailer: [u8; 4] = *packed.last_chunk()?;
        let size = u32::from_le_bytes(trailer) as usize;
        if size > AT_ONCE || size as u64 > self.limits.most(packed) {
            return None;
        }
        self.buffer.resize(self.buffer.len().max(size), 0);
        let text = &mut self.buffer[..size];
        let whole = self.decompressor.gzip_decompress(packed, text).ok()? == size;
        // Of several members only the first was read: then its size stands before the beginning of another.
        let mut next = trailer.to_vec();
        next.extend([0x1F, 0x8B, 0x08]);
        (whole && memchr::memmem::find(packed, &next).is_none()).then_some(size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write;

    const LIMITS: Limits = Limits { unpacked: 1 << 30, growth: 200 };

    fn packed(text: &[u8]) -> Vec<u8> {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(text).unwrap();
        gzip.finish().unwrap()
    }

    fn unpacked(packed: &[u8]) -> (Vec<u8>, Result<(), String>) {
        let mut all = Vec::new();
        let done = Unpacker::new(LIMITS).gzip(packed, &mut |text| all.extend_from_slice(text));
        (all, done)
    }

    #[test]
    fn members_that_were_put_together_are_all_read() {
        let (a, b) = (packed(b"one\n"), packed(b"two\n"));
        for (parts, text) in [
            (vec![&a], "one\n"),
            (vec![&a, &b], "one\ntwo\n"),
            (vec![&a, &a], "one\none\n"),
            (vec![&a, &a, &a], "one\none\none\n"),
        ] {
            let all: Vec<u8> = parts.into_iter().flatten().copied().collect();
            assert_eq!(unpacked(&all), (text.as_bytes().to_vec(), Ok(())));
        }
    }

    #[test]
    fn what_comes_before_a_fault_is_given() {
        let text: Vec<u8> = (0..200_000u32).flat_map(|i| (i ^ i >> 3).to_le_bytes()).collect();
        let whole = packed(&text);
        assert_eq!(unpacked(&whole), (text.clone(), Ok(())));
        let (all, done) = unpacked(&whole[..whole.len() / 2]);
        assert!(done.is_err() && !all.is_empty() && text.starts_with(&all));
        assert!(unpacked(b"").1.is_err() && unpacked(b"no gzip").1.is_err());
    }

    #[test]
    fn a_bomb_is_not_unpacked() {
        let bomb = packed(&vec![b'\n'; 64 << 20]);
        let (all, done) = unpacked(&bomb);
        assert!(done.unwrap_err().contains("a bomb") && all.len() < 20 << 20, "{}", all.len());
        let done = Unpacker::new(Limits { growth: 2_000, ..LIMITS }).gzip(&bomb, &mut |_| {});
        assert_eq!(done, Ok(()), "unless the config says so");
        let done = Unpacker::new(Limits { growth: 2_000, unpacked: 2 << 20 }).gzip(&bomb, &mut |_| {});
        assert!(done.unwrap_err().contains("beyond 2097152 bytes"));
    }
}
