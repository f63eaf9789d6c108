//! Follows the host's resolv.conf, so that a laptop that changes its network, or a VPN that comes up, reaches containers
//! that already run.

use std::{
    collections::BTreeSet,
    fs, io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use tokio::net::unix::pipe::Receiver;

/// Links that are followed; path_resolution(7) has the same bound.
const LINKS: usize = 40;

/// Who writes the file does so in several steps; one look after the last of them is enough.
const SETTLED: Duration = Duration::from_millis(100);

/// Calls `changed` after each change of the file, until that returns false.
pub(super) async fn follow(file: PathBuf, changed: impl Fn() -> bool) {
    let mut last = fs::read(&file).ok();
    loop {
        if let Err(error) = next_change(&file, &last).await {
            tracing::warn!(file = %file.display(), %error, "changes of the host's name servers will not be seen");
            return;
        }
        last = fs::read(&file).ok();
        if !changed() {
            return;
        }
    }
}

/// Waits until the file is no longer what it was. The watch is made anew after each event: the file may be another one by
/// then, and so may the one that it is a link to. The file is read behind the new watch, so that nothing falls between.
async fn next_change(file: &Path, last: &Option<Vec<u8>>) -> io::Result<()> {
    loop {
        // Not a pipe, but read like one: what comes out of it does not matter.
        let inotify = match watch(file) {
            // A folder was there, and is there no more: look again.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            watch => Receiver::from_owned_fd_unchecked(watch?)?,
        };
        if fs::read(file).ok() != *last {
            return Ok(());
        }
        wait(&inotify).await?;
        tokio::time::sleep(SETTLED).await;
    }
}

async fn wait(inotify: &Receiver) -> io::Result<()> {
    loop {
        inotify.readable().await?;
        match inotify.try_read(&mut [0; 4096]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            other => return other.map(|_| ()),
        }
    }
}

/// The file itself (it may be mounted over), and the folders in which it and what it links to can be replaced or made.
fn watch(file: &Path) -> io::Result<OwnedFd> {
    let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
    let content = WatchFlags::CLOSE_WRITE | WatchFlags::DELETE_SELF | WatchFlags::MOVE_SELF;
    if let Err(error) = inotify::add_watch(&inotify, file, content)
        && error != rustix::io::Errno::NOENT
    {
        return Err(error.into());
    }
    for folder in folders(file) {
        inotify::add_watch(&inotify, folder, WatchFlags::CREATE | WatchFlags::MOVED_TO | WatchFlags::DELETE)?;
    }
    Ok(inotify)
}

/// Those of the file and of each that it is a link to. While the machine comes up that may not be there yet, nor its
/// folder: then the nearest one above it.
fn folders(file: &Path) -> BTreeSet<PathBuf> {
    let mut folders = BTreeSet::new();
    let mut at = file.to_owned();
    for _ in 0..LINKS {
        folders.extend(at.ancestors().skip(1).find(|folder| folder.is_dir()).map(Path::to_owned));
        match (at.parent(), fs::read_link(&at)) {
            (Some(folder), Ok(target)) => at = folder.join(target),
            _ => break,
        }
    }
    folders
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::symlink, sync::Arc};

    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn every_way_to_change_the_file_is_noticed() {
        let root = tempfile::tempdir().unwrap();
        let (file, target) = (root.path().join("resolv.conf"), root.path().join("run/resolv.conf"));
        fs::create_dir(root.path().join("run")).unwrap();
        fs::write(&target, "first").unwrap();
        symlink(&target, &file).unwrap();
        let seen = Arc::new(Semaphore::new(0));
        let told = seen.clone();
        let following = tokio::spawn(follow(file.clone(), move || {
            told.add_permits(1);
            true
        }));
        let noticed = async || seen.acquire().await.unwrap().forget();
        let replace = |file: &Path, content: &str| {
            fs::write(root.path().join("new"), content).unwrap();
            fs::rename(root.path().join("new"), file).unwrap();
        };
        // The first look at the file must come before the first change.
        tokio::task::yield_now().await;
        fs::write(&target, "in place").unwrap();
        noticed().await;
        replace(&target, "another file");
        noticed().await;
        replace(&file, "no link any more");
        noticed().await;
        let late = root.path().join("late/deep/resolv.conf");
        symlink("late/deep/resolv.conf", root.path().join("link")).unwrap();
        fs::rename(root.path().join("link"), &file).unwrap();
        noticed().await;
        fs::create_dir_all(late.parent().unwrap()).unwrap();
        fs::write(&late, "what it links to is there at last").unwrap();
        noticed().await;
        fs::remove_dir_all(root.path().join("late")).unwrap();
        noticed().await;
        fs::create_dir_all(late.parent().unwrap()).unwrap();
        fs::write(&late, "and again").unwrap();
        noticed().await;
        following.abort();
    }
}
