//! The cgroups of one container: made, limited, joined, frozen, removed.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::devices;
use super::layout::{Layout, Offer};
use super::limits::{Setting, settings};
use crate::launch::{CgroupPlan, DeviceRule};
use crate::reason::reason;
use crate::spec::Resources;
use crate::sys;

/// The directories of one container.
#[derive(Debug, Default)]
pub(crate) struct Cgroup {
    layout: Layout,
    path: String,
    /// The v2 group that processes are born in.
    born: Option<PathBuf>,
    /// v1 groups to be joined: controller, directory.
    joined: Vec<(String, PathBuf)>,
}

impl Cgroup {
    /// Makes what the plan needs. On an error nothing is left.
    pub(crate) fn make(plan: &CgroupPlan) -> Result<Self, String> {
        let mut group = Self { layout: plan.layout.clone(), path: plan.path.clone(), ..Self::default() };
        group.fill(plan).inspect_err(|_| group.remove())?;
        Ok(group)
    }

    fn fill(&mut self, plan: &CgroupPlan) -> Result<(), String> {
        if plan.external {
            return Ok(());
        }
        let limits = settings(&self.layout, &plan.resources, None)?;
        if let Some((mount, _)) = self.layout.v2.clone() {
            let directory = mount.join(&self.path);
            enable_controllers(&mount, &directory, &limits);
            // a v2 tree that can't be written (a container's own) is as good as none
            if fs::create_dir_all(&directory).is_ok() {
                self.born = Some(directory);
            }
        } else if let Offer::V1(mount) = self.layout.offer("freezer") {
            // without v2, membership of the freezer is what says who belongs to the container
            self.add_v1("freezer", &mount.clone())?;
        }
        self.add_all(&limits)?;
        plan.devices.as_deref().map_or(Ok(()), |rules| self.keep_devices(rules))
    }

    fn add_all(&mut self, settings: &[Setting]) -> Result<(), String> {
        for setting in settings.iter().filter(|setting| !setting.v2) {
            self.add_v1(setting.controller, &setting.mount)?;
        }
        self.apply(settings)
    }

    /// Keeps device rules: by a program on the v2 group, which costs nothing at the start, or by the v1 controller.
    fn keep_devices(&mut self, rules: &[DeviceRule]) -> Result<(), String> {
        let program = devices::program(rules)?;
        let by_program = match &self.born {
            Some(born) => {
                fs::File::open(born).and_then(|group| sys::attach_device_program(&program, group.as_fd()))
            }
            None => Err(io::ErrorKind::NotFound.into()),
        };
        match (by_program, self.layout.offer("devices")) {
            (Ok(()), _) => Ok(()),
            (Err(_), Offer::V1(_)) => {
                self.add_all(&settings(&self.layout, &Resources::default(), Some(rules))?)
            }
            (Err(error), _) => Err(format!("cannot guard the machine's devices: {}", reason(&error))),
        }
    }

    fn add_v1(&mut self, controller: &str, mount: &Path) -> Result<(), String> {
        if self.joined.iter().any(|(name, _)| name == controller) {
            return Ok(());
        }
        let directory = mount.join(&self.path);
        fs::create_dir_all(&directory)
            .map_err(|error| format!("cannot make the cgroup {}: {}", directory.display(), reason(&error)))?;
        self.joined.push((controller.to_owned(), directory.clone()));
        if controller == "cpuset" {
            inherit_cpuset(mount, &directory);
        }
        Ok(())
    }

    fn apply(&self, settings: &[Setting]) -> Result<(), String> {
        for setting in settings {
            let file = setting.mount.join(&self.path).join(setting.file);
            fs::write(&file, &setting.value).map_err(|error| {
                format!(
                    "cannot write {:?} to the cgroup file {}: {}",
                    setting.value,
                    file.display(),
                    reason(&error)
                )
            })?;
        }
        Ok(())
    }

    /// Changes the limits of a living container.
    pub(crate) fn update(&mut self, resources: &Resources, pid: i32) -> Result<(), String> {
        let settings = settings(&self.layout, resources, None)?;
        let before = self.joined.len();
        self.add_all(&settings)?;
        let members = self.members(pid);
        for (_, directory) in self.joined.iter().skip(before) {
            for member in &members {
                let _ = fs::write(directory.join("cgroup.procs"), member.to_string());
            }
        }
        Ok(())
    }

    /// A descriptor of the group that processes are to be born in.
    pub(crate) fn birth_place(&self) -> Option<OwnedFd> {
        let flags = rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::PATH | rustix::fs::OFlags::CLOEXEC;
        rustix::fs::open(self.born.as_ref()?, flags, rustix::fs::Mode::empty()).ok()
    }

    /// Puts a process into the v1 groups.
    pub(crate) fn join(&self, pid: i32) -> Result<(), String> {
        for (_, directory) in &self.joined {
            fs::write(directory.join("cgroup.procs"), pid.to_string()).map_err(|error| {
                format!("cannot join the cgroup {}: {}", directory.display(), reason(&error))
            })?;
        }
        Ok(())
    }

    /// What the container may see of its cgroups: controller (empty for v2) and directory.
    pub(crate) fn visible(&self) -> Vec<(String, PathBuf)> {
        if self.layout.is_unified() {
            return self.born.iter().map(|directory| (String::new(), directory.clone())).collect();
        }
        self.joined.iter().filter(|(name, _)| name != "devices").cloned().collect()
    }

