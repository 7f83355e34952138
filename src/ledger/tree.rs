//! The Merkle tree of RFC 6962: leaf = SHA-256(0x00 ‖ data), node = SHA-256(0x01 ‖ left ‖ right).

use sha2::{Digest, Sha256};

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// Hashes in one stored tile (C2SP tlog-tiles).
pub const TILE: u64 = 256;

/// Hash of a leaf.
pub fn leaf(data: &[u8]) -> Hash {
    Sha256::new().chain_update([0]).chain_update(data).finalize().into()
}

/// Hash of an inner node.
pub fn node(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// Root over leaves that are all at hand; the empty tree is SHA-256 of nothing.
pub fn root(leaves: &[Hash]) -> Hash {
    let mut edge = Frontier::default();
    leaves.iter().for_each(|l| edge.push(*l));
    edge.root()
}

/// The right edge of a growing tree: the roots of its perfect subtrees, tallest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Frontier {
    size: u64,
    peaks: Vec<(u32, Hash)>,
}

impl Frontier {
    /// Leaves so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds one leaf hash.
    pub fn push(&mut self, leaf: Hash) {
        self.push_subtree(0, leaf);
    }

    /// Adds a perfect subtree of 2^height leaves. The size so far must be a multiple of that.
    pub fn push_subtree(&mut self, height: u32, hash: Hash) {
        self.size += 1 << height;
        let (mut height, mut hash) = (height, hash);
        while let Some(&(h, left)) = self.peaks.last() {
            if h != height {
                break;
            }
            self.peaks.pop();
            hash = node(&left, &hash);
            height += 1;
        }
        self.peaks.push((height, hash));
    }

    /// Root over all leaves so far.
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev().map(|(_, h)| *h);
        match peaks.next() {
            None => Sha256::digest([]).into(),
            Some(last) => peaks.fold(last, |right, left| node(&left, &right)),
        }
    }
}

/// Inclusion proof of leaf `index` in the tree over `leaves` (RFC 6962, 2.1.1): hashes from the leaf up.
pub fn inclusion(leaves: &[Hash], index: usize) -> Vec<Hash> {
    let n = leaves.len();
    if n <= 1 {
        return Vec::new();
    }
    let k = n.next_power_of_two() / 2;
    let (mut path, sibling) = if index < k {
        (inclusion(&leaves[..k], index), root(&leaves[k..]))
    } else {
        (inclusion(&leaves[k..], index - k), root(&leaves[..k]))
    };
    path.push(sibling);
    path
}

/// Root that an inclusion proof leads to; a proof of the wrong length leads nowhere.
pub fn root_of_inclusion(leaf: Hash, index: u64, size: u64, proof: &[Hash]) -> Option<Hash> {
    if index >= size {
        return None;
    }
    let (mut fresh, mut last, mut hash) = (index, size - 1, leaf);
    for sibling in proof {
        if last == 0 {
            return None;
        }
        if fresh & 1 == 1 || fresh == last {
            hash = node(sibling, &hash);
            while fresh & 1 == 0 && fresh != 0 {
                fresh >>= 1;
                last >>= 1;
            }
        } else {
            hash = node(&hash, sibling);
        }
        fresh >>= 1;
        last >>= 1;
    }
    (last == 0).then_some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ct_leaves() -> Vec<Hash> {
        let data: [&[u8]; 8] = [
            b"",
            &[0],
            &[0x10],
            &[0x20, 0x21],
            &[0x30, 0x31],
            &[0x40, 0x41, 0x42, 0x43],
            &[0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57],
            &[0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f],
        ];
        data.iter().map(|d| leaf(d)).collect()
    }

    #[test]
    fn roots_are_those_of_certificate_transparency() {
        let expected =
            ["6e340b9c", "fac54203", "aeb6bcfe", "d37ee418", "4e3bbb1f", "76e67dad", "ddb89be4", "5dc9da79"];
        let leaves = ct_leaves();
        for (n, want) in expected.iter().enumerate() {
            assert_eq!(crate::evidence::hex(&root(&leaves[..=n])[..4]), *want);
        }
    }

    #[test]
    fn every_leaf_is_proved_and_no_other() {
        let leaves = ct_leaves();
        for n in 1..=leaves.len() {
            let whole = root(&leaves[..n]);
            for i in 0..n {
                let proof = inclusion(&leaves[..n], i);
                assert_eq!(root_of_inclusion(leaves[i], i as u64, n as u64, &proof), Some(whole));
                assert_ne!(root_of_inclusion(leaves[(i + 1) % 8], i as u64, n as u64, &proof), Some(whole));
            }
        }
    }
}
