//! Checking a bundle as `verify.py` does, in the program itself.

use super::{BundleError, KeyChange, Proofs, Stamp};
use crate::evidence::record::PrivateErased;
use crate::evidence::sha256_hex;
use crate::ledger::header::{Header, sealed_in};
use crate::ledger::private::Opening;
use crate::ledger::tree::{self, Frontier};
use crate::ledger::{Checkpoint, Hash, Verifier, note::NoteError};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Read};
use zip::ZipArchive;

/// What a check of a bundle found good.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// Files listed and present.
    pub files: usize,
    /// Entries, each proved.
    pub entries: usize,
    /// Size of the checkpoint.
    pub size: u64,
    /// Openings that match.
    pub openings: usize,
    /// Private values that were erased, as entries say.
    pub erased: usize,
}

struct Files(BTreeMap<String, Vec<u8>>);

struct Proved<'a> {
    seq: u64,
    bytes: &'a [u8],
    header: Header<'a>,
}

fn bad<T>(file: &str, what: impl Into<String>) -> Result<T, BundleError> {
    Err(BundleError::Bad { file: file.into(), what: what.into() })
}

/// Checks a bundle. `key` is one that the reader was given; else the bundle's own is taken.
///
/// # Errors
/// The first thing that does not hold.
pub fn check(bytes: &[u8], key: Option<&Verifier>) -> Result<Checked, BundleError> {
    let files = Files::unzip(bytes)?;
    let first = Verifier::parse(files.text("public-key.txt")?);
    let first = first.or_else(|e| bad("public-key.txt", e.to_string()))?;
    let entries = entries(files.text("entries.ndjson")?)?;
    let note = files.text("checkpoint.txt")?;
    // Which key signed it is told by the changes of key; they are believed below, once the root is.
    let changes: Vec<KeyChange> = files.document("keys.json")?.unwrap_or_default();
    let chain = signers(&entries, &changes, &first)?;
    if key.is_some_and(|k| !chain.contains(k)) {
        return bad(
            "public-key.txt",
            "is another key than the one given, and was not handed over from or to it",
        );
    }
    let signer = chain.last().unwrap_or(&first).clone();
    let checkpoint = signer.open(note).and_then(Checkpoint::parse);
    let checkpoint = checkpoint.or_else(|e: NoteError| bad("checkpoint.txt", e.to_string()))?;
    if checkpoint.origin != first.name() {
        return bad("checkpoint.txt", "speaks of another log");
    }
    for change in &changes {
        consistent("keys.json", &change.checkpoint, &change.consistency, &checkpoint)?;
    }
    for stamp in files.document::<Vec<Stamp>>("timestamps.json")?.unwrap_or_default() {
        let name = format!("timestamps/{}.txt", stamp.size);
        if Checkpoint::unchecked(files.text(&name)?).map(|c| c.size) != Ok(stamp.size) {
            return bad(&name, "is of another size");
        }
        consistent(&name, files.text(&name)?, &stamp.consistency, &checkpoint)?;
    }
    let listed = manifest(&files, &signer, &checkpoint)?;
    match files.document::<Proofs>("proofs.json")? {
        None => whole(&entries, &checkpoint)?,
        Some(proofs) => proved(&entries, &checkpoint, &proofs)?,
    }
    let (openings, erased) = beside(&files, &entries)?;
    Ok(Checked { files: listed, entries: entries.len(), size: checkpoint.size, openings, erased })
}

impl Files {
    fn unzip(bytes: &[u8]) -> Result<Files, BundleError> {
        let mut archive = ZipArchive::new(Cursor::new(bytes))?;
        let mut files = BTreeMap::new();
        if archive.len() as u64 != declared(bytes) {
            return bad("the ZIP", "holds a name twice");
        }
        for i in 0..archive.len() {
            let mut file = archive.by_index(i)?;
            let mut content = Vec::new();
            file.read_to_end(&mut content)?;
            let name = file.name().to_owned();
            if files.insert(name.clone(), content).is_some() {
                return bad(&name, "is there twice");
            }
        }
        Ok(Files(files))
    }

    fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.get(name).map(Vec::as_slice)
    }

    fn text(&self, name: &str) -> Result<&str, BundleError> {
        match self.get(name).map(std::str::from_utf8) {
            None => bad(name, "is missing"),
            Some(text) => text.or_else(|_| bad(name, "is not UTF-8")),
        }
    }

    fn document<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<Option<T>, BundleError> {
        let parsed = self.get(name).map(serde_json::from_slice).transpose();
        parsed.or_else(|e| bad(name, e.to_string()))
    }
}

fn entries(text: &str) -> Result<Vec<Proved<'_>>, BundleError> {
    let mut found: Vec<Proved<'_>> = Vec::new();
    for (n, line) in text.split_terminator('\n').enumerate() {
        let parts = line.strip_prefix("{\"seq\":").and_then(|l| l.split_once(",\"entry\":"));
        let parsed =
            parts.and_then(|(seq, rest)| Some((seq.parse().ok()?, rest.strip_suffix('}')?.as_bytes())));
        let Some((seq, bytes)) = parsed else {
            return bad("entries.ndjson", format!("line {} is no entry", n + 1));
        };
        let Some(header) = Header::read(bytes) else {
            return bad("entries.ndjson", format!("line {}: entry {seq} is not in canonical form", n + 1));
        };
        if found.last().is_some_and(|l| l.seq >= seq) {
            return bad("entries.ndjson", format!("line {}: entry {seq} is out of order", n + 1));
        }
        found.push(Proved { seq, bytes, header });
    }
    if found.first().is_none_or(|e| e.seq != 0 || e.header.kind != "ledger.opened") {
        return bad("entries.ndjson", "entry 0, which opens the ledger, is missing");
    }
    Ok(found)
}

/// The keys up to the one that signed the bundle's checkpoint: that of entry 0, handed over by each `ledger.key` whose
/// checkpoint both the old key and the new one signed.
fn signers(
    entries: &[Proved<'_>],
    changes: &[KeyChange],
    first: &Verifier,
) -> Result<Vec<Verifier>, BundleError> {
    let key_of = |e: &Proved<'_>| {
        let payload: Value = serde_json::from_slice(e.header.payload).unwrap_or_default();
        Verifier::parse(payload["public_key"].as_str().unwrap_or_default())
            .or_else(|x| bad("entries.ndjson", format!("entry {}: {x}", e.seq)))
    };
    if entries.first().map(key_of).transpose()?.as_ref() != Some(first) {
        return bad("public-key.txt", "is another key than entry 0 names");
    }
    let handed: Vec<&Proved<'_>> = entries.iter().filter(|e| e.header.kind == "ledger.key").collect();
    if handed.iter().map(|e| e.seq).ne(changes.iter().map(|c| c.seq)) {
        return bad("keys.json", "does not hold the checkpoint over each change of key");
    }
    let mut chain = vec![first.clone()];
    for (entry, change) in handed.into_iter().zip(changes) {
        let next = key_of(entry)?;
        if next.vkey() != change.public_key {
            return bad("keys.json", format!("names another key than entry {}", entry.seq));
        }
        let old = chain.last().unwrap_or(first).open(&change.checkpoint);
        // Version 0 had the old key's signature alone.
        let both =
            old.and_then(|text| if entry.header.v == 0 { Ok(text) } else { next.open(&change.checkpoint) });
        let said = both.and_then(Checkpoint::parse).or_else(|e| bad("keys.json", e.to_string()))?;
        if next.name() != first.name() || said.size <= entry.seq || said.origin != first.name() {
            return bad("keys.json", format!("no checkpoint covers entry {}", entry.seq));
        }
        chain.push(next);
    }
    Ok(chain)
}

/// An earlier checkpoint is a prefix of the bundle's.
fn consistent(file: &str, note: &str, proof: &[String], checkpoint: &Checkpoint) -> Result<(), BundleError> {
    let said = Checkpoint::unchecked(note).or_else(|e| bad(file, e.to_string()))?;
    let (old, new) = ((said.size, &said.root), (checkpoint.size, &checkpoint.root));
    if said.origin == checkpoint.origin && tree::is_consistent(old, new, &decode(proof)) {
        return Ok(());
    }
    bad(file, format!("the checkpoint of size {} is no prefix of this ledger", said.size))
}

