//! The map of the code holds: modules use only modules above them, pure modules do no I/O, SQL stands in one place.

use crate::support::{files, project};
use std::path::{Path, PathBuf};

/// Every Rust file of the program.
pub(crate) fn sources() -> Vec<PathBuf> {
    files(&project().join("src"), "rs")
}

/// Modules in the order of lib.rs, and whether each is pure.
fn modules() -> Vec<(String, bool)> {
    let text = std::fs::read_to_string(project().join("src/lib.rs")).unwrap();
    let mut pure = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if let Some(doc) = line.strip_prefix("/// ") {
            pure = doc.starts_with("`[p]`");
        } else if let Some(name) = line.strip_prefix("pub mod ") {
            found.push((name.trim_end_matches(';').to_owned(), pure));
        }
    }
    found
}

fn module_of(path: &Path) -> String {
    let below = path.strip_prefix(project().join("src")).unwrap();
    let first = below.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

/// The code of a file without its tests and comments.
fn code(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]").next().unwrap();
    text.lines().filter(|l| !l.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Top-level modules that a file names by `crate::`, braces included.
fn used(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (i, _) in code.match_indices("crate::") {
        let rest = &code[i + 7..];
        let names = match rest.strip_prefix('{') {
            Some(group) => group.split('}').next().unwrap_or_default().split(',').collect(),
            None => vec![rest],
        };
        for name in names {
            let name: String = name.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            found.push(name);
        }
    }
    found
}

#[test]
fn modules_use_only_modules_above_them() {
    let order = modules();
    let place = |name: &str| order.iter().position(|(n, _)| n == name);
    assert!(order.len() >= 15, "lib.rs lists {order:?}");
    let mut wrong = Vec::new();
    for path in sources() {
        let module = module_of(&path);
        let Some(own) = place(&module) else { continue };
        for name in used(&code(&path)) {
            match place(&name) {
                Some(other) if other > own => {
                    wrong.push(format!("{} uses {name}, which stands below", path.display()))
                }
                Some(other) if order[own].1 && !order[other].1 => {
                    wrong.push(format!("{} is pure and uses {name}, which is not", path.display()));
                }
                _ => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn pure_modules_do_no_io() {
    let order = modules();
    let io = [
        "std::fs",
        "std::net::Tcp",
        "std::process",
        "std::env",
        "tokio::",
        "rusqlite",
        "getrandom",
        "SystemTime",
        "Timestamp::now",
        "lettre",
        "axum",
        "reqwest",
    ];
    // Parsers are pure although beside them stand the file that reads folders and the transports.
    let parser = |p: &Path| {
        p.to_string_lossy().contains("/sources/")
            && !p.ends_with("files.rs")
            && !p.to_string_lossy().contains("/sources/aws/")
            && !p.to_string_lossy().contains("/sources/kubernetes/")
            && !p.to_string_lossy().contains("/sources/terraform/")
            && !p.ends_with("sources/http.rs")
    };
    let mut wrong = Vec::new();
    for path in sources() {
        let pure = order.iter().any(|(n, p)| *p && *n == module_of(&path)) || parser(&path);
        let code = code(&path);
        wrong.extend(
            io.iter().filter(|w| pure && code.contains(*w)).map(|w| format!("{} uses {w}", path.display())),
        );
    }
    wrong.retain(|w| !w.contains("sources/mod.rs"));
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn sql_stands_in_the_store_alone() {
    let words = ["SELECT ", "INSERT INTO", "DELETE FROM", "CREATE TABLE", "rusqlite"];
    let outside = sources().into_iter().filter(|p| module_of(p) != "store");
    let wrong: Vec<_> = outside.filter(|p| words.iter().any(|w| code(p).contains(w))).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn catalogue_and_rules_belong_together() {
    let catalogue = actledger::act::Catalogue::built_in();
    let ids: Vec<&str> = catalogue.controls.iter().map(|c| c.id.as_str()).collect();
    let rules = std::fs::read_to_string(project().join("src/assessment/rules/mod.rs")).unwrap();
    for id in &ids {
        assert!(rules.contains(&format!("\"{id}\" =>")), "{id} has no rule");
    }
    let ruled = rules.lines().filter(|l| l.contains("(case),")).count();
    assert_eq!(ruled, ids.len(), "a rule without a catalogue entry");
}

#[test]
fn every_example_config_parses() {
    for path in ["deploy/demo/actledger.toml", "src/cli/init/actledger.toml"] {
        let text = std::fs::read_to_string(project().join(path)).unwrap();
        actledger::config::Config::parse(&text, path, Path::new(".")).unwrap();
    }
}
