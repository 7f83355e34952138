//! The places evidence comes from. Each has a parser that does no I/O and takes one reply after the other; `files`
//! reads looks from a folder, `aws` fetches from S3, CloudWatch Logs and EC2. What a reply says is taken as it is: nothing here judges.

pub mod artifacts;
pub mod aws;
pub mod files;
pub mod flow_logs;
pub mod gatekeeper;
mod gathered;
pub mod sentinel;

pub use gathered::Gathered;

use crate::act::SourceKind;
use crate::config::Source;
use crate::evidence::Time;
use flow_logs::Selection;
use std::rc::Rc;

/// Where a pass over a live source begins.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// The time of the pass.
    pub now: Time,
    /// Where the pass before left off; none for the first one.
    pub cursor: Option<Time>,
    /// How far back the first pass goes, or one that reads once more.
    pub since: Option<Time>,
    /// Whether what was read with another selection is read once more.
    pub again: bool,
}

impl Start {
    /// The time from which on things are looked at; none for as far as there are any.
    pub fn from(&self) -> Option<Time> {
        if self.again { self.since } else { self.cursor.or(self.since) }
    }
}

/// One step of a pass over a live source: what it gave, and how far the source is read with it.
pub struct Step {
    /// The cursor.
    pub look: String,
    /// What it gave.
    pub gathered: Gathered,
    /// Whether nothing is left.
    pub last: bool,
}

/// What the ledger knows of an object or window that it holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Known {
    /// What shows that it changed: entity tag, digest.
    pub mark: String,
    /// How often it was read before.
    pub revision: u64,
    /// Digest of what was selected for rows.
    pub selection: String,
}

/// Tells what the ledger knows of a subject; the error is the store's reason.
pub type Knows<'k> = dyn Fn(&str) -> Result<Option<Known>, String> + 'k;

impl Known {
    /// Which revision what is there now is, by its mark and what it would be read for; none when it was read as it is.
    /// `again` reads once more what was read for something else.
    pub fn next(&self, mark: &str, again: Option<&str>) -> Option<u64> {
        let is_new = self.mark != mark || again.is_some_and(|selection| self.selection != selection);
        is_new.then_some(self.revision + 1)
    }
}

/// What parsers need from the config.
pub struct Context<'a> {
    /// The configured source.
    pub source: &'a Source,
    /// What flow logs are read for.
    pub selection: Selection,
    /// Its digest.
    pub selected: String,
}

impl<'a> Context<'a> {
    /// A source, and what its flow logs are read for.
    pub fn new(source: &'a Source, selection: Selection) -> Context<'a> {
        let selected = selection.digest();
        Context { source, selection, selected }
    }

    /// The digest of the selection, when a pass reads once more what was read for another one.
    fn again(&self, start: Start) -> Option<&str> {
        start.again.then_some(self.selected.as_str())
    }
}

/// A pass over a live source.
pub struct Live<'a> {
    context: &'a Context<'a>,
    now: Time,
    /// Whether the inventory is still to be read.
    inventory: bool,
    session: Rc<aws::Session>,
    pass: Pass<'a>,
}

enum Pass<'a> {
    Objects(aws::Objects<'a>),
    Windows(aws::Windows<'a>),
}

impl<'a> Live<'a> {
    /// Reaches the source and finds out where things lie.
    ///
    /// # Errors
    /// Why it cannot be reached or read.
    pub fn open(context: &'a Context<'a>, start: Start) -> Result<Live<'a>, String> {
        let session = Rc::new(aws::Session::open(&context.source.access())?);
        let pass = if context.source.location.starts_with("cloudwatch:") {
            Pass::Windows(aws::Windows::open(Rc::clone(&session), context, start)?)
        } else {
            Pass::Objects(aws::Objects::open(Rc::clone(&session), context, start)?)
        };
        Ok(Live { context, now: start.now, inventory: context.source.inventory, session, pass })
    }

    /// What it delivers is called.
    pub fn unit(&self) -> &'static str {
        match self.pass {
            Pass::Objects(_) => "objects",
            Pass::Windows(_) => "windows",
        }
    }

    /// Reads the next step. The inventory comes with the first one.
    ///
    /// # Errors
    /// Why the source cannot be read on; what was committed stays.
    pub fn step(&mut self, known: &Knows<'_>) -> Result<Step, String> {
        let mut step = match &mut self.pass {
            Pass::Objects(pass) => pass.step(known),
            Pass::Windows(pass) => pass.step(known),
        }?;
        if std::mem::take(&mut self.inventory) {
            let listed = aws::inventory(&self.session, self.context, self.now);
            step.gathered.complete.clone_from(&listed.complete);
            step.gathered.requests.extend(listed.requests.iter().cloned());
            step.gathered.absorb(listed);
        }
        step.gathered.identity.clone_from(&self.session.identity);
        Ok(step)
    }

    /// What a pass would read, in words.
    ///
    /// # Errors
    /// Why it cannot be listed.
    pub fn waiting(self, known: &Knows<'_>) -> Result<String, String> {
        match self.pass {
            Pass::Objects(pass) => pass.waiting(known),
            Pass::Windows(pass) => Ok(pass.waiting()),
        }
    }
}

/// Parses all replies of one look. `files` gives the path below the look and the bytes, or why they cannot be had.
pub fn gather<'f>(
    kind: SourceKind,
    context: &Context<'_>,
    looked_at: Option<Time>,
    recorded_at: Time,
    files: impl Iterator<Item = (String, std::io::Result<std::borrow::Cow<'f, [u8]>>)>,
) -> Gathered {
    let at = looked_at.unwrap_or(recorded_at);
    let mut parser = Parser::new(kind, context, at);
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
    // A look without a known time proves presence, never absence.
    if looked_at.is_none() || gathered.counts.refused > 0 {
        gathered.complete.clear();
    }
    gathered
}

enum Parser<'a> {
    FlowLogs(flow_logs::Parser<'a>),
    Gatekeeper(gatekeeper::Parser<'a>),
    Sentinel(sentinel::Parser<'a>),
    Artifacts(artifacts::Parser<'a>),
    Nothing(Gathered),
}

impl<'a> Parser<'a> {
    fn new(kind: SourceKind, context: &'a Context<'a>, at: Time) -> Parser<'a> {
        match kind {
            SourceKind::FlowLogs => Parser::FlowLogs(flow_logs::Parser::new(context, at)),
            SourceKind::Gatekeeper => Parser::Gatekeeper(gatekeeper::Parser::new(context.source, at)),
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
