//! A host with a netd: started, driven by the `pontoon` and `docker` command lines, killed and started again, and at the
//! end compared with what the host was before.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use serde_json::Value;

use super::{
    host::{Host, Processes},
    output::{Output, Process},
    wait::{eventually, until},
};

/// Where netd keeps its durable state in a host of the lab: on the host's own `/run`, which lives as long as the host.
const DATA_ROOT: &str = "/run/lab/data";
const SOCKET: &str = "/run/pontoon/pontoon.sock";
const CONFIG: &str = "/run/lab/netd.json";

/// How a netd is started.
#[derive(Clone, Debug, Default)]
pub struct NetdOptions {
    /// Further words of its command line.
    pub args: Vec<String>,
    /// The text of its configuration file, if it has one.
    pub config: Option<String>,
    /// Variables of its environment, as `NAME=VALUE`.
    pub environment: Vec<String>,
    /// The program, as the host has it; else the one that was built beside the running test.
    pub program: Option<String>,
    /// What the host is like.
    pub host: HostKind,
}

/// What a host is like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HostKind {
    /// As its kernel is.
    #[default]
    Usual,
    /// As one that was booted with `ipv6.disable=1`, as far as netd and what it starts can see: no settings, no sockets.
    WithoutIpv6,
}

/// What [`Machine`] does at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clean {
    /// Remove containers and networks, stop netd, assert that the host is as it was before.
    Assert,
    /// Nothing: the test has made a mess on purpose.
    Leave,
}

/// A host with its own netd.
#[derive(Debug)]
pub struct Machine {
    host: Host,
    options: NetdOptions,
    netd: Option<Process>,
    before: String,
    clean: Clean,
}

impl Machine {
    pub(crate) fn new(name: &str, options: NetdOptions) -> Self {
        let host = Host::new(name, Processes::Own);
        if let Some(config) = &options.config {
            fs::write(host.path(CONFIG), config).expect("the host's own /run is writable");
        }
        if options.host == HostKind::WithoutIpv6 {
            host.exec(["mount", "-t", "tmpfs", "-o", "ro", "none", "/proc/sys/net/ipv6"]).ok();
        }
        let mut machine = Self { host, options, netd: None, before: String::new(), clean: Clean::Assert };
        machine.before = machine.objects();
        machine.start_netd();
        machine
    }

    /// Starts netd, which must not be running, and waits until it answers.
    ///
    /// # Panics
    /// If it does not.
    #[track_caller]
    pub fn start_netd(&mut self) {
        let (mut command, _) = self.host.command(self.netd_command());
        let log = File::options().create(true).append(true).open(self.log_path()).expect("a log file");
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a file can be shared")).stderr(log);
        let child = command.spawn().expect("nsenter (util-linux)");
        let mut netd = Process { child };
        until(Duration::from_secs(30), "netd answers", || {
            if let Ok(Some(status)) = netd.child.try_wait() {
                panic!("netd ended with {status}: {}", self.log());
            }
            self.curl("/_ping").result()
        });
        self.netd = Some(netd);
    }

    /// Gives netd another configuration file, for its next start.
    ///
    /// # Panics
    /// If it can't be written.
    pub fn set_config(&mut self, text: &str) {
        fs::write(self.host.path(CONFIG), text).expect("the host's own /run is writable");
        self.options.config = Some(text.to_owned());
    }

    /// Copies netd and what belongs beside it into a folder of the host; the path of netd there.
    ///
    /// # Panics
    /// If they can't be copied.
    pub fn copy_programs(&self, folder: &str) -> String {
        let [netd, shim] = ["netd", "netd-shim"].map(program);
        self.host.sh(&format!("mkdir -p {folder} && cp {netd} {shim} {folder} && strip -g {folder}/*")).ok();
        format!("{folder}/netd")
    }

    /// Uses another program as netd, for its next start.
    pub fn use_netd(&mut self, program: String) {
        self.options.program = Some(program);
    }

    /// The path of the program that runs as netd.
    #[track_caller]
    pub fn running_netd(&self) -> String {
        self.host.sh("readlink /proc/$(pgrep -x netd)/exe").ok()
    }

