//! `actledger.toml` as types. The comments of the fields are the manual; unknown keys are refused with their place.
//!
//! Parsing does no I/O: what a path names is looked at by those who use it.

mod check;
pub mod cron;
mod layout;
mod network;

pub use check::ConfigError;
pub use layout::{LAYOUT, Layout};
pub use network::{Network, Range, Watch};

use crate::act::{Overrides, SourceKind};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The whole config.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name of the organisation, as it stands on reports.
    pub organization: String,
    /// IANA zone of schedules and of times in reports. Default `UTC`.
    #[serde(default = "utc")]
    pub timezone: String,
    /// The register: a path, a list of paths, or a glob in the last component.
    #[serde(default)]
    pub register: Option<Paths>,
    /// Folder in which issued reports are kept.
    #[serde(default = "reports_dir")]
    pub reports_dir: PathBuf,
    /// Where the record lies and who signs it.
    #[serde(default)]
    pub ledger: Ledger,
    /// When jobs are due.
    #[serde(default)]
    pub schedule: Schedule,
    /// VPC flow logs.
    #[serde(default)]
    pub flow_logs: Vec<Source>,
    /// Clusters and their Gatekeeper.
    #[serde(default)]
    pub gatekeeper: Vec<Source>,
    /// HCP Terraform and Sentinel.
    #[serde(default)]
    pub sentinel: Vec<Source>,
    /// S3 model artifacts.
    #[serde(default)]
    pub model_artifacts: Vec<Source>,
    /// The organisation's networks and watched ports.
    #[serde(default)]
    pub network: Network,
    /// Who gets the nightly mail.
    #[serde(default)]
    pub mail: Vec<MailList>,
    /// How mail goes out.
    pub smtp: Option<Smtp>,
    /// Copies that nobody can delete.
    pub archive: Option<Archive>,
    /// Time-stamps of checkpoints.
    pub timestamp: Option<Timestamp>,
    /// The pages.
    #[serde(default)]
    pub web: Web,
    /// How long private values are kept.
    #[serde(default)]
    pub private: PrivateValues,
    /// What the assessment asks.
    #[serde(default)]
    pub act: Act,
    /// A demonstration: fixed clock, key and salts.
    pub demo: Option<Demo>,
    /// Folder of the config file, to which `file:` locations are relative.
    #[serde(skip)]
    pub base: PathBuf,
}

/// One path or several.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Paths {
    /// One path or glob.
    One(PathBuf),
    /// Several.
    Many(Vec<PathBuf>),
}

/// `[ledger]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ledger {
    /// The file. `state.db` lies beside it. Must be on a local disk.
    pub path: PathBuf,
    /// Name of the log and of its key, for example `actledger.example.com/main`. Never changes.
    pub origin: String,
    /// File with the Ed25519 key. May be group-readable, never world-readable.
    pub signing_key: PathBuf,
}

/// `[schedule]`: five-field cron expressions in `timezone`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Schedule {
    /// When sources are read.
    pub ingest: String,
    /// When the report is made and mailed: ingest, assess, report, mail.
    pub report: String,
    /// Longest that a pass reads one source; what is left is read by the next pass.
    pub pass_minutes: u64,
    /// Shortest time between two passes that the watch of a cluster makes due. 0: with each minute that tells a change.
    pub watch_minutes: u64,
}

