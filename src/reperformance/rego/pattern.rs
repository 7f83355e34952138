//! Regular expressions of Go (RE2 syntax) in the words of the regex crate, or none where the two may differ. Classes are
//! those of ASCII there, and a class has no operators (Go, package regexp/syntax).

use std::fmt::Write;
use std::iter::Peekable;
use std::str::Chars;

/// Most repetitions that Go takes.
const MOST: u32 = 1_000;

/// A pattern of Go for the regex crate.
pub(super) fn translated(pattern: &str) -> Option<String> {
    let (mut chars, mut out) = (pattern.chars().peekable(), String::new());
    // Whether what comes next may be repeated.
    let mut repeatable = false;
    while let Some(c) = chars.next() {
        let was_repeatable = std::mem::replace(&mut repeatable, true);
        match c {
            '\\' => repeatable = escape(&mut chars, &mut out)?,
            '[' => class(&mut chars, &mut out)?,
            '(' => {
                group(&mut chars, &mut out)?;
                repeatable = false;
            }
            '|' | '^' => {
                out.push(c);
                repeatable = false;
            }
            ')' | '.' | '$' => out.push(c),
            '*' | '+' | '?' => {
                repeat(&mut chars, &mut out, was_repeatable, c.into())?;
                repeatable = false;
            }
            '{' => match repetition(&chars) {
                Some((text, len)) => {
                    skip(&mut chars, len);
                    repeat(&mut chars, &mut out, was_repeatable, text?)?;
                    repeatable = false;
                }
                None => literal(c, &mut out),
            },
            _ => literal(c, &mut out),
        }
    }
    Some(out)
}

fn skip(chars: &mut Peekable<Chars<'_>>, count: usize) {
    chars.by_ref().take(count).for_each(drop);
}

/// A repetition, which Go refuses after another one and after nothing.
fn repeat(chars: &mut Peekable<Chars<'_>>, out: &mut String, repeatable: bool, text: String) -> Option<()> {
    if !repeatable {
        return None;
    }
    out.push_str(&text);
    if chars.next_if_eq(&'?').is_some() {
        out.push('?');
    }
    Some(())
}

/// `{n}`, `{n,}` or `{n,m}` behind an opened brace, and its length; anything else is a brace. None inside where Go refuses
/// the number.
fn repetition(chars: &Peekable<Chars<'_>>) -> Option<(Option<String>, usize)> {
    let text: String = chars.clone().take_while(|c| *c != '}').take(12).collect();
    if chars.clone().nth(text.chars().count()) != Some('}') {
        return None;
    }
    let (from, to) = text.split_once(',').map_or((text.as_str(), None), |(a, b)| (a, Some(b)));
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    if !digits(from) || to.is_some_and(|t| !t.is_empty() && !digits(t)) {
        return None;
    }
    let fits = |t: &str| t.is_empty() || t.parse::<u32>().is_ok_and(|n| n <= MOST);
    let good = fits(from) && to.is_none_or(fits);
    Some((good.then(|| format!("{{{text}}}")), text.len() + 1))
}

/// What stands behind an opened parenthesis.
fn group(chars: &mut Peekable<Chars<'_>>, out: &mut String) -> Option<()> {
    out.push('(');
    if chars.next_if_eq(&'?').is_none() {
        return Some(());
    }
    out.push('?');
    let mut text = String::new();
    for c in chars.by_ref() {
        text.push(c);
        if ":)>".contains(c) {
            break;
        }
    }
    let name = text.strip_prefix("P<").or_else(|| text.strip_prefix('<')).and_then(|t| t.strip_suffix('>'));
    let is_name =
        name.is_some_and(|n| !n.is_empty() && n.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'));
    let set = text.trim_end_matches([':', ')']);
    let is_set = !text.ends_with('>') && set.chars().all(|c| "imsU-".contains(c)) && !set.ends_with('-');
    if !is_name && !(is_set && (text.ends_with(':') || !set.is_empty() && text.ends_with(')'))) {
        return None;
    }
    out.push_str(&text);
    Some(())
}

fn literal(c: char, out: &mut String) {
    let _ = write!(out, "\\x{{{:x}}}", u32::from(c));
}

/// The class of a letter behind a backslash, without brackets.
fn perl(c: char) -> Option<&'static str> {
    match c.to_ascii_lowercase() {
        'd' => Some("0-9"),
        's' => Some("\\t\\n\\x0C\\r "),
        'w' => Some("0-9A-Za-z_"),
        _ => None,
    }
}

/// What stands behind a backslash outside of a class; says whether it may be repeated.
fn escape(chars: &mut Peekable<Chars<'_>>, out: &mut String) -> Option<bool> {
    let c = *chars.peek()?;
    if let Some(set) = perl(c) {
        chars.next();
        let _ = write!(out, "[{}{set}]", if c.is_ascii_uppercase() { "^" } else { "" });
        return Some(true);
    }
    match c {
        'b' => out.push_str("(?-u:\\b)"),
        'A' => out.push_str("\\A"),
        'z' => out.push_str("\\z"),
        'Q' => {
            chars.next();
            return quotation(chars, out);
        }
        _ => {
            literal(character(chars)?, out);
            return Some(true);
        }
    }
    chars.next();
    Some(false)
}

