//! What `make fuzz` found worth keeping, tried again.

#[path = "../../fuzz/checks.rs"]
mod checks;

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
