//! `actledger token`

use super::args::{RoleName, Token};
use super::{CliError, Ended, output};
use crate::config::WebAuth;
use crate::jobs::Desk;
use crate::report::Zone;
use crate::store::{Access, Pass};
use crate::web::{self, Role};
use anyhow::Context;

/// A token ends: at the latest after a year.
const DAYS: i64 = 366;

pub(super) fn run(desk: &Desk, command: &Token) -> Result<Ended, CliError> {
    // Makes the ledger where there is none.
    let _store = desk.store()?;
    let access = Access::open(&desk.config.ledger.path)?;
    match command {
        Token::Add { name, role, team, days } => {
            let role = role_of(*role, team.as_deref())?;
            add(desk, &access, (name, role, *days))
        }
        Token::List => list(desk, &access),
        Token::Revoke { name } if access.revoke(name)? => {
            output::line(format!("{name} is revoked, and so are the sessions that began with it."));
            Ok(Ended::Well)
        }
        Token::Revoke { name } => Err(CliError::Usage(format!("no token is named {name:?}"))),
    }
}

fn role_of(role: RoleName, team: Option<&str>) -> Result<Role, CliError> {
    match (role, team.filter(|t| !t.trim().is_empty())) {
        (RoleName::Auditor, None) => Ok(Role::Auditor),
        (RoleName::Operator, None) => Ok(Role::Operator),
        (RoleName::Team, Some(team)) => Ok(Role::Team(team.to_owned())),
        (RoleName::Team, None) => Err(CliError::Usage("--role team needs --team NAME".into())),
        _ => Err(CliError::Usage("--team goes with --role team".into())),
    }
}

fn add(desk: &Desk, access: &Access, (name, role, days): (&str, Role, i64)) -> Result<Ended, CliError> {
    let taken = access.tokens()?.iter().any(|t| t.name == name);
    let is_name = !name.trim().is_empty() && !name.chars().any(char::is_control);
    if taken || !is_name {
        let why = if taken { "is taken: revoke it first" } else { "is no name" };
        return Err(CliError::Usage(format!("{name:?} {why}")));
    }
    if !(1..=DAYS).contains(&days) {
        return Err(CliError::Usage(format!("--days {days}: 1 to {DAYS}")));
    }
    let now = desk.clock.now();
    let random = desk.randomness.bytes(&format!("token {name} {now}")).context("no random bytes")?;
    let (told, ends) = (role.told(), now.plus_days(days));
    let issued = web::issue(desk.signer.secret(), &random, (name, &[role], None), (now, ends));
    access.add(&issued.pass)?;
    output::line(&issued.secret);
    if desk.config.web.auth == WebAuth::None {
        output::note("The pages ask for no token now: set [web] auth = \"token\" and start serve again.");
    }
    let day = Zone::named(&desk.config.timezone).day(ends);
    output::note(format!(
        "For {told}, until {day}. This is shown once: sign in with it on the pages, or send it as a bearer token."
    ));
    Ok(Ended::Well)
}

fn list(desk: &Desk, access: &Access) -> Result<Ended, CliError> {
    let zone = Zone::named(&desk.config.timezone);
    let mut ended = Ended::Well;
    for token in access.tokens()? {
        let is_ours = web::is_ours(desk.signer.secret(), &token);
        let is_over = desk.clock.now() >= token.expires;
        let state = match (is_ours, is_over) {
            (false, _) => "  NOT MADE BY US: it is not accepted",
            (true, true) => "  OVER",
            (true, false) => "",
        };
        let days = format!("made {}, until {}", zone.day(token.created), zone.day(token.expires));
        output::line(format!("{}  {}  {days}{state}", token.name, roles(&token)));
        if !is_ours {
            ended = Ended::Something;
        }
    }
    Ok(ended)
}

fn roles(token: &Pass) -> String {
    let roles: Vec<Role> = serde_json::from_str(&token.roles).unwrap_or_default();
    roles.iter().map(Role::told).collect::<Vec<_>>().join(", ")
}
