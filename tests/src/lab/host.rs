//! A host: namespaces held by one process, in which programs and closures run. It ends with its keeper, and the keeper
//! ends with the test, however that ends: its standard input is a pipe from here.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU8, Ordering},
    thread,
};

use nix::sched::{CloneFlags, setns, unshare};

use super::{
    output::{Output, Process},
    wait::eventually,
};

/// What the keeper runs: sets the stage, then waits for the end of the test.
const KEEPER: &str = concat!(include_str!("stage.sh"), "echo ready\nwhile read -r _; do :; done\n");

/// Whether a host sees the processes of the machine or has a PID namespace of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Processes {
    /// The machine's: closures of the test itself can run in the host ([`Host::run`]).
    Shared,
    /// Its own: all that runs in the host ends with it.
    Own,
}

/// A network and a mount namespace that play a host.
#[derive(Debug)]
pub struct Host {
    name: String,
    processes: Processes,
    keeper: Child,
    /// The process that holds the namespaces, as the machine numbers it.
    pid: u32,
    cables: AtomicU8,
}

impl Host {
    pub(crate) fn new(name: &str, processes: Processes) -> Self {
        let mut command = Command::new("unshare");
        command.args(["--net", "--mount", "--propagation", "private"]);
        if processes == Processes::Own {
            command.args(["--pid", "--fork", "--kill-child", "--mount-proc"]);
        }
        command.args(["bash", "-c", KEEPER]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut keeper = command.spawn().expect("unshare (util-linux) is installed");
        let mut line = String::new();
        BufReader::new(keeper.stdout.as_mut().expect("piped"))
            .read_line(&mut line)
            .expect("the keeper speaks");
        assert_eq!(line, "ready\n", "the host {name} could not be set up; its errors are above");
        let pid = if processes == Processes::Own { only_child(keeper.id()) } else { keeper.id() };
        Self { name: name.to_owned(), processes, keeper, pid, cables: AtomicU8::new(0) }
    }

    /// The host's name, unique on the machine.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The process that holds the namespaces: for `/proc/<pid>/ns/net`.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// A path of the host's own file system, as the machine reaches it.
    pub fn path(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{path}", self.pid))
    }

    /// Runs a program in the host until it ends.
    ///
    /// # Panics
    /// If it can't be started.
    #[track_caller]
    pub fn exec<S: AsRef<OsStr>>(&self, command: impl IntoIterator<Item = S>) -> Output {
        let (mut process, text) = self.command(command);
        let output = process.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{text}: {error}"));
        Output::new(text, &output)
    }

    /// Runs a line of bash in the host until it ends.
    #[track_caller]
    pub fn sh(&self, line: &str) -> Output {
        self.exec(["bash", "-c", line])
    }

    /// Starts a program in the host and leaves it running; its pipes are open. It ends with the thread that started it,
    /// however that ends.
    ///
    /// # Panics
    /// If it can't be started.
    #[track_caller]
    pub fn spawn<S: AsRef<OsStr>>(&self, command: impl IntoIterator<Item = S>) -> Process {
        let words = command.into_iter().map(|word| word.as_ref().to_owned());
        // Where processes are the host's own they end with it, and are a fork away from here.
        let mortal = ["setpriv", "--pdeathsig", "KILL", "--"].into_iter().map(OsString::from);
        let mortal = mortal.filter(|_| self.processes == Processes::Shared);
        let (mut process, text) = self.command(mortal.chain(words));
        process.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Process { child: process.spawn().unwrap_or_else(|error| panic!("{text}: {error}")) }
    }

    /// The command that runs `command` in the host, not yet started.
    pub fn command<S: AsRef<OsStr>>(&self, command: impl IntoIterator<Item = S>) -> (Command, String) {
        let mut process = Command::new("nsenter");
        process.args(["-t", &self.pid.to_string(), "--net", "--mount"]);
        if self.processes == Processes::Own {
            process.arg("--pid");
        }
        process.args(["--wd=/", "--"]);
        let mut text = String::new();
        for word in command {
            process.arg(word.as_ref());
            text.push_str(&word.as_ref().to_string_lossy());
            text.push(' ');
        }
        (process, text.trim_end().to_owned())
    }

    /// Runs `act` in the host's network and mount namespace, on a thread that is thrown away.
    ///
    /// # Panics
    /// If the host has processes of its own (its `/proc` has no place for this thread), or with what `act` panics with.
    pub fn run<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        assert_eq!(
            self.processes,
            Processes::Shared,
            "a closure can't run in a host with processes of its own"
        );
        let open =
            |kind: &str| File::open(format!("/proc/{}/ns/{kind}", self.pid)).expect("the keeper lives");
        let (net, mount) = (open("net"), open("mnt"));
        let inside = move || {
            unshare(CloneFlags::CLONE_FS).expect("a thread may leave the shared root");
            setns(&net, CloneFlags::CLONE_NEWNET).expect("the host's network");
            setns(&mount, CloneFlags::CLONE_NEWNS).expect("the host's mounts");
            act()
        };
        let ended = thread::scope(|scope| {
            let thread = thread::Builder::new().name(self.name.clone());
            thread.spawn_scoped(scope, inside).expect("a thread").join()
        });
        ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// A new host, joined to this one by a cable (veth) of its own subnet, with its default route through this one.
    ///
    /// # Panics
    /// If the kernel refuses.
    pub fn lan(&self, name: &str) -> Lan {
        let number = self.cables.fetch_add(1, Ordering::Relaxed);
        let lan = Host::new(&format!("{name}-{}", self.name), Processes::Shared);
        // RFC 5737 and RFC 3849 set these apart for examples: no real host answers there.
        let subnet = |last: u8| format!("198.51.{}.{last}", 100 + number);
        let subnet6 = |last: u8| format!("2001:db8:{number}::{last}");
        let cable = format!("lan{number}");
        let outside = |words: &[&str]| {
            let mut line = vec!["-t".to_owned(), self.pid.to_string(), "--net".to_owned(), "ip".to_owned()];
            line.extend(words.iter().map(|&word| word.to_owned()));
            let output = Command::new("nsenter").args(&line).output().expect("nsenter (util-linux)");
            Output::new(line.join(" "), &output).ok();
        };
        let pid = lan.pid.to_string();
        outside(&["link", "add", &cable, "type", "veth", "peer", "name", "eth0", "netns", &pid]);
        outside(&["address", "add", &format!("{}/24", subnet(1)), "dev", &cable]);
        outside(&["address", "add", &format!("{}/64", subnet6(1)), "dev", &cable, "nodad"]);
        outside(&["link", "set", &cable, "up"]);
        lan.exec(["ip", "address", "add", &format!("{}/24", subnet(2)), "dev", "eth0"]).ok();
        lan.exec(["ip", "address", "add", &format!("{}/64", subnet6(2)), "dev", "eth0", "nodad"]).ok();
        lan.exec(["ip", "link", "set", "eth0", "up"]).ok();
        lan.exec(["ip", "route", "add", "default", "via", &subnet(1)]).ok();
        lan.exec(["ip", "-6", "route", "add", "default", "via", &subnet6(1)]).ok();
        Lan { address: subnet(2), gateway: subnet(1), address6: subnet6(2), gateway6: subnet6(1), host: lan }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}

/// A host on the LAN of another.
#[derive(Debug)]
pub struct Lan {
    host: Host,
    address: String,
    gateway: String,
    address6: String,
    gateway6: String,
}

impl Lan {
    /// Its IPv4 address.
    pub fn address(&self) -> String {
        self.address.clone()
    }

    /// The IPv4 address of the host that it is joined to.
    pub fn gateway(&self) -> String {
        self.gateway.clone()
    }

    /// Its IPv6 address.
    pub fn address6(&self) -> String {
        self.address6.clone()
    }

    /// The IPv6 address of the host that it is joined to.
    pub fn gateway6(&self) -> String {
        self.gateway6.clone()
    }
}

impl std::ops::Deref for Lan {
    type Target = Host;

    fn deref(&self) -> &Host {
        &self.host
    }
}

fn only_child(parent: u32) -> u32 {
    let children = format!("/proc/{parent}/task/{parent}/children");
    eventually("the keeper has forked", || {
        let text = std::fs::read_to_string(&children).map_err(|error| error.to_string())?;
        text.trim().parse().map_err(|_| text)
    })
}
