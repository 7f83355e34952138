//! The record: canonical entries, a Merkle tree over them, signed checkpoints, sealed private values, verification.
//!
//! `docs/ledger-format.md` tells all of this so that an auditor can write it again; nothing here does I/O.

pub mod canonical;
pub mod entry;
pub mod header;
pub mod note;
pub mod private;
pub mod scan;
pub mod tree;
pub mod verify;

pub use entry::Entry;
pub use note::{Checkpoint, Signer, Verifier};
pub use tree::Hash;
pub use verify::{Broken, Intact, Verification};
