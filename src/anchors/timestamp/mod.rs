//! RFC 3161: asking a time-stamp authority, and checking what it answered.
//!
//! The imprint is the SHA-256 of a checkpoint's whole signed note, so that
//! `openssl ts -verify -data checkpoint.txt -in token.tsr -CAfile ca.pem` checks a token without us.

mod token;

pub use token::{Authorities, check};

use super::{AnchorError, wait};
use crate::evidence::Time;
use crate::sources::{install_crypto, told};
use cms::cert::x509::spki::AlgorithmIdentifierOwned;
use der::asn1::{Int, OctetString};
use der::{Any, Encode};
use sha2::{Digest, Sha256};
use std::time::Duration;
use token::SHA256;
use x509_tsp::{MessageImprint, TimeStampReq, TspVersion};

/// An answer longer than this is refused: a token with its certificates has a few kilobytes.
pub const LONGEST_ANSWER: usize = 65_536;
/// How long the authority may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// How far the authority's clock may be from ours when it answers.
const CLOCKS_APART_SECONDS: i64 = 600;

/// A token that verifies.
#[derive(Clone, Debug, PartialEq)]
pub struct Stamp {
    /// The response as it came, DER.
    pub token: Vec<u8>,
    /// The time that the authority states.
    pub at: Time,
}

/// Asks an authority to stamp a checkpoint's note, and checks the answer. `nonce` ties the answer to the question.
///
/// # Errors
/// It cannot be reached, refuses, or answers something that does not verify.
pub fn stamp(
    url: &str,
    note: &str,
    nonce: [u8; 8],
    authorities: &Authorities,
    now: Time,
) -> Result<Stamp, AnchorError> {
    let nonce = question_nonce(nonce);
    let token = wait(ask(url, question(note, &nonce)?))?;
    let at = check(&token, note, Some(&nonce), authorities)?;
    if at.since(now).as_secs().abs() > CLOCKS_APART_SECONDS {
        return Err(AnchorError::Answer(format!("it states the time {at}, and here it is {now}")));
    }
    Ok(Stamp { token, at })
}

/// A positive number without leading zeros, as DER wants it.
fn question_nonce(random: [u8; 8]) -> Vec<u8> {
    let mut nonce = random.to_vec();
    nonce[0] = nonce[0] & 0x3f | 0x40;
    nonce
}

fn question(note: &str, nonce: &[u8]) -> Result<Vec<u8>, AnchorError> {
    let built = || -> der::Result<Vec<u8>> {
        let hash_algorithm = AlgorithmIdentifierOwned { oid: SHA256, parameters: Some(Any::null()) };
        let hashed_message = OctetString::new(Sha256::digest(note).to_vec())?;
        let request = TimeStampReq {
            version: TspVersion::V1,
            message_imprint: MessageImprint { hash_algorithm, hashed_message },
            req_policy: None,
            nonce: Some(Int::new(nonce)?),
            cert_req: true,
            extensions: None,
        };
        request.to_der()
    };
    built().map_err(|e| AnchorError::Answer(e.to_string()))
}

async fn ask(url: &str, question: Vec<u8>) -> Result<Vec<u8>, AnchorError> {
    install_crypto();
    let outside = |e: reqwest::Error| AnchorError::Outside(told(&e));
    let client = reqwest::Client::builder().timeout(PATIENCE).build().map_err(outside)?;
    let request = client.post(url).header("Content-Type", "application/timestamp-query").body(question);
    let mut reply = request.send().await.and_then(reqwest::Response::error_for_status).map_err(outside)?;
    let mut answer = Vec::new();
    while let Some(piece) = reply.chunk().await.map_err(outside)? {
        answer.extend_from_slice(&piece);
        if answer.len() > LONGEST_ANSWER {
            return Err(AnchorError::Answer(format!("it is longer than {LONGEST_ANSWER} bytes")));
        }
    }
    Ok(answer)
}
