//! Reading a config and refusing what cannot be, each time with the key and what would be right.

use super::{Config, Layout, MailContent, Paths, Source};
use crate::act::{Catalogue, SourceKind};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Why a config is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Not the form: an unknown key, a missing one, a value of another type. The message has line and column.
    #[error("{file}: {message}")]
    Form {
        /// The file.
        file: String,
        /// The parser's message, with the place.
        message: String,
    },
    /// A value that cannot be.
    #[error("{file}: {key} = {value:?}: {right}")]
    Value {
        /// The file.
        file: String,
        /// Path of the key.
        key: String,
        /// What stands there.
        value: String,
        /// What would be right.
        right: String,
    },
}

impl Config {
    /// Parses a config and makes its relative paths relative to `dir`, the folder of the file.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub fn parse(text: &str, file: &str, dir: &Path) -> Result<Config, ConfigError> {
        let mut config: Config = toml::from_str(text).map_err(|e| ConfigError::Form {
            file: file.into(),
            message: e.to_string().trim_end().to_owned(),
        })?;
        config.check(file)?;
        config.resolve(dir);
        Ok(config)
    }

    fn check(&self, file: &str) -> Result<(), ConfigError> {
        let refuse = |key: &str, value: &str, right: &str| {
            let (file, key, value, right) = (file.into(), key.into(), value.into(), right.into());
            Err(ConfigError::Value { file, key, value, right })
        };
        if self.organization.trim().is_empty() {
            return refuse("organization", &self.organization, "give the name that stands on reports");
        }
        if jiff::tz::TimeZone::get(&self.timezone).is_err() {
            return refuse("timezone", &self.timezone, "give an IANA zone, for example \"Europe/Berlin\"");
        }
        if self.ledger.origin.is_empty()
            || self.ledger.origin.contains(|c: char| c == '+' || c.is_whitespace())
        {
            let right = "a name without spaces and +, for example \"actledger.example.com/main\"";
            return refuse("ledger.origin", &self.ledger.origin, right);
        }
        for (key, cron) in
            [("schedule.ingest", &self.schedule.ingest), ("schedule.report", &self.schedule.report)]
        {
            if cron.split_whitespace().count() != 5 || croner::Cron::from_str(cron).is_err() {
                return refuse(key, cron, "five fields of cron, for example \"30 5 * * *\"");
            }
        }
        if let Err(e) = Catalogue::with(self.act.overrides()) {
            return refuse(&format!("act.{}", e.key), &e.value, &e.right);
        }
        let mut names = std::collections::BTreeSet::new();
        for (kind, source) in self.sources() {
            let key = |member: &str| format!("{}.{member} of {:?}", kind.name(), source.name);
            if source.name.trim().is_empty() || !names.insert(source.name.as_str()) {
                return refuse(&key("name"), &source.name, "every source has a name of its own");
            }
            if ["register", "actledger"].contains(&source.name.as_str()) {
                return refuse(&key("name"), &source.name, "this name is taken by the program itself");
            }
            if let Some(right) = self.misplaced(kind, source) {
                return refuse(&key("location"), &source.location, right);
            }
            let prefix = super::bucket(&source.location).map(|(_, p)| p).unwrap_or_default();
            if let Some((pattern, right)) =
                source.pattern.as_ref().and_then(|p| Some((p, Layout::parse(p, &prefix).err()?)))
            {
                return refuse(&key("pattern"), pattern, right);
            }
            if source.since.is_some() && source.since_days().is_none() {
                return refuse(
                    &key("since"),
                    source.since.as_deref().unwrap_or_default(),
                    "a number of days: \"30d\"",
                );
            }
            let is_flow_log = |name: &&String| self.flow_logs.iter().any(|f| f.name == **name);
            if let Some(name) = source.flow_logs.as_ref().filter(|n| !is_flow_log(n)) {
                return refuse(&key("flow_logs"), name, "the name of a source under [[flow_logs]]");
            }
            if !source.inventory_of.is_empty() && (!source.inventory || source.is_folder()) {
                return refuse(
                    &key("inventory_of"),
                    "[…]",
                    "it needs inventory = true, and flow logs in AWS",
                );
            }
            if source.flow_logs.is_some() && kind != SourceKind::Gatekeeper {
                return refuse(&key("flow_logs"), "…", "it stands under [[gatekeeper]]");
            }
            if !source.collect && source.reason.is_none() {
                return refuse(
                    &key("collect"),
                    "false",
                    "a source that is switched off needs reason = \"…\"",
                );
            }
        }
        if let Some(smtp) = &self.smtp {
            let known = ["smtps://", "smtp://", "folder:"];
            if !known.iter().any(|k| smtp.url.starts_with(k)) {
                return refuse("smtp.url", &smtp.url, "smtps://HOST, smtp://HOST (STARTTLS) or folder:DIR");
            }
            if self.demo.is_some() && !smtp.url.starts_with("folder:") {
                return refuse("smtp.url", &smtp.url, "a demonstration mails into a folder: folder:DIR");
            }
            if !smtp.from.contains('@') {
                return refuse(
                    "smtp.from",
                    &smtp.from,
                    "an address, for example \"Actledger <actledger@example.com>\"",
                );
            }
            if let Some(bounce) = smtp.bounce.as_ref().filter(|b| !b.contains('@') || b.contains('<')) {
                return refuse(
                    "smtp.bounce",
                    bounce,
                    "an address alone, for example \"bounces@example.com\"",
                );
            }
        }
        if !self.mail.is_empty() && self.smtp.is_none() {
            return refuse("mail", "[[mail]]", "mail needs [smtp] with url and from");
        }
        for list in &self.mail {
            if let Some(to) = list.to.iter().find(|t| !t.contains('@')) {
                return refuse("mail.to", to, "an address, for example \"ai-compliance@example.com\"");
            }
            if let Some(a) = list.attach.iter().find(|a| !["pdf", "json"].contains(&a.as_str())) {
                return refuse("mail.attach", a, "\"pdf\" or \"json\"");
            }
            if let (MailContent::Checkpoint, Some(a)) = (list.content, list.attach.first()) {
                return refuse("mail.attach", a, "nothing: whoever gets the checkpoint alone gets no report");
            }
        }
        let listen: Result<std::net::SocketAddr, _> = self.web.listen.parse();
        match listen {
            Err(_) => {
                return refuse(
                    "web.listen",
                    &self.web.listen,
                    "address and port, for example \"127.0.0.1:8080\"",
                );
            }
            Ok(a) if !a.ip().is_loopback() && self.web.auth == super::WebAuth::None => {
                return refuse(
                    "web.listen",
                    &self.web.listen,
                    "beyond loopback the pages need [web] auth = \"token\" or \"oidc\"",
                );
            }
            Ok(_) => {}
        }
        if (self.web.auth == super::WebAuth::Oidc) != self.web.oidc.is_some() {
            return refuse("web.oidc", "alone", "auth = \"oidc\" and [web.oidc], both or neither");
        }
        if let Some(oidc) = &self.web.oidc {
            if self.web.url.is_none() {
                return refuse("web.url", "", "the address of the pages, to which the provider leads back");
            }
            if let Some(group) =
                oidc.group.iter().find(|g| (g.role == super::OidcRole::Team) != g.team.is_some())
            {
                return refuse("web.oidc.group", &group.name, "role = \"team\" and team, both or neither");
            }
        }
        if self.web.certificate.is_some() != self.web.key.is_some() {
            return refuse("web.certificate", "alone", "certificate and key, both or neither");
        }
        if let Some(archive) = &self.archive {
            if archive.place().is_none() {
                return refuse("archive.location", &archive.location, "\"s3://BUCKET/PREFIX\"");
            }
            if let Some(c) = archive.content.iter().find(|c| !["report", "bundle"].contains(&c.as_str())) {
                return refuse("archive.content", c, "\"report\" or \"bundle\"");
            }
            if archive.retention_days < 1 {
                let right = "days of a lock that nobody can take back: 184, or 3650";
                return refuse("archive.retention_days", &archive.retention_days.to_string(), right);
            }
        }
        if let Some(timestamp) = self.timestamp.as_ref().filter(|t| !t.url.starts_with("http")) {
            return refuse("timestamp.url", &timestamp.url, "the http(s) address of an RFC 3161 authority");
        }
        if self.demo.is_some() && (self.archive.is_some() || self.timestamp.is_some()) {
            return refuse(
                "demo",
                "[demo]",
                "a demonstration has no outside witnesses: no [archive], no [timestamp]",
            );
        }
        if !["core", "full"].contains(&self.act.profile.as_str()) {
            return refuse("act.profile", &self.act.profile, "\"core\" or \"full\"");
        }
        Ok(())
    }

    /// What would be right where a source cannot be read from its location.
    fn misplaced(&self, kind: SourceKind, source: &Source) -> Option<&'static str> {
        let folder = source.location.strip_prefix("file:").is_some_and(|d| !d.is_empty());
        if folder {
            return None;
        }
        if self.demo.is_some() {
            return Some("a demonstration reads folders: \"file:DIR\"");
        }
        match kind {
            SourceKind::FlowLogs if super::bucket(&source.location).is_some() => None,
            SourceKind::FlowLogs
                if source.location.strip_prefix("cloudwatch:").is_some_and(|g| !g.is_empty()) =>
            {
                None
            }
            SourceKind::FlowLogs => Some("\"file:DIR\", \"s3://BUCKET/PREFIX\" or \"cloudwatch:LOG-GROUP\""),
            SourceKind::Gatekeeper if source.location.starts_with("kube:") => None,
            SourceKind::Gatekeeper => Some("\"file:DIR\", \"kube:CONTEXT\" or \"kube:\""),
            SourceKind::Sentinel
                if source.location.starts_with("https://") || is_loopback(&source.location) =>
            {
                source.organization.is_none().then_some("an address needs organization = \"…\" as well")
            }
            SourceKind::Sentinel => {
                Some("\"file:DIR\" or \"https://app.terraform.io\": a token goes over TLS alone")
            }
            SourceKind::ModelArtifacts if super::bucket(&source.location).is_some() => None,
            SourceKind::ModelArtifacts => Some("\"file:DIR\" or \"s3://BUCKET/PREFIX\""),
            SourceKind::Register => Some("\"file:DIR\" here"),
        }
    }

    fn resolve(&mut self, dir: &Path) {
        let join = |p: &mut PathBuf| *p = dir.join(&*p);
        join(&mut self.reports_dir);
        join(&mut self.ledger.path);
        join(&mut self.ledger.signing_key);
        match &mut self.register {
            Some(Paths::One(p)) => join(p),
            Some(Paths::Many(list)) => list.iter_mut().for_each(join),
            None => {}
        }
        self.gatekeeper.iter_mut().filter_map(|s| s.kubeconfig.as_mut()).for_each(join);
        for source in &mut self.sentinel {
            [
                &mut source.token_file,
                &mut source.audit_token_file,
                &mut source.webhook_token_file,
                &mut source.ca_file,
            ]
            .into_iter()
            .flatten()
            .for_each(join);
        }
        self.base = dir.to_owned();
        if let Some(oidc) = &mut self.web.oidc {
            oidc.client_secret_file.iter_mut().for_each(join);
            oidc.ca_file.iter_mut().for_each(join);
        }
        self.web.certificate.iter_mut().for_each(join);
        self.web.key.iter_mut().for_each(join);
        self.timestamp.iter_mut().for_each(|t| join(&mut t.ca_file));
        if let Some(smtp) = &mut self.smtp {
            if let Some(folder) = smtp.url.strip_prefix("folder:") {
                smtp.url = format!("folder:{}", dir.join(folder).display());
            }
            smtp.password_file.iter_mut().for_each(join);
            smtp.ca_file.iter_mut().for_each(join);
        }
    }
}

