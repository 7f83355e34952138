//! `actledger verify`

use super::args::Verify;
use super::{CliError, Ended, output};
use crate::anchors::timestamp::{self, Authorities};
use crate::config::{Config, Timestamp};
use crate::evidence::Kind;
use crate::evidence::record::{AnchorMade, LedgerOpened};
use crate::export::bundle;
use crate::jobs::{self, Refetched};
use crate::ledger::verify::root_base64;
use crate::ledger::{Broken, Checkpoint, Intact, Verification, Verifier};
use crate::store::{Fold, Reader};
use base64::{Engine, engine::general_purpose::STANDARD};
use std::collections::BTreeMap;
use std::path::Path;

pub(super) fn run(config: &Config, o: &Verify) -> Result<Ended, CliError> {
    ledger(&config.ledger.path, o, Some(config), own_key(config))
}

pub(super) fn alone(o: &Verify) -> Result<Ended, CliError> {
    match (&o.bundle, &o.ledger) {
        (Some(file), _) => of_bundle(file, o),
        (None, Some(file)) => ledger(file, o, None, None),
        (None, None) => Err(CliError::Usage("verify what? --ledger FILE or --bundle FILE".into())),
    }
}

/// The config's key, else the public line beside where it would be: a ledger that another key signed is not this organisation's.
fn own_key(config: &Config) -> Option<Verifier> {
    if let Ok(signer) = jobs::read_key(&config.ledger.signing_key, &config.ledger.origin) {
        return Some(signer.verifier().clone());
    }
    let line = std::fs::read_to_string(config.ledger.signing_key.with_extension("vkey")).ok()?;
    Verifier::parse(&line).ok()
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
                "{} files listed, {} present, 0 added; {} entries, all proved to size {}; signature good;\n{} private values open, {} erased",
                c.files, c.files, c.entries, c.size, c.openings, c.erased
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

fn ledger(
    path: &Path,
    o: &Verify,
    config: Option<&Config>,
    own: Option<Verifier>,
) -> Result<Ended, CliError> {
    if !path.exists() {
        return Err(CliError::Usage(format!("there is no ledger at {}", path.display())));
    }
    let reader = Reader::open(path)?;
    if reader.size()? == 0 && reader.last_checkpoint()?.is_none() {
        return Err(CliError::Usage(format!(
            "the ledger at {} was begun and holds no entry yet",
            path.display()
        )));
    }
    let copy = o.since.as_ref().map(|f| outside_copy(f)).transpose()?;
    let mut made: Vec<AnchorMade> = Vec::new();
    let mut objects: BTreeMap<String, u64> = BTreeMap::new();
    let kinds = [Kind::AnchorMade, Kind::FlowLogObject];
    let folded = if o.refetch.is_some() { &kinds[..] } else { &kinds[..1] };
    let result = reader.verify(key(o)?, Fold::Only(folded), |p| {
        if p.entry.kind == Kind::AnchorMade {
            made.extend(serde_json::from_value::<AnchorMade>(p.entry.payload.clone()).ok());
        } else if p.entry.payload["sha256"] == "" {
            objects.remove(&p.entry.subject);
        } else if p.entry.subject.starts_with("s3:") {
            objects.insert(p.entry.subject.clone(), p.seq);
        }
    })?;
    if !o.json {
        match &result {
            Verification::Intact(intact) => told(intact),
            Verification::Broken(broken) => told_broken(broken),
        }
    }
    let given = key(o)?.or(own);
    let stranger = match (&result, &given) {
        (Verification::Intact(i), Some(ours)) => !i.keys.iter().any(|(_, k)| k == ours),
        _ => false,
    };
    let witnesses = Witnesses::of(&reader, &made, config.and_then(|c| c.timestamp.as_ref()));
    // An object that was replaced is there as what it is now.
    let objects: Vec<u64> = objects.into_values().collect();
    let refetched = refetched(config, &reader, &objects, o.refetch.unwrap_or(0))?;
    let since = copy.map(|text| Since::of(&reader, &result, &text, given.as_ref())).transpose()?;
    if o.json {
        let mut document = document(&result, since.as_ref());
        document["witnesses"] = serde_json::json!(witnesses.lines);
        document["refetched"] = serde_json::json!(refetched);
        document["signed_by_another_key"] = stranger.into();
        output::json(&document);
    } else {
        witnesses.lines.iter().for_each(|l| output::line(format!("outside      {l}")));
        tell_refetched(&refetched, objects.len(), o.refetch);
        if stranger {
            output::line(
                "SIGNED BY ANOTHER KEY than the one of this config: somebody put another ledger in place.",
            );
        }
        if let Some(since) = &since {
            output::line(since.sentence());
        }
    }
    let holds = matches!(result, Verification::Intact(_)) && !witnesses.contradict && !stranger;
    let holds = holds && refetched.iter().all(|r| r.fault.is_none());
    Ok(if holds && since.is_none_or(|s| s.holds()) { Ended::Well } else { Ended::Something })
}

fn refetched(
    config: Option<&Config>,
    reader: &Reader<'_>,
    objects: &[u64],
    sample: usize,
) -> Result<Vec<Refetched>, CliError> {
    let Some(config) = config.filter(|_| sample > 0) else { return Ok(Vec::new()) };
    Ok(jobs::refetch(config, reader, objects, sample)?)
}

fn tell_refetched(refetched: &[Refetched], all: usize, asked: Option<usize>) {
    if asked.is_none() {
        return;
    }
    let same = refetched.iter().filter(|r| r.fault.is_none()).count();
    let n = refetched.len();
    output::line(format!(
        "refetched    {same} of {n} objects have the bytes that the record states ({all} are recorded)"
    ));
    for r in refetched {
        if let Some(fault) = &r.fault {
            output::line(format!("             entry {}, {}: {fault}", r.seq, r.subject));
        }
    }
}

fn outside_copy(file: &Path) -> Result<String, CliError> {
    let text = std::fs::read_to_string(file);
    text.map_err(|e| CliError::Usage(format!("cannot read {}: {e}", file.display())))
}

fn document(result: &Verification, since: Option<&Since>) -> serde_json::Value {
    let mut document = match result {
        Verification::Intact(i) => serde_json::json!({ "status": "intact", "size": i.checkpoint.size,
            "root": i.checkpoint.root_base64(), "checkpoints": i.checkpoints, "first_bad": null }),
        Verification::Broken(b) => {
            serde_json::json!({ "status": "broken", "first_bad": b.first_bad, "seq": b.seq,
            "what": b.what, "between": b.between, "intact_up_to": b.intact_up_to })
        }
    };
    if let Some(s) = since {
        document["since"] = serde_json::json!({ "size": s.copy.size, "root": s.copy.root_base64(),
            "result": s.result.name(), "consistency": s.proof });
    }
    document
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
                i.keys.iter().map(|(_, k)| k.id_hex()).collect::<Vec<_>>().join(", then ")
            ),
        ),
        ("private", format!("{} values kept, {} match; {} erased", i.openings, i.openings, i.erased)),
        (
            "blobs",
            format!("{} kept beside the entries, {} match; {} full tiles match", i.blobs, i.blobs, i.tiles),
        ),
    ];
    let mut rows = rows.map(|(a, b)| vec![a.to_owned(), b]).to_vec();
    let mails = "every nightly mail holds a checkpoint: take one and run   actledger verify --since FILE";
    rows.push(vec!["outside".to_owned(), mails.to_owned()]);
    output::table(&rows);
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

