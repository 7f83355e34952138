//! Who may see what: roles, the passes that carry them, signing in, and what is written down of it.

mod guard;
mod login;
mod oidc;
mod pass;
mod passes;
mod viewed;

pub(super) use guard::{guard, limited};
pub(super) use login::{begin, form, leave};
pub(super) use oidc::{SigningIn, begin as to_provider, callback as from_provider};
pub use pass::{Issued, is_ours, issue};
pub(super) use passes::Passes;
pub(super) use viewed::{Class, Viewed};

use serde::{Deserialize, Serialize};

/// What somebody may do. Nobody has rights but by these.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads everything, and exports.
    Auditor,
    /// Runs jobs, and sees how the service is.
    Operator,
    /// Reads of the systems of one team.
    Team(String),
}

impl Role {
    /// In words: `auditor`, `operator`, `team NAME`.
    pub fn told(&self) -> String {
        match self {
            Role::Auditor => "auditor".into(),
            Role::Operator => "operator".into(),
            Role::Team(name) => format!("team {name}"),
        }
    }
}

/// What a route asks of who comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing: health, signing in.
    Nothing,
    /// To read of some system: an auditor everything, a team its own.
    Read,
    /// To read everything.
    Whole,
    /// To see how the service is: an auditor, an operator.
    Service,
    /// To run jobs.
    Operate,
}

impl Need {
    /// Whether a role is enough.
    pub fn allows(self, role: &Role) -> bool {
        match self {
            Need::Nothing => true,
            Need::Read => matches!(role, Role::Auditor | Role::Team(_)),
            Need::Whole => *role == Role::Auditor,
            Need::Service => matches!(role, Role::Auditor | Role::Operator),
            Need::Operate => *role == Role::Operator,
        }
    }
}

/// Who asks.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Viewer {
    /// Name of the token, or of the person; none where nobody is asked.
    pub name: Option<String>,
    /// What they may do.
    pub roles: Vec<Role>,
    /// Beginning of the digest of session or token.
    pub session: String,
    /// What they hold: the digest of a token, or `oidc`, issuer and subject.
    pub holder: String,
    /// Whether it is a session, which can be ended.
    pub is_session: bool,
}

impl Viewer {
    /// Whoever is on this machine, of a service that asks nobody.
    pub(super) fn local() -> Viewer {
        Viewer {
            name: None,
            roles: vec![Role::Auditor, Role::Operator],
            session: "local".into(),
            holder: "local".into(),
            is_session: false,
        }
    }

    /// Whether they may ask for what needs that.
    pub(super) fn may(&self, need: Need) -> bool {
        need == Need::Nothing || self.roles.iter().any(|role| need.allows(role))
    }

    /// The team whose systems are shown; none for all systems.
    pub(super) fn team(&self) -> Option<&str> {
        if self.may(Need::Whole) {
            return None;
        }
        self.roles.iter().find_map(|role| match role {
            Role::Team(name) => Some(name.as_str()),
            _ => None,
        })
    }
}
