//! What users do, tried on real files, real processes and real servers; one module per job.
#![expect(clippy::print_stdout, reason = "the table of samples is for people")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says so by panicking")]

mod admission;
mod anchors;
mod api;
mod architecture;
mod artifacts;
mod bad_input;
mod bundle;
mod cluster;
mod command;
mod controls_page;
mod crash;
mod declared;
mod delivery;
mod demo;
mod exports;
mod first_mail;
mod flow_logs;
mod formats;
mod fuzz_corpus;
mod gatekeeper;
mod gates;
mod inventory;
mod ledger;
mod mail;
mod models;
mod nights;
mod openid;
mod organization;
mod pack;
mod pages;
mod payloads;
mod permissions;
mod platform;
mod policies;
mod properties;
mod recordings;
mod refusals;
mod roles;
mod samples;
mod scenarios;
mod seeds;
mod service;
#[path = "../support/mod.rs"]
mod support;
mod stories;
mod tamper;
mod terraform;
mod watches;
