//! `--mount`, `--volume` and `--tmpfs`.

use std::collections::HashMap;
use std::path::Path;

use bollard::models::{
    Mount, MountBindOptions, MountBindOptionsPropagationEnum, MountTmpfsOptions, MountType,
    MountVolumeOptions, MountVolumeOptionsDriverConfig,
};

use super::units;

/// The fields of one comma-separated line; a field may be quoted, and `""` inside is a quote.
pub(crate) fn csv(text: &str) -> Result<Vec<String>, String> {
    let mut fields = Vec::new();
    let mut field = String::new();
    let mut chars = text.chars().peekable();
    let mut quoted = false;
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' if quoted => quoted = false,
            '"' if field.is_empty() => quoted = true,
            '"' => return Err("parse error on line 1: bare \" in non-quoted-field".to_owned()),
            ',' if !quoted => fields.push(std::mem::take(&mut field)),
            c => field.push(c),
        }
    }
    if quoted {
        return Err("parse error on line 1: extraneous or missing \" in quoted-field".to_owned());
    }
    fields.push(field);
    Ok(fields)
}

/// One `--mount`.
pub(crate) fn mount(text: &str) -> Result<Mount, String> {
    let mut mount = Mount { typ: Some(MountType::VOLUME), ..Mount::default() };
    for field in csv(text)? {
        let (key, value) = match field.split_once('=') {
            Some((key, value)) => (key.trim().to_lowercase(), Some(value.to_owned())),
            None => (field.trim().to_lowercase(), None),
        };
        set(&mut mount, &field, &key, value)?;
    }
    check(&mount)?;
    Ok(mount)
}

fn set(mount: &mut Mount, field: &str, key: &str, value: Option<String>) -> Result<(), String> {
    let flag = |value: Option<&str>| match value {
        None => Ok(true),
        Some(text) => super::values::boolean(text).map_err(|_| format!("invalid value for {key}: {text}")),
    };
    match key {
        "readonly" | "ro" => mount.read_only = Some(flag(value.as_deref())?),
        "volume-nocopy" => volume(mount).no_copy = Some(flag(value.as_deref())?),
        "bind-nonrecursive" => bind(mount).non_recursive = Some(flag(value.as_deref())?),
        _ => {
            let value = value.ok_or_else(|| format!("invalid field '{field}' must be a key=value pair"))?;
            set_value(mount, field, key, value)?;
        }
    }
    Ok(())
}

fn set_value(mount: &mut Mount, field: &str, key: &str, value: String) -> Result<(), String> {
    match key {
        "type" => mount.typ = Some(kind(&value)?),
        "source" | "src" => mount.source = Some(value),
        "target" | "dst" | "destination" => mount.target = Some(value),
        "consistency" => mount.consistency = Some(value.to_lowercase()),
        "bind-propagation" => bind(mount).propagation = Some(propagation(&value)?),
        "bind-recursive" => match value.as_str() {
            "enabled" => {}
            "disabled" => bind(mount).non_recursive = Some(true),
            "writable" => bind(mount).read_only_non_recursive = Some(true),
            "readonly" => bind(mount).read_only_force_recursive = Some(true),
            other => {
                return Err(format!(
                    "invalid value for {key}: {other} (must be \"enabled\", \"disabled\", \"writable\", or \"readonly\")"
                ));
            }
        },
        "volume-subpath" => volume(mount).subpath = Some(value),
        "volume-label" => {
            let (name, text) = value.split_once('=').unwrap_or((&value, ""));
            volume(mount).labels.get_or_insert_default().insert(name.to_owned(), text.to_owned());
        }
        "volume-driver" => driver(mount).name = Some(value),
        "volume-opt" => {
            let (name, text) = value.split_once('=').unwrap_or((&value, ""));
            driver(mount).options.get_or_insert_default().insert(name.to_owned(), text.to_owned());
        }
        "tmpfs-size" => {
            let bytes = units::bytes(&value).map_err(|_| format!("invalid value for {key}: {value}"))?;
            tmpfs(mount).size_bytes = Some(bytes);
        }
        "tmpfs-mode" => {
            let mode =
                i64::from_str_radix(&value, 8).map_err(|_| format!("invalid value for {key}: {value}"))?;
            tmpfs(mount).mode = Some(mode);
        }
        _ => return Err(format!("unexpected key '{key}' in '{field}'")),
    }
    Ok(())
}

