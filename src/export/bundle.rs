//! The bundle: a ZIP that an auditor checks with `verify.py` and nothing of ours. Sorted names, fixed times.

use crate::evidence::sha256_hex;
use crate::ledger::private::Opening;
use crate::ledger::verify::root_base64;
use crate::ledger::{Checkpoint, Hash, Signer, Verifier, note, tree};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Cursor, Read, Write};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

const VERIFY: &str = include_str!("verify.py");
const README: &str = include_str!("README.txt");

/// What goes into a bundle.
pub struct Contents<'a> {
    /// Entries: sequence number and canonical bytes, in order.
    pub entries: Vec<(u64, Vec<u8>)>,
    /// Leaf hashes of everything below the checkpoint.
    pub leaves: &'a [Hash],
    /// Blobs by SHA-256.
    pub blobs: BTreeMap<String, Vec<u8>>,
    /// Openings; none when redacted.
    pub openings: Option<Vec<(u64, Opening)>>,
    /// Signed checkpoint over the as-of.
    pub checkpoint: String,
    /// Verifier key line of entry 0.
    pub first_key: String,
    /// Reports: file name to bytes.
    pub reports: BTreeMap<String, Vec<u8>>,
    /// What was asked for, in a sentence.
    pub scope: String,
    /// Whether the entries are a contiguous range; otherwise they were picked.
    pub contiguous: bool,
}

/// Why a bundle is not believed, or could not be made.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// Not a ZIP, or damaged.
    #[error("the ZIP cannot be read or written: {0}")]
    Zip(#[from] zip::result::ZipError),
    /// Reading or writing.
    #[error("the ZIP cannot be read or written: {0}")]
    Io(#[from] std::io::Error),
    /// Something in it does not hold.
    #[error("{file}: {what}")]
    Bad {
        /// File in the bundle.
        file: String,
        /// What does not hold.
        what: String,
    },
}

/// The bundle's bytes and the SHA-256 of its manifest.
///
/// # Errors
/// Writing the ZIP.
pub fn write(contents: &Contents<'_>, signer: &Signer) -> Result<(Vec<u8>, String), BundleError> {
    let mut files: BTreeMap<String, Vec<u8>> = contents.reports.clone();
    let whole = contents.entries.len() == contents.leaves.len();
    files.insert("README.txt".into(), readme(contents, whole).into_bytes());
    files.insert("checkpoint.txt".into(), contents.checkpoint.clone().into_bytes());
    files.insert("public-key.txt".into(), format!("{}\n", contents.first_key).into_bytes());
    files.insert("entries.ndjson".into(), entries(contents));
    files.insert("verify.py".into(), VERIFY.as_bytes().to_vec());
    if !whole {
        files.insert("proofs.json".into(), proofs(contents));
    }
    for (sha256, bytes) in &contents.blobs {
        files.insert(format!("blobs/{sha256}"), bytes.clone());
    }
    if let Some(openings) = &contents.openings {
        files.insert("openings.ndjson".into(), openings_text(openings));
    }
    let manifest: String =
        files.iter().map(|(name, bytes)| format!("{}  {name}\n", sha256_hex(bytes))).collect();
    let digest = sha256_hex(manifest.as_bytes());
    let name = format!("{}/bundle", signer.verifier().name());
    let root = root_base64(&tree::root(contents.leaves));
    let text = format!("{name}\n{}\n{root}\nmanifest sha256:{digest}\n", contents.leaves.len());
    files.insert("MANIFEST.sha256".into(), manifest.into_bytes());
    files.insert("MANIFEST.note".into(), signer.sign_as(&name, &text).into_bytes());
    Ok((zip(&files)?, digest))
}

fn readme(contents: &Contents<'_>, whole: bool) -> String {
    let proves = if whole {
        "It is the whole ledger up to the checkpoint: it proves every entry and that there is no other."
    } else if contents.contiguous {
        "It is a contiguous range of the ledger: it proves these entries, and that none between the first and the last is left out. Entry 0 and changes of key stand before them."
    } else {
        "It proves that these entries are in the ledger, not that no other entry of this system is."
    };
    let redacted = if contents.openings.is_some() {
        "Private values are in openings.ndjson: handle it as personal data."
    } else {
        "Redacted: private values are withheld; their places are proved."
    };
    README.replace("{scope}", &contents.scope).replace("{proves}", proves).replace("{redacted}", redacted)
}

fn entries(contents: &Contents<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    for (seq, bytes) in &contents.entries {
        out.extend_from_slice(format!("{{\"seq\":{seq},\"entry\":").as_bytes());
        out.extend_from_slice(bytes);
        out.extend_from_slice(b"}\n");
    }
    out
}

fn proofs(contents: &Contents<'_>) -> Vec<u8> {
    let one = |seq: u64| {
        let index = usize::try_from(seq).unwrap_or(usize::MAX);
        let path: Vec<String> =
            tree::inclusion(contents.leaves, index).iter().map(|h| STANDARD.encode(h)).collect();
        json!({ "seq": seq, "path": path })
    };
    let proofs: Vec<Value> = contents.entries.iter().map(|(seq, _)| one(*seq)).collect();
    let document =
        json!({ "size": contents.leaves.len(), "contiguous": contents.contiguous, "proofs": proofs });
    format!("{document}\n").into_bytes()
}

fn openings_text(openings: &[(u64, Opening)]) -> Vec<u8> {
    let line = |(seq, o): &(u64, Opening)| {
        let salt = STANDARD.encode(o.salt);
        format!("{}\n", json!({ "seq": seq, "commitment": o.commitment, "salt": salt, "value": o.value }))
    };
    openings.iter().map(line).collect::<String>().into_bytes()
}

fn zip(files: &BTreeMap<String, Vec<u8>>) -> Result<Vec<u8>, BundleError> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644);
    for (name, bytes) in files {
        writer.start_file(name, options)?;
        writer.write_all(bytes)?;
    }
    Ok(writer.finish()?.into_inner())
}

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
}

