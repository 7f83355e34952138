//! Actledger: the audit ledger of AI policy-as-code.
//!
//! A module uses only modules above it; `[p]` modules use only `[p]` modules and have no tokio, network, file, clock
//! or randomness (`tests/it/architecture.rs` holds both).

/// `[p]` The vocabulary: times, private values, the evidence kinds and their payloads.
pub mod evidence;
/// `[p]` The law and the catalogue as data: levels, roles, timetable, controls, the pack.
pub mod act;
/// `[p]` `actledger.toml` as types; the comments of its fields are the manual.
pub mod config;
/// `[p]` `systems.toml`: systems, decisions, risk assessments, exceptions.
pub mod register;
/// Now and randomness, as values; frozen in a demonstration.
pub mod clock;
/// Flow logs, Gatekeeper, Sentinel, artifacts: parsers without I/O, and looks in folders.
pub mod sources;
/// `[p]` Entry, canonical form, tree, checkpoint, private values, verification as a fold.
pub mod ledger;
/// `[p]` Evaluating the pack's policies and a constraint's match ourselves.
pub mod reperformance;
/// `[p]` Facts folded entry by entry, correlation, risk level, rules, findings.
pub mod assessment;
/// The only SQL: ledger.db and state.db.
pub mod store;
