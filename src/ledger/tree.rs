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
    let mut both = [1; 65];
    both[1..33].copy_from_slice(left);
    both[33..].copy_from_slice(right);
    Sha256::digest(both).into()
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
        self.merge(height, hash, &mut |_, _| {});
    }

    /// Adds a perfect subtree and tells each bigger one that it completes, smallest first: its height and root.
    fn merge(&mut self, height: u32, hash: Hash, completed: &mut impl FnMut(u32, &Hash)) {
        self.size += 1 << height;
        let (mut height, mut hash) = (height, hash);
        while let Some(&(h, left)) = self.peaks.last() {
            if h != height {
                break;
            }
            self.peaks.pop();
            hash = node(&left, &hash);
            height += 1;
            completed(height, &hash);
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

/// A full tile: 256 hashes of a level, and the root over them, which is one hash of the level above.
#[derive(Clone, Debug, PartialEq)]
pub struct Tile {
    /// 0 for leaves.
    pub level: u32,
    /// Its place in the level.
    pub index: u64,
    /// Root over its hashes.
    pub root: Hash,
    /// The hashes one after the other, 8,192 bytes.
    pub hashes: Vec<u8>,
}

/// A growing tree that hands out each tile when it is full. It holds one open tile per level and nothing else.
#[derive(Clone, Debug, Default)]
pub struct Tiles {
    edge: Frontier,
    open: Vec<Vec<u8>>,
}

impl Tiles {
    /// The tree over the first `size` leaves of some stored hashes, to be grown.
    ///
    /// # Errors
    /// Hashes that cannot be read.
    pub fn resume<H: Hashes + ?Sized>(hashes: &H, size: u64) -> Result<Tiles, H::Error> {
        let mut tiles = Tiles::default();
        let levels = if size == 0 { 0 } else { size.ilog2() / 8 + 1 };
        for level in 0..levels {
            let here = size / TILE.pow(level);
            tiles.open.push(hashes.hashes(level, here / TILE * TILE, here)?.concat());
        }
        for (level, open) in (0..levels).zip(&tiles.open).rev() {
            open.as_chunks::<32>().0.iter().for_each(|h| tiles.edge.push_subtree(8 * level, *h));
        }
        Ok(tiles)
    }

    /// Adds one leaf hash; gives the tiles that it fills, lowest level first.
    pub fn push(&mut self, leaf: Hash) -> Vec<Tile> {
        let Tiles { edge, open } = self;
        let mut full = Vec::new();
        add(open, 0, &leaf);
        edge.merge(0, leaf, &mut |height, root| {
            if height % 8 == 0 {
                let level = height / 8 - 1;
                let hashes = std::mem::take(&mut open[level as usize]);
                full.push((level, *root, hashes));
                add(open, level + 1, root);
            }
        });
        let tile = |(level, root, hashes)| {
            let index = edge.size / TILE.pow(level + 1) - 1;
            Tile { level, index, root, hashes }
        };
        full.into_iter().map(tile).collect()
    }

    /// Leaves so far.
    pub fn size(&self) -> u64 {
        self.edge.size
    }

    /// Leaf hashes of the tile that is being filled.
    pub fn leaves(&self) -> &[u8] {
        self.open.first().map_or(&[], Vec::as_slice)
    }

    /// Root over all leaves so far.
    pub fn root(&self) -> Hash {
        self.edge.root()
    }
}

fn add(open: &mut Vec<Vec<u8>>, level: u32, hash: &Hash) {
    if open.len() <= level as usize {
        open.push(Vec::with_capacity(8_192));
    }
    open[level as usize].extend_from_slice(hash);
}

/// Where hashes of the tree come from: tile level, first and last place (the last one left out). The hash at a place of
/// level L is the root of 256^L leaves. At most 256 are asked for at a time.
pub trait Hashes {
    /// What goes wrong when reading them.
    type Error;
    /// The hashes `from..to` of a level.
    ///
    /// # Errors
    /// They cannot be read.
    fn hashes(&self, level: u32, from: u64, to: u64) -> Result<Vec<Hash>, Self::Error>;
}

/// Root over the first `size` leaves.
///
/// # Errors
/// Hashes that cannot be read.
pub fn root_at<H: Hashes + ?Sized>(hashes: &H, size: u64) -> Result<Hash, H::Error> {
    subtree(hashes, 0, size)
}

/// Inclusion proof of leaf `index` in the first `size` leaves (RFC 6962, 2.1.1): hashes from the leaf up.
///
/// # Errors
/// Hashes that cannot be read.
pub fn inclusion<H: Hashes + ?Sized>(hashes: &H, index: u64, size: u64) -> Result<Vec<Hash>, H::Error> {
    let (mut from, mut to, mut siblings) = (0, size, Vec::new());
    while to - from > 1 {
        let middle = from + split(to - from);
        if index < middle {
            siblings.push((middle, to));
            to = middle;
        } else {
            siblings.push((from, middle));
            from = middle;
        }
    }
    siblings.into_iter().rev().map(|(from, to)| subtree(hashes, from, to)).collect()
}

/// Consistency proof between the first `old` and the first `new` leaves (RFC 6962, 2.1.2); empty when they are equal or
/// `old` is 0.
///
/// # Errors
/// Hashes that cannot be read.
pub fn consistency<H: Hashes + ?Sized>(hashes: &H, old: u64, new: u64) -> Result<Vec<Hash>, H::Error> {
    if old == 0 || old >= new {
        return Ok(Vec::new());
    }
    let (mut from, mut to, mut siblings) = (0, new, Vec::new());
    while to != old {
        let middle = from + split(to - from);
        if old <= middle {
            siblings.push((middle, to));
            to = middle;
        } else {
            siblings.push((from, middle));
            from = middle;
        }
    }
    // The old tree's own root is known to whoever asks.
    let edge = (from > 0).then_some((from, to));
    edge.into_iter().chain(siblings.into_iter().rev()).map(|(from, to)| subtree(hashes, from, to)).collect()
}

/// Where a tree of this many leaves is split: the largest power of two below it.
fn split(size: u64) -> u64 {
    size.next_power_of_two() / 2
}

/// Root over leaves `from..to` that RFC 6962 makes a subtree of.
fn subtree<H: Hashes + ?Sized>(hashes: &H, from: u64, to: u64) -> Result<Hash, H::Error> {
    let mut edge = Frontier::default();
    cover(hashes, from, to)?.into_iter().for_each(|(height, hash)| edge.push_subtree(height, hash));
    Ok(edge.root())
}

/// The fewest perfect subtrees that cover leaves `from..to`, from the left: height and root of each, read from the
/// highest level of tiles that has it.
///
/// # Errors
/// Hashes that cannot be read.
pub fn cover<H: Hashes + ?Sized>(hashes: &H, from: u64, to: u64) -> Result<Vec<(u32, Hash)>, H::Error> {
    let (mut found, mut at) = (Vec::new(), from);
    while at < to {
        let height = (to - at).ilog2().min(at.trailing_zeros());
        let (level, width) = (height / 8, TILE.pow(height / 8));
        let mut perfect = Frontier::default();
        hashes
            .hashes(level, at / width, (at + (1 << height)) / width)?
            .into_iter()
            .for_each(|h| perfect.push(h));
        found.push((height, perfect.root()));
        at += 1 << height;
    }
    Ok(found)
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

/// Whether a consistency proof leads from the root over `old` leaves to the root over `new` leaves (RFC 9162, 2.1.4.2).
pub fn is_consistent(old: (u64, &Hash), new: (u64, &Hash), proof: &[Hash]) -> bool {
    let ((m, old_root), (n, new_root)) = (old, new);
    match m {
        0 => return proof.is_empty(),
        _ if m > n => return false,
        _ if m == n => return proof.is_empty() && old_root == new_root,
        _ => {}
    }
    let mut path = proof.iter();
    let seed = if m.is_power_of_two() { Some(old_root) } else { path.next() };
    let Some(seed) = seed else { return false };
    let shift = (m - 1).trailing_ones();
    let (mut fresh, mut last) = ((m - 1) >> shift, (n - 1) >> shift);
    let (mut left, mut whole) = (*seed, *seed);
    for sibling in path {
        if last == 0 {
            return false;
        }
        if fresh & 1 == 1 || fresh == last {
            left = node(sibling, &left);
            whole = node(sibling, &whole);
            while fresh & 1 == 0 && fresh != 0 {
                fresh >>= 1;
                last >>= 1;
            }
        } else {
            whole = node(&whole, sibling);
        }
        fresh >>= 1;
        last >>= 1;
    }
    last == 0 && left == *old_root && whole == *new_root
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All levels of the tiles, as a store keeps them.
    struct Levels(Vec<Vec<Hash>>);

    impl Levels {
        fn of(leaves: &[Hash]) -> Levels {
            let (mut levels, mut tiles) = (vec![leaves.to_vec()], Tiles::default());
            for tile in leaves.iter().flat_map(|l| tiles.push(*l)) {
                levels.resize((tile.level as usize + 2).max(levels.len()), Vec::new());
                levels[tile.level as usize + 1].push(tile.root);
            }
            Levels(levels)
        }
    }

    impl Hashes for Levels {
        type Error = std::convert::Infallible;
        fn hashes(&self, level: u32, from: u64, to: u64) -> Result<Vec<Hash>, Self::Error> {
            Ok(self.0[level as usize][from as usize..to as usize].to_vec())
        }
    }

    /// How many full tiles of all levels a tree of this size has.
    fn full_tiles(size: u64) -> u64 {
        std::iter::successors(Some(size / TILE), |n| (*n > 0).then_some(n / TILE)).sum()
    }

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
        let stored = Levels::of(&leaves);
        for n in 1..=8 {
            let whole = root(&leaves[..n as usize]);
            for i in 0..n {
                let Ok(proof) = inclusion(&stored, i, n);
                assert_eq!(root_of_inclusion(leaves[i as usize], i, n, &proof), Some(whole));
                assert_ne!(root_of_inclusion(leaves[(i as usize + 1) % 8], i, n, &proof), Some(whole));
            }
        }
    }

    #[test]
    fn a_range_and_what_covers_the_rest_give_the_root() {
        let leaves: Vec<Hash> = (0..1_000u32).map(|i| leaf(&i.to_be_bytes())).collect();
        let stored = Levels::of(&leaves);
        for (from, to) in [(0, 1_000), (0, 1), (1, 2), (300, 700), (255, 257), (999, 1_000)] {
            let mut edge = Frontier::default();
            let (Ok(left), Ok(right)) = (cover(&stored, 0, from), cover(&stored, to, 1_000));
            left.into_iter().for_each(|(height, hash)| edge.push_subtree(height, hash));
            leaves[from as usize..to as usize].iter().for_each(|l| edge.push(*l));
            right.into_iter().for_each(|(height, hash)| edge.push_subtree(height, hash));
            assert_eq!((edge.size(), edge.root()), (1_000, root(&leaves)), "{from} to {to}");
        }
    }

    #[test]
    fn a_tree_that_is_resumed_fills_the_same_tiles() {
        let leaves: Vec<Hash> = (0..66_000u32).map(|i| leaf(&i.to_be_bytes())).collect();
        let stored = Levels::of(&leaves);
        let (mut whole, mut all) = (Tiles::default(), Vec::new());
        for (i, l) in leaves.iter().enumerate() {
            if [0, 1, 255, 256, 257, 65_535, 65_536, 65_999].contains(&i) {
                let Ok(resumed) = Tiles::resume(&stored, i as u64);
                assert_eq!(
                    (resumed.root(), resumed.open.concat()),
                    (whole.root(), whole.open.concat()),
                    "{i}"
                );
            }
            all.extend(whole.push(*l));
        }
        assert_eq!(all.len() as u64, full_tiles(66_000));
        assert_eq!(whole.root(), root(&leaves));
        let last = all.iter().find(|t| t.level == 1).unwrap();
        assert_eq!((last.index, last.root), (0, root(&leaves[..65_536])));
        assert!(
            all.iter().filter(|t| t.level == 0).all(|t| t.hashes[..32] == leaves[256 * t.index as usize])
        );
    }

    #[test]
    fn proofs_hold_across_tiles_and_no_changed_one_does() {
        let leaves: Vec<Hash> = (0..70_001u32).map(|i| leaf(&i.to_be_bytes())).collect();
        let stored = Levels::of(&leaves);
        let at = |n: u64| root_at(&stored, n).unwrap_or_else(|e| match e {});
        for (i, n) in [
            (0, 1),
            (255, 256),
            (256, 257),
            (65_535, 65_536),
            (65_536, 65_537),
            (3, 70_000),
            (69_999, 70_000),
        ] {
            let Ok(proof) = inclusion(&stored, i, n);
            assert_eq!(root_of_inclusion(leaves[i as usize], i, n, &proof), Some(at(n)), "{i} in {n}");
        }
        let sizes = [1, 3, 8, 255, 257, 65_536, 65_537, 70_000];
        for (m, n) in sizes.iter().flat_map(|m| sizes.iter().map(move |n| (*m, *n))).filter(|(m, n)| m <= n) {
            let Ok(proof) = consistency(&stored, m, n);
            assert!(is_consistent((m, &at(m)), (n, &at(n)), &proof), "{m} in {n}");
            assert!(!is_consistent((m, &at(m + 1)), (n, &at(n)), &proof), "another old root, {m} in {n}");
            for i in 0..proof.len() {
                let mut bad = proof.clone();
                bad[i][0] ^= 1;
                assert!(!is_consistent((m, &at(m)), (n, &at(n)), &bad), "{m} in {n}, hash {i}");
                bad.remove(i);
                assert!(!is_consistent((m, &at(m)), (n, &at(n)), &bad), "{m} in {n}, without hash {i}");
            }
        }
        assert!(!is_consistent((8, &at(8)), (7, &at(7)), &[]), "an older tree does not continue a newer one");
    }
}