/// What entries say that outside witnesses hold, and whether it fits: tokens are checked here; what an archive holds is
/// read there.
#[derive(Default)]
struct Witnesses {
    lines: Vec<String>,
    contradict: bool,
}

impl Witnesses {
    fn of(reader: &Reader<'_>, made: &[AnchorMade], settings: Option<&Timestamp>) -> Witnesses {
        let mut all = Witnesses::default();
        if let Some(last) = made.iter().rev().find(|a| a.anchor == "archive") {
            all.lines.push(format!(
                "{} holds entries and checkpoint up to size {}: compare them",
                last.location, last.size
            ));
        }
        let stamps: Vec<&AnchorMade> = made.iter().filter(|a| a.token.is_some()).collect();
        let (Some(last), Some(settings)) = (stamps.last(), settings) else {
            if !stamps.is_empty() {
                all.lines.push(format!(
                    "{} time-stamps, not checked: the config names no [timestamp] ca_file",
                    stamps.len()
                ));
            }
            return all;
        };
        let authorities = match jobs::authorities(settings) {
            Ok(authorities) => authorities,
            Err(e) => {
                all.lines.push(format!("{} time-stamps, not checked: {e}", stamps.len()));
                all.contradict = true;
                return all;
            }
        };
        let bad = stamps.iter().find_map(|s| Some((s, stamp_fits(reader, s, &authorities).err()?)));
        all.lines.push(match &bad {
            Some((s, what)) => format!("TIME-STAMP of size {}: {what}", s.size),
            None => format!("{} time-stamps verify; the last one is of size {}", stamps.len(), last.size),
        });
        all.contradict = bad.is_some();
        all
    }
}

