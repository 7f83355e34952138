//! Checking an RFC 3161 token, as `openssl ts -verify` does.

use crate::anchors::AnchorError;
use crate::evidence::Time;
use cms::cert::CertificateChoices;
use cms::cert::x509::Certificate;
use cms::cert::x509::ext::Extensions;
use cms::cert::x509::ext::pkix::ExtendedKeyUsage;
use cms::cert::x509::ext::pkix::name::GeneralName;
use cms::cert::x509::spki::AlgorithmIdentifierOwned;
use cms::content_info::ContentInfo;
use cms::signed_data::{SignedAttributes, SignedData, SignerIdentifier, SignerInfo};
use der::asn1::{Int, ObjectIdentifier, OctetString};
use der::{Any, Decode, Encode, Sequence, Tag, Tagged};
use rustls::pki_types::{
    CertificateDer, SignatureVerificationAlgorithm, TrustAnchor, UnixTime, pem::PemObject,
};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};
use std::time::Duration;
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert, ring};
use x509_tsp::{Accuracy, MessageImprint, TimeStampResp, TspVersion};

pub(super) const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
const SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");
/// id-ct-TSTInfo
const TST_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.4");
/// id-contentType and id-messageDigest
const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
/// id-aa-signingCertificate (RFC 2634) and id-aa-signingCertificateV2 (RFC 5035)
const SIGNING_CERTIFICATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.12");
const SIGNING_CERTIFICATE_2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.47");
const SHA1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.14.3.2.26");
/// id-ce-extKeyUsage
const EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");
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

/// TSTInfo of RFC 3161, 2.4.2, whose time may have fractions of a second, which DER libraries refuse.
#[derive(Sequence)]
struct Info {
    version: TspVersion,
    policy: ObjectIdentifier,
    message_imprint: MessageImprint,
    serial_number: Int,
    gen_time: Any,
    #[asn1(optional = "true")]
    accuracy: Option<Accuracy>,
    #[asn1(default = "Default::default")]
    ordering: bool,
    #[asn1(optional = "true")]
    nonce: Option<Int>,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    tsa: Option<GeneralName>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    extensions: Option<Extensions>,
}

impl Info {
    /// The stated time, `YYYYMMDDhhmmss[.f]Z`.
    fn at(&self) -> Option<Time> {
        let text = str::from_utf8(self.gen_time.value()).ok();
        let text = text.filter(|_| self.gen_time.tag() == Tag::GeneralizedTime)?.strip_suffix('Z')?;
        let civil = jiff::civil::DateTime::strptime("%Y%m%d%H%M%S%.f", text).ok()?;
        let zoned = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
        Some(Time::from_millis(zoned.timestamp().as_millisecond()))
    }
}

/// SigningCertificate and SigningCertificateV2: which certificate signed, by digest.
#[derive(Sequence)]
struct SigningCertificate {
    certificates: Vec<CertificateId>,
    #[asn1(optional = "true")]
    policies: Option<Any>,
}

/// ESSCertID, and with an algorithm ESSCertIDv2.
#[derive(Sequence)]
struct CertificateId {
    #[asn1(optional = "true")]
    algorithm: Option<AlgorithmIdentifierOwned>,
    digest: OctetString,
    #[asn1(optional = "true")]
    issuer_serial: Option<Any>,
}

/// Checks a token over a checkpoint's note: granted, this imprint, this nonce, signed by a certificate that is for
/// time-stamping alone and was good at the stated time under one of the authorities. Gives that time.
///
/// # Errors
/// The first of these that does not hold; [`AnchorError::Authority`] when all of the token holds but who signed it is
/// none of the authorities.
pub fn check(
    token: &[u8],
    note: &str,
    nonce: Option<&[u8]>,
    authorities: &Authorities,
) -> Result<Time, AnchorError> {
    let answer = |e: der::Error| AnchorError::Answer(format!("it is no time-stamp response: {e}"));
    let response = TimeStampResp::from_der(token).map_err(answer)?;
    let content = match response.time_stamp_token {
        Some(content) if (response.status.status as u32) < 2 => content,
        _ => return wrong(&format!("not granted, status {}", response.status.status as u32)),
    };
    let signed = signed_data(&content).map_err(answer)?;
    let content = &signed.encap_content_info;
    let octets = content.econtent.as_ref().filter(|_| content.econtent_type == TST_INFO);
    let Some(octets) = octets.map(Any::value) else { return wrong("it holds no TSTInfo") };
    let info = Info::from_der(octets).map_err(answer)?;
    let imprint = &info.message_imprint;
    if imprint.hash_algorithm.oid != SHA256
        || imprint.hashed_message.as_bytes() != Sha256::digest(note).as_slice()
    {
        return wrong("it stamps something else");
    }
    if nonce.is_some_and(|asked| info.nonce.as_ref().map(Int::as_bytes) != Some(asked)) {
        return wrong("it answers another question");
    }
    let Some(at) = info.at() else { return wrong("it states no time") };
    let [signer] = signed.signer_infos.0.as_slice() else { return wrong("it is not signed once") };
    verify(signer, octets, &certificates(&signed).map_err(answer)?, authorities, at)?;
    Ok(at)
}

fn wrong<T>(what: &str) -> Result<T, AnchorError> {
    Err(AnchorError::Answer(what.to_owned()))
}

