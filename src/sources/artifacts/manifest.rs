//! What a manifest names: the files that belong to a model version beside it.

use serde_json::Value;
use std::collections::BTreeSet;

/// Bytes of a manifest, and names in it, at most; a longer one is not read.
pub const MOST_BYTES: u64 = 1 << 20;
const MOST_NAMES: usize = 1_000;

/// Names of files in a manifest: a list, or under `files` or `artifacts` a list or members, or what `weight_map` leads to (the index
/// of a model in parts). An item of a list is a name, or has one under `path`, `file`, `filename`, `key` or `name`; a member whose
/// value has such a name, or says anything else in members of its own, is named so or by itself.
///
/// # Errors
/// It is no JSON, names nothing, names too much, or something that is no file beside it.
pub fn names(bytes: &[u8]) -> Result<Vec<String>, String> {
    let stated: Value = serde_json::from_slice(bytes).map_err(|e| format!("is no JSON: {e}"))?;
    let mut names: Vec<String> = match &stated {
        Value::Array(items) => items.iter().filter_map(item).collect(),
        stated => ["files", "artifacts"].iter().flat_map(|list| listed(&stated[*list])).collect(),
    };
    let parts = stated["weight_map"].as_object().into_iter().flatten();
    names.extend(parts.filter_map(|(_, file)| file.as_str().map(str::to_owned)));
    let names: BTreeSet<String> = names.iter().map(|n| n.trim_start_matches("./").to_owned()).collect();
    let is_strange =
        |n: &&String| n.is_empty() || n.contains("://") || n.starts_with(['/', '.']) || n.ends_with('/');
    match names.iter().find(is_strange) {
        Some(strange) => Err(format!("names {strange:?}, which is no file beside it")),
        None if names.is_empty() => Err("names no file in a form that is read".into()),
        None if names.len() > MOST_NAMES => {
            Err(format!("names {} files, more than the limit of {MOST_NAMES}", names.len()))
        }
        None => Ok(names.into_iter().collect()),
    }
}

fn listed(list: &Value) -> Vec<String> {
    match list {
        Value::Array(items) => items.iter().filter_map(item).collect(),
        Value::Object(files) => {
            let described = files.iter().filter(|(_, file)| file.is_object());
            described.map(|(name, file)| item(file).unwrap_or_else(|| name.clone())).collect()
        }
        _ => Vec::new(),
    }
}

fn item(item: &Value) -> Option<String> {
    let named = || ["path", "file", "filename", "key", "name"].iter().find_map(|name| item[*name].as_str());
    item.as_str().or_else(named).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_the_forms_that_manifests_have() {
        let of = |text: &str| names(text.as_bytes()).unwrap_or_default().join(" ");
        assert_eq!(of(r#"["b.bin", "a.bin"]"#), "a.bin b.bin");
        assert_eq!(of(r#"{"files": [{"path": "a.bin", "sha256": "x"}, "b.bin"]}"#), "a.bin b.bin");
        assert_eq!(of(r#"{"artifacts": {"a.bin": {"size": 1}}}"#), "a.bin");
        assert_eq!(of(r#"{"weight_map": {"layer.1": "p1.bin", "layer.2": "p1.bin"}}"#), "p1.bin");
        assert_eq!(of(r#"{"artifacts": {"model": {"path": "./a.bin"}}}"#), "a.bin");
        assert_eq!(of(r#"{"files": [{"name": "Weights", "file": "a.bin"}]}"#), "a.bin");
        assert!(names(br#"{"files": {"count": 3}}"#).unwrap_err().contains("names no file"));
        assert!(names(br#"["s3://b/a.bin"]"#).unwrap_err().contains("no file beside it"));
        assert!(names(b"{\"model\": \"x\"}").unwrap_err().contains("names no file"));
        assert!(names(b"not json").unwrap_err().contains("is no JSON"));
        let many = serde_json::to_vec(&(0..1_001).map(|n| n.to_string()).collect::<Vec<_>>()).unwrap();
        assert!(names(&many).unwrap_err().contains("1001 files"));
    }
}
