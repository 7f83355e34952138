//! Signed notes and checkpoints (C2SP signed-note v1.0.0, tlog-checkpoint v1.0.0), Ed25519.

use super::tree::Hash;
use base64::{Engine, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

const ED25519: u8 = 1;

/// Why a note is not believed.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum NoteError {
    /// Not the form of a signed note.
    #[error("not a signed note: {0}")]
    Form(&'static str),
    /// Not the form of a verifier key.
    #[error("not a verifier key (name+hash+key): {0}")]
    Key(String),
    /// No signature by the key that is expected.
    #[error("no signature by {0}")]
    Unsigned(String),
    /// A signature that names the key and does not fit the text.
    #[error("the signature by {0} does not fit the text")]
    Bad(String),
}

/// A name and a public key: what an outsider needs to check our notes.
#[derive(Clone, Debug, PartialEq)]
pub struct Verifier {
    name: String,
    key: VerifyingKey,
}

impl Verifier {
    /// From the one-line form `name+hash+key`.
    ///
    /// # Errors
    /// Another form, or a hash that does not belong to name and key.
    pub fn parse(vkey: &str) -> Result<Verifier, NoteError> {
        let bad = || NoteError::Key(vkey.trim().chars().take(120).collect());
        let mut parts = vkey.trim().splitn(3, '+');
        let (name, id, key) = (parts.next(), parts.next(), parts.next());
        let bytes = STANDARD.decode(key.ok_or_else(bad)?).map_err(|_| bad())?;
        let key: [u8; 32] = match bytes.split_first() {
            Some((&ED25519, rest)) => rest.try_into().map_err(|_| bad())?,
            _ => return Err(bad()),
        };
        let name = name.filter(|n| !n.is_empty()).ok_or_else(bad)?.to_owned();
        let verifier = Verifier { name, key: VerifyingKey::from_bytes(&key).map_err(|_| bad())? };
        if id.map(str::to_lowercase).as_deref() == Some(verifier.id_hex().as_str()) {
            Ok(verifier)
        } else {
            Err(bad())
        }
    }

    /// The one-line form.
    pub fn vkey(&self) -> String {
        let mut bytes = vec![ED25519];
        bytes.extend_from_slice(self.key.as_bytes());
        format!("{}+{}+{}", self.name, self.id_hex(), STANDARD.encode(bytes))
    }

    /// Name of the key.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// First four bytes of SHA-256(name ‖ LF ‖ type ‖ key), in hex.
    pub fn id_hex(&self) -> String {
        crate::evidence::hex(&self.id())
    }

    /// The same key under the name that it signs other documents with.
    pub fn named(&self, name: &str) -> Verifier {
        Verifier { name: name.to_owned(), key: self.key }
    }

    fn id(&self) -> [u8; 4] {
        let hash = Sha256::new()
            .chain_update(self.name.as_bytes())
            .chain_update([b'\n', ED25519])
            .chain_update(self.key.as_bytes())
            .finalize();
        [hash[0], hash[1], hash[2], hash[3]]
    }

    /// The text of a note, once its signature by this key was checked.
    ///
    /// # Errors
    /// No note, no signature by this key, or a wrong one.
    pub fn open<'a>(&self, note: &'a str) -> Result<&'a str, NoteError> {
        let split = note.rfind("\n\n").ok_or(NoteError::Form("no empty line before the signatures"))?;
        let (text, signatures) = (&note[..=split], &note[split + 2..]);
        if !signatures.ends_with('\n') {
            return Err(NoteError::Form("its last line is cut off"));
        }
        for line in signatures.lines() {
            let Some((name, data)) = line.strip_prefix("\u{2014} ").and_then(|l| l.split_once(' ')) else {
                return Err(NoteError::Form("a signature line does not begin with a dash and a name"));
            };
            let bytes = STANDARD.decode(data).map_err(|_| NoteError::Form("a signature is not base64"))?;
            if name != self.name || bytes.get(..4) != Some(&self.id()) {
                continue;
            }
            let signature =
                Signature::from_slice(&bytes[4..]).map_err(|_| NoteError::Bad(self.name.clone()))?;
            return match self.key.verify_strict(text.as_bytes(), &signature) {
                Ok(()) => Ok(text),
                Err(_) => Err(NoteError::Bad(self.name.clone())),
            };
        }
        Err(NoteError::Unsigned(format!("{}+{}", self.name, self.id_hex())))
    }
}

/// A name and a private key.
pub struct Signer {
    verifier: Verifier,
    key: SigningKey,
}

impl Signer {
    /// From the 32 secret bytes of an Ed25519 key (RFC 8032).
    pub fn new(name: &str, secret: &[u8; 32]) -> Signer {
        let key = SigningKey::from_bytes(secret);
        Signer { verifier: Verifier { name: name.to_owned(), key: key.verifying_key() }, key }
    }
    /// The public side.
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }
    /// The secret bytes, from which pseudonyms are derived.
    pub fn secret(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }
    /// The note of a text, which must end in a newline.
    pub fn sign(&self, text: &str) -> String {
        self.sign_as(&self.verifier.name, text)
    }
    /// A note that others signed, with this key's signature after theirs.
    pub fn cosign(&self, note: &str) -> String {
        let text = note.split_inclusive("\n\n").next().unwrap_or_default();
        let own = self.sign(text.strip_suffix('\n').unwrap_or(text));
        format!("{note}{}", own.rsplit("\n\n").next().unwrap_or_default())
    }
    /// The same under another key name.
    pub fn sign_as(&self, name: &str, text: &str) -> String {
        let mut bytes = self.verifier.named(name).id().to_vec();
        bytes.extend_from_slice(&self.key.sign(text.as_bytes()).to_bytes());
        format!("{text}\n\u{2014} {name} {}\n", STANDARD.encode(bytes))
    }
}