/// Checks a bundle as `verify.py` does. `key` is one that the reader was given; else the bundle's own is taken.
///
/// # Errors
/// The first thing that does not hold.
pub fn check(bytes: &[u8], key: Option<&Verifier>) -> Result<Checked, BundleError> {
    let files = unzip(bytes)?;
    let bad = |file: &str, what: &str| BundleError::Bad { file: file.into(), what: what.into() };
    let text = |name: &str| {
        let bytes = files.get(name).ok_or_else(|| bad(name, "is missing"))?;
        std::str::from_utf8(bytes).map_err(|_| bad(name, "is not UTF-8"))
    };
    let first =
        Verifier::parse(text("public-key.txt")?).map_err(|e| bad("public-key.txt", &e.to_string()))?;
    if key.is_some_and(|k| *k != first) {
        return Err(bad("public-key.txt", "is another key than the one given"));
    }
    let entries = parse_entries(text("entries.ndjson")?)?;
    let signer = last_key(&entries, first)?;
    let note = text("MANIFEST.note")?;
    let named = signer.named(&format!("{}/bundle", signer.name()));
    let said = named.open(note).map_err(|e| bad("MANIFEST.note", &e.to_string()))?;
    let manifest = text("MANIFEST.sha256")?;
    let digest = format!("manifest sha256:{}", sha256_hex(manifest.as_bytes()));
    if said.lines().nth(3) != Some(digest.as_str()) {
        return Err(bad("MANIFEST.sha256", "is not the manifest that was signed"));
    }
    let listed = check_manifest(manifest, &files)?;
    let checkpoint = signer.open(text("checkpoint.txt")?).and_then(Checkpoint::parse);
    let checkpoint = checkpoint.map_err(|e: note::NoteError| bad("checkpoint.txt", &e.to_string()))?;
    if said.lines().nth(1) != Some(&checkpoint.size.to_string())
        || said.lines().nth(2) != Some(&checkpoint.root_base64())
    {
        return Err(bad("MANIFEST.note", "speaks of another checkpoint"));
    }
    check_entries(&entries, &checkpoint, files.get("proofs.json").map(Vec::as_slice))?;
    let openings = check_openings(&entries, files.get("openings.ndjson").map(Vec::as_slice))?;
    Ok(Checked { files: listed, entries: entries.len(), size: checkpoint.size, openings })
}

fn unzip(bytes: &[u8]) -> Result<BTreeMap<String, Vec<u8>>, BundleError> {
    let mut archive = ZipArchive::new(Cursor::new(bytes))?;
    let mut files = BTreeMap::new();
    for i in 0..archive.len() {
        let mut file = archive.by_index(i)?;
        let mut content = Vec::new();
        file.read_to_end(&mut content)?;
        let name = file.name().to_owned();
        if files.insert(name.clone(), content).is_some() {
            return Err(BundleError::Bad { file: name, what: "is there twice".into() });
        }
    }
    Ok(files)
}

type Entries = Vec<(u64, Vec<u8>, Value)>;

fn parse_entries(text: &str) -> Result<Entries, BundleError> {
    let bad = |n: usize| BundleError::Bad {
        file: "entries.ndjson".into(),
        what: format!("line {} is no entry", n + 1),
    };
    let line = |(n, line): (usize, &str)| {
        let (seq, rest) =
            line.strip_prefix("{\"seq\":").and_then(|l| l.split_once(",\"entry\":")).ok_or_else(|| bad(n))?;
        let bytes = rest.strip_suffix('}').ok_or_else(|| bad(n))?;
        let value = serde_json::from_str(bytes).map_err(|_| bad(n))?;
        Ok((seq.parse().map_err(|_| bad(n))?, bytes.as_bytes().to_vec(), value))
    };
    text.lines().enumerate().map(line).collect()
}

