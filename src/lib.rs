//! Actledger: the audit ledger of AI policy-as-code.
//!
//! A module uses only modules above it; `[p]` modules use only `[p]` modules and have no tokio, network, file, clock
//! or randomness (`tests/it/architecture.rs` holds both).

/// `[p]` The law and the catalogue as data: levels, roles, timetable, controls, the pack.
pub mod act;
/// `[p]` Facts folded entry by entry, correlation, risk level, rules, findings.
pub mod assessment;
/// Now and randomness, as values; frozen in a demonstration.
pub mod clock;
/// `[p]` `actledger.toml` as types; the comments of its fields are the manual.
pub mod config;
/// The composition root: open, verify, wire, wait, drain.
pub mod daemon;
/// `[p]` The vocabulary: times, private values, the evidence kinds and their payloads.
pub mod evidence;
/// `[p]` Bundle, OSCAL, OCSF.
pub mod export;
/// Ingest, assess, report, mail: no input, idempotent, a typed status; the same functions for the command line and the daemon.
pub mod jobs;
/// `[p]` Entry, canonical form, tree, checkpoint, private values, verification as a fold.
pub mod ledger;
/// Mail: SMTP, folder, memory.
pub mod mail;
/// `[p]` `systems.toml`: systems, decisions, risk assessments, exceptions.
pub mod register;
/// `[p]` Evaluating the pack's policies and a constraint's match ourselves.
pub mod reperformance;
/// `[p]` The one view model; HTML, PDF, CSV and the words of mails.
pub mod report;
/// When a job is due, catching up, one at a time.
pub mod schedule;
/// Flow logs, Gatekeeper, Sentinel, artifacts: parsers without I/O, and looks in folders.
pub mod sources;
/// The only SQL: ledger.db and state.db.
pub mod store;
/// Pages, JSON, health; read-only.
pub mod web;

/// The subcommands.
pub mod cli;
