//! RFC 3161: asking a time-stamp authority, and checking what it answered.
//!
//! The imprint is the SHA-256 of a checkpoint's whole signed note, so that
//! `openssl ts -verify -data checkpoint.txt -in token.tsr -CAfile ca.pem` checks a token without us.

use super::{AnchorError, told, wait};
use crate::evidence::Time;
use cms::cert::CertificateChoices;
use cms::content_info::ContentInfo;
use cms::signed_data::{SignedData, SignerIdentifier, SignerInfo};
use der::asn1::{Int, ObjectIdentifier, OctetString};
use der::{Any, Decode, Encode};
use rustls::pki_types::{
    CertificateDer, SignatureVerificationAlgorithm, TrustAnchor, UnixTime, pem::PemObject,
};
use sha2::{Digest, Sha256, Sha384, Sha512};
use std::time::Duration;
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert, ring};
use x509_tsp::{MessageImprint, TimeStampReq, TimeStampResp, TspVersion, TstInfo};

/// An answer longer than this is refused: a token with its certificates has a few kilobytes.
pub const LONGEST_ANSWER: usize = 65_536;
/// How long the authority may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// How far the authority's clock may be from ours when it answers.
const CLOCKS_APART_SECONDS: i64 = 600;

const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
const SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");
/// id-ct-TSTInfo
const TST_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.4");
/// id-contentType and id-messageDigest
const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
/// id-kp-timeStamping, 1.3.6.1.5.5.7.3.8, as DER has it.
const TIME_STAMPING: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 8];

const ALGORITHMS: &[&dyn SignatureVerificationAlgorithm] = &[
    ring::RSA_PKCS1_2048_8192_SHA256,
    ring::RSA_PKCS1_2048_8192_SHA384,
    ring::RSA_PKCS1_2048_8192_SHA512,
    ring::ECDSA_P256_SHA256,
    ring::ECDSA_P256_SHA384,
    ring::ECDSA_P384_SHA256,
    ring::ECDSA_P384_SHA384,
    ring::ED25519,
];

/// A token that verifies.
#[derive(Clone, Debug, PartialEq)]
pub struct Stamp {
    /// The response as it came, DER.
    pub token: Vec<u8>,
    /// The time that the authority states.
    pub at: Time,
}

