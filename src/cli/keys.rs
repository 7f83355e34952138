//! Key files: Ed25519 in PKCS#8 PEM, readable by the owner alone, and the one-line public key beside it.

use super::CliError;
use crate::ledger::Signer;
use anyhow::Context;
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Writes a key and gives its public line. A file that is there is never written over.
pub(super) fn write(path: &Path, origin: &str, secret: &[u8; 32]) -> Result<String, CliError> {
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    }
    let pem =
        SigningKey::from_bytes(secret).to_pkcs8_pem(LineEnding::LF).context("cannot write the key as PEM")?;
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = file.with_context(|| format!("cannot make {}", path.display()))?;
    file.write_all(pem.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
    let vkey = Signer::new(origin, secret).verifier().vkey();
    let public = path.with_extension("vkey");
    std::fs::write(&public, format!("{vkey}\n"))
        .with_context(|| format!("cannot write {}", public.display()))?;
    Ok(vkey)
}
