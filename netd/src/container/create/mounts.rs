//! `Binds`, `Mounts`, `Tmpfs` and `Volumes` into one list of mounts. Pure: whether a source exists is found out when
//! the container is made and, again, when it is started.

use std::{
    collections::BTreeMap,
    path::{Component, Path, PathBuf},
};

use netd_api::models;

use crate::container::{ContainerError, error::invalid};

/// A mount that the user asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::container) struct WantedMount {
    pub(in crate::container) target: PathBuf,
    pub(in crate::container) source: Source,
    pub(in crate::container) access: Access,
    /// `rprivate`, `rslave`, …; empty is the default.
    pub(in crate::container) propagation: String,
    /// The other words of `-v SRC:DST:MODE`, as `inspect` shows them.
    pub(in crate::container) mode: String,
    /// Submounts of the source come along.
    pub(in crate::container) recursive: bool,
}

/// Whether a container may write to a mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::container) enum Access {
    ReadWrite,
    ReadOnly,
}

/// What is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::container) enum Source {
    /// A path of the host. `-v` makes a missing one, `--mount` does not.
    Bind { path: PathBuf, missing: Missing },
    /// A volume: of this name, or an anonymous one.
    Volume { name: Option<String>, subpath: Option<String> },
    /// An empty tmpfs with these options.
    Tmpfs(Vec<String>),
}

/// What to do about a missing source of a bind mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::container) enum Missing {
    /// A directory is made.
    Made,
    /// It is an error.
    Refused,
}

/// Reads what a request says about mounts. A target that is named twice is refused, except that `Volumes` (what an image
/// declares) give way.
pub(in crate::container) fn read(
    config: &models::ContainerConfig,
    host: &models::HostConfig,
) -> Result<Vec<WantedMount>, ContainerError> {
    let mut all: BTreeMap<PathBuf, WantedMount> = BTreeMap::new();
    let binds = host.binds.iter().flatten().map(|text| bind(text));
    let mounts = host.mounts.iter().flatten().map(mount);
    let tmpfs = host.tmpfs.iter().flatten().map(|(target, options)| tmpfs(target, options));
    for wanted in binds.chain(mounts).chain(tmpfs) {
        let wanted = wanted?;
        if let Some(twice) = all.insert(wanted.target.clone(), wanted) {
            return invalid(format!("Duplicate mount point: {}", twice.target.display()));
        }
    }
    for target in config.volumes.iter().flatten() {
        let target = absolute(target, target)?;
        let source = Source::Volume { name: None, subpath: None };
        all.entry(target.clone()).or_insert_with(|| WantedMount::new(target, source));
    }
    // Parents come before what is mounted in them: the order of paths.
    Ok(all.into_values().collect())
}

impl WantedMount {
    fn new(target: PathBuf, source: Source) -> Self {
        Self {
            target,
            source,
            access: Access::ReadWrite,
            propagation: String::new(),
            mode: String::new(),
            recursive: true,
        }
    }
}

/// `SRC:DST[:MODE]`, or `DST` alone for an anonymous volume.
fn bind(text: &str) -> Result<WantedMount, ContainerError> {
    let parts: Vec<_> = text.split(':').collect();
    let (source, target, mode) = match parts[..] {
        [target] => (None, target, ""),
        [source, target] => (Some(source), target, ""),
        [source, target, mode] => (Some(source), target, mode),
        _ => return invalid(format!("invalid volume specification: '{text}'")),
    };
    let source = match source {
        None => Source::Volume { name: None, subpath: None },
        Some("") => return invalid(format!("invalid volume specification: '{text}'")),
        Some(path) if path.starts_with('/') => {
            Source::Bind { path: normal(Path::new(path)), missing: Missing::Made }
        }
        Some(name) => Source::Volume { name: Some(volume_name(name)?), subpath: None },
    };
    let mut mount = WantedMount::new(absolute(target, text)?, source);
    mode.clone_into(&mut mount.mode);
    for word in mode.split(',').filter(|word| !word.is_empty()) {
        match word {
            "rw" => mount.access = Access::ReadWrite,
            "ro" => mount.access = Access::ReadOnly,
            // SELinux labels: the kernels we run on have no use for them. `nocopy` is how our volumes behave anyway.
            "z" | "Z" | "nocopy" | "consistent" | "cached" | "delegated" => {}
            "private" | "rprivate" | "slave" | "rslave" | "shared" | "rshared" => {
                word.clone_into(&mut mount.propagation);
            }
            _ => return invalid(format!("invalid mode: {mode}")),
        }
    }
    Ok(mount)
}