/// One place that evidence comes from.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Its identity in the ledger.
    pub name: String,
    /// `file:DIR`; flow logs also `s3://BUCKET/PREFIX` (the folder that holds `AWSLogs`) and `cloudwatch:LOG-GROUP`; Gatekeeper
    /// also `kube:CONTEXT`, or `kube:` for the current context and, in a pod, for its service account; Sentinel also the address
    /// of HCP Terraform (`https://app.terraform.io`) or of a Terraform Enterprise; model artifacts also `s3://BUCKET/PREFIX`.
    pub location: String,
    /// Flow logs: field names in order, for files without a header line. Default: the 14 fields of version 2.
    pub format: Option<String>,
    /// Flow logs: keeps five full addresses of peers a row, sealed as private values.
    #[serde(default)]
    pub peer_addresses: bool,
    /// AWS region; for files, where they do not tell it.
    pub region: Option<String>,
    /// AWS: address of a service that is not AWS's own.
    pub endpoint: Option<String>,
    /// AWS: role to take on, where the place belongs to another account.
    pub role_arn: Option<String>,
    /// AWS: external id of that role.
    pub external_id: Option<String>,
    /// Flow logs in AWS: lists interfaces and flow logs as well (`ec2:DescribeNetworkInterfaces`,
    /// `ec2:DescribeFlowLogs`), so that the interfaces that should speak are known.
    #[serde(default)]
    pub inventory: bool,
    /// Flow logs in AWS: the accounts and regions that `inventory` lists, where the logs lie elsewhere (a log archive).
    /// Default: the one that the source's own credentials lead to.
    #[serde(default)]
    pub inventory_of: Vec<Account>,
    /// Flow logs in S3: hours without a new object after which a day is no longer listed. Default 24.
    pub quiet_hours: Option<u32>,
    /// Flow logs: most bytes that one object may have once unpacked. Default 4294967296; AWS closes one at 75 MB of text.
    pub max_unpacked: Option<u64>,
    /// Flow logs: how many times its size an object of gzip above 1 MiB may grow. Default 200; they grow five- to tenfold.
    pub max_growth: Option<u64>,
    /// HCP Terraform organisation; of files, where they do not tell it.
    pub organization: Option<String>,
    /// HCP Terraform: a file with a team or user token that reads runs, policies and plans. Default: `$TFE_TOKEN`.
    pub token_file: Option<PathBuf>,
    /// HCP Terraform: a file with an audit token or organization token, which alone read the audit trail. Default:
    /// `$TFE_AUDIT_TOKEN`; without one, the trail is not read.
    pub audit_token_file: Option<PathBuf>,
    /// HCP Terraform: a file with the token of run notifications, which `serve` takes at `/webhooks/terraform/NAME`. Without one,
    /// none is taken.
    pub webhook_token_file: Option<PathBuf>,
    /// HCP Terraform: certificates that vouch for a Terraform Enterprise beside the known authorities, in PEM.
    pub ca_file: Option<PathBuf>,
    /// Terraform Enterprise: how often a second it may be asked. Default: 25, below the limit of HCP Terraform.
    pub requests_per_second: Option<u32>,
    /// Terraform Enterprise: how often a minute its lists of runs may be asked for. Default: 30, the limit of HCP Terraform.
    pub run_lists_per_minute: Option<u32>,
    /// Model artifacts: where the files of a model version lie, as parts of their keys. Default
    /// `<prefix>/<system>/<model-version>/<file>`: `<prefix>` is that of the location, or one part of any name; `*` is one part of
    /// any name, other text stands for itself, and all that lies below the last part are files of that version.
    pub pattern: Option<String>,
    /// Model artifacts in S3: requests of one pass for what a listing does not say (checksums, tags, locks), three a version.
    /// Default 6000; what is left over reads some versions once more.
    pub detail_requests: Option<u64>,
    /// Model artifacts in S3: most bytes of a file whose SHA-256 `ingest --hash` computes. Default 1073741824.
    pub hash_up_to: Option<u64>,
    /// Gatekeeper: the kubeconfig with the context of a `kube:` location. Default: `$KUBECONFIG`, else `~/.kube/config`.
    pub kubeconfig: Option<PathBuf>,
    /// Gatekeeper, HCP Terraform: how long the API may take for one answer. Default 60; a page comes in well under one.
    pub timeout_seconds: Option<u32>,
    /// Gatekeeper: a name for the cluster that people read.
    pub cluster: Option<String>,
    /// Gatekeeper: the source of flow logs that records the network of the cluster's nodes. Where no inventory is listed, the
    /// nodes tell which interfaces should speak.
    pub flow_logs: Option<String>,
    /// Old name: entries under it count as this source's.
    pub was: Option<String>,
    /// How far back the first pass goes: `30d`. Default: as far as there are looks.
    pub since: Option<String>,
    /// `false` switches the source off; `reason` says why.
    #[serde(default = "yes")]
    pub collect: bool,
    /// Why it is switched off.
    pub reason: Option<String>,
}

/// An account and region of AWS whose interfaces are listed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Its region; default: that of the source.
    pub region: Option<String>,
    /// Role of the account to take on; without it, the account is that of the SDK's chain.
    pub role_arn: Option<String>,
    /// External id of that role.
    pub external_id: Option<String>,
}

/// `[[mail]]`: one list of recipients.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailList {
    /// Addresses.
    pub to: Vec<String>,
    /// Only systems of this team.
    pub team: Option<String>,
    /// Formats to attach: `pdf`, `json`.
    #[serde(default)]
    pub attach: Vec<String>,
    /// `report`, or `checkpoint`: three lines for somebody outside, the cheapest anchor.
    #[serde(default)]
    pub content: MailContent,
}

/// What a mail holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailContent {
    /// The nightly report.
    #[default]
    Report,
    /// The checkpoint alone.
    Checkpoint,
}

/// `[smtp]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Smtp {
    /// `smtps://host[:465]`, `smtp://host[:587]` (STARTTLS), or `folder:DIR`.
    pub url: String,
    /// Sender.
    pub from: String,
    /// Where answers go.
    pub reply_to: Option<String>,
    /// Where a mail server reports what it cannot deliver (the envelope's sender); `from` where this is not given.
    pub bounce: Option<String>,
    /// MiB up to which files are attached to a mail; the mail names the place of larger ones.
    #[serde(default = "ten")]
    pub attach_mib: u64,
    /// Login name.
    pub username: Option<String>,
    /// File with the password.
    pub password_file: Option<PathBuf>,
    /// File with the certificate of a private authority.
    pub ca_file: Option<PathBuf>,
}