/// `\Q…\E`, the end of which may be missing.
fn quotation(chars: &mut Peekable<Chars<'_>>, out: &mut String) -> Option<bool> {
    let mut any = false;
    while let Some(c) = chars.next() {
        if c == '\\' && chars.next_if_eq(&'E').is_some() {
            return Some(any);
        }
        literal(c, out);
        any = true;
    }
    Some(any)
}

/// A character behind a backslash.
fn character(chars: &mut Peekable<Chars<'_>>) -> Option<char> {
    let c = chars.next()?;
    match c {
        'a' => Some('\u{7}'),
        'f' => Some('\u{c}'),
        't' => Some('\t'),
        'n' => Some('\n'),
        'r' => Some('\r'),
        'v' => Some('\u{b}'),
        'x' => hexadecimal(chars),
        '0'..='7' => octal(c, chars),
        _ if c.is_ascii_punctuation() => Some(c),
        _ => None,
    }
}

fn hexadecimal(chars: &mut Peekable<Chars<'_>>) -> Option<char> {
    let digits: String = if chars.next_if_eq(&'{').is_some() {
        chars.by_ref().take_while(|c| *c != '}').collect()
    } else {
        [chars.next()?, chars.next()?].into_iter().collect()
    };
    let digits = Some(digits).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))?;
    u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32)
}

/// Up to three octal digits; a single one but 0 is a reference, which Go refuses.
fn octal(first: char, chars: &mut Peekable<Chars<'_>>) -> Option<char> {
    let mut digits = String::from(first);
    while digits.len() < 3 {
        let Some(c) = chars.next_if(|c| ('0'..='7').contains(c)) else { break };
        digits.push(c);
    }
    if digits.len() == 1 && first != '0' {
        return None;
    }
    u32::from_str_radix(&digits, 8).ok().and_then(char::from_u32)
}

/// A class, whose bracket was opened.
fn class(chars: &mut Peekable<Chars<'_>>, out: &mut String) -> Option<()> {
    out.push('[');
    if chars.next_if_eq(&'^').is_some() {
        out.push('^');
    }
    let mut first = true;
    loop {
        let c = *chars.peek()?;
        if c == ']' && !first {
            chars.next();
            out.push(']');
            return Some(());
        }
        first = false;
        if !named(chars, out)? {
            range(chars, out)?;
        }
    }
}

/// A class within a class: `[:alpha:]`, `\d`. Says whether there was one.
fn named(chars: &mut Peekable<Chars<'_>>, out: &mut String) -> Option<bool> {
    let mut ahead = chars.clone();
    match (ahead.next(), ahead.next()) {
        (Some('['), Some(':')) => {
            let name: String = ahead.take_while(|c| *c != ':').collect();
            skip(chars, name.chars().count() + 3);
            chars.next_if_eq(&']')?;
            let known = [
                "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
                "space", "upper", "word", "xdigit",
            ];
            known.contains(&name.trim_start_matches('^')).then(|| out.push_str(&format!("[:{name}:]")))?;
            Some(true)
        }
        (Some('\\'), Some(c)) if perl(c).is_some() => {
            skip(chars, 2);
            let _ = write!(out, "[{}{}]", if c.is_ascii_uppercase() { "^" } else { "" }, perl(c)?);
            Some(true)
        }
        _ => Some(false),
    }
}

/// A character of a class, or two with a dash between them.
fn range(chars: &mut Peekable<Chars<'_>>, out: &mut String) -> Option<()> {
    let from = member(chars)?;
    literal(from, out);
    let mut ahead = chars.clone();
    if ahead.next() == Some('-') && ahead.next().is_some_and(|c| c != ']') {
        chars.next();
        let to = member(chars)?;
        (from <= to).then_some(())?;
        out.push('-');
        literal(to, out);
    }
    Some(())
}

fn member(chars: &mut Peekable<Chars<'_>>) -> Option<char> {
    if chars.next_if_eq(&'\\').is_some() { character(chars) } else { chars.next() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_patterns_match_what_they_match_there() {
        for (pattern, text, matches) in [
            (r"^\d+$", "12", true),
            (r"^\d+$", "١٢", false),
            (r"^\w+$", "é", false),
            (r"\bml\b", "éml", true),
            (r"^[\w-.]+$", "a-b.c", true),
            (r"^[a&&b]+$", "&", true),
            (r"^[[:alpha:]~~]+$", "a~", true),
            (r"^\Qa.b\E$", "a.b", true),
            (r"^\Qa.b\E$", "axb", false),
            (r"^a{,2}$", "a{,2}", true),
            (r"^a{1,2}$", "aa", true),
            (r"^\101$", "A", true),
            (r"^[]a]$", "]", true),
            (r"(?i)^GPU$", "gpu", true),
            (r"^\S+@sha256:[a-f0-9]{64}$", "x@sha256:0", false),
            (r"^(?P<name>a|b)$", "b", true),
            (r"^[^\s]$", "\u{a0}", true),
        ] {
            let regex = regex::Regex::new(&translated(pattern).unwrap()).unwrap();
            assert_eq!(regex.is_match(text), matches, "{pattern} {text}");
        }
    }

    #[test]
    fn what_go_refuses_or_reads_otherwise_is_not_translated() {
        for pattern in [
            r"a**", r"a{2}{3}", r"a{1001}", r"\1", r"\pL", r"(?x)a", r"(?=a)", r"*a", r"[z-a]", r"\y", "[a",
            r"\B",
        ] {
            assert_eq!(translated(pattern), None, "{pattern}");
        }
    }
}