/// The authorities whose tokens are believed.
pub struct Authorities(Vec<CertificateDer<'static>>);

impl Authorities {
    /// Certificates in PEM.
    ///
    /// # Errors
    /// None is in it.
    pub fn parse(pem: &[u8]) -> Result<Authorities, AnchorError> {
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        match found {
            Ok(found) if !found.is_empty() => Ok(Authorities(found)),
            _ => Err(AnchorError::Config {
                key: "timestamp.ca_file",
                what: "holds no certificate in PEM".into(),
            }),
        }
    }

    fn anchors(&self) -> Result<Vec<TrustAnchor<'_>>, AnchorError> {
        let anchors = self.0.iter().map(anchor_from_trusted_cert).collect::<Result<_, _>>();
        anchors.map_err(|e| AnchorError::Config { key: "timestamp.ca_file", what: e.to_string() })
    }
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
        let hash_algorithm = spki(SHA256)?;
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

fn spki(oid: ObjectIdentifier) -> der::Result<cms::cert::x509::spki::AlgorithmIdentifierOwned> {
    Ok(cms::cert::x509::spki::AlgorithmIdentifierOwned { oid, parameters: Some(Any::null()) })
}

async fn ask(url: &str, question: Vec<u8>) -> Result<Vec<u8>, AnchorError> {
    // The first installer wins; all of ours install this one.
    let _ = rustls::crypto::ring::default_provider().install_default();
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

/// Checks a token over a checkpoint's note: granted, this imprint, this nonce, signed by a certificate that is for
/// time-stamping and was good at the stated time under one of the authorities. Gives that time.
///
/// # Errors
/// The first of these that does not hold.
pub fn check(
    token: &[u8],
    note: &str,
    nonce: Option<&[u8]>,
    authorities: &Authorities,
) -> Result<Time, AnchorError> {
    let answer = |e: der::Error| AnchorError::Answer(format!("it is no time-stamp response: {e}"));
    let wrong = |what: &str| Err(AnchorError::Answer(what.to_owned()));
    let response = TimeStampResp::from_der(token).map_err(answer)?;
    let content = match response.time_stamp_token {
        Some(content) if (response.status.status as u32) < 2 => content,
        _ => return wrong(&format!("not granted, status {}", response.status.status as u32)),
    };
    let signed = signed_data(&content).map_err(answer)?;
    let Some(octets) = signed
        .encap_content_info
        .econtent
        .as_ref()
        .filter(|_| signed.encap_content_info.econtent_type == TST_INFO)
    else {
        return wrong("it holds no TSTInfo");
    };
    let info = TstInfo::from_der(octets.value()).map_err(answer)?;
    let imprint = &info.message_imprint;
    if imprint.hash_algorithm.oid != SHA256
        || imprint.hashed_message.as_bytes() != Sha256::digest(note).as_slice()
    {
        return wrong("it stamps something else");
    }
    if nonce.is_some_and(|asked| info.nonce.as_ref().map(Int::as_bytes) != Some(asked)) {
        return wrong("it answers another question");
    }
    let at =
        Time::from_seconds(i64::try_from(info.gen_time.to_unix_duration().as_secs()).unwrap_or(i64::MAX));
    let [signer] = signed.signer_infos.0.as_slice() else { return wrong("it is not signed once") };
    let certificates = certificates(&signed).map_err(answer)?;
    verify(signer, octets.value(), &certificates, authorities, info.gen_time.to_unix_duration())?;
    Ok(at)
}

fn signed_data(content: &ContentInfo) -> der::Result<SignedData> {
    content.content.decode_as()
}

/// The certificates of a token: DER, and what names the signer's.
fn certificates(signed: &SignedData) -> der::Result<Vec<(Vec<u8>, cms::cert::x509::Certificate)>> {
    let all = signed.certificates.iter().flat_map(|c| c.0.iter());
    let plain = all.filter_map(|c| match c {
        CertificateChoices::Certificate(c) => Some(c),
        CertificateChoices::Other(_) => None,
    });
    plain.map(|c| Ok((c.to_der()?, c.clone()))).collect()
}

fn verify(
    signer: &SignerInfo,
    content: &[u8],
    certificates: &[(Vec<u8>, cms::cert::x509::Certificate)],
    authorities: &Authorities,
    at: Duration,
) -> Result<(), AnchorError> {
    let wrong = |what: String| AnchorError::Answer(what);
    let named = |c: &cms::cert::x509::Certificate| match &signer.sid {
        SignerIdentifier::IssuerAndSerialNumber(n) => {
            n.issuer == c.tbs_certificate.issuer && n.serial_number == c.tbs_certificate.serial_number
        }
        SignerIdentifier::SubjectKeyIdentifier(_) => false,
    };
    let own = certificates
        .iter()
        .find(|(_, c)| named(c))
        .ok_or_else(|| wrong("the signer's certificate is not in it".into()))?;
    let own_der = CertificateDer::from(own.0.clone());
    let others: Vec<CertificateDer<'_>> =
        certificates.iter().map(|(d, _)| CertificateDer::from(d.clone())).collect();
    let certificate = EndEntityCert::try_from(&own_der).map_err(|e| wrong(e.to_string()))?;
    let anchors = authorities.anchors()?;
    let usage = KeyUsage::required(TIME_STAMPING);
    certificate
        .verify_for_usage(ALGORITHMS, &anchors, &others, UnixTime::since_unix_epoch(at), usage, None, None)
        .map_err(|e| wrong(format!("its certificate was not good for time-stamping then: {e}")))?;
    let attributes = signed_attributes(signer, content)?;
    let signature = signer.signature.as_bytes();
    let fits = |a: &&dyn SignatureVerificationAlgorithm| {
        certificate.verify_signature(*a, &attributes, signature).is_ok()
    };
    ALGORITHMS.iter().any(fits).then_some(()).ok_or_else(|| wrong("its signature does not fit".into()))
}

/// The signed attributes as they were signed (RFC 5652, 5.4), once they name the content.
fn signed_attributes(signer: &SignerInfo, content: &[u8]) -> Result<Vec<u8>, AnchorError> {
    let wrong = |what: &str| AnchorError::Answer(what.to_owned());
    let attributes = signer.signed_attrs.as_ref().ok_or_else(|| wrong("it has no signed attributes"))?;
    let value = |oid: ObjectIdentifier| {
        let found = attributes.iter().find(|a| a.oid == oid)?;
        found.values.iter().next().cloned()
    };
    let digest = match signer.digest_alg.oid {
        SHA256 => Sha256::digest(content).to_vec(),
        SHA384 => Sha384::digest(content).to_vec(),
        SHA512 => Sha512::digest(content).to_vec(),
        other => return Err(AnchorError::Answer(format!("it uses the digest {other}"))),
    };
    let said = value(MESSAGE_DIGEST).and_then(|v| v.decode_as::<OctetString>().ok());
    let kind = value(CONTENT_TYPE).and_then(|v| v.decode_as::<ObjectIdentifier>().ok());
    if said.as_ref().map(OctetString::as_bytes) != Some(&digest[..]) || kind != Some(TST_INFO) {
        return Err(wrong("its signed attributes name another content"));
    }
    attributes.to_der().map_err(|e| AnchorError::Answer(e.to_string()))
}
