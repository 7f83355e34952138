//! Passing over canonical JSON (RFC 8785) once, without building anything: is it in that form, and what is in it.
//!
//! This is the hot path of verification: a million entries are passed over in the time that a parser needs for a third
//! of them. `canonical` writes the form; this module shares no code with it.

use super::canonical::MAX_INTEGER;
use std::borrow::Cow;

/// Deepest nesting that is read; deeper bytes count as not canonical.
pub const MAX_DEPTH: usize = 64;

/// A member of an object, told once its value was passed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Member<'a> {
    /// Objects and arrays around it: 1 for members of the outermost object.
    pub depth: usize,
    /// The name as it is written, without its quotes.
    pub name: &'a [u8],
    /// The value as it is written.
    pub value: &'a [u8],
}

impl<'a> Member<'a> {
    /// The text of a string.
    pub fn string(&self) -> Option<Cow<'a, str>> {
        match self.text() {
            Some(text) => Some(Cow::Borrowed(text)),
            None => serde_json::from_slice::<String>(self.value).ok().map(Cow::Owned),
        }
    }

    /// The text of a string that needs no escapes.
    pub fn text(&self) -> Option<&'a str> {
        let inside = self.value.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
        let plain = !inside.contains(&b'\\');
        std::str::from_utf8(inside).ok().filter(|_| plain)
    }
}

/// Whether some bytes are the canonical form of what they say.
pub fn is_canonical(bytes: &[u8]) -> bool {
    members(bytes, &mut |_| {})
}

/// Passes over some bytes and tells every member of every object, inner ones first. False when the bytes are not in
/// canonical form; what was told until then is then of no use.
pub fn members<'a>(bytes: &'a [u8], each: &mut impl FnMut(Member<'a>)) -> bool {
    if std::str::from_utf8(bytes).is_err() {
        return false;
    }
    let mut scan = Scan { bytes, at: 0, each };
    scan.value(0).is_some() && scan.at == bytes.len()
}

struct Scan<'a, 'f, F> {
    bytes: &'a [u8],
    at: usize,
    each: &'f mut F,
}

impl<'a, F: FnMut(Member<'a>)> Scan<'a, '_, F> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn take(&mut self, expected: u8) -> Option<()> {
        (self.peek()? == expected).then(|| self.at += 1)
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.bytes[self.at..].starts_with(word).then(|| self.at += word.len())
    }

    fn value(&mut self, depth: usize) -> Option<()> {
        match self.peek()? {
            b'"' => self.string().map(|_| ()),
            b'{' if depth < MAX_DEPTH => self.object(depth + 1),
            b'[' if depth < MAX_DEPTH => self.array(depth + 1),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            _ => self.integer(),
        }
    }

    fn object(&mut self, depth: usize) -> Option<()> {
        self.at += 1;
        let mut last: Option<(&'a [u8], bool)> = None;
        while self.peek()? != b'}' {
            if last.is_some() {
                self.take(b',')?;
            }
            let name = self.string()?;
            if last.is_some_and(|l| !in_order(l, name)) {
                return None;
            }
            last = Some(name);
            self.take(b':')?;
            let from = self.at;
            self.value(depth)?;
            (self.each)(Member { depth, name: name.0, value: &self.bytes[from..self.at] });
        }
        self.take(b'}')
    }

    fn array(&mut self, depth: usize) -> Option<()> {
        self.at += 1;
        let mut first = true;
        while self.peek()? != b']' {
            if !first {
                self.take(b',')?;
            }
            first = false;
            self.value(depth)?;
        }
        self.take(b']')
    }

    /// The inside of a string, and whether it is ASCII without escapes. Only what must be escaped is, and in its
    /// shortest form.
    fn string(&mut self) -> Option<(&'a [u8], bool)> {
        self.take(b'"')?;
        let (from, mut simple) = (self.at, true);
        loop {
            let (length, ascii) = plain(&self.bytes[self.at..])?;
            self.at += length;
            simple &= ascii;
            match self.bytes[self.at] {
                b'"' => {
                    self.at += 1;
                    return Some((&self.bytes[from..self.at - 1], simple));
                }
                b'\\' => {
                    simple = false;
                    self.escape()?;
                }
                _ => return None,
            }
        }
    }

    fn escape(&mut self) -> Option<()> {
        let rest = &self.bytes[self.at + 1..];
        let length = match rest.first()? {
            b'"' | b'\\' | b'b' | b't' | b'n' | b'f' | b'r' => 2,
            b'u' => {
                let hex = rest.get(1..5)?;
                let code = u32::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()?;
                let short = [8, 9, 10, 12, 13].contains(&code);
                (code < 0x20 && !short && !hex.iter().any(u8::is_ascii_uppercase) && hex[0] == b'0')
                    .then_some(6)?
            }
            _ => return None,
        };
        self.at += length;
        Some(())
    }

    fn integer(&mut self) -> Option<()> {
        let negative = self.peek()? == b'-';
        self.at += usize::from(negative);
        let (from, mut value) = (self.at, 0u64);
        while let Some(digit) = self.peek().filter(u8::is_ascii_digit) {
            value = value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
            self.at += 1;
        }
        let digits = self.at - from;
        let plain = digits == 1 || digits > 1 && self.bytes[from] != b'0';
        (plain && !(negative && value == 0) && value <= MAX_INTEGER.unsigned_abs()).then_some(())
    }
}

