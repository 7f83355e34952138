//! Checking the whole record as one fold over its rows, in memory that does not grow with it. It shares the hashes with
//! the writer and nothing else.
//!
//! Each entry tells what must stand beside it (tiles it fills, blobs and private values it names, the checkpoint over
//! it); whoever reads the rows hands those in before the next entry.

use super::header::{BlobName, Header, Sealed, sealed_in};
use super::note::{Checkpoint, Verifier};
use super::private::{self, Erasures, Opening};
use super::tree::{self, Hash, TILE, Tile, Tiles};
use crate::evidence::Kind;
use crate::evidence::record::{LedgerKey, LedgerOpened, PrivateErased, PrivateKey};
use base64::{Engine, engine::general_purpose::STANDARD};
use std::collections::{BTreeMap, BTreeSet};

/// The result of checking a ledger.
#[derive(Clone, Debug, PartialEq)]
pub enum Verification {
    /// Everything fits.
    Intact(Box<Intact>),
    /// Something does not.
    Broken(Broken),
}

/// What was checked and found to fit.
#[derive(Clone, Debug, PartialEq)]
pub struct Intact {
    /// Last checkpoint.
    pub checkpoint: Checkpoint,
    /// Its signed note.
    pub note: String,
    /// Checkpoints checked.
    pub checkpoints: u64,
    /// Private values that are kept and match.
    pub openings: u64,
    /// Private values that were erased, as entries say.
    pub erased: u64,
    /// Blobs that match.
    pub blobs: u64,
    /// Full tiles that match.
    pub tiles: u64,
    /// Keys and the size from which each signs: above it, up to the next one's.
    pub keys: Vec<(u64, Verifier)>,
}

impl Intact {
    /// The key that signs now.
    pub fn signer(&self) -> Option<&Verifier> {
        self.keys.last().map(|(_, k)| k)
    }

    /// The key that signed checkpoints of a size.
    pub fn signer_of(&self, size: u64) -> Option<&Verifier> {
        self.keys.iter().rev().find(|(from, _)| *from < size).map(|(_, k)| k)
    }
}

/// The first thing that does not hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Broken {
    /// The entry, tile, checkpoint, blob or opening.
    pub first_bad: String,
    /// The sequence number, when one entry can be named.
    pub seq: Option<u64>,
    /// What is wrong with it.
    pub what: String,
    /// The two checkpoint sizes between which the change lies.
    pub between: Option<(u64, u64)>,
    /// Size of the last checkpoint that still holds.
    pub intact_up_to: u64,
}

/// A stored row of the table `entry`.
pub struct EntryRow<'a> {
    /// Sequence number.
    pub seq: u64,
    /// Canonical bytes.
    pub bytes: &'a [u8],
}

/// What must stand beside an entry.
#[derive(Debug)]
pub struct Beside<'a> {
    /// Its number.
    pub seq: u64,
    /// What was read of it. Sealed values in its blobs are added by [`Check::blob`].
    pub header: Header<'a>,
    /// Its leaf hash.
    pub leaf: Hash,
    /// Tiles that it fills.
    pub tiles: Vec<Tile>,
}

/// What is known before the first entry is read, and cannot be learned from it in time: all of it is checked when the
/// entry that tells it comes.
#[derive(Default)]
pub struct Known {
    /// A key that the reader was given.
    pub key: Option<Verifier>,
    /// Pseudonym keys by year.
    pub pseudonyms: BTreeMap<i16, [u8; 32]>,
    /// Entries of kind `private.erased`.
    pub erasures: BTreeMap<u64, PrivateErased>,
}

/// The running check.
pub struct Check {
    known: Known,
    tiles: Tiles,
    origin: String,
    keys: Vec<(u64, Verifier)>,
    next_key: Option<Verifier>,
    recorded: [u8; 24],
    version: i64,
    last: Option<(Checkpoint, String)>,
    counts: Counts,
    erased: Erasures,
    erasures_met: BTreeSet<u64>,
    /// Year to the entry that told its pseudonym key.
    years: BTreeMap<i16, u64>,
}

