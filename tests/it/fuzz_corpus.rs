//! What `make fuzz` found worth keeping, tried again.

#[path = "../../fuzz/checks.rs"]
mod checks;

use crate::architecture::sources;
use crate::support::project;

fn replay(target: &str, check: fn(&[u8])) {
    let corpus = std::fs::read_dir(project().join("fuzz/corpus").join(target)).unwrap();
    let cases: Vec<_> = corpus.map(|f| f.unwrap().path()).collect();
    assert!(cases.len() >= 20, "{target}: {} cases", cases.len());
    for case in cases {
        println!("{}", case.display());
        check(&std::fs::read(case).unwrap());
    }
}

#[test]
fn whatever_is_delivered_is_counted() {
    replay("delivered", checks::delivered);
}

#[test]
fn fast_and_plain_readers_count_the_same() {
    replay("twin", checks::twin);
}

/// The fuzz crate is built by `make fuzz` alone: what it takes from the program must not go unnoticed.
#[test]
fn the_fuzz_crate_depends_on_what_the_reader_uses() {
    let dependencies = |file: &str| {
        let text = std::fs::read_to_string(project().join(file)).unwrap();
        text.parse::<toml::Table>().unwrap()["dependencies"].as_table().unwrap().clone()
    };
    let (program, fuzz) = (dependencies("Cargo.toml"), dependencies("fuzz/Cargo.toml"));
    let read =
        ["/src/act/", "/src/config/", "/src/evidence/", "/sources/flow_logs/", "/context.rs", "/gathered.rs"];
    let parts = sources().into_iter().filter(|p| read.iter().any(|r| p.to_string_lossy().contains(r)));
    let text: String = parts.map(|p| std::fs::read_to_string(p).unwrap()).collect();
    for (name, how) in &program {
        let path = format!("{}::", name.replace('-', "_"));
        let part = |c: u8| c.is_ascii_alphanumeric() || c == b'_' || c == b':';
        if text.match_indices(&path).any(|(at, _)| !part(text.as_bytes()[at - 1])) {
            assert_eq!(fuzz.get(name), Some(how), "{name} in fuzz/Cargo.toml");
        }
    }
}
