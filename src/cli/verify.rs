//! `actledger verify`

use super::args::Verify;
use super::{CliError, Ended, output};
use crate::config::Config;
use crate::export::bundle;
use crate::ledger::{Broken, Checkpoint, Intact, Verification, Verifier};
use crate::store::Reader;
use std::path::Path;

pub(super) fn run(config: &Config, o: &Verify) -> Result<Ended, CliError> {
    ledger(&config.ledger.path, o)
}

pub(super) fn alone(o: &Verify) -> Result<Ended, CliError> {
    match (&o.bundle, &o.ledger) {
        (Some(file), _) => of_bundle(file, o),
        (None, Some(file)) => ledger(file, o),
        (None, None) => Err(CliError::Usage("verify what? --ledger FILE or --bundle FILE".into())),
    }
}

/// A key as it stands, or a file that holds one.
fn key(o: &Verify) -> Result<Option<Verifier>, CliError> {
    let Some(given) = &o.public_key else { return Ok(None) };
    let text = std::fs::read_to_string(given).unwrap_or_else(|_| given.clone());
    Verifier::parse(&text).map(Some).map_err(|e| CliError::Usage(format!("--public-key {given}: {e}")))
}

fn of_bundle(file: &Path, o: &Verify) -> Result<Ended, CliError> {
    let key = key(o)?;
    let bytes =
        std::fs::read(file).map_err(|e| CliError::Usage(format!("cannot read {}: {e}", file.display())))?;
    match bundle::check(&bytes, key.as_ref()) {
        Ok(c) => {
            output::line(format!(
                "{} files listed, {} present, 0 added; {} entries, {} proofs to size {}; signature good;\n{} private values open",
                c.files, c.files, c.entries, c.entries, c.size, c.openings
            ));
            if key.is_none() {
                output::line("The key is the bundle's own: give --public-key to know who made it.");
            }
            Ok(Ended::Well)
        }
        Err(e) => {
            output::line(format!("DOES NOT HOLD: {e}"));
            Ok(Ended::Something)
        }
    }
}

fn ledger(path: &Path, o: &Verify) -> Result<Ended, CliError> {
    if !path.exists() {
        return Err(CliError::Usage(format!("there is no ledger at {}", path.display())));
    }
    let reader = Reader::open(path)?;
    let mut since = o.since.as_ref().map(|f| Since::read(f)).transpose()?;
    let mut edge = crate::ledger::tree::Frontier::default();
    let (result, _) = reader.verify(key(o)?, u64::MAX, |p| {
        edge.push(p.leaf);
        if let Some(s) = &mut since {
            s.met(&p.entry, &edge);
        }
    })?;
    match result {
        Verification::Intact(intact) => {
            if o.json {
                output::json(&serde_json::json!({ "status": "intact", "size": intact.checkpoint.size,
                    "root": intact.checkpoint.root_base64(), "checkpoints": intact.checkpoints, "first_bad": null }));
            } else {
                told(&intact);
            }
            since.map_or(Ok(Ended::Well), |s| s.conclude(intact.checkpoint.size))
        }
        Verification::Broken(broken) => {
            if o.json {
                output::json(
                    &serde_json::json!({ "status": "broken", "first_bad": broken.first_bad, "seq": broken.seq,
                    "what": broken.what, "between": broken.between, "intact_up_to": broken.intact_up_to }),
                );
            } else {
                told_broken(&broken);
            }
            Ok(Ended::Something)
        }
    }
}

fn told(i: &Intact) {
    let n = i.checkpoint.size;
    let rows = [
        ("entries", format!("{n} of {n} hashed again, canonical form and order right")),
        ("tree", format!("root {} equals checkpoint {}", i.checkpoint.root_base64(), i.checkpoints)),
        (
            "checkpoints",
            format!(
                "{} of {} signed by {}, each a prefix of the next",
                i.checkpoints,
                i.checkpoints,
                i.signer.id_hex()
            ),
        ),
        ("private", format!("{} values kept, {} match; {} erased", i.openings, i.openings, i.erased)),
        (
            "blobs",
            format!("{} kept beside the entries, {} match; {} full tiles match", i.blobs, i.blobs, i.tiles),
        ),
        (
            "outside",
            "every nightly mail holds a checkpoint: take one and run   actledger verify --since FILE"
                .to_owned(),
        ),
    ];
    output::table(&rows.map(|(a, b)| vec![a.to_owned(), b]));
    output::line(
        "Intact. This shows that nothing was changed since an outside copy of a checkpoint was\nmade; without one, a cut exactly at a checkpoint does not show. It does not show that the\nsources told the truth.",
    );
}

fn told_broken(b: &Broken) {
    output::line(format!("FIRST BAD    {}: {}", b.first_bad, b.what));
    if let Some((from, to)) = b.between {
        output::line(format!("             the change lies between the checkpoints of size {from} and {to}"));
    }
    output::line(format!("             checkpoints up to size {} still hold", b.intact_up_to));
    output::line(
        "Do not write to this file. Copy it as it is; compare with a backup: actledger verify --ledger BACKUP",
    );
    output::line("No report or export is made from this ledger.");
}

/// An old checkpoint from outside, and what the ledger of today says of it.
struct Since {
    text: String,
    old: Option<Checkpoint>,
    wrong: Option<String>,
    prefix: bool,
}

impl Since {
    fn read(file: &Path) -> Result<Since, CliError> {
        let text = std::fs::read_to_string(file);
        let text = text.map_err(|e| CliError::Usage(format!("cannot read {}: {e}", file.display())))?;
        Ok(Since { text, old: None, wrong: None, prefix: false })
    }

    fn met(&mut self, entry: &crate::ledger::Entry, edge: &crate::ledger::tree::Frontier) {
        if let Some(key) =
            entry.payload.get("public_key").and_then(|k| k.as_str()).and_then(|k| Verifier::parse(k).ok())
            && self.old.is_none()
        {
            let found = Checkpoint::find(key.name(), &self.text);
            match found.as_ref().map(|n| key.open(n).and_then(Checkpoint::parse)) {
                Some(Ok(old)) => (self.old, self.wrong) = (Some(old), None),
                Some(Err(e)) => self.wrong = Some(e.to_string()),
                None => self.wrong = Some(format!("no checkpoint of {} is in it", key.name())),
            }
        }
        if let Some(old) = &self.old
            && old.size == edge.size()
        {
            self.prefix = old.root == edge.root();
        }
    }

    fn conclude(self, size: u64) -> Result<Ended, CliError> {
        let text = match (self.old, self.wrong) {
            (None, wrong) => {
                let why = wrong.unwrap_or_default();
                return Err(CliError::Usage(format!("the outside copy cannot be used: {why}")));
            }
            (Some(old), _) if self.prefix => {
                output::line(format!(
                    "today's ledger ({size}) contains the ledger of that copy ({}) unchanged",
                    old.size
                ));
                return Ok(Ended::Well);
            }
            (Some(old), _) if old.size > size => {
                format!("ROLLED BACK: the copy says {} entries, this ledger has {size}", old.size)
            }
            (Some(old), _) => format!("REWRITTEN: the first {} entries are not those of the copy", old.size),
        };
        output::line(text);
        Ok(Ended::Something)
    }
}
