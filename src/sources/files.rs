//! Looks in a folder: sub-folders named by their time, or the folder itself as one look.

use crate::evidence::Time;
use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};

/// Files larger than this are refused.
pub const MAX_FILE_BYTES: u64 = 1 << 30;

/// One collection.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    /// Its name: the time as a folder name, or a digest of what lies in it.
    pub name: String,
    /// When it was taken; null when nothing tells it.
    pub at: Option<Time>,
    /// Where it lies.
    pub folder: PathBuf,
}

/// The looks of a folder, in order.
///
/// # Errors
/// The folder is not there or may not be read; the message names it.
pub fn looks(folder: &Path) -> Result<Vec<Look>, String> {
    let named = |e: io::Error| format!("{}: {e}", folder.display());
    let mut looks = Vec::new();
    let mut any = false;
    for item in std::fs::read_dir(folder).map_err(named)? {
        let item = item.map_err(named)?;
        let name = item.file_name().to_string_lossy().into_owned();
        any = true;
        if let Some(at) = Time::from_look_name(&name)
            && item.path().is_dir()
        {
            looks.push(Look { name, at: Some(at), folder: item.path() });
        }
    }
    if !any {
        return Err(format!("{}: the folder is empty: no look was ever put there", folder.display()));
    }
    looks.sort_by(|a, b| a.name.cmp(&b.name));
    if looks.is_empty() {
        looks.push(single(folder));
    }
    Ok(looks)
}

fn single(folder: &Path) -> Look {
    let told = std::fs::read_to_string(folder.join("collected-at")).ok();
    let at = told.and_then(|t| t.trim().parse().ok());
    let mut listing: Vec<String> = paths(folder).iter().map(|p| fingerprint(folder, p)).collect();
    listing.sort();
    let digest = crate::evidence::sha256_hex(listing.join("\n").as_bytes());
    Look { name: format!("folder-{}", &digest[..16]), at, folder: folder.to_owned() }
}

fn fingerprint(folder: &Path, path: &str) -> String {
    let bytes = std::fs::read(folder.join(path)).unwrap_or_default();
    format!("{path} {}", crate::evidence::sha256_hex(&bytes))
}

/// Every file of a look with its bytes, sorted by path.
pub fn read(look: &Look) -> impl Iterator<Item = (String, io::Result<Cow<'static, [u8]>>)> + use<> {
    let folder = look.folder.clone();
    paths(&folder).into_iter().filter(|p| p != "collected-at").map(move |path| {
        let bytes = read_one(&folder.join(&path)).map(Cow::Owned);
        (path, bytes)
    })
}

fn read_one(path: &Path) -> io::Result<Vec<u8>> {
    let size = std::fs::metadata(path)?.len();
    if size > MAX_FILE_BYTES {
        return Err(io::Error::other(format!("{size} bytes, more than the limit of {MAX_FILE_BYTES}")));
    }
    std::fs::read(path)
}

/// Paths below a folder with `/` between parts, sorted; a folder that may not be read stands for itself.
fn paths(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![PathBuf::new()];
    while let Some(dir) = open.pop() {
        let Ok(items) = std::fs::read_dir(folder.join(&dir)) else {
            found.push(dir);
            continue;
        };
        for item in items.flatten() {
            let path = dir.join(item.file_name());
            if folder.join(&path).is_dir() { open.push(path) } else { found.push(path) }
        }
    }
    let mut found: Vec<String> = found.iter().map(|p| p.to_string_lossy().replace('\\', "/")).collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_are_folders_with_a_time_or_the_folder_itself() {
        let dir = tempfile::tempdir().unwrap();
        assert!(looks(dir.path()).unwrap_err().contains("empty"));
        std::fs::write(dir.path().join("a.json"), "{}").unwrap();
        let one = looks(dir.path()).unwrap();
        assert_eq!((one.len(), one[0].at), (1, None));
        std::fs::create_dir(dir.path().join("20261119T053000Z")).unwrap();
        std::fs::create_dir(dir.path().join("20261118T053000Z")).unwrap();
        let two = looks(dir.path()).unwrap();
        assert_eq!(
            two.iter().map(|l| l.name.as_str()).collect::<Vec<_>>(),
            ["20261118T053000Z", "20261119T053000Z"]
        );
    }
}