/// The key that signs now: that of entry 0, or of the last change of key.
fn last_key(entries: &Entries, first: Verifier) -> Result<Verifier, BundleError> {
    let changed = entries.iter().rev().find(|(_, _, v)| v["kind"] == "ledger.key");
    match changed.and_then(|(_, _, v)| v["payload"]["public_key"].as_str()) {
        None => Ok(first),
        Some(key) => Verifier::parse(key)
            .map_err(|e| BundleError::Bad { file: "entries.ndjson".into(), what: e.to_string() }),
    }
}

fn check_manifest(manifest: &str, files: &BTreeMap<String, Vec<u8>>) -> Result<usize, BundleError> {
    let bad = |file: &str, what: &str| BundleError::Bad { file: file.into(), what: what.into() };
    let mut listed = BTreeMap::new();
    for line in manifest.lines() {
        let (digest, name) =
            line.split_once("  ").ok_or_else(|| bad("MANIFEST.sha256", "has a line of another form"))?;
        listed.insert(name, digest);
    }
    for (name, digest) in &listed {
        match files.get(*name) {
            None => return Err(bad(name, "is listed and missing")),
            Some(bytes) if sha256_hex(bytes) != *digest => {
                return Err(bad(name, "has another SHA-256 than listed"));
            }
            Some(_) => {}
        }
    }
    let added = files.keys().find(|n| !n.starts_with("MANIFEST.") && !listed.contains_key(n.as_str()));
    added.map_or(Ok(listed.len()), |name| Err(bad(name, "was added: the manifest does not list it")))
}

fn check_entries(
    entries: &Entries,
    checkpoint: &Checkpoint,
    proofs: Option<&[u8]>,
) -> Result<(), BundleError> {
    let bad = |what: String| Err(BundleError::Bad { file: "entries.ndjson".into(), what });
    let Some(proofs) = proofs else {
        let leaves: Vec<Hash> = entries.iter().map(|(_, b, _)| tree::leaf(b)).collect();
        let whole = leaves.len() as u64 == checkpoint.size && tree::root(&leaves) == checkpoint.root;
        return if whole { Ok(()) } else { bad("the entries do not give the root of the checkpoint".into()) };
    };
    let document: Value = serde_json::from_slice(proofs).unwrap_or_default();
    let mut paths: BTreeMap<u64, Vec<Hash>> = BTreeMap::new();
    for p in document["proofs"].as_array().into_iter().flatten() {
        let hashes = p["path"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|h| STANDARD.decode(h.as_str()?).ok()?.try_into().ok());
        paths.insert(p["seq"].as_u64().unwrap_or(u64::MAX), hashes.collect());
    }
    for (seq, bytes, _) in entries {
        let path = paths.get(seq).map_or(&[][..], Vec::as_slice);
        if tree::root_of_inclusion(tree::leaf(bytes), *seq, checkpoint.size, path) != Some(checkpoint.root) {
            return bad(format!("entry {seq} is not proved to be in the ledger"));
        }
    }
    Ok(())
}

fn check_openings(entries: &Entries, openings: Option<&[u8]>) -> Result<usize, BundleError> {
    let Some(bytes) = openings else { return Ok(0) };
    let bad = |n: usize| BundleError::Bad {
        file: "openings.ndjson".into(),
        what: format!("line {} opens nothing", n + 1),
    };
    let sealed: BTreeMap<u64, Vec<String>> = entries
        .iter()
        .map(|(seq, _, v)| (*seq, crate::ledger::private::commitments(&v["payload"])))
        .collect();
    let mut count = 0;
    for (n, line) in String::from_utf8_lossy(bytes).lines().enumerate() {
        let v: Value = serde_json::from_str(line).map_err(|_| bad(n))?;
        let salt = v["salt"].as_str().and_then(|s| STANDARD.decode(s).ok()).and_then(|s| s.try_into().ok());
        let (Some(salt), Some(value), Some(seq)) = (salt, v["value"].as_str(), v["seq"].as_u64()) else {
            return Err(bad(n));
        };
        let commitment = v["commitment"].as_str().unwrap_or_default().to_owned();
        let opening = Opening { commitment, salt, value: value.to_owned() };
        let known = sealed.get(&seq).is_some_and(|c| c.contains(&opening.commitment));
        if !known || opening.recomputed() != opening.commitment {
            return Err(bad(n));
        }
        count += 1;
    }
    Ok(count)
}
