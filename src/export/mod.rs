//! Evidence for outsiders: the bundle that is checked without us, OSCAL, OCSF. Pure: bytes in, bytes out.

pub mod bundle;
pub mod ocsf;
pub mod oscal;

use sha2::{Digest, Sha256};

/// A UUID of version 5 shape from a name (RFC 9562): the same name, the same id.
fn uuid(name: &str) -> String {
    let mut b: [u8; 16] = std::array::from_fn(|i| Sha256::digest(format!("actledger {name}").as_bytes())[i]);
    b[6] = (b[6] & 0x0F) | 0x50;
    b[8] = (b[8] & 0x3F) | 0x80;
    let h = crate::evidence::hex(&b);
    format!("{}-{}-{}-{}-{}", &h[..8], &h[8..12], &h[12..16], &h[16..20], &h[20..])
}
