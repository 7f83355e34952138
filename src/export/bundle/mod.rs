//! The bundle: a ZIP that an auditor checks with `verify.py` and nothing of ours. Sorted names, fixed times.

mod check;

pub use check::{Checked, check};

use crate::evidence::sha256_hex;
use crate::ledger::private::Opening;
use crate::ledger::verify::root_base64;
use crate::ledger::{Checkpoint, Hash, Signer};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Cursor, Write};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

const VERIFY: &str = include_str!("verify.py");
const README: &str = include_str!("README.txt");

/// What goes into a bundle.
pub struct Contents {
    /// Entries: sequence number and canonical bytes, in order.
    pub entries: Vec<(u64, Vec<u8>)>,
    /// The checkpoint that everything is proved to.
    pub checkpoint: Checkpoint,
    /// Its signed note.
    pub note: String,
    /// What proves the entries; none when they are the whole ledger.
    pub proofs: Option<Proofs>,
    /// Changes of key below the checkpoint, oldest first.
    pub keys: Vec<KeyChange>,
    /// Time-stamps of checkpoints, smallest first.
    pub stamps: Vec<Stamp>,
    /// Blobs by SHA-256.
    pub blobs: BTreeMap<String, Vec<u8>>,
    /// Openings and erasures; none when redacted.
    pub openings: Option<Vec<(u64, Kept)>>,
    /// Verifier key line of entry 0.
    pub first_key: String,
    /// Reports: file name to bytes.
    pub reports: BTreeMap<String, Vec<u8>>,
    /// What was asked for, in a sentence.
    pub scope: String,
}

/// A private value: still here, or erased by an entry.
pub enum Kept {
    /// Salt and value.
    Open(Opening),
    /// Commitment, and the entry that says that it was erased.
    Erased(String, u64),
}

/// Proofs that some entries are in the ledger: a range by what covers the rest, others by inclusion.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Proofs {
    /// Size of the checkpoint.
    pub size: u64,
    /// First entry of a range without a hole, and the one after its last.
    pub range: Option<(u64, u64)>,
    /// Perfect subtrees before the range: height and root, base64.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<(u32, String)>,
    /// Perfect subtrees after the range.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub right: Vec<(u32, String)>,
    /// Entries outside the range.
    pub proofs: Vec<Inclusion>,
}

/// Inclusion proof of one entry (RFC 6962, 2.1.1).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Inclusion {
    /// The entry.
    pub seq: u64,
    /// Base64 hashes from the leaf up.
    pub path: Vec<String>,
}

/// A change of key: the checkpoint over it carries both signatures, and is a prefix of the bundle's.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeyChange {
    /// The entry `ledger.key`.
    pub seq: u64,
    /// The verifier key line that it names.
    pub public_key: String,
    /// The signed note over it.
    pub checkpoint: String,
    /// Base64 hashes of the consistency proof to the bundle's checkpoint (RFC 6962, 2.1.2).
    pub consistency: Vec<String>,
}

/// A time-stamp (RFC 3161) of an earlier checkpoint.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Stamp {
    /// Size of the checkpoint.
    pub size: u64,
    /// Base64 hashes of the consistency proof to the bundle's checkpoint.
    pub consistency: Vec<String>,
    /// The note that was stamped.
    #[serde(skip)]
    pub note: String,
    /// The response of the authority, DER.
    #[serde(skip)]
    pub token: Vec<u8>,
}

