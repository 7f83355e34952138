//! `actledger token`

use super::args::Token;
use super::{CliError, Ended, output};
use crate::jobs::Desk;
use crate::web;
use anyhow::Context;

pub(super) fn run(desk: &Desk, command: &Token) -> Result<Ended, CliError> {
    let store = desk.store()?;
    let secret = desk.signer.secret();
    match command {
        Token::Add { name } => {
            let taken = store.state().tokens()?.iter().any(|t| t[0] == *name);
            if name.trim().is_empty() || taken {
                let why = if taken { "is taken: revoke it first" } else { "is no name" };
                return Err(CliError::Usage(format!("{name:?} {why}")));
            }
            let now = desk.clock.now().to_string();
            let bytes = desk.randomness.bytes(&format!("token {name} {now}")).context("no random bytes")?;
            let token = format!("act_{}", crate::evidence::hex(&bytes));
            let sha256 = web::token_sha256(&token);
            let mac = web::mac(secret, name, &sha256, &now);
            store.state().add_token(&[name.clone(), sha256, now, mac])?;
            output::line(&token);
            if desk.config.web.auth == crate::config::WebAuth::None {
                output::note(
                    "The pages ask for no token now: set [web] auth = \"token\" and start serve again.",
                );
            }
            output::note(
                "This is shown once. It is the password of the pages (any user name), or a bearer token.",
            );
            Ok(Ended::Well)
        }
        Token::List => {
            let mut ended = Ended::Well;
            for [name, sha256, created, mac] in store.state().tokens()? {
                let ours = web::mac(secret, &name, &sha256, &created) == mac;
                output::line(format!(
                    "{name}  made {created}{}",
                    if ours { "" } else { "  NOT MADE BY US: it is not accepted" }
                ));
                if !ours {
                    ended = Ended::Something;
                }
            }
            Ok(ended)
        }
        Token::Revoke { name } => {
            if store.state().revoke_token(name)? {
                output::line(format!(
                    "{name} is revoked; a running `serve` learns it when it is started again"
                ));
                Ok(Ended::Well)
            } else {
                Err(CliError::Usage(format!("no token is named {name:?}")))
            }
        }
    }
}
