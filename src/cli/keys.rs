//! Key files: Ed25519 in PKCS#8 PEM, readable by the owner alone, and the one-line public key beside it.

use super::{CliError, Ended, output};
use crate::jobs::{Desk, read_key};
use crate::ledger::Signer;
use crate::store::Store;
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
    file.write_all(pem.as_bytes())
        .and_then(|()| file.sync_all())
        .with_context(|| format!("cannot write {}", path.display()))?;
    let vkey = Signer::new(origin, secret).verifier().vkey();
    let public = path.with_extension("vkey");
    std::fs::write(&public, format!("{vkey}\n"))
        .with_context(|| format!("cannot write {}", public.display()))?;
    Ok(vkey)
}

/// Hands the signing over to a key that was made elsewhere; nothing is moved.
pub(super) fn hand_over(desk: &Desk, next: &Path) -> Result<Ended, CliError> {
    refuse_demo(desk)?;
    let (path, origin) = (&desk.config.ledger.signing_key, &desk.config.ledger.origin);
    let vkey = handed_over(desk, &mut desk.store()?, &read_key(next, origin)?)?;
    output::line(format!(
        "both keys signed the change; from now on checkpoints are signed by\n{vkey}\nPut {} in the place of {}, with its public line, and restart a running `serve`: until then nothing is appended. Give this line to your auditor, and destroy the old key. Access tokens have to be made again.",
        next.display(),
        path.display()
    ));
    Ok(Ended::Well)
}

fn refuse_demo(desk: &Desk) -> Result<(), CliError> {
    match desk.config.demo {
        Some(_) => {
            Err(CliError::Usage("a demonstration's key comes from its seed and is not rotated".into()))
        }
        None => Ok(()),
    }
}

/// Writes the change into the ledger, unless it is the last thing that stands there. Gives the public line.
fn handed_over(desk: &Desk, store: &mut Store, signer: &Signer) -> Result<String, CliError> {
    let vkey = signer.verifier().vkey();
    if !store.reader().hands_over_to(&vkey)? {
        store.hand_over(&desk.writer(), signer)?;
    }
    Ok(vkey)
}

/// Makes a new key, hands the signing over to it in the ledger, and puts it in the place of the old one. After a crash
/// the same command goes on where it ended: the new key is on disk before the ledger names it.
pub(super) fn rotate(desk: &Desk) -> Result<Ended, CliError> {
    refuse_demo(desk)?;
    let (path, origin) = (&desk.config.ledger.signing_key, &desk.config.ledger.origin);
    let next = path.with_extension("key.next");
    let mut store = desk.store()?;
    let in_force = store.reader().in_force(desk.signer.verifier())?;
    if next.exists() && in_force && read_key(&next, origin).is_err() {
        // It was never handed over to: a crash left it half written.
        std::fs::remove_file(&next).with_context(|| format!("cannot remove {}", next.display()))?;
    }
    if !next.exists() && in_force {
        let secret = desk.randomness.bytes("rotated key").context("no random bytes")?;
        write(&next, origin, &secret)?;
    }
    let signer = if next.exists() { read_key(&next, origin)? } else { read_key(path, origin)? };
    let vkey = handed_over(desk, &mut store, &signer)?;
    let old = path.with_extension(format!("key.until-{}", store.reader().size()?));
    let renamed = |from: &Path, to: &Path| {
        std::fs::rename(from, to)
            .with_context(|| format!("cannot rename {} to {}", from.display(), to.display()))
    };
    if next.exists() {
        if path.exists() {
            renamed(path, &old)?;
        }
        renamed(&next, path)?;
    }
    let public = path.with_extension("vkey");
    std::fs::write(&public, format!("{vkey}\n"))
        .with_context(|| format!("cannot write {}", public.display()))?;
    let _ = std::fs::remove_file(next.with_extension("vkey"));
    output::line(format!(
        "both keys signed the change; from now on checkpoints are signed by\n{vkey}\nGive this line to your auditor. The old key signs nothing any more: destroy {}\nRestart a running `serve`; access tokens have to be made again.",
        old.display()
    ));
    Ok(Ended::Well)
}