    /// The processes of the container; `pid` where no group knows.
    fn members(&self, pid: i32) -> Vec<i32> {
        let directory = self.born.as_ref().or_else(|| self.joined.first().map(|(_, directory)| directory));
        let text =
            directory.and_then(|dir| fs::read_to_string(dir.join("cgroup.procs")).ok()).unwrap_or_default();
        let members: Vec<i32> = text.lines().filter_map(|line| line.parse().ok()).collect();
        if members.is_empty() { vec![pid] } else { members }
    }

    /// Freezes or thaws every process.
    pub(crate) fn freeze(&self, frozen: bool) -> Result<(), String> {
        let (directory, file, value, state, expected) = if let Some(born) = &self.born {
            let value = if frozen { "1" } else { "0" };
            (born, "cgroup.freeze", value, "cgroup.events", if frozen { "frozen 1" } else { "frozen 0" })
        } else if let Some((_, freezer)) = self.joined.iter().find(|(name, _)| name == "freezer") {
            let value = if frozen { "FROZEN" } else { "THAWED" };
            (freezer, "freezer.state", value, "freezer.state", value)
        } else {
            return Err("this machine has no cgroup that can freeze processes".to_owned());
        };
        let failed =
            |error: io::Error| format!("cannot write {}: {}", directory.join(file).display(), reason(&error));
        fs::write(directory.join(file), value).map_err(failed)?;
        for _ in 0..2000 {
            if fs::read_to_string(directory.join(state)).is_ok_and(|text| text.contains(expected)) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let _ = fs::write(directory.join(file), if frozen { "THAWED" } else { value });
        Err("the processes of the container could not be frozen in time".to_owned())
    }

    /// How often the out-of-memory killer struck.
    pub(crate) fn oom_kills(&self) -> u64 {
        let file = match self.joined.iter().find(|(name, _)| name == "memory") {
            Some((_, directory)) => directory.join("memory.oom_control"),
            None => match &self.born {
                Some(born) => born.join("memory.events"),
                None => return 0,
            },
        };
        let text = fs::read_to_string(file).unwrap_or_default();
        text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok()).unwrap_or(0)
    }

    /// Removes the groups; whoever is still in them is killed.
    pub(crate) fn remove(&self) {
        // a process that v1 has frozen does not end, killed or not
        if let Some((_, freezer)) = self.joined.iter().find(|(name, _)| name == "freezer") {
            let _ = fs::write(freezer.join("freezer.state"), "THAWED");
        }
        for directory in self.joined.iter().map(|(_, directory)| directory).chain(&self.born) {
            remove_group(directory);
        }
    }

    /// The groups that somebody else has made: an OCI runtime, or a shim that is gone.
    pub(crate) fn existing(layout: &Layout, path: &str) -> Self {
        let joined = layout
            .v1
            .iter()
            .flat_map(|(mount, names)| names.iter().map(|name| (name.clone(), mount.join(path))))
            .filter(|(_, directory)| directory.is_dir())
            .collect();
        let born =
            layout.v2.as_ref().map(|(mount, _)| mount.join(path)).filter(|directory| directory.is_dir());
        Self { layout: layout.clone(), path: path.to_owned(), born, joined }
    }
}

fn remove_group(directory: &Path) {
    for _ in 0..200 {
        match fs::remove_dir(directory) {
            Err(error) if error.raw_os_error() == Some(nix::libc::EBUSY) => {}
            _ => return,
        }
        if fs::write(directory.join("cgroup.kill"), "1").is_err() {
            let text = fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
            for pid in text.lines().filter_map(|line| line.parse().ok()) {
                let _ = nix::sys::signal::kill(
                    nix::unistd::Pid::from_raw(pid),
                    nix::sys::signal::Signal::SIGKILL,
                );
            }
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// v2 controllers reach a group only where every parent passes them on.
fn enable_controllers(mount: &Path, directory: &Path, settings: &[Setting]) {
    let mut names: Vec<&str> =
        settings.iter().filter(|setting| setting.v2).map(|setting| setting.controller).collect();
    names.dedup();
    let Ok(relative) = directory.strip_prefix(mount) else { return };
    let mut parent = mount.to_owned();
    for part in relative.components() {
        for name in &names {
            let _ = fs::write(parent.join("cgroup.subtree_control"), format!("+{name}"));
        }
        parent.push(part);
        let _ = fs::create_dir(&parent);
    }
}

/// A v1 cpuset is empty at first, and nobody can join an empty one: take over what the parents have.
fn inherit_cpuset(mount: &Path, directory: &Path) {
    let Ok(relative) = directory.strip_prefix(mount) else { return };
    let mut parent = mount.to_owned();
    for part in relative.components() {
        let child = parent.join(part);
        for file in ["cpuset.cpus", "cpuset.mems"] {
            let empty = fs::read_to_string(child.join(file)).is_ok_and(|text| text.trim().is_empty());
            if empty && let Ok(value) = fs::read_to_string(parent.join(file)) {
                let _ = fs::write(child.join(file), value.trim());
            }
        }
        parent = child;
    }
}