/// Hashes as files have them.
pub fn base64_all(hashes: &[Hash]) -> Vec<String> {
    hashes.iter().map(root_base64).collect()
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
pub fn write(contents: Contents, signer: &Signer) -> Result<(Vec<u8>, String), BundleError> {
    let mut files = contents.reports;
    let readme = README
        .replace("{scope}", &contents.scope)
        .replace("{proves}", proves(contents.proofs.as_ref()))
        .replace("{redacted}", redacted(contents.openings.is_some()));
    files.insert("README.txt".into(), readme.into_bytes());
    files.insert("checkpoint.txt".into(), contents.note.into_bytes());
    files.insert("public-key.txt".into(), format!("{}\n", contents.first_key).into_bytes());
    files.insert("entries.ndjson".into(), entries(&contents.entries));
    files.insert("verify.py".into(), VERIFY.as_bytes().to_vec());
    if let Some(proofs) = &contents.proofs {
        files.insert("proofs.json".into(), line(proofs));
    }
    if !contents.keys.is_empty() {
        files.insert("keys.json".into(), line(&contents.keys));
    }
    if !contents.stamps.is_empty() {
        files.insert("timestamps.json".into(), line(&contents.stamps));
    }
    for stamp in contents.stamps {
        files.insert(format!("timestamps/{}.txt", stamp.size), stamp.note.into_bytes());
        files.insert(format!("timestamps/{}.tsr", stamp.size), stamp.token);
    }
    files.extend(contents.blobs.into_iter().map(|(sha256, bytes)| (format!("blobs/{sha256}"), bytes)));
    if let Some(openings) = &contents.openings {
        files.insert(
            "openings.ndjson".into(),
            openings.iter().flat_map(|(seq, kept)| line(&kept.line(*seq))).collect(),
        );
    }
    let manifest: String =
        files.iter().map(|(name, bytes)| format!("{}  {name}\n", sha256_hex(bytes))).collect();
    let digest = sha256_hex(manifest.as_bytes());
    let name = format!("{}/bundle", signer.verifier().name());
    let (size, root) = (contents.checkpoint.size, contents.checkpoint.root_base64());
    let text = format!("{name}\n{size}\n{root}\nmanifest sha256:{digest}\n");
    files.insert("MANIFEST.sha256".into(), manifest.into_bytes());
    files.insert("MANIFEST.note".into(), signer.sign_as(&name, &text).into_bytes());
    Ok((zip(&files)?, digest))
}

impl Kept {
    /// The commitment in the entry.
    pub fn commitment(&self) -> &str {
        match self {
            Kept::Open(o) => &o.commitment,
            Kept::Erased(commitment, _) => commitment,
        }
    }

    fn line(&self, seq: u64) -> Value {
        match self {
            Kept::Open(o) => {
                json!({ "seq": seq, "commitment": o.commitment, "salt": STANDARD.encode(o.salt), "value": o.value })
            }
            Kept::Erased(commitment, by) => json!({ "seq": seq, "commitment": commitment, "erased_by": by }),
        }
    }
}

fn proves(proofs: Option<&Proofs>) -> &'static str {
    match proofs {
        None => {
            "It is the whole ledger up to the checkpoint: it proves every entry and that there is no other."
        }
        Some(Proofs { range: Some(_), .. }) => {
            "It is a contiguous range of the ledger: it proves these entries, and that none between the first and the last is left out. Entry 0 and changes of key stand before them."
        }
        Some(_) => {
            "It proves that these entries are in the ledger, not that no other entry of this system is."
        }
    }
}

fn redacted(open: bool) -> &'static str {
    if open {
        "Private values are in openings.ndjson: handle it as personal data."
    } else {
        "Redacted: private values are withheld; their places are proved."
    }
}

fn entries(entries: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let mut out = Vec::with_capacity(entries.iter().map(|(_, b)| b.len() + 30).sum());
    entries.iter().for_each(|(seq, bytes)| entry_line(&mut out, *seq, bytes));
    out
}

/// Adds the line of an entry, its bytes as they were hashed.
pub fn entry_line(out: &mut Vec<u8>, seq: u64, bytes: &[u8]) {
    out.extend_from_slice(format!("{{\"seq\":{seq},\"entry\":").as_bytes());
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"}\n");
}

fn line(document: &impl Serialize) -> Vec<u8> {
    format!("{}\n", crate::evidence::json(document)).into_bytes()
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