fn check(mount: &Mount) -> Result<(), String> {
    if mount.target.as_deref().unwrap_or_default().is_empty() {
        return Err("target is required".to_owned());
    }
    let kind = mount.typ;
    let wrong = |what: &str, kind: Option<MountType>| {
        Err(format!(
            "cannot mix '{what}' with mount type '{}'",
            kind.map(|k| k.to_string()).unwrap_or_default()
        ))
    };
    match kind {
        k if mount.volume_options.is_some() && k != Some(MountType::VOLUME) => wrong("volume-*", k),
        k if mount.bind_options.is_some() && k != Some(MountType::BIND) => wrong("bind-*", k),
        k if mount.tmpfs_options.is_some() && k != Some(MountType::TMPFS) => wrong("tmpfs-*", k),
        _ => Ok(()),
    }
}

fn kind(value: &str) -> Result<MountType, String> {
    value.to_lowercase().parse().map_err(|_| format!("invalid mount type: {value}"))
}

fn propagation(value: &str) -> Result<MountBindOptionsPropagationEnum, String> {
    value.to_lowercase().parse().map_err(|_| format!("invalid propagation: {value}"))
}

fn bind(mount: &mut Mount) -> &mut MountBindOptions {
    mount.bind_options.get_or_insert_default()
}

fn volume(mount: &mut Mount) -> &mut MountVolumeOptions {
    mount.volume_options.get_or_insert_default()
}

fn driver(mount: &mut Mount) -> &mut MountVolumeOptionsDriverConfig {
    volume(mount).driver_config.get_or_insert_default()
}

fn tmpfs(mount: &mut Mount) -> &mut MountTmpfsOptions {
    mount.tmpfs_options.get_or_insert_default()
}

/// Every `--volume`: what is bound, and the paths that get a volume without a name. A source that starts with a dot
/// is taken from the working directory.
pub(crate) fn volumes(flags: &[String], cwd: &Path) -> (Vec<String>, Vec<String>) {
    let mut binds = Vec::new();
    let mut anonymous = Vec::new();
    for flag in flags {
        match flag.split_once(':') {
            None => anonymous.push(flag.clone()),
            Some((source, rest)) if source.starts_with('.') => {
                binds.push(format!("{}:{rest}", absolute(source, cwd)));
            }
            Some(_) => binds.push(flag.clone()),
        }
    }
    (binds, anonymous)
}

/// A path without `.` and `..`, as `filepath.Abs` of Go gives it.
pub(crate) fn absolute(path: &str, cwd: &Path) -> String {
    use std::path::Component;
    let mut clean = std::path::PathBuf::new();
    for part in cwd.join(path).components() {
        match part {
            Component::ParentDir => {
                clean.pop();
            }
            Component::CurDir => {}
            part => clean.push(part),
        }
    }
    clean.to_string_lossy().into_owned()
}

/// `path[:options]` to a map.
pub(crate) fn tmpfs_flags(flags: &[String]) -> HashMap<String, String> {
    let pair = |flag: &String| {
        let (path, options) = flag.split_once(':').unwrap_or((flag, ""));
        (path.to_owned(), options.to_owned())
    };
    flags.iter().map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_are_read_field_by_field() {
        let m = mount("type=bind,source=/a,target=/b,readonly,bind-propagation=rslave").unwrap();
        assert_eq!(
            (m.typ, m.source.as_deref(), m.read_only),
            (Some(MountType::BIND), Some("/a"), Some(true))
        );
        let m = mount("type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=1777").unwrap();
        let options = m.tmpfs_options.unwrap();
        assert_eq!((options.size_bytes, options.mode), (Some(1 << 20), Some(0o1777)));
        let m = mount(r#"type=volume,target=/v,"volume-opt=o=a,b""#).unwrap();
        assert_eq!(m.volume_options.unwrap().driver_config.unwrap().options.unwrap()["o"], "a,b");
    }

    #[test]
    fn a_bad_mount_says_what_is_wrong() {
        let table = [
            ("type=bind", "target is required"),
            ("foo", "invalid field 'foo' must be a key=value pair"),
            ("foo=1,target=/a", "unexpected key 'foo' in 'foo=1'"),
            ("target=/a,ro=x", "invalid value for ro: x"),
            ("type=bind,target=/a,volume-nocopy", "cannot mix 'volume-*' with mount type 'bind'"),
            ("target=/a,bind-propagation=x", "invalid propagation: x"),
        ];
        for (text, expected) in table {
            assert_eq!(mount(text).unwrap_err(), expected, "{text}");
        }
    }

    #[test]
    fn relative_sources_are_made_absolute() {
        let flags = ["./x:/x", "..:/y:ro", "name:/z", "/only", "/a:/b"].map(str::to_owned);
        let (binds, anonymous) = volumes(&flags, Path::new("/home/me"));
        assert_eq!(binds, ["/home/me/x:/x", "/home:/y:ro", "name:/z", "/a:/b"]);
        assert_eq!(anonymous, ["/only"]);
    }
}