fn mount(mount: &models::Mount) -> Result<WantedMount, ContainerError> {
    let said = mount.source.as_deref().unwrap_or_default();
    let config = |why: String| ContainerError::Invalid(format!("invalid mount config for type {why}"));
    let Some(target) = mount.target.as_deref().filter(|target| !target.is_empty()) else {
        return Err(config(format!("\"{}\": field Target must not be empty", kind(mount))));
    };
    let source = match mount.typ {
        Some(models::MountType::BIND) => bind_source(mount, said)?,
        Some(models::MountType::VOLUME) => {
            let driver = mount.volume_options.as_ref().and_then(|options| options.driver_config.as_ref());
            local_driver(driver.and_then(|driver| driver.name.as_deref()))?;
            let name = Some(said).filter(|name| !name.is_empty()).map(volume_name).transpose()?;
            let subpath = mount.volume_options.as_ref().and_then(|options| options.subpath.clone());
            Source::Volume { name, subpath: subpath.filter(|path| !path.is_empty()) }
        }
        Some(models::MountType::TMPFS) if said.is_empty() => Source::Tmpfs(tmpfs_options(mount)),
        Some(models::MountType::TMPFS) => {
            return Err(config("\"tmpfs\": field Source must not be specified".to_owned()));
        }
        _ => return invalid(format!("mount type unknown: \"{}\"", kind(mount))),
    };
    let mut wanted = WantedMount::new(absolute(target, target)?, source);
    if mount.read_only == Some(true) {
        wanted.access = Access::ReadOnly;
    }
    let options = mount.bind_options.as_ref();
    wanted.recursive = options.and_then(|options| options.non_recursive) != Some(true);
    if let Some(propagation) = options.and_then(|options| options.propagation) {
        wanted.propagation = propagation.to_string();
    }
    Ok(wanted)
}

fn kind(mount: &models::Mount) -> String {
    mount.typ.map(|kind| kind.to_string()).unwrap_or_default()
}

fn bind_source(mount: &models::Mount, said: &str) -> Result<Source, ContainerError> {
    if said.is_empty() {
        return invalid("invalid mount config for type \"bind\": field Source must not be empty");
    }
    if !said.starts_with('/') {
        return invalid(format!(
            "invalid mount config for type \"bind\": invalid mount path: '{said}' mount path must be absolute"
        ));
    }
    let options = mount.bind_options.as_ref();
    let made = options.and_then(|options| options.create_mountpoint) == Some(true);
    let missing = if made { Missing::Made } else { Missing::Refused };
    Ok(Source::Bind { path: normal(Path::new(said)), missing })
}

fn tmpfs_options(mount: &models::Mount) -> Vec<String> {
    let mut options = Vec::new();
    if let Some(tmpfs) = &mount.tmpfs_options {
        options.extend(tmpfs.size_bytes.filter(|size| *size > 0).map(|size| format!("size={size}")));
        options.extend(tmpfs.mode.filter(|mode| *mode > 0).map(|mode| format!("mode={mode:o}")));
        options.extend(tmpfs.options.iter().flatten().map(|pair| pair.join("=")));
    }
    options
}

fn tmpfs(target: &str, options: &str) -> Result<WantedMount, ContainerError> {
    let options: Vec<_> = options.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect();
    let mut mount = WantedMount::new(absolute(target, target)?, Source::Tmpfs(Vec::new()));
    if options.iter().any(|word| word == "ro") {
        mount.access = Access::ReadOnly;
    }
    mount.source = Source::Tmpfs(options);
    Ok(mount)
}

/// Volumes of other drivers would be made of something else than what the user expects.
pub(in crate::container) fn local_driver(name: Option<&str>) -> Result<(), ContainerError> {
    match name {
        None | Some("" | "local") => Ok(()),
        Some(other) => Err(ContainerError::Missing(format!(
            "error looking up volume plugin {other}: plugin \"{other}\" not found"
        ))),
    }
}