#[derive(Default)]
struct Counts {
    checkpoints: u64,
    tiles: u64,
    blobs: u64,
    openings: u64,
    gone: u64,
}

/// What came of one step: nothing wrong, or the first thing that is.
pub type Step<T = ()> = Result<T, Box<Broken>>;

impl Check {
    /// Begins a check.
    pub fn new(known: Known) -> Check {
        Check {
            erased: Erasures::of(&known.erasures),
            erasures_met: BTreeSet::new(),
            known,
            tiles: Tiles::default(),
            origin: String::new(),
            keys: Vec::new(),
            next_key: None,
            recorded: [b'0'; 24],
            version: 0,
            last: None,
            counts: Counts::default(),
            years: BTreeMap::new(),
        }
    }

    /// Entries so far.
    pub fn size(&self) -> u64 {
        self.tiles.size()
    }

    /// Root over the entries so far.
    pub fn root(&self) -> Hash {
        self.tiles.root()
    }

    fn broken(&self, first_bad: impl Into<String>, seq: Option<u64>, what: impl Into<String>) -> Box<Broken> {
        let intact_up_to = self.last.as_ref().map_or(0, |(c, _)| c.size);
        Box::new(Broken { first_bad: first_bad.into(), seq, what: what.into(), between: None, intact_up_to })
    }

    fn bad_entry<T>(&self, row: &EntryRow<'_>, what: impl Into<String>) -> Step<T> {
        let said: Option<super::Entry> = serde_json::from_slice(row.bytes).ok();
        let name = match said {
            Some(e) => format!("entry {}, {}, {}", self.size(), e.kind.name(), e.subject),
            None => format!("entry {}", self.size()),
        };
        Err(self.broken(name, Some(self.size()), what))
    }