/// How many bytes come before the first that ends a string or must be escaped in it, and whether they are ASCII; eight at
/// a time.
fn plain(bytes: &[u8]) -> Option<(usize, bool)> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
    let (words, rest) = bytes.as_chunks::<8>();
    let mut high = 0;
    for (i, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let control = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
        let found = control | zero(word ^ (ONES * 0x22)) | zero(word ^ (ONES * 0x5c));
        if found != 0 {
            // The lowest mark is true; one above it may come from a borrow.
            let at = found.trailing_zeros() / 8;
            let before = word & HIGH & ((1u64 << (8 * at)) - 1);
            return Some((8 * i + at as usize, (high | before) == 0));
        }
        high |= word & HIGH;
    }
    let at = rest.iter().position(|b| *b < 0x20 || *b == b'"' || *b == b'\\')?;
    Some((8 * words.len() + at, high == 0 && rest[..at].is_ascii()))
}

/// Whether one name comes before the other by UTF-16 code units. For ASCII without escapes that is the order of bytes.
fn in_order(a: (&[u8], bool), b: (&[u8], bool)) -> bool {
    if a.1 && b.1 {
        return a.0 < b.0;
    }
    let text = |n: &[u8]| serde_json::from_slice::<String>(&[b"\"", n, b"\""].concat()).unwrap_or_default();
    text(a.0).encode_utf16().lt(text(b.0).encode_utf16())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn members_are_told_from_the_inside_out() {
        let mut told = Vec::new();
        let text = br#"{"a":{"$private":"x"},"b":[{"c":-7}]}"#;
        assert!(members(text, &mut |m| told.push((m.depth, m.name.to_vec(), m.value.to_vec()))));
        let names: Vec<_> = told.iter().map(|(d, n, _)| (*d, std::str::from_utf8(n).unwrap())).collect();
        assert_eq!(names, [(2, "$private"), (1, "a"), (3, "c"), (1, "b")]);
        assert_eq!(told[2].2, b"-7");
    }

    #[test]
    fn every_other_spelling_of_the_same_value_is_refused() {
        for bad in [
            r#"{"b":1,"a":2}"#,
            r#"{"a":1,"a":2}"#,
            r#"{"a": 1}"#,
            r#" {}"#,
            "{}\n",
            r#"{"a":1,}"#,
            r#"[1,]"#,
            r#"[,1]"#,
            "01",
            "-0",
            "+1",
            "1.0",
            "1e3",
            "9007199254740992",
            "-",
            "",
            "tru",
            r#""\u0041""#,
            r#""\u000A""#,
            r#""\u000a""#,
            r#""\/""#,
            "\"\t\"",
            r#""\u001F""#,
            r#""\ud83d\ude00""#,
            r#"{"a"}"#,
            r#"{"a":}"#,
            "[",
            "\"",
            "\"\\\"",
            "{\"\u{FB33}\":1,\"\u{1F600}\":2}",
        ] {
            assert!(!is_canonical(bad.as_bytes()), "{bad:?} passes");
        }
        for good in [
            "0",
            "-1",
            "{}",
            "[]",
            r#""\u001f""#,
            r#""\n\\\"""#,
            "\"\u{7f}/é\"",
            "{\"\u{1F600}\":2,\"\u{FB33}\":1}",
        ] {
            assert!(is_canonical(good.as_bytes()), "{good:?} is refused");
        }
        assert!(
            !is_canonical("[".repeat(100_000).as_bytes()),
            "deep nesting ends in a refusal, not in a crash"
        );
    }

    #[test]
    fn it_agrees_with_an_implementation_that_others_wrote() {
        let values = [
            json!({"\u{1F600}": 1, "\u{FB33}": [true, null, -5], "a\u{7}\n\"\\/": {"z": "é\u{2028}", "": 0}}),
            json!([[], {}, "", {"": {"": []}}]),
        ];
        for value in values {
            let theirs = serde_json_canonicalizer::to_vec(&value).unwrap();
            assert!(is_canonical(&theirs), "{}", String::from_utf8_lossy(&theirs));
            // Each byte, flipped or doubled: canonical only where the other library gives these bytes as well.
            for i in 0..theirs.len() {
                for b in [b' ', b'"', b'0', b'a', b',', 0x1f] {
                    let mut changed = theirs.clone();
                    changed[i] = b;
                    let parsed: Option<Value> = serde_json::from_slice(&changed).ok();
                    let again = parsed.and_then(|v| serde_json_canonicalizer::to_vec(&v).ok());
                    assert_eq!(is_canonical(&changed), again.as_deref() == Some(&changed[..]), "{i} {b}");
                }
            }
        }
    }
}
