//! What verification needs to know of an entry, read from its bytes in one pass.

use super::scan::{Member, members};
use std::borrow::Cow;

/// Members of an entry, in canonical order.
const MEMBERS: [&[u8]; 8] =
    [b"key", b"kind", b"occurred_at", b"payload", b"recorded_at", b"source", b"subject", b"v"];

/// The parts of an entry that the tree, the keys and what stands beside it depend on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Header<'a> {
    /// Version of its format.
    pub v: i64,
    /// Dotted name of its kind.
    pub kind: &'a str,
    /// Configured name of its source.
    pub source: Cow<'a, str>,
    /// What makes an event the same.
    pub key: Cow<'a, str>,
    /// What it speaks of.
    pub subject: Cow<'a, str>,
    /// When it was recorded, as written: of fixed width, so that text order is time order.
    pub recorded_at: &'a str,
    /// When it happened or was seen, as written.
    pub occurred_at: &'a str,
    /// The payload as written.
    pub payload: &'a [u8],
    /// Blobs that the payload names.
    pub blobs: Vec<BlobName<'a>>,
    /// Sealed values.
    pub sealed: Vec<Sealed>,
}

/// A blob as an entry names it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BlobName<'a> {
    /// Lower-case hex SHA-256.
    pub sha256: &'a str,
    /// `json` or `text`; empty in entries of version 0.
    pub form: &'a str,
    /// Its bytes; none in entries that do not say.
    pub size: Option<u64>,
}

/// A sealed value.
#[derive(Clone, Debug, PartialEq)]
pub struct Sealed {
    /// Base64 of SHA-256(salt ‖ value).
    pub commitment: String,
    /// Base64 of the first 12 bytes of the keyed hash.
    pub reference: String,
}

impl<'a> Header<'a> {
    /// Reads an entry. None when the bytes are not canonical, or not an entry of a version that is known.
    pub fn read(bytes: &'a [u8]) -> Option<Header<'a>> {
        let (mut header, mut place, mut good, mut blob) = (Header::default(), 0, true, BlobName::default());
        let mut sealed = SealedValues::default();
        let canonical = members(bytes, &mut |m| {
            sealed.met(&m);
            match m.depth {
                1 => {
                    good &= MEMBERS.get(place) == Some(&m.name) && header.take(&m);
                    place += 1;
                }
                2 if !blob.sha256.is_empty() => header.names(std::mem::take(&mut blob)),
                3 => blob.met(&m),
                _ => {}
            }
        });
        header.sealed = sealed.found;
        (canonical && good && place == MEMBERS.len()).then_some(header)
    }

    fn take(&mut self, m: &Member<'a>) -> bool {
        match m.name {
            b"v" => {
                self.v = if m.value == b"1" { 1 } else { 0 };
                m.value == b"0" || m.value == b"1"
            }
            b"payload" => {
                self.payload = m.value;
                m.value.starts_with(b"{")
            }
            b"kind" => m.text().map(|t| self.kind = t).is_some(),
            b"recorded_at" => m.text().filter(|t| is_time(t)).map(|t| self.recorded_at = t).is_some(),
            b"occurred_at" => m.text().filter(|t| is_time(t)).map(|t| self.occurred_at = t).is_some(),
            b"source" => m.string().map(|t| self.source = t).is_some(),
            b"key" => m.string().map(|t| self.key = t).is_some(),
            b"subject" => m.string().map(|t| self.subject = t).is_some(),
            _ => false,
        }
    }

    /// Adds a blob once, however many members name it.
    fn names(&mut self, blob: BlobName<'a>) {
        match self.blobs.iter_mut().find(|b| b.sha256 == blob.sha256) {
            Some(known) if blob.form == "json" => known.form = blob.form,
            Some(_) => {}
            None => self.blobs.push(blob),
        }
    }

    /// The year in which it was recorded, UTC.
    pub fn year(&self) -> i16 {
        self.recorded_at.get(..4).and_then(|y| y.parse().ok()).unwrap_or(0)
    }
}

impl<'a> BlobName<'a> {
    fn met(&mut self, m: &Member<'a>) {
        let text = || m.text().unwrap_or_default();
        match m.name {
            b"$blob" => self.sha256 = text().strip_prefix("sha256:").unwrap_or_default(),
            b"as" if !self.sha256.is_empty() => self.form = text(),
            b"size" if !self.sha256.is_empty() => {
                self.size = std::str::from_utf8(m.value).ok().and_then(|n| n.parse().ok());
            }
            _ => {}
        }
    }
}

/// Collects `{"$private":…,"ref":…}`: the two members follow each other.
#[derive(Default)]
struct SealedValues {
    found: Vec<Sealed>,
    open_at: Option<usize>,
}

impl SealedValues {
    fn met(&mut self, m: &Member<'_>) {
        if m.name.first() != Some(&b'$') && self.open_at.is_none() {
            return;
        }
        if m.name == b"$private"
            && let Some(commitment) = m.text()
        {
            self.found.push(Sealed { commitment: commitment.to_owned(), reference: String::new() });
            self.open_at = Some(m.depth);
            return;
        }
        if let (Some(depth), b"ref", Some(last)) = (self.open_at, m.name, self.found.last_mut())
            && depth == m.depth
        {
            last.reference = m.text().unwrap_or_default().to_owned();
        }
        self.open_at = None;
    }
}

/// Sealed values in a blob; none when its bytes are not canonical.
pub fn sealed_in(blob: &[u8]) -> Option<Vec<Sealed>> {
    let mut sealed = SealedValues::default();
    members(blob, &mut |m| sealed.met(&m)).then_some(sealed.found)
}

/// `2026-11-22T05:30:00.000Z`
fn is_time(text: &str) -> bool {
    let shape = b"dddd-dd-ddTdd:dd:dd.dddZ";
    let fits = |(b, s): (u8, &u8)| if *s == b'd' { b.is_ascii_digit() } else { b == *s };
    text.len() == shape.len() && text.bytes().zip(shape).all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: &str = r#"{"key":"k","kind":"source.run","occurred_at":"2026-11-22T05:30:00.000Z","payload":{"actor":{"$private":"C=","ref":"R="},"text":{"$blob":"sha256:ab","as":"json","size":9000}},"recorded_at":"2026-11-22T05:30:00.000Z","source":"s","subject":"x","v":1}"#;

    #[test]
    fn an_entry_tells_what_stands_beside_it() {
        let header = Header::read(ENTRY.as_bytes()).unwrap();
        assert_eq!((header.v, header.kind, header.year()), (1, "source.run", 2026));
        assert_eq!(header.blobs, [BlobName { sha256: "ab", form: "json", size: Some(9000) }]);
        assert_eq!(header.sealed, [Sealed { commitment: "C=".into(), reference: "R=".into() }]);
        assert!(header.payload.starts_with(b"{\"actor\""));
    }

    #[test]
    fn what_is_no_entry_is_refused() {
        let changes = [
            ("\"v\":1", "\"v\":2"),
            ("\"v\":1", "\"v\":1,\"w\":1"),
            ("\"source\":\"s\",", ""),
            ("05:30:00.000Z\",\"source", "05:30:00Z\",\"source"),
            ("\"kind\":\"source.run\"", "\"kind\":7"),
        ];
        for (from, to) in changes {
            assert!(ENTRY.contains(from));
            assert_eq!(Header::read(ENTRY.replace(from, to).as_bytes()), None, "{to}");
        }
    }
}