/// What a checkpoint says: the log, its size, its root.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// Name of the log.
    pub origin: String,
    /// Entries.
    pub size: u64,
    /// Root over them.
    pub root: Hash,
}

impl Checkpoint {
    /// The text that is signed.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root))
    }

    /// The root as it is printed.
    pub fn root_base64(&self) -> String {
        STANDARD.encode(self.root)
    }

    /// From the text of a note.
    ///
    /// # Errors
    /// Another form.
    pub fn parse(text: &str) -> Result<Checkpoint, NoteError> {
        let mut lines = text.lines();
        let origin = lines.next().unwrap_or_default().to_owned();
        let size = lines.next().unwrap_or_default();
        let root = STANDARD.decode(lines.next().unwrap_or_default()).ok();
        let plain = size == "0" || !size.starts_with('0');
        match (size.parse(), root.and_then(|r| r.try_into().ok())) {
            (Ok(size), Some(root)) if plain && !origin.is_empty() => Ok(Checkpoint { origin, size, root }),
            _ => Err(NoteError::Form("not the three lines of a checkpoint")),
        }
    }

    /// What a note says, its signatures unchecked.
    ///
    /// # Errors
    /// Another form.
    pub fn unchecked(note: &str) -> Result<Checkpoint, NoteError> {
        let text = note.split("\n\n").next().unwrap_or_default();
        Checkpoint::parse(&format!("{text}\n"))
    }

    /// The last checkpoint note of this origin in some text, a saved mail for example: as it stands, or once the
    /// quoted-printable or base64 of a mail (RFC 2045) is undone.
    pub fn find(origin: &str, text: &str) -> Option<String> {
        let printable = || {
            let bytes = quoted_printable::decode(text, quoted_printable::ParseMode::Robust).ok()?;
            Checkpoint::find_plain(origin, &String::from_utf8_lossy(&bytes))
        };
        let base64 = || {
            let paragraphs = text.split("\n\n").flat_map(|p| p.split("\r\n\r\n"));
            let decoded =
                paragraphs.filter_map(|p| STANDARD.decode(p.split_whitespace().collect::<String>()).ok());
            decoded.filter_map(|b| Checkpoint::find_plain(origin, &String::from_utf8_lossy(&b))).last()
        };
        Checkpoint::find_plain(origin, text).or_else(printable).or_else(base64)
    }

    /// The same in text as people read it: quoting and indents are undone.
    fn find_plain(origin: &str, text: &str) -> Option<String> {
        let lines: Vec<&str> =
            text.lines().map(|l| l.trim_start_matches(['>', ' ', '\t']).trim_end()).collect();
        let starts = lines.iter().enumerate().filter(|(_, l)| **l == origin).map(|(i, _)| i);
        starts.filter_map(|i| note_at(&lines[i..])).next_back()
    }
}

fn note_at(lines: &[&str]) -> Option<String> {
    let text = format!("{}\n{}\n{}\n", lines.first()?, lines.get(1)?, lines.get(2)?);
    Checkpoint::parse(&text).ok()?;
    let signatures: Vec<_> = lines[3..].iter().skip_while(|l| l.is_empty()).collect();
    let signatures: String =
        signatures.iter().take_while(|l| l.starts_with('\u{2014}')).map(|l| format!("{l}\n")).collect();
    (!signatures.is_empty()).then(|| format!("{text}\n{signatures}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_found_in_a_mail_and_a_changed_one_is_refused() {
        let signer = Signer::new("log.example/main", &[7; 32]);
        let checkpoint = Checkpoint { origin: "log.example/main".into(), size: 12, root: [3; 32] };
        let note = signer.sign(&checkpoint.text());
        let mail = format!("Good morning\n> {}\nbye", note.replace('\n', "\n> "));
        let found = Checkpoint::find("log.example/main", &mail).unwrap();
        let verifier = Verifier::parse(&signer.verifier().vkey()).unwrap();
        assert_eq!(Checkpoint::parse(verifier.open(&found).unwrap()).unwrap(), checkpoint);
        let encoded = [quoted_printable::encode_to_str(&mail), STANDARD.encode(&mail)];
        assert!(encoded.iter().all(|e| Checkpoint::find("log.example/main", e).as_ref() == Some(&found)));
        assert!(matches!(verifier.open(&found.replace("12", "13")), Err(NoteError::Bad(_))));
        let other = Signer::new("log.example/main", &[8; 32]);
        assert!(matches!(other.verifier().open(&found), Err(NoteError::Unsigned(_))));
    }

    #[test]
    fn a_note_can_carry_two_signatures() {
        let (old, new) = (Signer::new("log.example", &[1; 32]), Signer::new("log.example", &[2; 32]));
        let note = new.cosign(&old.sign("log.example\n1\nroot\n"));
        assert_eq!(old.verifier().open(&note), new.verifier().open(&note));
        assert_eq!(old.verifier().open(&note), Ok("log.example\n1\nroot\n"));
        assert_eq!(note.lines().count(), 6);
    }

    #[test]
    fn the_example_of_the_specification_verifies() {
        // C2SP signed-note, the example of the text: made by Go's note package.
        let vkey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        let note = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
        assert!(Verifier::parse(vkey).unwrap().open(note).is_ok());
    }
}