/// `[archive]`: checkpoints and new entries, copied to an S3 bucket with Object Lock after each job.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Archive {
    /// `s3://BUCKET/PREFIX`. The bucket was made with Object Lock.
    pub location: String,
    /// Days for which each copy is locked in compliance mode. Nobody can shorten it: 184 is six months (Art. 19 and
    /// 26(6)), 3650 ten years (Art. 18).
    pub retention_days: i64,
    /// What joins the checkpoint each night: `report`, as it was issued; `bundle`, a redacted one of the entries since the last.
    #[serde(default)]
    pub content: Vec<String>,
    /// AWS region.
    pub region: Option<String>,
    /// Address of an S3 that is not AWS's.
    pub endpoint: Option<String>,
    /// Role to take on, where the bucket belongs to another account.
    pub role_arn: Option<String>,
    /// External id of that role.
    pub external_id: Option<String>,
}

impl Archive {
    /// Whether something joins the checkpoint.
    pub fn holds(&self, content: &str) -> bool {
        self.content.iter().any(|c| c == content)
    }

    /// Bucket, and prefix with its closing slash.
    pub fn place(&self) -> Option<(&str, String)> {
        bucket(&self.location)
    }

    /// How to get there.
    pub fn access(&self) -> Access<'_> {
        Access {
            region: self.region.as_deref(),
            endpoint: self.endpoint.as_deref(),
            role_arn: self.role_arn.as_deref(),
            external_id: self.external_id.as_deref(),
        }
    }
}

/// How an AWS service is reached.
#[derive(Clone, Copy, Debug, Default)]
pub struct Access<'a> {
    /// AWS region; default: what the SDK's chain says.
    pub region: Option<&'a str>,
    /// Address of a service that is not AWS's own.
    pub endpoint: Option<&'a str>,
    /// Role to take on.
    pub role_arn: Option<&'a str>,
    /// External id of that role.
    pub external_id: Option<&'a str>,
}

/// Bucket and prefix of `s3://BUCKET/PREFIX`; the prefix ends in a slash, or is empty.
pub fn bucket(location: &str) -> Option<(&str, String)> {
    let rest = location.strip_prefix("s3://")?;
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let prefix = prefix.trim_matches('/');
    let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
    (!bucket.is_empty()).then_some((bucket, prefix))
}

/// `[timestamp]`: RFC 3161 time-stamps of each night's checkpoint.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timestamp {
    /// Address of the authority.
    pub url: String,
    /// File with the certificates (PEM) under which its tokens are believed.
    pub ca_file: PathBuf,
}

/// `[web]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Web {
    /// Address and port.
    pub listen: String,
    /// `none` (loopback only), `token`, or `oidc` (and tokens).
    pub auth: WebAuth,
    /// Address under which people reach the pages, for links in mails; with `https://` cookies go over TLS alone.
    pub url: Option<String>,
    /// File with the certificate of the pages and those between it and an authority (PEM): with `key` they are served over TLS.
    pub certificate: Option<PathBuf>,
    /// File with its private key (PEM).
    pub key: Option<PathBuf>,
    /// The OpenID provider, with `auth = "oidc"`.
    pub oidc: Option<Oidc>,
}

impl Web {
    /// Whether who comes is asked who they are.
    pub fn asks(&self) -> bool {
        self.auth != WebAuth::None
    }
}

/// `[web.oidc]`: people sign in at an OpenID provider (code flow with PKCE), with `[web] url` as the address that it leads back to,
/// and `/oidc/callback` after it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Oidc {
    /// Its issuer, below which it tells of itself (`/.well-known/openid-configuration`).
    pub issuer: String,
    /// Who we are there.
    pub client_id: String,
    /// File with the secret that goes with it; none for a public client.
    pub client_secret_file: Option<PathBuf>,
    /// Scopes beside `openid`.
    #[serde(default = "scopes")]
    pub scopes: Vec<String>,
    /// The claim with the groups of a person, in the ID token or the user info.
    #[serde(default = "groups_claim")]
    pub groups_claim: String,
    /// Certificates that vouch for it beside the known authorities, in PEM.
    pub ca_file: Option<PathBuf>,
    /// `[[web.oidc.group]]`: what a group may do. Who is in none has no rights.
    #[serde(default)]
    pub group: Vec<OidcGroup>,
}

fn scopes() -> Vec<String> {
    vec!["profile".into(), "email".into(), "groups".into()]
}

fn groups_claim() -> String {
    "groups".into()
}