    /// The command line of netd, as run in the host.
    pub fn netd_command(&self) -> Vec<String> {
        let cgroup = format!("/pontoon-lab-{}", self.host.name());
        let environment = &self.options.environment;
        let mut words: Vec<String> = environment
            .first()
            .map(|_| "env".to_owned())
            .into_iter()
            .chain(environment.iter().cloned())
            .collect();
        words.extend((self.options.host == HostKind::WithoutIpv6).then(|| program("without-ipv6")));
        words.push(self.options.program.clone().unwrap_or_else(|| program("netd")));
        words.extend(["--data-root", DATA_ROOT, "--cgroup-parent", &cgroup].map(str::to_owned));
        if self.options.config.is_some() {
            words.extend(["--config-file", CONFIG].map(str::to_owned));
        }
        words.extend(self.options.args.iter().cloned());
        words
    }

    /// Kills netd with SIGKILL, as a crash would.
    ///
    /// # Panics
    /// If none is running.
    pub fn kill_netd(&mut self) {
        self.host.exec(["pkill", "-KILL", "-x", "netd"]).ok();
        let mut netd = self.netd.take().expect("a running netd");
        netd.child.wait().expect("it ends");
    }

    /// Stops netd with SIGTERM and waits until it has ended by itself.
    ///
    /// # Panics
    /// If none is running, or it fails.
    #[track_caller]
    pub fn stop_netd(&mut self) {
        self.host.exec(["pkill", "-TERM", "-x", "netd"]).ok();
        let mut netd = self.netd.take().expect("a running netd");
        let status = until(Duration::from_secs(60), "netd has stopped", || {
            netd.child.try_wait().ok().flatten().ok_or(())
        });
        assert!(status.success(), "netd ended with {status}: {}", self.log());
    }

    /// What netd has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.host.path("/run/lab/netd.log")
    }

    /// netd's socket, as the machine reaches it.
    pub fn socket(&self) -> PathBuf {
        self.host.path(SOCKET)
    }

    /// Runs the `pontoon` command line in the host.
    #[track_caller]
    pub fn pontoon<S: Into<String>>(&self, args: impl IntoIterator<Item = S>) -> Output {
        self.client(&binary("pontoon"), args)
    }

    /// Starts a container of the built-in image in the background: `pontoon run -d --name NAME ARGS host PROGRAM`.
    /// Returns its id.
    ///
    /// # Panics
    /// If it does not start.
    #[track_caller]
    pub fn start(&self, name: &str, args: &[&str], program: &[&str]) -> String {
        let line = [&["run", "-d", "--name", name], args, &["host"], program].concat();
        self.pontoon(line).ok()
    }

    /// Runs the stock `docker` command line against netd.
    #[track_caller]
    pub fn docker<S: Into<String>>(&self, args: impl IntoIterator<Item = S>) -> Output {
        let socket = format!("unix://{SOCKET}");
        let words = ["-H".to_owned(), socket].into_iter().chain(args.into_iter().map(Into::into));
        self.client(Path::new("docker"), words)
    }

    fn client<S: Into<String>>(&self, program: &Path, args: impl IntoIterator<Item = S>) -> Output {
        let program = program.to_string_lossy().into_owned();
        self.host.exec([program].into_iter().chain(args.into_iter().map(Into::into)))
    }

    /// `docker run -d --name NAME ARGS host sleep 1000`
    pub fn run(&self, name: &str, args: &[&str]) -> Output {
        let line = [&["run", "-d", "--name", name], args, &["host", "sleep", "1000"]].concat();
        self.docker(line.iter().copied())
    }

    /// What `program` says in a container.
    pub fn within(&self, name: &str, program: &[&str]) -> String {
        self.docker(["exec", name].iter().chain(program).copied()).ok()
    }

    /// The words that run `pontoon` in the host, for [`Host::spawn`].
    pub fn pontoon_words(&self, args: &[&str]) -> Vec<String> {
        let program = binary("pontoon").to_string_lossy().into_owned();
        [program].into_iter().chain(args.iter().map(|&arg| arg.to_owned())).collect()
    }

    /// GETs a path of the API with curl.
    pub fn curl(&self, path: &str) -> Output {
        self.host.exec([
            "curl",
            "-sS",
            "--max-time",
            "5",
            "--unix-socket",
            SOCKET,
            &format!("http://pontoon{path}"),
        ])
    }

    /// POSTs to a path of the API with curl: the status, and what is answered.
    ///
    /// # Panics
    /// If it is not answered, or not in JSON.
    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let (body, url) = (body.to_string(), format!("http://pontoon{path}"));
        let json = "Content-Type: application/json";
        let curl = ["curl", "-sS", "--max-time", "5", "--unix-socket", SOCKET, "-H", json, "-d", &body];
        let said = self.host.exec(curl.into_iter().chain(["-w", "\n%{http_code}", &url])).ok();
        let (answer, status) = said.rsplit_once('\n').expect("a line for the status");
        let answer = if answer.is_empty() { "null" } else { answer };
        (status.parse().expect("a status"), serde_json::from_str(answer).expect("JSON"))
    }

    /// Leaves the host as the test leaves it: for tests that break it on purpose.
    pub fn leave_mess(&mut self) {
        self.clean = Clean::Leave;
    }

    /// Removes containers and networks, stops netd, and compares the host with what it was before.
    ///
    /// # Panics
    /// If anything is left: link, address, route, namespace, mount, table, cgroup, process.
    #[track_caller]
    pub fn assert_clean(&mut self) {
        self.clean = Clean::Leave;
        if self.netd.is_some() {
            self.sweep();
            self.stop_netd();
        }
        let before = self.before.clone();
        eventually("nothing is left", || {
            let now = self.objects();
            if now == before { Ok(()) } else { Err(difference(&before, &now)) }
        });
    }

    fn sweep(&self) {
        let all = self.pontoon(["ps", "-aq"]).ok();
        if !all.is_empty() {
            self.pontoon(["rm", "-f"].into_iter().chain(all.lines())).ok();
        }
        let networks = || self.pontoon(["network", "ls", "-q", "--filter", "type=custom"]).ok();
        let remove = |all: &str| self.pontoon(["network", "rm"].into_iter().chain(all.lines()));
        // Configuration networks stay as long as others are made from them.
        let all = networks();
        if !all.is_empty() {
            let first = remove(&all);
            let left = networks();
            if !left.is_empty() {
                assert!(first.stderr.contains("is in use"), "{first:?}");
                remove(&left).ok();
            }
        }
    }

    /// Every kernel object of the host, a line each.
    fn objects(&self) -> String {
        let cgroups = format!("find /sys/fs/cgroup -type d -path '*pontoon-lab-{}*'", self.host.name());
        [
            "ip -o link show | sed 's/^[0-9]*: //;s/ .*//' | grep -v '^lan'",
            "ip -o -4 route show table all | grep -v 'dev lan'",
            "ls /run/netns",
            "awk '{print $5}' /proc/self/mountinfo | sort",
            "nft list tables",
            &cgroups,
            "ps -e -o stat=,comm= | awk '$1 !~ /^Z/ {print $2}' | grep -vxE 'ps|awk|grep|bash|sh|sed'",
        ]
        .map(|line| format!("# {line}\n{}", self.host.sh(line).stdout))
        .join("\n")
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- netd of {}\n{}", self.host.name(), self.log());
        } else if self.clean == Clean::Assert {
            self.assert_clean();
        }
        self.remove_cgroups();
    }
}

