//! The places evidence comes from. Each has a parser that does no I/O and takes one reply after the other; `files`
//! reads looks from a folder, `aws` fetches from S3, CloudWatch Logs and EC2, `kubernetes` from clusters,
//! `terraform` from HCP Terraform. What a reply says is
//! taken as it is: nothing here judges.

pub mod artifacts;
pub mod aws;
mod context;
pub mod files;
pub mod flow_logs;
pub mod gatekeeper;
mod gathered;
mod http;
pub mod kubernetes;
mod live;
mod pages;
pub mod permissions;
pub mod sentinel;
pub mod terraform;

pub use context::{Context, Notice, Unsettled};
pub use gathered::Gathered;
pub use live::{Known, Live, Record, Start, Step};

use crate::act::SourceKind;
use crate::evidence::Time;
use std::error::Error;

/// Parses all replies of one look. `files` gives the path below the look and the bytes, or why they cannot be had.
pub fn gather<'f>(
    kind: SourceKind,
    context: &Context<'_>,
    looked_at: Option<Time>,
    recorded_at: Time,
    files: impl Iterator<Item = (String, std::io::Result<std::borrow::Cow<'f, [u8]>>)>,
) -> Gathered {
    let at = looked_at.unwrap_or(recorded_at);
    let look = looked_at.map_or_else(String::new, |at| at.look_name() + "/");
    let mut parser = Parser::new(kind, context, at, look);
    let mut digests = Vec::new();
    let mut troubles = Gathered::default();
    for (path, bytes) in files {
        match bytes {
            Ok(bytes) => {
                let sha256 = crate::evidence::sha256_hex(&bytes);
                parser.file(&path, &bytes, &sha256);
                digests.push(format!("{path} {sha256}"));
            }
            Err(e) => {
                let why = format!("cannot be read: {e}");
                match &mut parser {
                    Parser::FlowLogs(p) => p.unreadable(&path, why),
                    _ => troubles.refuse(&path, why),
                }
            }
        }
    }
    let mut gathered = parser.finish();
    gathered.absorb(troubles);
    gathered.replied(digests);
    gathered.through = (kind == SourceKind::FlowLogs && gathered.files > 0).then_some(at);
    if gathered.files == 0 && gathered.counts.refused == 0 {
        gathered.fault("", "", "the look holds no file".into());
        gathered.gap("the look holds no file");
    }
    // A look without a known time proves presence, never absence; nor does one of which nobody knows what it was refused.
    let is_open = gathered.counts.refused > 0 && !gathered.gaps.is_empty();
    if looked_at.is_none() || is_open {
        gathered.complete.clear();
        gathered.inputs = None;
    }
    gathered
}

/// Lets clients that bring no cryptography use the one of this program.
pub fn install_crypto() {
    // The first installer wins; all of ours install this one.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// An error with all its causes in one line.
pub fn told(error: &(dyn Error + 'static)) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if !parts.iter().any(|p| p.contains(&text)) {
            parts.push(text);
        }
        next = error.source();
    }
    parts.join(": ")
}

enum Parser<'a> {
    FlowLogs(flow_logs::Parser<'a>),
    Gatekeeper(gatekeeper::Parser<'a>),
    Sentinel(sentinel::Parser<'a>),
    Artifacts(artifacts::Parser<'a>),
    Nothing(Gathered),
}

impl<'a> Parser<'a> {
    fn new(kind: SourceKind, context: &'a Context<'a>, at: Time, look: String) -> Parser<'a> {
        match kind {
            SourceKind::FlowLogs => Parser::FlowLogs(flow_logs::Parser::new(context, at).within(look)),
            SourceKind::Gatekeeper => Parser::Gatekeeper(gatekeeper::Parser::new(context, at)),
            SourceKind::Sentinel => Parser::Sentinel(sentinel::Parser::new(context.source, at)),
            SourceKind::ModelArtifacts => Parser::Artifacts(artifacts::Parser::new(context.source, at)),
            SourceKind::Register => Parser::Nothing(Gathered::default()),
        }
    }

    fn file(&mut self, path: &str, bytes: &[u8], sha256: &str) {
        match self {
            Parser::FlowLogs(p) => p.file(path, bytes, sha256),
            Parser::Gatekeeper(p) => p.file(path, bytes),
            Parser::Sentinel(p) => p.file(path, bytes),
            Parser::Artifacts(p) => p.file(path, bytes),
            Parser::Nothing(g) => g.refuse(path, "the register is not read from looks".into()),
        }
    }

    fn finish(self) -> Gathered {
        match self {
            Parser::FlowLogs(p) => p.finish(),
            Parser::Gatekeeper(p) => p.finish(),
            Parser::Sentinel(p) => p.finish(),
            Parser::Artifacts(p) => p.finish(),
            Parser::Nothing(g) => g,
        }
    }
}