fn decode(hashes: &[String]) -> Vec<Hash> {
    hashes
        .iter()
        .map(|h| STANDARD.decode(h).ok().and_then(|h| h.try_into().ok()).unwrap_or_default())
        .collect()
}

fn manifest(files: &Files, signer: &Verifier, checkpoint: &Checkpoint) -> Result<usize, BundleError> {
    let named = signer.named(&format!("{}/bundle", signer.name()));
    let said = named.open(files.text("MANIFEST.note")?).or_else(|e| bad("MANIFEST.note", e.to_string()))?;
    let text = files.text("MANIFEST.sha256")?;
    let lines: Vec<&str> = said.lines().collect();
    if lines.get(3) != Some(&format!("manifest sha256:{}", sha256_hex(text.as_bytes())).as_str()) {
        return bad("MANIFEST.sha256", "is not the manifest that was signed");
    }
    if lines.get(1..3) != Some(&[checkpoint.size.to_string().as_str(), &checkpoint.root_base64()]) {
        return bad("MANIFEST.note", "speaks of another checkpoint");
    }
    let mut listed = BTreeSet::new();
    for line in text.lines() {
        let Some((digest, name)) = line.split_once("  ") else {
            return bad("MANIFEST.sha256", "has a line of another form");
        };
        match files.get(name) {
            None => return bad(name, "is listed and missing"),
            Some(bytes) if sha256_hex(bytes) != digest => {
                return bad(name, "has another SHA-256 than listed");
            }
            Some(_) => listed.insert(name),
        };
    }
    let unlisted = |n: &&String| {
        !["MANIFEST.sha256", "MANIFEST.note"].contains(&n.as_str()) && !listed.contains(n.as_str())
    };
    match files.0.keys().find(unlisted) {
        Some(name) => bad(name, "was added: the manifest does not list it"),
        None => Ok(listed.len()),
    }
}