impl Machine {
    /// Cgroups are the machine's, not the host's: whatever a failed or messy test left there must go with it.
    fn remove_cgroups(&self) {
        let name = self.host.name();
        let find = format!("find /sys/fs/cgroup -depth -type d -path '*pontoon-lab-{name}*'");
        let kill = "while read -r d; do [ -e $d/cgroup.procs ] && xargs -r kill -KILL < $d/cgroup.procs; done 2>/dev/null";
        eventually("the host's cgroups are gone", || {
            self.host.sh(&format!("{find} | {kill}; {find} -exec rmdir {{}} \\; 2>/dev/null"));
            let left = self.host.sh(&find).stdout;
            if left.is_empty() || std::thread::panicking() { Ok(()) } else { Err(left) }
        });
    }
}

impl std::ops::Deref for Machine {
    type Target = Host;

    fn deref(&self) -> &Host {
        &self.host
    }
}

fn program(name: &str) -> String {
    binary(name).to_string_lossy().into_owned()
}

/// A program of the workspace, as built beside the running test.
///
/// # Panics
/// If it was not built.
fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the test knows where it is");
    let built = test.ancestors().skip(1).map(|dir| dir.join(name)).find(|path| path.is_file());
    built.unwrap_or_else(|| panic!("{name} is not built: run `cargo build --workspace` first"))
}

fn difference(before: &str, now: &str) -> String {
    let new = now.lines().filter(|line| !before.contains(line)).map(|line| format!("+ {line}"));
    let gone = before.lines().filter(|line| !now.contains(line)).map(|line| format!("- {line}"));
    new.chain(gone).collect::<Vec<_>>().join("\n")
}
