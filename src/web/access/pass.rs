//! Making and believing passes. Of a secret only its SHA-256 is kept, and a keyed hash over the row.

use super::{Role, Viewer};
use crate::evidence::{Time, hex, keyed, sha256_hex};
use crate::store::Pass;

/// A pass with its secret, which is shown once.
pub struct Issued {
    /// The secret.
    pub secret: String,
    /// What is kept of it.
    pub pass: Pass,
}

/// Makes a pass from random bytes.
pub fn issue(
    key: &[u8; 32],
    random: &[u8; 32],
    (name, roles, session_of): (&str, &[Role], Option<String>),
    (created, expires): (Time, Time),
) -> Issued {
    let secret = format!("act_{}", hex(random));
    let roles = serde_json::to_string(roles).unwrap_or_default();
    let sha256 = sha256_hex(secret.as_bytes());
    let pass = Pass { sha256, session_of, name: name.into(), roles, created, expires, mac: String::new() };
    let mac = mac(key, &pass);
    Issued { secret, pass: Pass { mac, ..pass } }
}

/// Whether this service wrote the row.
pub fn is_ours(key: &[u8; 32], p: &Pass) -> bool {
    mac(key, p) == p.mac
}

fn mac(key: &[u8; 32], p: &Pass) -> String {
    let row = (&p.sha256, &p.session_of, &p.name, &p.roles, p.created.millis(), p.expires.millis());
    let row = serde_json::to_string(&("actledger pass", row)).unwrap_or_default();
    hex(&keyed(key, row.as_bytes()))
}

/// Who a pass stands for; nobody when it is not ours or is over.
pub(super) fn viewer(key: &[u8; 32], p: &Pass, now: Time) -> Option<Viewer> {
    let roles = serde_json::from_str(&p.roles).ok()?;
    let is_good = is_ours(key, p) && now < p.expires;
    let (session, is_session) = (p.sha256[..16].to_owned(), p.session_of.is_some());
    let holder = p.session_of.clone().unwrap_or_else(|| p.sha256.clone());
    is_good.then(|| Viewer { name: Some(p.name.clone()), roles, session, holder, is_session })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_was_changed_is_not_believed_and_a_pass_ends() {
        let (now, end) = (Time::from_seconds(1_000), Time::from_seconds(2_000));
        let Issued { pass, .. } = issue(&[1; 32], &[2; 32], ("ann", &[Role::Auditor], None), (now, end));
        assert_eq!(viewer(&[1; 32], &pass, now).map(|v| v.roles), Some(vec![Role::Auditor]));
        assert_eq!(viewer(&[1; 32], &pass, end), None);
        assert_eq!(viewer(&[3; 32], &pass, now), None);
        for changed in [
            Pass { roles: r#"["operator"]"#.into(), ..pass.clone() },
            Pass { expires: end.plus_seconds(1), ..pass.clone() },
            Pass { session_of: Some(String::new()), ..pass.clone() },
            Pass { name: "bob".into(), ..pass },
        ] {
            assert_eq!(viewer(&[1; 32], &changed, now), None);
        }
    }
}
