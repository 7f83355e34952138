//! What can be no entry is set aside before the commit: one item never stops the rest.

use crate::evidence::{Evidence, Time};
use crate::ledger::entry::{FORMAT, MAX_BYTES, check_form, take_blobs};
use crate::ledger::{Entry, canonical};
use crate::sources::Gathered;

/// Sets evidence aside that can be no entry (a number beyond 2^53, more than 64 KiB): one item never stops the rest.
pub(super) fn set_aside(gathered: &mut Gathered) {
    let (mut fits, mut faults) = (Vec::new(), Vec::new());
    for evidence in std::mem::take(&mut gathered.evidence) {
        let mut payload = evidence.payload.clone();
        let size = take_blobs(&mut payload).and_then(|blobs| Ok((canonical::bytes(&payload)?.len(), blobs)));
        match size {
            Ok((n, blobs)) if n + evidence.subject.len() * 2 + 2_048 <= MAX_BYTES => {
                match entry_of(&evidence, payload).bytes().and_then(|bytes| check_form(&bytes, &blobs)) {
                    Ok(()) => fits.push(evidence),
                    Err(e) => faults.push((evidence.subject, e.to_string())),
                }
            }
            Ok((n, _)) => faults.push((evidence.subject, format!("is {n} bytes, too big for an entry"))),
            Err(e) => faults.push((evidence.subject, e.to_string())),
        }
    }
    gathered.evidence = fits;
    for (subject, what) in faults {
        gathered.set_aside(&subject, what);
    }
}

/// The entry that some evidence would become, now.
fn entry_of(e: &Evidence, payload: serde_json::Value) -> Entry {
    let (kind, at) = (e.kind, e.occurred_at);
    let (source, key, subject) = (e.source.clone(), e.key.clone(), e.subject.clone());
    Entry { v: FORMAT, kind, source, key, subject, occurred_at: at, recorded_at: Time::default(), payload }
}
