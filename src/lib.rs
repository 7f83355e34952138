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
/// `[p]` Evaluating constraint templates, a constraint's match and the pack's policies ourselves.
pub mod reperformance;
/// Flow logs, Gatekeeper, Sentinel, artifacts: parsers without I/O; beside them looks in folders, and transport to AWS.
pub mod sources;
/// `[p]` Entry, canonical form, tree, checkpoint, private values, verification as a fold.
pub mod ledger;
/// `[p]` Facts folded entry by entry, correlation, risk level, rules, findings.
pub mod assessment;
/// The only SQL: ledger.db and state.db.
pub mod store;
/// `[p]` The one view model; HTML, PDF, CSV and the words of mails.
pub mod report;
/// `[p]` Bundle, OSCAL, OCSF.
pub mod export;
/// Outside witnesses: Object Lock archive, RFC 3161.
pub mod anchors;
/// Mail: SMTP, folder, memory.
pub mod mail;
/// When a job is due, catching up, one at a time.
pub mod schedule;
/// Ingest, assess, report, mail: no input, idempotent, a typed status; the same functions for the command line and the daemon.
pub mod jobs;
/// Pages, JSON, health; read-only.
pub mod web;
/// The composition root: open, verify, wire, wait, drain.
pub mod daemon;
/// The subcommands.
pub mod cli;