fn stamp_fits(reader: &Reader<'_>, made: &AnchorMade, authorities: &Authorities) -> Result<(), String> {
    let note = reader.checkpoint(made.size).map_err(|e| e.to_string())?;
    let note = note.filter(|(size, _)| *size == made.size).ok_or("there is no such checkpoint")?.1;
    let token = STANDARD.decode(made.token.as_deref().unwrap_or_default()).map_err(|e| e.to_string())?;
    let at = timestamp::check(&token, &note, None, authorities).map_err(|e| e.to_string())?;
    if Some(at) == made.stamped_at { Ok(()) } else { Err(format!("its token says {at}")) }
}

/// An old checkpoint from outside, and what the ledger of today says of it.
struct Since {
    copy: Checkpoint,
    size: u64,
    result: Compared,
    /// Consistency proof, base64, when the copy is a prefix.
    proof: Vec<String>,
}

#[derive(Clone, Copy, PartialEq)]
enum Compared {
    /// The copy's entries are the first ones here.
    Prefix,
    /// The copy has more entries.
    RolledBack,
    /// This file verifies, and so did the copy: two histories were signed.
    Forked,
    /// This file does not verify, and its entries are not those of the copy.
    Rewritten,
    /// This file does not verify, and its rows alone do not tell.
    Untold,
    /// The copy was signed by a key that this ledger does not know.
    OtherKey,
    /// The copy is the last word of the ledger that this one follows, and this one is signed by a key that is known.
    Predecessor,
    /// This ledger says that it follows the copy's, and a key signed it that nobody gave.
    Claimed,
    /// This ledger follows another one, and the copy is none of its own checkpoints.
    Elsewhere,
}

impl Compared {
    fn name(self) -> &'static str {
        match self {
            Compared::Prefix => "prefix",
            Compared::RolledBack => "rolled-back",
            Compared::Forked => "forked",
            Compared::Rewritten => "rewritten",
            Compared::Untold => "untold",
            Compared::OtherKey => "other-key",
            Compared::Predecessor => "predecessor",
            Compared::Claimed => "predecessor-claimed",
            Compared::Elsewhere => "elsewhere",
        }
    }
}

impl Since {
    fn of(
        reader: &Reader<'_>,
        result: &Verification,
        text: &str,
        given: Option<&Verifier>,
    ) -> Result<Since, CliError> {
        let refuse = |what: String| CliError::Usage(format!("the outside copy cannot be used: {what}"));
        let opened: LedgerOpened = serde_json::from_value(reader.entry(0)?.entry.payload)
            .map_err(|_| refuse("entry 0 does not open a ledger".into()))?;
        let first = Verifier::parse(&opened.public_key).map_err(|e| refuse(e.to_string()))?;
        let note = Checkpoint::find(first.name(), text)
            .ok_or_else(|| refuse(format!("no checkpoint of {} is in it", first.name())))?;
        let copy = Checkpoint::unchecked(&note).map_err(|e| refuse(e.to_string()))?;
        let size = reader.size()?;
        let result = compare(reader, result, &opened, (&copy, &note, size), given);
        let proof =
            if result == Compared::Prefix { reader.consistency(copy.size, size)? } else { Vec::new() };
        let proof = proof.iter().map(root_base64).collect();
        Ok(Since { copy, size, result, proof })
    }

