//! `actledger init`

use super::{CliError, Ended, keys, output};
use crate::clock::Randomness;
use crate::config::Config;
use anyhow::Context;
use std::path::Path;

const CONFIG: &str = include_str!("actledger.toml");
/// Where nobody names one.
const ORIGIN: &str = "actledger.example.com/main";
const REGISTER: &str = include_str!("systems.toml");

/// For a config that is there and whose key is not: makes the key and touches nothing else.
fn key_alone(path: &Path, dir: &Path, origin: Option<&str>) -> Result<Ended, CliError> {
    let text = std::fs::read_to_string(path).map_err(|e| CliError::NoConfig(path.to_owned(), e))?;
    let config = Config::parse(&text, &path.display().to_string(), dir)?;
    let key = &config.ledger.signing_key;
    if let Some(origin) = origin.filter(|origin| *origin != config.ledger.origin) {
        let (told, path) = (&config.ledger.origin, path.display());
        return Err(CliError::Usage(format!("{path} says origin {told}, not {origin}; nothing was written")));
    }
    if key.exists() {
        let (config, key) = (path.display(), key.display());
        return Err(CliError::Usage(format!("{config} and {key} are there already; nothing was written")));
    }
    let secret = Randomness::System.bytes("key").context("no random bytes for a key")?;
    let vkey = keys::write(key, &config.ledger.origin, &secret)?;
    output::line(format!("wrote {}: {} was there already\n{vkey}", key.display(), path.display()));
    Ok(Ended::Well)
}

/// Writes a config, a register and a key, whose name is the origin of the ledger.
pub(super) fn run(path: &Path, origin: Option<&str>) -> Result<Ended, CliError> {
    let dir = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let text = CONFIG.replace(ORIGIN, origin.unwrap_or(ORIGIN));
    let config = Config::parse(&text, "the template", dir)?;
    if let Some(origin) = origin.filter(|origin| *origin != config.ledger.origin) {
        return Err(CliError::Usage(format!("{origin:?} is no name of a log: letters, digits and . - / _")));
    }
    let register = dir.join("systems.toml");
    let key = &config.ledger.signing_key;
    if path.exists() {
        return key_alone(path, dir, origin);
    }
    if let Some(there) = [path, &register, key].into_iter().find(|p| p.exists()) {
        return Err(CliError::Usage(format!("{} is there already; nothing was written", there.display())));
    }
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let secret = Randomness::System.bytes("key").context("no random bytes for a key")?;
    let vkey = keys::write(key, &config.ledger.origin, &secret)?;
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    std::fs::write(&register, REGISTER).with_context(|| format!("cannot write {}", register.display()))?;
    output::table(&[
        vec![
            format!("wrote {}", path.display()),
            "four sources prepared, all commented out: switch on those you have".into(),
        ],
        vec![format!("wrote {}", register.display()), "empty register with one example in comments".into()],
        vec![
            format!("wrote {}", key.display()),
            "signing key, readable by you only. Back it up; keep it out of git.".into(),
        ],
        vec![format!("wrote {}", key.with_extension("vkey").display()), vkey],
        vec![
            String::new(),
            "give this line to your auditor today. If you change `origin`, remove keys/ and run `init` again first".into(),
        ],
    ]);
    output::line(
        "\nNext: 1. two lines per source in actledger.toml   2. actledger check   3. actledger ingest",
    );
    output::line("To see a finished one first: actledger --config deploy/demo/actledger.toml serve");
    Ok(Ended::Well)
}
