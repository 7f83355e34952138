//! Rego text as OPA reads it, said so that regorus reads the same. What nests too deep is refused before anything parses it:
//! the parser takes exponential time for it, and no timer covers it.

use regorus::Source;
use regorus::unstable::{Lexer, Token, TokenKind};

/// Deepest nesting of brackets and braces.
const DEEPEST: usize = 10;
/// Most operations that follow one another in an expression: each is a level of what is parsed.
const LONGEST_CHAIN: usize = 200;
/// Signs between two parts of an expression.
const SIGNS: [&str; 15] = ["+", "-", "*", "/", "%", "|", "&", ".", "==", "!=", "<", "<=", ">", ">=", "in"];
/// Words that are no name of a function.
const WORDS: [&str; 13] = [
    "as", "contains", "default", "else", "every", "if", "import", "in", "not", "null", "package", "some",
    "with",
];

/// A parsed token: what it is, its text, its line, and where it stands.
struct Word<'s> {
    is_name: bool,
    text: &'s str,
    line: u32,
    start: usize,
    end: usize,
}

/// The text with two things said in another way: a parenthesis on a new line begins a statement, and a further body of a rule
/// repeats its head (OPA, "Policy Language", grammar).
///
/// # Errors
/// Why it cannot be read.
pub(super) fn repaired(text: &str) -> Result<String, String> {
    let source = Source::from_contents("template".into(), text.to_owned()).map_err(|e| e.to_string())?;
    let words = words(&source, text)?;
    if let Some(line) = long_chain(&words) {
        return Err(format!("joins more than {LONGEST_CHAIN} operations in line {line}"));
    }
    let mut inserts = calls_on_new_lines(&words);
    inserts.extend(further_bodies(&words, text)?);
    inserts.sort();
    Ok(edited(text, inserts.into_iter().map(|(at, what)| (at, at, what))))
}

/// The text with some of its parts, from one place to another and in their order, said anew.
pub(super) fn edited(text: &str, edits: impl IntoIterator<Item = (usize, usize, String)>) -> String {
    let (mut out, mut from) = (String::with_capacity(text.len()), 0);
    for (start, end, said) in edits {
        out.push_str(text.get(from..start).unwrap_or_default());
        out.push_str(&said);
        from = end;
    }
    out.push_str(text.get(from..).unwrap_or_default());
    out
}

fn words<'s>(source: &Source, text: &'s str) -> Result<Vec<Word<'s>>, String> {
    let (mut lexer, mut words) = (Lexer::new(source), Vec::new());
    loop {
        let Token(kind, span) = lexer.next_token().map_err(|e| e.to_string())?;
        if kind == TokenKind::Eof {
            return Ok(words);
        }
        let (start, end) = (span.start as usize, span.end as usize);
        // A text that looks like a bracket is none.
        let is_text = matches!(kind, TokenKind::String | TokenKind::RawString);
        let shown = if is_text { "" } else { text.get(start..end).unwrap_or_default() };
        let is_name = kind == TokenKind::Ident && !WORDS.contains(&shown);
        words.push(Word { is_name, text: shown, line: span.line, start, end });
    }
}

