//! What keeps a namespace alive, besides whoever asks: the kernel tells nobody when the last of them goes, so that a
//! daemon that holds a namespace open itself must look.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::{Identity, Reference, named, namespace_of, processes};

/// A name of a namespace, or a process in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// A file that it is mounted on.
    Mount(PathBuf),
    /// A process.
    Process(u32),
}

impl Holder {
    /// Any holder of `namespace`: first where it was found before, then any name in `names`, then any process. `None`: it
    /// has ended, or nobody but the caller holds it.
    ///
    /// # Errors
    /// If names or processes can't be listed.
    pub fn find(namespace: Identity, found: &Reference, names: &Path) -> io::Result<Option<Self>> {
        let path = found.path(names);
        if Identity::at(&path) == Some(namespace) {
            return Ok(Some(process_of(&path).map_or(Self::Mount(path), Self::Process)));
        }
        if let Some(named) = named(names)?.into_iter().find(|named| named.namespace == Some(namespace)) {
            return Ok(Some(Self::Mount(named.path)));
        }
        // Who has ended since then holds nothing.
        let living = |pid: &&u32| namespace_of(**pid) == Some(namespace);
        let all = processes()?;
        Ok(all.get(&namespace).and_then(|list| list.iter().find(living)).map(|pid| Self::Process(*pid)))
    }

    /// A file that leads to the namespace.
    pub fn path(&self) -> PathBuf {
        match self {
            Self::Mount(path) => path.clone(),
            Self::Process(pid) => PathBuf::from(format!("/proc/{pid}/ns/net")),
        }
    }
}

/// `/proc/PID/…`
fn process_of(path: &Path) -> Option<u32> {
    path.strip_prefix("/proc").ok()?.components().next()?.as_os_str().to_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netns::NetNs;

    #[test]
    fn a_process_is_found_in_its_namespace() {
        let own = NetNs::current().unwrap().identity().unwrap();
        let nowhere = Path::new("/nonexistent");
        let gone = Reference::Name("gone".to_owned());
        let holder = Holder::find(own, &gone, nowhere).unwrap().unwrap();
        assert_eq!(Identity::at(&holder.path()), Some(own));
        let me = Reference::Path("/proc/self/ns/net".into());
        assert!(matches!(Holder::find(own, &me, nowhere), Ok(Some(Holder::Mount(_)))));
        let me = Reference::Process(std::process::id());
        assert_eq!(Holder::find(own, &me, nowhere).unwrap(), Some(Holder::Process(std::process::id())));
        let new = NetNs::create().unwrap().identity().unwrap();
        assert_eq!(Holder::find(new, &gone, nowhere).unwrap(), None);
    }
}
