//! A place to make containers in, removed at the end, with what it takes to see that nothing is left.
#![allow(dead_code, unreachable_pub)] // every test file uses its own part
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test's own helper, not inside a test function

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use netd_runtime::{
    Attach, ContainerSpec, CreateRequest, Engine, Exit, LogTarget, Process, Rootfs, Runtime, RuntimeConfig,
    RuntimeError, Shim, Stdin, Writable, capabilities,
};
use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;

/// Longest time that anything here may take.
pub const DEADLINE: Duration = Duration::from_secs(20);

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// Directories, a cgroup parent and a runtime of one test's own.
pub struct Place {
    pub home: TempDir,
    pub parent: String,
    pub runtime: Runtime,
    pub engine: Engine,
}

impl Place {
    pub fn new() -> Self {
        Self::with(Engine::Builtin)
    }

    /// A place whose containers `engine` makes.
    pub fn with(engine: Engine) -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let parent = format!("/pontoon-test-{}-{number}", std::process::id());
        let runtime = Runtime::new(RuntimeConfig {
            shim: env!("CARGO_BIN_EXE_netd-shim").into(),
            cgroup_parent: parent.clone(),
        });
        Self { home: tempfile::tempdir().unwrap(), parent, runtime, engine }
    }

    /// A request for a container over the machine's root that runs `args`.
    pub fn request(&self, args: &[&str]) -> CreateRequest {
        let id = format!("{:064x}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let data = self.home.path().join("data").join(&id);
        let writable = Writable { upper: data.join("upper"), work: data.join("work") };
        fs::create_dir_all(&writable.upper).unwrap();
        fs::create_dir_all(&writable.work).unwrap();
        let process = Process {
            args: args.iter().map(ToString::to_string).collect(),
            env: vec!["PATH=/usr/sbin:/usr/bin:/sbin:/bin".to_owned()],
            capabilities: capabilities::defaults(),
            ..Process::default()
        };
        CreateRequest {
            dir: self.dir(&id),
            spec: ContainerSpec {
                rootfs: Rootfs::Host { hidden: vec!["/root".into(), "/etc/shadow*".into()] },
                writable: Some(writable),
                hostname: "box".to_owned(),
                process,
                id,
                ..ContainerSpec::default()
            },
            log: Some(LogTarget { path: data.join("log"), max_size: None, max_files: 1 }),
            stdin: Stdin::Closed,
            dns: Vec::new(),
            engine: self.engine.clone(),
        }
    }

    pub fn dir(&self, id: &str) -> PathBuf {
        self.home.path().join("run").join(id)
    }

    /// Creates, attaches, starts, waits, deletes; gives what came out on both streams.
    pub async fn run(&self, request: CreateRequest) -> Result<(Exit, String, String), RuntimeError> {
        let terminal = request.spec.process.terminal;
        let shim = self.runtime.create(request).await?;
        let stream = shim.attach(Attach::ALL).await?;
        if let Err(error) = shim.start().await {
            shim.delete().await?;
            return Err(error);
        }
        let (out, err) = within(read_all(stream, terminal)).await;
        let exit = within(shim.wait()).await?;
        shim.delete().await?;
        Ok((exit, out, err))
    }

    /// What `sh -c script` prints, which must succeed.
    pub async fn script(&self, script: &str) -> String {
        let (exit, out, err) = self.run(self.request(&["sh", "-c", script])).await.unwrap();
        assert_eq!(exit.code, 0, "{script}: {out}{err}");
        out
    }

    /// Everything that a container may leave: directories, cgroups, mounts.
    pub fn leftovers(&self) -> Vec<String> {
        let mut left = Vec::new();
        for entry in fs::read_dir(self.home.path().join("run")).into_iter().flatten().flatten() {
            left.push(entry.path().display().to_string());
        }
        for group in cgroup_dirs(&self.parent) {
            let children = fs::read_dir(&group).into_iter().flatten().flatten();
            left.extend(
                children
                    .filter(|child| child.path().is_dir())
                    .map(|child| child.path().display().to_string()),
            );
        }
        let home = self.home.path().display().to_string();
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        left.extend(mounts.lines().filter(|line| line.contains(&home)).map(str::to_owned));
        left
    }

    /// Nothing is left, at the latest when the kernel is done with it.
    pub fn assert_clean(&self) {
        eventually(|| self.leftovers().is_empty(), || format!("left behind: {:?}", self.leftovers()));
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // a test that failed leaves its containers; they die with their shims
        for entry in fs::read_dir(self.home.path().join("run")).into_iter().flatten().flatten() {
            let record = fs::read(entry.path().join("state.json")).unwrap_or_default();
            let record: serde_json::Value = serde_json::from_slice(&record).unwrap_or_default();
            if let Some(pid) = record["shim_pid"].as_i64().and_then(|pid| i32::try_from(pid).ok()) {
                let _ = nix::sys::signal::kill(
                    nix::unistd::Pid::from_raw(pid),
                    nix::sys::signal::Signal::SIGKILL,
                );
            }
        }
        for group in cgroup_dirs(&self.parent) {
            for child in fs::read_dir(&group).into_iter().flatten().flatten() {
                let _ = fs::remove_dir(child.path());
            }
        }
        for group in cgroup_dirs(&self.parent) {
            let _ = fs::remove_dir(group);
        }
    }
}

fn cgroup_dirs(parent: &str) -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let groups =
        mounts.lines().filter(|line| line.contains(" - cgroup")).filter_map(|line| line.split(' ').nth(4));
    groups
        .map(|mount| Path::new(mount).join(parent.trim_start_matches('/')))
        .filter(|path| path.is_dir())
        .collect()
}

/// Waits until `condition` holds.
pub fn eventually(condition: impl Fn() -> bool, otherwise: impl Fn() -> String) {
    let start = std::time::Instant::now();
    while !condition() {
        assert!(start.elapsed() < DEADLINE, "{}", otherwise());
        std::thread::yield_now();
    }
}

/// The future's value, in time.
pub async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.expect("took too long")
}

/// Reads a stream to its end: stdout and stderr from Docker's frames, or the raw bytes of a terminal.
pub async fn read_all(mut stream: tokio::net::UnixStream, terminal: bool) -> (String, String) {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    if terminal {
        return (String::from_utf8_lossy(&bytes).into_owned(), String::new());
    }
    let mut streams = [Vec::new(), Vec::new()];
    let mut rest = &bytes[..];
    while let Some((head, tail)) = rest.split_first_chunk::<8>() {
        let length = u32::from_be_bytes([head[4], head[5], head[6], head[7]]) as usize;
        streams[usize::from(head[0]) - 1].extend_from_slice(&tail[..length]);
        rest = &tail[length..];
    }
    let [out, err] = streams.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    (out, err)
}

/// A created and started container that runs `args`.
pub async fn started(place: &Place, args: &[&str]) -> Shim {
    let shim = place.runtime.create(place.request(args)).await.unwrap();
    shim.start().await.unwrap();
    shim
}

/// Ends and removes a container.
pub async fn remove(shim: &Shim) {
    let _ = shim.kill(9).await;
    within(shim.wait()).await.unwrap();
    shim.delete().await.unwrap();
}
