//! Sending mail: over SMTP, into a folder, or into memory. What a mail says is made elsewhere.

mod message;

pub use message::{Attachment, Letter};

use crate::config::Smtp;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use regex::{Captures, Regex};
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex};

/// Why a mail did not go out.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// An address or a header that cannot be.
    #[error("the mail cannot be written: {0}")]
    Message(String),
    /// The config of the way out.
    #[error("smtp.{key}: {what}")]
    Config {
        /// The key.
        key: &'static str,
        /// What is wrong with it.
        what: String,
    },
    /// The server refused, or did not answer.
    #[error("the mail server says: {0}")]
    Server(#[from] lettre::transport::smtp::Error),
    /// The folder.
    #[error("cannot write the mail to {0}")]
    Folder(PathBuf, #[source] std::io::Error),
    /// No runtime to wait in.
    #[error("cannot wait for the mail server")]
    Runtime(#[source] std::io::Error),
}

impl MailError {
    /// Whether nobody knows if the mail arrived: the server said neither yes nor no.
    pub fn may_have_arrived(&self) -> bool {
        matches!(self, MailError::Server(e) if e.status().is_none() && !e.is_client() && !e.is_tls())
    }
}

/// A way out.
pub enum Transport {
    /// A mail server.
    Smtp(Box<AsyncSmtpTransport<Tokio1Executor>>),
    /// A file each.
    Folder(PathBuf),
    /// For tests: everything that was sent.
    Memory(Arc<Mutex<Vec<Vec<u8>>>>),
}

impl Transport {
    /// The way out of a config.
    ///
    /// # Errors
    /// A password or certificate that cannot be read, a URL without host.
    pub fn of(smtp: &Smtp) -> Result<Transport, MailError> {
        if let Some(folder) = smtp.url.strip_prefix("folder:") {
            return Ok(Transport::Folder(folder.into()));
        }
        let (tls, rest) = smtp.url.split_once("://").unwrap_or(("smtps", &smtp.url));
        let rest = rest.trim_end_matches('/');
        let (host, port) = match rest.rsplit_once(':') {
            Some((h, p)) => (
                h,
                p.parse().map_err(|_| MailError::Config { key: "url", what: format!("{p:?} is no port") })?,
            ),
            None => (rest, if tls == "smtps" { 465 } else { 587 }),
        };
        let parameters = tls_parameters(host, smtp)?;
        let tls = if tls == "smtps" { Tls::Wrapper(parameters) } else { Tls::Required(parameters) };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host).port(port).tls(tls);
        if let (Some(user), Some(file)) = (&smtp.username, &smtp.password_file) {
            let what = |e: std::io::Error| MailError::Config {
                key: "password_file",
                what: format!("{}: {e}", file.display()),
            };
            let password = std::fs::read_to_string(file).map_err(what)?;
            builder = builder.credentials(Credentials::new(user.clone(), password.trim_end().to_owned()));
        }
        Ok(Transport::Smtp(Box::new(builder.build())))
    }

    /// Sends one mail. The bytes that were sent come back, for their digest.
    ///
    /// # Errors
    /// See [`MailError`].
    pub fn send(&self, letter: &Letter) -> Result<Vec<u8>, MailError> {
        let message = letter.message()?;
        let bytes = message.formatted();
        match self {
            Transport::Folder(folder) => {
                let failed = |e| MailError::Folder(folder.clone(), e);
                std::fs::create_dir_all(folder).map_err(failed)?;
                let name = letter.message_id.split('@').next().unwrap_or("mail").to_owned();
                std::fs::write(folder.join(format!("{name}.eml")), &bytes).map_err(failed)?;
            }
            Transport::Memory(box_) => {
                if let Ok(mut sent) = box_.lock() {
                    sent.push(bytes.clone());
                }
            }
            Transport::Smtp(server) => {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.map_err(MailError::Runtime)?.block_on(server.send(message))?;
            }
        }
        Ok(bytes)
    }

    /// Whether the server can be reached and accepts us; nothing is sent.
    ///
    /// # Errors
    /// See [`MailError`].
    pub fn probe(&self) -> Result<(), MailError> {
        match self {
            Transport::Folder(folder) => {
                std::fs::create_dir_all(folder).map_err(|e| MailError::Folder(folder.clone(), e))
            }
            Transport::Memory(_) => Ok(()),
            Transport::Smtp(server) => {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                let answers = runtime.map_err(MailError::Runtime)?.block_on(server.test_connection())?;
                let what = "it does not answer a NOOP".into();
                if answers { Ok(()) } else { Err(MailError::Config { key: "url", what }) }
            }
        }
    }
}

fn tls_parameters(host: &str, smtp: &Smtp) -> Result<TlsParameters, MailError> {
    let mut builder = TlsParameters::builder(host.to_owned());
    if let Some(file) = &smtp.ca_file {
        let what = |e: String| MailError::Config { key: "ca_file", what: format!("{}: {e}", file.display()) };
        let pem = std::fs::read(file).map_err(|e| what(e.to_string()))?;
        builder = builder.add_root_certificate(Certificate::from_pem(&pem).map_err(|e| what(e.to_string()))?);
    }
    builder.build().map_err(MailError::Server)
}

/// A text without the addresses in it: what a mail server says may name anybody.
pub fn hidden(text: &str) -> String {
    static ADDRESS: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"[\w.%+'=/!#$&*?^`{|}~-]+@[\w.-]*\w").ok());
    let masked = |c: &Captures<'_>| masked(&c[0]);
    ADDRESS.as_ref().map_or_else(|| "…".to_owned(), |a| a.replace_all(text, masked).into_owned())
}

/// An address as it may stand in a log: the first letter and the domain.
pub fn masked(address: &str) -> String {
    match address.split_once('@') {
        Some((name, domain)) => format!("{}…@{domain}", name.chars().next().unwrap_or('…')),
        None => "…".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::hidden;

    #[test]
    fn what_a_server_says_is_told_without_addresses() {
        let said = "550 <Ann@Example.com>: no such user; forwarded to \"bob\" bob+x@example.org, 3 attempts";
        assert_eq!(
            hidden(said),
            "550 <A…@Example.com>: no such user; forwarded to \"bob\" b…@example.org, 3 attempts"
        );
    }
}