/// Names of volumes are those of containers; `.` and `..` would leave the directory.
pub(in crate::container) fn volume_name(name: &str) -> Result<String, ContainerError> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let first = name.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
    if first && name.len() > 1 && name.chars().all(legal) {
        return Ok(name.to_owned());
    }
    invalid(format!(
        "create {name}: \"{name}\" includes invalid characters for a local volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use absolute path"
    ))
}

fn absolute(target: &str, said: &str) -> Result<PathBuf, ContainerError> {
    if !target.starts_with('/') {
        return invalid(format!(
            "invalid volume specification: '{said}': invalid mount config: invalid mount path: '{target}' mount path must be absolute"
        ));
    }
    let path = normal(Path::new(target));
    if path == Path::new("/") {
        return invalid(format!(
            "invalid volume specification: '{said}': invalid mount config: invalid specification: destination can't be '/'"
        ));
    }
    Ok(path)
}

/// The path without `.`, `..` and double slashes, as it is written: no file system is asked.
fn normal(path: &Path) -> PathBuf {
    let mut clean = PathBuf::from("/");
    for part in path.components() {
        match part {
            Component::Normal(name) => clean.push(name),
            Component::ParentDir => {
                clean.pop();
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ask(config: serde_json::Value, host: serde_json::Value) -> Result<Vec<WantedMount>, ContainerError> {
        read(&serde_json::from_value(config).unwrap(), &serde_json::from_value(host).unwrap())
    }

    #[test]
    fn binds_mounts_and_tmpfs_become_one_list() {
        let mounts = ask(
            json!({"Volumes": {"/data": {}, "/anon": {}}}),
            json!({
                "Binds": ["/srv/./a/../b:/data/deep:ro,rslave", "cache:/data", "/c"],
                "Mounts": [
                    {"Type": "bind", "Source": "/etc", "Target": "/e", "ReadOnly": true},
                    {"Type": "tmpfs", "Target": "/t", "TmpfsOptions": {"SizeBytes": 1024, "Mode": 448}},
                ],
                "Tmpfs": {"/run": "rw,size=64m"},
            }),
        )
        .unwrap();
        let targets: Vec<_> = mounts.iter().map(|mount| mount.target.to_str().unwrap()).collect();
        assert_eq!(targets, ["/anon", "/c", "/data", "/data/deep", "/e", "/run", "/t"]);
        assert_eq!(mounts[2].source, Source::Volume { name: Some("cache".to_owned()), subpath: None });
        let deep = &mounts[3];
        assert_eq!(deep.source, Source::Bind { path: "/srv/b".into(), missing: Missing::Made });
        assert_eq!((deep.access, deep.propagation.as_str()), (Access::ReadOnly, "rslave"));
        assert_eq!(mounts[4].source, Source::Bind { path: "/etc".into(), missing: Missing::Refused });
        assert_eq!(mounts[6].source, Source::Tmpfs(vec!["size=1024".to_owned(), "mode=700".to_owned()]));
    }

    #[test]
    fn what_is_no_mount_is_refused() {
        for (host, text) in [
            (json!({"Binds": ["/a:/b", "/c:/b"]}), "Duplicate mount point: /b"),
            (json!({"Binds": ["/a:b"]}), "mount path must be absolute"),
            (json!({"Binds": ["/a:/"]}), "destination can't be '/'"),
            (json!({"Binds": ["/a:/b:rx"]}), "invalid mode: rx"),
            (json!({"Binds": ["a/b:/c"]}), "If you intended to pass a host directory, use absolute path"),
            (json!({"Binds": ["..:/c"]}), "invalid characters for a local volume name"),
            (json!({"Binds": ["/a:/b:ro:x"]}), "invalid volume specification: '/a:/b:ro:x'"),
            (json!({"Mounts": [{"Type": "bind", "Target": "/x"}]}), "field Source must not be empty"),
            (json!({"Mounts": [{"Type": "bind", "Source": "/x"}]}), "field Target must not be empty"),
            (json!({"Mounts": [{"Type": "tmpfs", "Source": "/x", "Target": "/x"}]}), "must not be specified"),
            (json!({"Mounts": [{"Type": "npipe", "Source": "/x", "Target": "/x"}]}), "mount type unknown"),
        ] {
            let error = ask(json!({}), host.clone()).expect_err(&host.to_string()).to_string();
            assert!(error.contains(text), "{error}");
        }
    }
}