fn whole(entries: &[Proved<'_>], checkpoint: &Checkpoint) -> Result<(), BundleError> {
    let mut edge = Frontier::default();
    entries.iter().for_each(|e| edge.push(tree::leaf(e.bytes)));
    let last = entries.last().map(|e| e.seq + 1);
    if last == Some(checkpoint.size) && edge.size() == checkpoint.size && edge.root() == checkpoint.root {
        return Ok(());
    }
    bad("entries.ndjson", "the entries do not give the root of the checkpoint")
}

fn proved(entries: &[Proved<'_>], checkpoint: &Checkpoint, proofs: &Proofs) -> Result<(), BundleError> {
    let inside = |seq: u64| proofs.range.is_some_and(|(from, to)| (from..to).contains(&seq));
    if let Some((from, to)) = proofs.range {
        let mut edge = Frontier::default();
        push(&mut edge, &proofs.left)?;
        let here: Vec<&Proved<'_>> = entries.iter().filter(|e| inside(e.seq)).collect();
        if edge.size() != from || here.iter().map(|e| e.seq).ne(from..to) {
            return bad("entries.ndjson", format!("the entries from {from} below {to} are not all here"));
        }
        here.iter().for_each(|e| edge.push(tree::leaf(e.bytes)));
        push(&mut edge, &proofs.right)?;
        if edge.size() != checkpoint.size || edge.root() != checkpoint.root {
            return bad("entries.ndjson", format!("the entries from {from} below {to} do not give the root"));
        }
    }
    let paths: BTreeMap<u64, Vec<Hash>> = proofs.proofs.iter().map(|p| (p.seq, decode(&p.path))).collect();
    for e in entries.iter().filter(|e| !inside(e.seq)) {
        let path = paths.get(&e.seq).map_or(&[][..], Vec::as_slice);
        if tree::root_of_inclusion(tree::leaf(e.bytes), e.seq, checkpoint.size, path) != Some(checkpoint.root)
        {
            return bad("entries.ndjson", format!("entry {} is not proved to be in the ledger", e.seq));
        }
    }
    Ok(())
}

/// Adds perfect subtrees; one that does not fit the size so far is refused.
fn push(edge: &mut Frontier, subtrees: &[(u32, String)]) -> Result<(), BundleError> {
    for (height, hash) in subtrees {
        let hash = decode(std::slice::from_ref(hash));
        if *height > 62 || !edge.size().is_multiple_of(1 << height) {
            return bad("proofs.json", "a subtree does not stand at its place");
        }
        edge.push_subtree(*height, hash[0]);
    }
    Ok(())
}

/// Entries in the bundle that erased private values.
fn erasures(entries: &[Proved<'_>]) -> BTreeMap<u64, PrivateErased> {
    let read = |e: &Proved<'_>| match e.header.kind {
        "private.erased" => serde_json::from_slice(e.header.payload).unwrap_or_default(),
        // An entry that is here and erases nothing covers nothing.
        _ => PrivateErased::default(),
    };
    entries.iter().map(|e| (e.seq, read(e))).collect()
}

fn covers(erasure: &PrivateErased, seq: u64, commitment: &str) -> bool {
    erasure.below > seq || erasure.commitments.iter().any(|c| c == commitment)
}

/// Entries in the end record of a ZIP (APPNOTE 4.3.16); what a reader that merges equal names does not tell.
fn declared(bytes: &[u8]) -> u64 {
    let end = bytes.windows(4).rposition(|w| w == b"PK\x05\x06");
    let field = end.and_then(|at| bytes.get(at + 10..at + 12));
    match field.map_or(0, |f| u16::from_le_bytes([f[0], f[1]])) {
        u16::MAX => bytes.windows(4).filter(|w| *w == b"PK\x01\x02").count() as u64,
        said => u64::from(said),
    }
}

/// Blobs and private values that the entries name.
fn beside(files: &Files, entries: &[Proved<'_>]) -> Result<(usize, usize), BundleError> {
    let mut sealed: BTreeMap<(u64, String), ()> = BTreeMap::new();
    for e in entries {
        sealed.extend(e.header.sealed.iter().map(|s| ((e.seq, s.commitment.clone()), ())));
        for named in &e.header.blobs {
            let path = format!("blobs/{}", named.sha256);
            match files.get(&path) {
                None => return bad(&path, format!("entry {} names it and it is missing", e.seq)),
                Some(bytes) if sha256_hex(bytes) != named.sha256 => return bad(&path, "has other bytes"),
                Some(bytes) if named.form == "json" => {
                    let inside =
                        sealed_in(bytes).map_or_else(|| bad(&path, "is not in canonical form"), Ok)?;
                    sealed.extend(inside.into_iter().map(|s| ((e.seq, s.commitment), ())));
                }
                Some(_) => {}
            }
        }
    }
    let erasures = erasures(entries);
    let (mut open, mut erased) = (0, 0);
    for (n, line) in
        files.get("openings.ndjson").map(String::from_utf8_lossy).unwrap_or_default().lines().enumerate()
    {
        let v: Value = serde_json::from_str(line).unwrap_or_default();
        let commitment = v["commitment"].as_str().unwrap_or_default().to_owned();
        let seq = v["seq"].as_u64().unwrap_or(u64::MAX);
        // Taken out, so that none is opened twice.
        let known = sealed.remove(&(seq, commitment.clone())).is_some();
        let salt = v["salt"].as_str().and_then(|s| STANDARD.decode(s).ok()).and_then(|s| s.try_into().ok());
        match (salt, v["value"].as_str(), v["erased_by"].as_u64()) {
            (Some(salt), Some(value), None) if known => {
                let opening = Opening { commitment, salt, value: value.to_owned() };
                if opening.recomputed() != opening.commitment {
                    return bad("openings.ndjson", format!("line {} does not give its commitment", n + 1));
                }
                open += 1;
            }
            (None, None, Some(by))
                if known && erasures.get(&by).is_none_or(|e| covers(e, seq, &commitment)) =>
            {
                erased += 1
            }
            _ => return bad("openings.ndjson", format!("line {} opens nothing", n + 1)),
        }
    }
    Ok((open, erased))
}
