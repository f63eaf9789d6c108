//! Settings of containers: runtimes, logs, and what processes get.

use std::collections::BTreeMap;

use super::{Checked, wrong};
use crate::config::{
    BUILTIN_RUNTIME, ContainerDefaults, LinkVariables, OciRuntime, settings::ContainerSettings,
};

pub(super) fn container(said: ContainerSettings) -> Checked<ContainerDefaults> {
    let runtimes = runtimes(&said)?;
    let runtime =
        said.default_runtime.filter(|name| !name.is_empty()).unwrap_or_else(|| BUILTIN_RUNTIME.to_owned());
    if runtime != BUILTIN_RUNTIME && !runtimes.contains_key(&runtime) {
        return Err(wrong("default-runtime", &runtime, "specified default runtime does not exist"));
    }
    if let Some(driver) = said.log_driver.filter(|driver| driver != "json-file") {
        return Err(wrong("log-driver", &driver, "the only driver is json-file"));
    }
    let shm_size = said.default_shm_size.as_deref().unwrap_or("64m");
    Ok(ContainerDefaults {
        runtime,
        runtimes,
        cgroup_parent: said
            .cgroup_parent
            .filter(|path| !path.is_empty())
            .unwrap_or_else(|| "/pontoon".to_owned()),
        shim: said.shim,
        init: said.init.unwrap_or(false),
        no_new_privileges: said.no_new_privileges.unwrap_or(false),
        shm_size: netd_api::size::parse(shm_size)
            .map_err(|error| wrong("default-shm-size", &shm_size, error.to_string()))?,
        link_variables: LinkVariables::default(),
        log_options: log_options(said.log_opts.unwrap_or_default(), &said.log_opt.unwrap_or_default())?,
    })
}

fn runtimes(said: &ContainerSettings) -> Checked<BTreeMap<String, OciRuntime>> {
    let mut all = BTreeMap::new();
    for (name, runtime) in said.runtimes.iter().flatten() {
        if runtime.path.is_empty() {
            return Err(wrong("runtimes", name, "a runtime needs a path"));
        }
        all.insert(
            name.clone(),
            OciRuntime { path: (&runtime.path).into(), args: runtime.runtime_args.clone() },
        );
    }
    for text in said.add_runtime.iter().flatten() {
        match text.split_once('=') {
            Some((name, path)) if !name.is_empty() && !path.is_empty() => {
                all.insert(name.to_owned(), OciRuntime { path: path.into(), args: Vec::new() });
            }
            _ => return Err(wrong("add-runtime", text, "it should be of the form name=path")),
        }
    }
    if all.contains_key(BUILTIN_RUNTIME) {
        return Err(wrong("runtimes", &BUILTIN_RUNTIME, "this name is that of the built-in runtime"));
    }
    Ok(all)
}

fn log_options(mut all: BTreeMap<String, String>, flags: &[String]) -> Checked<BTreeMap<String, String>> {
    for option in flags {
        let (key, value) =
            option.split_once('=').ok_or_else(|| wrong("log-opts", option, "it should be key=value"))?;
        all.insert(key.to_owned(), value.to_owned());
    }
    let known = [
        "max-size",
        "max-file",
        "labels",
        "labels-regex",
        "env",
        "env-regex",
        "tag",
        "compress",
        "mode",
        "max-buffer-size",
    ];
    match all.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(wrong("log-opts", key, "unknown log opt for json-file log driver")),
        None => Ok(all),
    }
}
