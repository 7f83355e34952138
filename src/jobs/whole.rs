//! Files that are there whole or not at all, whenever the machine stops.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// Writes a file beside its place, waits until it is on the disk, and gives it its name.
///
/// # Errors
/// The file system's reason; the file that was there before stays.
pub fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let part = path.with_file_name(format!("{name}.part"));
    let mut file = File::create(&part)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&part, path)
}