    fn holds(&self) -> bool {
        [Compared::Prefix, Compared::Predecessor].contains(&self.result)
    }

    fn sentence(&self) -> String {
        let (old, now) = (self.copy.size, self.size);
        match self.result {
            Compared::Prefix => format!(
                "today's ledger ({now}) contains the ledger of that copy ({old}) unchanged: a consistency proof of {} hashes says so",
                self.proof.len()
            ),
            Compared::RolledBack => format!(
                "ROLLED BACK: the copy says {old} entries, this ledger has {now}. An older file was put in place, or its end was cut off exactly at a checkpoint."
            ),
            Compared::Forked => format!(
                "FORKED: the first {old} entries are not those of the copy, and both were signed. The key signed two histories: an older file was put in place and went on, or somebody else has the key."
            ),
            Compared::Rewritten => format!("REWRITTEN: the first {old} entries are not those of the copy."),
            Compared::Untold => "this file does not verify, so it is not said that it holds the entries of the copy.".into(),
            Compared::OtherKey => "ANOTHER KEY: the copy was signed by a key that this ledger does not know. The ledger was replaced, or put back to before a change of key; or the copy is of somebody else.".into(),
            Compared::Predecessor => {
                "the copy is of the ledger that this one follows; entry 0 tells why, and what was lost".into()
            }
            Compared::Claimed => "NOT PROVED: entry 0 says that this ledger follows the one of the copy, and another key signed it. Ask for its key, and give it with --public-key.".into(),
            Compared::Elsewhere => format!("NOT HERE: this ledger follows another one (entry 0), and the copy of size {old} is none of its own checkpoints. Compare it with the file that was kept: actledger verify --ledger ENDED --since FILE."),
        }
    }
}

/// What the ledger of today says of a copy. `given` is a key that the reader trusts.
fn compare(
    reader: &Reader<'_>,
    result: &Verification,
    opened: &LedgerOpened,
    (copy, note, size): (&Checkpoint, &str, u64),
    given: Option<&Verifier>,
) -> Compared {
    let same = copy.size <= size && reader.root_at(copy.size).is_ok_and(|root| root == copy.root);
    let predecessor = opened.predecessor.as_ref();
    let Verification::Intact(intact) = result else {
        return match (same, copy.size > size) {
            (true, _) => Compared::Untold,
            (false, true) => Compared::RolledBack,
            (false, false) => Compared::Rewritten,
        };
    };
    let last_word = predecessor.filter(|p| Checkpoint::unchecked(&p.checkpoint).as_ref() == Ok(copy));
    if let Some(p) = last_word {
        let old = Verifier::parse(&p.public_key);
        let signed = old.as_ref().is_ok_and(|k| k.open(note).is_ok());
        let trusted = opened.public_key == p.public_key
            || given.is_some_and(|g| intact.keys.iter().any(|(_, k)| k == g));
        return if signed && trusted { Compared::Predecessor } else { Compared::Claimed };
    }
    let signed = |k: &Verifier| k.open(note).is_ok();
    match intact.signer_of(copy.size) {
        Some(key) if signed(key) && same => Compared::Prefix,
        _ if !intact.keys.iter().any(|(_, k)| signed(k)) => Compared::OtherKey,
        _ if predecessor.is_some() && !same => Compared::Elsewhere,
        _ if copy.size > size => Compared::RolledBack,
        Some(key) if signed(key) => Compared::Forked,
        _ => Compared::OtherKey,
    }
}