/// Where an expression joins too many operations.
fn long_chain(words: &[Word<'_>]) -> Option<u32> {
    let (mut counts, mut before) = (vec![0_usize], None::<&Word<'_>>);
    for word in words {
        let is_sign = SIGNS.contains(&word.text);
        let begins = before.is_some_and(|b| b.line != word.line && !is_sign && !SIGNS.contains(&b.text));
        let count = counts.last_mut()?;
        match word.text {
            ";" | "," | ":=" | "=" => *count = 0,
            _ if begins => *count = 0,
            "[" | "{" | "(" | "set(" => *count += 1,
            _ => *count += usize::from(is_sign),
        }
        if *count > LONGEST_CHAIN {
            return Some(word.line);
        }
        match word.text {
            "[" | "{" | "(" | "set(" => counts.push(0),
            "]" | "}" | ")" if counts.len() > 1 => drop(counts.pop()),
            _ => {}
        }
        before = Some(word);
    }
    None
}

/// Semicolons before a parenthesis that is parted from what could be a function by a new line.
fn calls_on_new_lines(words: &[Word<'_>]) -> Vec<(usize, String)> {
    let pairs = words.iter().zip(words.iter().skip(1));
    let apart = pairs.filter(|(before, now)| {
        now.text == "("
            && before.line != now.line
            && before.end < now.start
            && (before.is_name || before.text == "]")
    });
    apart.map(|(_, now)| (now.start, "; ".to_owned())).collect()
}

/// Heads before the further bodies of a rule.
fn further_bodies(words: &[Word<'_>], text: &str) -> Result<Vec<(usize, String)>, String> {
    let (mut inserts, mut head, mut depth, mut nesting) = (Vec::new(), None, 0_usize, 0_usize);
    let (mut head_end, mut in_body, mut body_ended) = (None, false, false);
    let mut before: Option<&Word<'_>> = None;
    for word in words {
        let top = depth == 0;
        match word.text {
            "[" | "{" => {
                let is_value = before.is_some_and(|b| ["=", ":=", "in", ",", "("].contains(&b.text));
                if top && word.text == "{" && !is_value {
                    match (body_ended, head, head_end) {
                        (true, Some(from), Some(to)) => {
                            inserts
                                .push((word.start, format!(" {} ", text.get(from..to).unwrap_or_default())));
                        }
                        _ => head_end = Some(word.start),
                    }
                    in_body = true;
                }
                nesting += 1;
                depth += 1;
            }
            "(" | "set(" => depth += 1,
            "]" | "}" | ")" => {
                depth = depth.saturating_sub(1);
                nesting = nesting.saturating_sub(usize::from(word.text != ")"));
            }
            _ if top && word.is_name && before.is_none_or(|b| b.line != word.line) => {
                (head, head_end) = (Some(word.start), None);
            }
            _ => {}
        }
        body_ended = in_body && depth == 0 && word.text == "}";
        in_body &= depth > 0;
        if nesting > DEEPEST {
            return Err(format!("nests more than {DEEPEST} deep in line {}", word.line));
        }
        before = Some(word);
    }
    Ok(inserts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parenthesis_on_a_new_line_begins_a_statement() {
        let text =
            "package a\nviolation[x] {\n  y := input.y\n  (y > 1) == true\n  x := f(y)\n  not\n  (y)\n}";
        assert!(repaired(text).unwrap().contains("input.y\n  ; (y > 1)"), "{}", repaired(text).unwrap());
        assert!(repaired(text).unwrap().contains("not\n  (y)"));
    }

    #[test]
    fn a_further_body_repeats_the_head() {
        let text = "package a\nimport data.lib\nviolation[{\"msg\": m}] {\n  m := \"{\"\n} {\n  m := \"b\"\n}\nv = {\"a\": 1} { true }\nw = {1} {2 > 1}";
        let repaired = repaired(text).unwrap();
        assert_eq!(repaired.matches("violation[{\"msg\": m}]").count(), 2, "{repaired}");
        assert!(repaired.ends_with("v = {\"a\": 1} { true }\nw = {1} {2 > 1}"), "{repaired}");
        let apart = "package a\np[x]\n{ x := 1 }\n{ x := 2 }\nf(x) = 1 { x } else = 2 { true }\ng { true }";
        assert_eq!(self::repaired(apart).unwrap().matches("p[x]").count(), 2);
        assert_eq!(self::repaired(apart).unwrap().matches("f(x)").count(), 1);
    }

    #[test]
    fn what_nests_too_deep_is_not_parsed() {
        let text = format!("package a\nx = {}{} {{ true }}", "[".repeat(20), "]".repeat(20));
        assert!(repaired(&text).unwrap_err().contains("nests more than 10 deep in line 2"));
        for part in ["+ 1", " +\n1", ".a", "[0]", " ==\n1", "(1)"] {
            let text = format!("package a\nx {{\n  y := z{}\n}}", part.repeat(210));
            let refused = repaired(&text).unwrap_err();
            assert!(refused.contains("joins more than 200"), "{part}: {refused}");
        }
        let lines = format!("package a\nx {{\n{}}}", "  input.a.b == f(1)[2]\n".repeat(1_000));
        assert!(repaired(&lines).is_ok());
    }
}