    /// Checks one entry and gives what must stand beside it.
    ///
    /// # Errors
    /// The first thing about it that does not hold.
    pub fn entry<'a>(&mut self, row: &EntryRow<'a>) -> Step<Beside<'a>> {
        let seq = self.size();
        if row.seq != seq {
            let what = format!("is missing: the next one stored is {}", row.seq);
            return Err(self.broken(format!("entry {seq}"), Some(seq), what));
        }
        let Some(header) = Header::read(row.bytes) else {
            return self.bad_entry(row, "is no entry in canonical form of a version that is known");
        };
        if self.recorded[..] > *header.recorded_at.as_bytes() {
            return self.bad_entry(row, "was recorded before the entry in front of it");
        }
        let covered = self.last.as_ref().map_or(0, |(c, _)| c.size);
        if header.v > 0 && seq > covered && self.recorded[..] != *header.recorded_at.as_bytes() {
            // All entries of a commit have one time, no two commits the same: here one ended.
            let name = format!("checkpoint of size {seq}");
            return Err(self.broken(name, None, "is missing: the entries before it were committed"));
        }
        if header.v > 0 && self.next_key.is_some() {
            return self.bad_entry(row, "stands in the commit of a change of key, after it");
        }
        if header.v < self.version {
            return self.bad_entry(row, "is of an older format than the entry in front of it");
        }
        self.recorded.copy_from_slice(header.recorded_at.as_bytes());
        self.version = header.v;
        if let Err(what) = self.own(&header) {
            return self.bad_entry(row, what);
        }
        let leaf = tree::leaf(row.bytes);
        let tiles = self.tiles.push(leaf);
        Ok(Beside { seq, header, leaf, tiles })
    }

    /// Entries that the check itself depends on: the opening, keys, erasures.
    fn own(&mut self, header: &Header<'_>) -> Result<(), String> {
        let seq = self.size();
        match Kind::of(header.kind) {
            Some(Kind::LedgerOpened) if seq == 0 => {
                let opened: LedgerOpened = payload(header)?;
                let key = Verifier::parse(&opened.public_key).map_err(|e| e.to_string())?;
                self.origin = key.name().to_owned();
                self.keys.push((0, key));
            }
            Some(Kind::LedgerOpened) => return Err("a ledger is opened once, by entry 0".into()),
            _ if seq == 0 => return Err("entry 0 does not open a ledger".into()),
            Some(Kind::LedgerKey) => {
                let changed: LedgerKey = payload(header)?;
                let key = Verifier::parse(&changed.public_key).map_err(|e| e.to_string())?;
                let same = self.keys.last().is_some_and(|(_, old)| *old == key);
                if self.next_key.is_some() || same || key.name() != self.origin {
                    return Err(
                        "hands the signing over twice, to the same key, or to another log's key".into()
                    );
                }
                self.next_key = Some(key);
            }
            Some(Kind::PrivateKey) => self.pseudonym(payload(header)?)?,
            Some(Kind::PrivateErased) => {
                if self.known.erasures.get(&seq) != Some(&payload(header)?) {
                    return Err("erases private values and is not in the table erasure".into());
                }
                self.erasures_met.insert(seq);
            }
            _ => {}
        }
        Ok(())
    }

    fn pseudonym(&mut self, said: PrivateKey) -> Result<(), String> {
        let seq = self.size();
        let kept = self.known.pseudonyms.get(&said.year).map(private::key_commitment);
        match (kept, self.erased.of_year(said.year)) {
            (Some(kept), _) if kept != said.commitment => {
                return Err(format!("the pseudonym key of {} is another one than this names", said.year));
            }
            (Some(_), Some(by)) => return Err(format!("entry {by} erased this key, and it is here again")),
            (None, None) => return Err(format!("the pseudonym key of {} is missing", said.year)),
            _ => {}
        }
        match self.years.insert(said.year, seq) {
            Some(_) => Err("tells the key of a year twice".into()),
            None => Ok(()),
        }
    }

    /// Checks the stored form of a tile that the last entry filled.
    ///
    /// # Errors
    /// It is missing, or holds other hashes than those of its place.
    pub fn tile(&mut self, expected: &Tile, stored: Option<(&[u8], &[u8])>) -> Step {
        let name = format!("tile {}/{}", expected.level, expected.index);
        match stored {
            None => Err(self.broken(name, None, "is missing")),
            Some((root, hashes)) if root == expected.root && hashes == expected.hashes => {
                self.counts.tiles += 1;
                Ok(())
            }
            // Entries below a checkpoint that held are as they were: there it is the tile.
            Some((_, hashes)) => Err(match self.unlike(expected, hashes) {
                Some(seq) => self.broken(
                    format!("entry {seq} or {name}"),
                    Some(seq),
                    "one of them is not as it was: they do not fit each other",
                ),
                None => self.broken(name, None, "does not hold the hashes of the entries below it"),
            }),
        }
    }

    /// Names the entry, where a checkpoint does not hold and the tile that is being filled is stored already: it tells
    /// which of the entries between the two checkpoints is another one.
    pub fn located(&self, broken: Box<Broken>, stored: Option<&[u8]>) -> Box<Broken> {
        let (index, hashes) = (self.size() / TILE, self.tiles.leaves().to_vec());
        let here = Tile { level: 0, index, root: self.root(), hashes };
        match stored.and_then(|stored| self.unlike(&here, stored)) {
            Some(seq) if broken.between.is_some() => {
                let what = format!("tile 0/{index} was made from other bytes than are stored now");
                let between = broken.between;
                Box::new(Broken { between, ..*self.broken(format!("entry {seq}"), Some(seq), what) })
            }
            _ => broken,
        }
    }

    /// The first entry whose hash in a stored tile is another one, unless a checkpoint that held covers it.
    fn unlike(&self, here: &Tile, stored: &[u8]) -> Option<u64> {
        let mut pairs = here.hashes.as_chunks::<32>().0.iter().zip(stored.as_chunks::<32>().0);
        let seq = here.index * TILE + pairs.position(|(a, b)| a != b)? as u64;
        let held = self.last.as_ref().map_or(0, |(c, _)| c.size);
        (here.level == 0 && seq >= held).then_some(seq)
    }

    /// Checks a blob that an entry names: `stored` is the entry that it was kept for, and its bytes. A blob that an
    /// earlier entry brought was checked there.
    ///
    /// # Errors
    /// It is missing, or has other bytes.
    pub fn blob(
        &mut self,
        beside: &mut Beside<'_>,
        blob: &BlobName<'_>,
        stored: Option<(u64, &[u8])>,
    ) -> Step {
        let name = format!("blob sha256:{}", blob.sha256);
        let what = match stored {
            None => "an entry names it and it is not here",
            Some((seq, _)) if seq < beside.seq => return Ok(()),
            Some((seq, _)) if seq > beside.seq => "is kept for a later entry than the first that names it",
            Some((_, bytes)) if crate::evidence::sha256_hex(bytes) != blob.sha256 => {
                "its bytes have another SHA-256"
            }
            Some((_, bytes)) if blob.size.is_some_and(|n| n != bytes.len() as u64) => {
                "has another size than is said"
            }
            Some((_, bytes)) if blob.form == "json" => match sealed_in(bytes) {
                None => "is not in canonical form",
                Some(sealed) => {
                    beside.header.sealed.extend(sealed);
                    self.counts.blobs += 1;
                    return Ok(());
                }
            },
            Some(_) => {
                self.counts.blobs += 1;
                return Ok(());
            }
        };
        Err(self.broken(name, Some(beside.seq), what))
    }

    /// Checks the private values of an entry, once its blobs were handed in.
    ///
    /// # Errors
    /// An opening that fits no commitment; one that is missing and was not erased; one that was erased and is here.
    pub fn openings(&mut self, beside: &Beside<'_>, openings: &[Opening]) -> Step {
        if beside.header.sealed.is_empty() && openings.is_empty() {
            return Ok(());
        }
        let seq = beside.seq;
        let name = format!("private value of entry {seq}");
        for o in openings {
            if o.recomputed() != o.commitment {
                return Err(self.broken(name, Some(seq), "value and salt do not give the commitment"));
            }
            if !beside.header.sealed.iter().any(|s| s.commitment == o.commitment) {
                return Err(self.broken(name, Some(seq), "the entry holds no such commitment"));
            }
        }
        for s in &beside.header.sealed {
            let opening = openings.iter().find(|o| o.commitment == s.commitment);
            match (opening, self.erased.by(seq, &s.commitment)) {
                (None, Some(_)) => self.counts.gone += 1,
                (None, None) => {
                    let what = "its opening is not here, and no entry says that it was erased";
                    return Err(self.broken(name, Some(seq), what));
                }
                (Some(_), Some(by)) => {
                    return Err(self.broken(
                        name,
                        Some(seq),
                        format!("entry {by} erased it, and it is here again"),
                    ));
                }
                (Some(o), None) if self.reference_fits(beside, s, o) => self.counts.openings += 1,
                (Some(_), None) => {
                    return Err(self.broken(name, Some(seq), "its reference is not that of the value"));
                }
            }
        }
        Ok(())
    }

    /// Version 0 derived its references from the signing key, which a reader does not have.
    fn reference_fits(&self, beside: &Beside<'_>, sealed: &Sealed, opening: &Opening) -> bool {
        let year = beside.header.year();
        let told = self.years.get(&year).is_some_and(|by| *by < beside.seq);
        match self.known.pseudonyms.get(&year) {
            Some(key) if told => private::reference(key, &opening.value) == sealed.reference,
            _ => beside.header.v == 0,
        }
    }

    /// Checks a stored checkpoint; its size must be the number of entries so far.
    ///
    /// # Errors
    /// A note that the key in force did not sign, or over other entries than are here.
    pub fn checkpoint(&mut self, stored: u64, note: &str) -> Step {
        let name = format!("checkpoint of size {stored}");
        let said = self.signed(note).map_err(|what| self.broken(name.clone(), None, what))?;
        if said.size != stored || said.origin != self.origin {
            return Err(self.broken(name, None, "speaks of another size or another log"));
        }
        if said.size != self.size() || said.root != self.root() {
            let from = self.last.as_ref().map_or(0, |(c, _)| c.size);
            let what = format!("the entries do not give the root of the checkpoint of size {stored}");
            let mut broken =
                self.broken(format!("an entry from {from} to {}", stored.saturating_sub(1)), None, what);
            broken.between = Some((from, stored));
            return Err(broken);
        }
        self.counts.checkpoints += 1;
        self.last = Some((said, note.to_owned()));
        if let Some(key) = self.next_key.take() {
            self.keys.push((stored, key));
        }
        Ok(())
    }

    /// What a note says, once the key in force signed it; the checkpoint over a change of key carries both signatures.
    fn signed(&self, note: &str) -> Result<Checkpoint, String> {
        let (_, key) = self.keys.last().ok_or("no key is known")?;
        if let Some(next) = &self.next_key
            && self.version > 0
        {
            next.open(note).map_err(|e| e.to_string())?;
        }
        key.open(note).and_then(Checkpoint::parse).map_err(|e| e.to_string())
    }

    /// Ends the check. `tiles` and `blobs` are the rows that are stored, `later` the size of a checkpoint that no
    /// entry reached.
    ///
    /// # Errors
    /// What is missing or too much: a checkpoint over the last entry, a tile, a blob, an erasure, a pseudonym key.
    pub fn finish(self, tiles: u64, blobs: u64, later: Option<u64>) -> Step<Intact> {
        let size = self.size();
        if let Some(later) = later {
            let what =
                format!("is missing: a checkpoint of size {later} was signed, {size} entries are here");
            return Err(self.broken(format!("entry {size}"), Some(size), what));
        }
        if let Some(seq) = self.known.erasures.keys().find(|s| !self.erasures_met.contains(s)) {
            return Err(self.broken(
                format!("erasure {seq}"),
                Some(*seq),
                "no such entry erases private values",
            ));
        }
        if let Some(year) = self.known.pseudonyms.keys().find(|y| !self.years.contains_key(y)) {
            return Err(self.broken(format!("pseudonym key of {year}"), None, "no entry tells of it"));
        }
        if tiles != self.counts.tiles {
            let what = format!("{tiles} full tiles are here, {} belong to the size", self.counts.tiles);
            return Err(self.broken("a tile", None, what));
        }
        if blobs != self.counts.blobs {
            return Err(self.broken(
                "a blob",
                None,
                format!("{blobs} are here, entries name {}", self.counts.blobs),
            ));
        }
        if let Some(given) = self.known.key.as_ref().filter(|g| !self.keys.iter().any(|(_, k)| k == *g)) {
            let what = format!(
                "is not the key that was given, {}, and was not handed over from or to it",
                given.vkey()
            );
            let signer = self.keys.first().map(|(_, k)| k.vkey()).unwrap_or_default();
            return Err(self.broken(format!("the key {signer}"), Some(0), what));
        }
        match self.last {
            Some((checkpoint, note)) if checkpoint.size == size => {
                let Counts { checkpoints, tiles, blobs, openings, gone: erased } = self.counts;
                Ok(Intact { checkpoint, note, checkpoints, openings, erased, blobs, tiles, keys: self.keys })
            }
            ref last => {
                let from = last.as_ref().map_or(0, |(c, _)| c.size);
                Err(self.broken(format!("entry {from}"), Some(from), "no signed checkpoint covers it"))
            }
        }
    }
}

fn payload<T: serde::de::DeserializeOwned>(header: &Header<'_>) -> Result<T, String> {
    serde_json::from_slice(header.payload).map_err(|e| format!("its payload cannot be read: {e}"))
}

/// The root as it is printed.
pub fn root_base64(root: &Hash) -> String {
    STANDARD.encode(root)
}
