//! The resolv.conf of a namespace that has a name, where `ip netns exec` and `pontoon netns exec` look for it. What
//! somebody else wrote there, or changed, stays.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use libnet::{netns::Reference, types::ContainerId};

use crate::network::{FilesAsk, NetworkError, Space, inner::Inner};

impl Inner {
    /// Writes the file as it has to be with the networks that there are now; a warning where that can't be.
    pub(super) fn write_file(&self, id: ContainerId) -> Result<Option<String>, NetworkError> {
        let Some((path, before)) = self.file_of(id) else { return Ok(None) };
        let (hostname, dns) = {
            let state = self.state();
            let Some(record) = state.sandbox(id) else { return Ok(None) };
            (record.hostname.clone(), record.dns.clone())
        };
        let ask = FilesAsk {
            container: id,
            space: Space::Own,
            hostname,
            domain: String::new(),
            dns,
            extra_hosts: Vec::new(),
            links: Vec::new(),
        };
        let text = self.files(&ask)?.resolv_conf;
        match write(&path, &text, before.as_deref()) {
            Ok(()) => self.note_file(id, Some(text)).map(|()| None),
            Err(error) => {
                let why = match error.kind() {
                    io::ErrorKind::AlreadyExists => "somebody else wrote it".to_owned(),
                    _ => error.to_string(),
                };
                let path = path.display();
                Ok(Some(format!(
                    "{path} stays as it is ({why}): names are served at 127.0.0.11 in the namespace"
                )))
            }
        }
    }

    /// Removes the file, if it is ours.
    pub(super) fn remove_file(&self, id: ContainerId) {
        let Some((path, Some(text))) = self.file_of(id) else { return };
        if let Err(error) = remove(&path, &text) {
            tracing::warn!(file = %path.display(), %error, "file of a namespace stays");
        }
    }

    /// Where the file is, and what was written there.
    fn file_of(&self, id: ContainerId) -> Option<(PathBuf, Option<String>)> {
        let state = self.state();
        let borrowed = state.sandbox(id)?.borrowed.as_ref()?;
        let Reference::Name(name) = &borrowed.reference else { return None };
        let path = self.config.namespace_files.join(name).join("resolv.conf");
        Some((path, borrowed.resolv_conf.clone()))
    }
}

/// In place, so that whoever has mounted the file sees the change.
fn write(path: &Path, text: &str, before: Option<&str>) -> io::Result<()> {
    match fs::read_to_string(path) {
        Ok(found) if Some(found.as_str()) != before && found != text => {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    fs::write(path, text)
}

/// With the folders that nothing else is in: an empty one means nothing to `ip netns`.
fn remove(path: &Path, text: &str) -> io::Result<()> {
    match fs::read_to_string(path) {
        Ok(found) if found == text => fs::remove_file(path)?,
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => return Ok(()),
    }
    for folder in path.ancestors().skip(1).take(2) {
        if fs::remove_dir(folder).is_err() {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_else_wrote_stays() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("netns/blue/resolv.conf");
        let read = || fs::read_to_string(&path).ok();
        write(&path, "one", None).unwrap();
        write(&path, "two", Some("one")).unwrap();
        assert_eq!(read().as_deref(), Some("two"));
        remove(&path, "two").unwrap();
        assert!(!root.path().join("netns").exists());
        write(&path, "two", None).unwrap();
        fs::write(&path, "theirs").unwrap();
        assert_eq!(write(&path, "three", Some("two")).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        remove(&path, "two").unwrap();
        assert_eq!(read().as_deref(), Some("theirs"));
    }
}