fn signed_data(content: &ContentInfo) -> der::Result<SignedData> {
    content.content.decode_as()
}

/// The certificates of a token: DER, and what names the signer's.
fn certificates(signed: &SignedData) -> der::Result<Vec<(Vec<u8>, Certificate)>> {
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
    certificates: &[(Vec<u8>, Certificate)],
    authorities: &Authorities,
    at: Time,
) -> Result<(), AnchorError> {
    let named = |c: &Certificate| match &signer.sid {
        SignerIdentifier::IssuerAndSerialNumber(n) => {
            n.issuer == c.tbs_certificate.issuer && n.serial_number == c.tbs_certificate.serial_number
        }
        SignerIdentifier::SubjectKeyIdentifier(_) => false,
    };
    let Some((own, parsed)) = certificates.iter().find(|(_, c)| named(c)) else {
        return wrong("the signer's certificate is not in it");
    };
    if !for_time_stamps_alone(parsed) {
        return wrong("its certificate is not for time-stamping alone, or does not say so critically");
    }
    let attributes = signed_attributes(signer, content)?;
    if !names_certificate(attributes, own) {
        return wrong("its signed attributes name another certificate, or none");
    }
    let own = CertificateDer::from(own.as_slice());
    let certificate = EndEntityCert::try_from(&own).or_else(|e| wrong(&e.to_string()))?;
    let attributes = attributes.to_der().or_else(|e| wrong(&e.to_string()))?;
    let signature = signer.signature.as_bytes();
    let fits = |a: &&dyn SignatureVerificationAlgorithm| {
        certificate.verify_signature(*a, &attributes, signature).is_ok()
    };
    if !ALGORITHMS.iter().any(fits) {
        return wrong("its signature does not fit");
    }
    let others: Vec<_> = certificates.iter().map(|(d, _)| CertificateDer::from(d.as_slice())).collect();
    let usage = KeyUsage::required(TIME_STAMPING);
    let then = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(at.seconds()).unwrap_or(0)));
    certificate
        .verify_for_usage(ALGORITHMS, &authorities.anchors()?, &others, then, usage, None, None)
        .map_err(|e| AnchorError::Authority(e.to_string()))?;
    Ok(())
}

/// RFC 3161, 2.3: one extended key usage, for time-stamping, marked critical.
fn for_time_stamps_alone(certificate: &Certificate) -> bool {
    let all = certificate.tbs_certificate.extensions.iter().flatten();
    let usages: Vec<_> = all.filter(|e| e.extn_id == EXTENDED_KEY_USAGE).collect();
    let [usage] = usages[..] else { return false };
    let purposes = ExtendedKeyUsage::from_der(usage.extn_value.as_bytes()).map(|u| u.0);
    usage.critical && purposes.is_ok_and(|p| matches!(&p[..], [one] if one.as_bytes() == TIME_STAMPING))
}

fn attribute(attributes: &SignedAttributes, oid: ObjectIdentifier) -> Option<Any> {
    attributes.iter().find(|a| a.oid == oid)?.values.iter().next().cloned()
}

/// The signed attributes, once they name the content (RFC 5652, 5.4).
fn signed_attributes<'a>(
    signer: &'a SignerInfo,
    content: &[u8],
) -> Result<&'a SignedAttributes, AnchorError> {
    let Some(attributes) = &signer.signed_attrs else { return wrong("it has no signed attributes") };
    let Some(digest) = digest(signer.digest_alg.oid, content) else {
        return wrong(&format!("it uses the digest {}", signer.digest_alg.oid));
    };
    let said = attribute(attributes, MESSAGE_DIGEST).and_then(|v| v.decode_as::<OctetString>().ok());
    let kind = attribute(attributes, CONTENT_TYPE).and_then(|v| v.decode_as::<ObjectIdentifier>().ok());
    if said.as_ref().map(OctetString::as_bytes) != Some(&digest[..]) || kind != Some(TST_INFO) {
        return wrong("its signed attributes name another content");
    }
    Ok(attributes)
}

/// Whether the signed attributes name the signer's certificate first (RFC 3161, 2.4.2; RFC 5816).
fn names_certificate(attributes: &SignedAttributes, certificate: &[u8]) -> bool {
    let forms = [(SIGNING_CERTIFICATE_2, SHA256), (SIGNING_CERTIFICATE, SHA1)];
    let said: Vec<_> = forms.into_iter().filter_map(|(o, d)| Some((attribute(attributes, o)?, d))).collect();
    let fits = |(value, default): &(Any, ObjectIdentifier)| {
        let Ok(named) = value.decode_as::<SigningCertificate>() else { return false };
        let Some(first) = named.certificates.first() else { return false };
        let oid = first.algorithm.as_ref().map_or(*default, |a| a.oid);
        digest(oid, certificate).is_some_and(|d| d == first.digest.as_bytes())
    };
    !said.is_empty() && said.iter().all(fits)
}

fn digest(oid: ObjectIdentifier, bytes: &[u8]) -> Option<Vec<u8>> {
    Some(match oid {
        SHA1 => Sha1::digest(bytes).to_vec(),
        SHA256 => Sha256::digest(bytes).to_vec(),
        SHA384 => Sha384::digest(bytes).to_vec(),
        SHA512 => Sha512::digest(bytes).to_vec(),
        _ => return None,
    })
}