/// Whether an address without TLS stays on this machine.
fn is_loopback(location: &str) -> bool {
    let address = location.parse::<http::Uri>().ok().filter(|a| a.scheme_str() == Some("http"));
    address.is_some_and(|a| ["127.0.0.1", "[::1]", "localhost"].contains(&a.host().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        Config::parse(text, "actledger.toml", Path::new("/etc/actledger")).expect_err("refused").to_string()
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_key() {
        assert!(refused("organization = 'X'\ncolour = 1").contains("colour"));
        assert!(refused("").contains("organization"));
        assert!(
            refused("organization = 'X'\ntimezone = 'Mars'")
                .contains("timezone = \"Mars\": give an IANA zone")
        );
        assert!(refused("organization = 'X'\n[schedule]\nreport = 'daily'").contains("schedule.report"));
        let at =
            |kind, location| format!("organization = 'X'\n[[{kind}]]\nname = 'a'\nlocation = '{location}'");
        assert!(refused(&at("flow_logs", "ftp://b")).contains("flow_logs.location of \"a\""));
        assert!(refused(&at("flow_logs", "s3://")).contains("s3://BUCKET/PREFIX"));
        assert!(refused(&at("gatekeeper", "s3://b")).contains("kube:CONTEXT"));
        assert!(refused(&at("model_artifacts", "ftp://b")).contains("\"s3://BUCKET/PREFIX\""));
        let pattern = format!("{}\npattern = '<system>/x'", at("model_artifacts", "s3://b"));
        assert!(
            refused(&pattern).contains("model_artifacts.pattern of \"a\" = \"<system>/x\": <system> and")
        );
        assert!(refused(&at("sentinel", "http://tfe.example.com")).contains("over TLS alone"));
        assert!(refused(&at("sentinel", "http://127.0.0.1.example.com")).contains("over TLS alone"));
        assert!(refused(&at("sentinel", "https://app.terraform.io")).contains("organization"));
        assert!(
            refused(&format!("{}\n[demo]\nseed = 1", at("flow_logs", "s3://b"))).contains("a demonstration")
        );
        assert!(refused("organization = 'X'\n[web]\nlisten = '0.0.0.0:80'").contains("token"));
    }

    #[test]
    fn paths_are_relative_to_the_file() {
        let text = "organization = 'X'\n[[flow_logs]]\nname = 'a'\nlocation = 'file:logs'";
        let config = Config::parse(text, "c", Path::new("/etc/actledger")).unwrap();
        assert_eq!(config.flow_logs[0].folder(&config.base), Path::new("/etc/actledger/logs"));
        assert_eq!(config.ledger.path, Path::new("/etc/actledger/var/ledger.db"));
    }
}
