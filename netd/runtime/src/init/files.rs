//! Small jobs on paths: copying a directory's owner and mode, making what a mount is put on, names that end in `*`.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use super::Outcome;
use crate::error::LaunchError;
use crate::reason::reason;

fn failed(path: &Path) -> impl Fn(io::Error) -> LaunchError + '_ {
    move |error| LaunchError::other(format_args!("cannot make {}", path.display()), reason(&error))
}

/// Gives `to` the owner and mode of `from`.
pub(super) fn copy_owner(from: &Path, to: &Path) -> Outcome<()> {
    let found = fs::metadata(from).map_err(failed(from))?;
    std::os::unix::fs::chown(to, Some(found.uid()), Some(found.gid())).map_err(failed(to))?;
    fs::set_permissions(to, fs::Permissions::from_mode(found.mode() & 0o7777)).map_err(failed(to))
}

/// An empty directory like `from`.
pub(super) fn copy_dir(from: &Path, to: &Path) -> Outcome<()> {
    fs::create_dir(to).map_err(failed(to))?;
    copy_owner(from, to)
}

/// Makes the directories that lead to `relative` below `to` as they are below `from`.
pub(super) fn copy_parents(from: &Path, to: &Path, relative: &Path) -> Outcome<()> {
    let mut below = PathBuf::new();
    for part in relative.parent().into_iter().flat_map(Path::components) {
        below.push(part);
        if !to.join(&below).is_dir() {
            copy_dir(&from.join(&below), &to.join(&below))?;
        }
    }
    Ok(())
}

/// The paths below `root`, relative to it, that `pattern` means: itself, or, with a `*` at the end, every name that
/// begins so. A path that leads through a symbolic link means what the link points at.
pub(super) fn expand(root: &Path, pattern: &Path) -> Vec<PathBuf> {
    let relative: PathBuf =
        pattern.components().filter(|part| matches!(part, Component::Normal(_))).collect();
    let name = relative.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let parent = real(root, relative.parent().unwrap_or(Path::new("")));
    let Some(start) = name.strip_suffix('*') else { return vec![parent.join(name)] };
    let Ok(entries) = fs::read_dir(root.join(&parent)) else { return Vec::new() };
    entries
        .flatten()
        .map(|entry| entry.file_name())
        .filter(|found| found.to_string_lossy().starts_with(start))
        .map(|found| parent.join(found))
        .collect()
}

/// `relative` with its symbolic links followed, as long as they stay below `root`.
fn real(root: &Path, relative: &Path) -> PathBuf {
    fs::canonicalize(root.join(relative))
        .ok()
        .and_then(|path| path.strip_prefix(root).map(Path::to_owned).ok())
        .unwrap_or_else(|| relative.to_owned())
}

/// Makes a directory with all that leads to it.
pub(super) fn make_dir(path: &Path) -> Outcome<()> {
    if path.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(path).map_err(failed(path))
}

/// Makes an empty file, and all that leads to it, for something to be mounted on.
pub(super) fn make_file(path: &Path) -> Outcome<()> {
    if path.exists() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        make_dir(parent)?;
    }
    fs::File::create(path).map(drop).map_err(failed(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_the_rest_of_a_name() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("etc")).unwrap();
        for name in ["shadow", "shadow-", "passwd"] {
            fs::write(root.path().join("etc").join(name), "").unwrap();
        }
        let mut found = expand(root.path(), Path::new("/etc/shadow*"));
        found.sort();
        assert_eq!(found, [PathBuf::from("etc/shadow"), PathBuf::from("etc/shadow-")]);
        assert_eq!(expand(root.path(), Path::new("/root")), [PathBuf::from("root")]);
        assert!(expand(root.path(), Path::new("/nowhere/x*")).is_empty());
    }
}