/// `[[web.oidc.group]]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OidcGroup {
    /// Its name there.
    pub name: String,
    /// What its people may do.
    pub role: OidcRole,
    /// Of the role `team`: which.
    pub team: Option<String>,
}

/// Roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OidcRole {
    /// Reads everything, and exports.
    Auditor,
    /// Runs jobs, and sees how the service is.
    Operator,
    /// Reads of the systems of one team.
    Team,
}

/// Who may see the pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WebAuth {
    /// Everybody on this machine.
    #[default]
    None,
    /// Holders of a token (`actledger token add`): typed once in a browser, or as bearer.
    Token,
    /// People who sign in at an OpenID provider, and holders of a token.
    Oidc,
}

/// `[private]`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PrivateValues {
    /// Days after which `ledger erase-private` takes a value when it is told nothing else. 184: six months.
    pub keep_days: i64,
}

/// `[act]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Act {
    /// `core` or `full`.
    pub profile: String,
    /// Dates of the legal timetable that are another day, by their id: `high-risk-annex-iii = "2027-12-02"`.
    pub timetable: BTreeMap<String, String>,
    /// Parameters of controls that have another value, by their name: `window_days = 30`.
    pub parameters: BTreeMap<String, serde_json::Value>,
}

impl Act {
    /// What the catalogue is to say otherwise.
    pub fn overrides(&self) -> Overrides<'_> {
        Overrides { timetable: &self.timetable, parameters: &self.parameters }
    }
}

/// `[demo]`: refused unless every location is `file:` or `folder:`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Demo {
    /// Salts and key come from it.
    pub seed: i64,
}

fn utc() -> String {
    "UTC".into()
}
fn ten() -> u64 {
    10
}
fn yes() -> bool {
    true
}
fn reports_dir() -> PathBuf {
    "var/reports".into()
}

impl Default for Ledger {
    fn default() -> Ledger {
        let origin = "actledger.example.com/main".into();
        Ledger { path: "var/ledger.db".into(), origin, signing_key: "keys/ledger.key".into() }
    }
}
impl Default for Schedule {
    fn default() -> Schedule {
        Schedule {
            ingest: "*/15 * * * *".into(),
            report: "30 5 * * *".into(),
            pass_minutes: 10,
            watch_minutes: 5,
        }
    }
}
impl Default for Web {
    fn default() -> Web {
        Web {
            listen: "127.0.0.1:8080".into(),
            auth: WebAuth::None,
            url: None,
            certificate: None,
            key: None,
            oidc: None,
        }
    }
}
impl Default for PrivateValues {
    fn default() -> PrivateValues {
        PrivateValues { keep_days: 184 }
    }
}
impl Default for Act {
    fn default() -> Act {
        Act { profile: "core".into(), timetable: BTreeMap::new(), parameters: BTreeMap::new() }
    }
}

impl Source {
    /// Days of `since`.
    pub fn since_days(&self) -> Option<i64> {
        self.since.as_deref()?.trim().strip_suffix('d')?.parse().ok().filter(|d| *d > 0)
    }

    /// How to get there, where it is in AWS.
    pub fn access(&self) -> Access<'_> {
        Access {
            region: self.region.as_deref(),
            endpoint: self.endpoint.as_deref(),
            role_arn: self.role_arn.as_deref(),
            external_id: self.external_id.as_deref(),
        }
    }

    /// How to get to each account and region whose interfaces are listed.
    pub fn accounts(&self) -> impl Iterator<Item = Access<'_>> {
        let own = self.inventory_of.is_empty().then(|| self.access());
        let listed = self.inventory_of.iter().map(|account| Access {
            region: account.region.as_deref().or(self.region.as_deref()),
            endpoint: self.endpoint.as_deref(),
            role_arn: account.role_arn.as_deref(),
            external_id: account.external_id.as_deref(),
        });
        own.into_iter().chain(listed)
    }

    /// Whether it is read from a folder.
    pub fn is_folder(&self) -> bool {
        self.location.starts_with("file:")
    }

    /// The folder of a `file:` location, relative to `base`.
    pub fn folder(&self, base: &Path) -> PathBuf {
        base.join(self.location.strip_prefix("file:").unwrap_or(&self.location))
    }
}

impl Config {
    /// Every configured source with its kind, in the order of the file.
    pub fn sources<'a>(&'a self) -> impl Iterator<Item = (SourceKind, &'a Source)> {
        let of = |kind: SourceKind, list: &'a [Source]| list.iter().map(move |s| (kind, s));
        of(SourceKind::FlowLogs, &self.flow_logs)
            .chain(of(SourceKind::Gatekeeper, &self.gatekeeper))
            .chain(of(SourceKind::Sentinel, &self.sentinel))
            .chain(of(SourceKind::ModelArtifacts, &self.model_artifacts))
    }
}
