//! `docker exec`: further processes in a running container. What was made is remembered until its container goes, so
//! that clients can ask for the exit code.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use libnet::types::ContainerId;
use netd_api::{
    extras::{ExecStart, IdResponse},
    models,
};
use netd_runtime::{Attach, Exec, ExecSpec, Process};
use tokio::sync::oneshot;

use super::{
    AttachStream, ContainerError, Containers, ExecStarted, Framing,
    ask::Io,
    create::{self, capabilities},
    error::invalid,
    links,
    policy::Ask,
    record::Record,
};

/// How many ended ones of a container are remembered.
const KEPT: usize = 64;

/// How long the news of an end may be behind the end of the streams.
const MOMENT: Duration = Duration::from_millis(25);

/// The same when the process is known to have ended.
const LAST_NEWS: Duration = Duration::from_secs(5);

/// All execs of all containers.
#[derive(Debug, Default)]
pub(super) struct Execs(Mutex<HashMap<String, Arc<Entry>>>);

/// One of them.
#[derive(Debug)]
struct Entry {
    id: String,
    container: ContainerId,
    ask: models::ExecConfig,
    number: u64,
    state: Mutex<State>,
}

#[derive(Clone, Debug, Default)]
struct State {
    begun: bool,
    process: Option<Arc<Exec>>,
    code: Option<i32>,
}

impl Execs {
    /// Ids of those of a container that have not ended.
    pub(super) fn of(&self, container: ContainerId) -> Vec<String> {
        let all = self.all();
        let living = all.values().filter(|exec| exec.container == container && exec.state().code.is_none());
        living.map(|exec| exec.id.clone()).collect()
    }

    /// Keeps those whose container is still there.
    fn keep(&self, there: impl Fn(ContainerId) -> bool) {
        self.all().retain(|_, exec| there(exec.container));
    }

    fn insert(&self, id: String, container: ContainerId, ask: models::ExecConfig) {
        let mut all = self.all();
        let mut ended: Vec<_> = all
            .values()
            .filter(|exec| exec.container == container && exec.state().code.is_some())
            .map(|exec| (exec.number, exec.id.clone()))
            .collect();
        if ended.len() >= KEPT {
            ended.sort_unstable();
            all.remove(&ended[0].1);
        }
        let number = all.values().map(|exec| exec.number).max().unwrap_or(0) + 1;
        let entry = Entry { id: id.clone(), container, ask, number, state: Mutex::default() };
        all.insert(id, Arc::new(entry));
    }

    fn find(&self, id: &str) -> Result<Arc<Entry>, ContainerError> {
        self.all().get(id).cloned().ok_or_else(|| ContainerError::NoExec(id.to_owned()))
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Arc<Entry>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tty(&self) -> bool {
        self.ask.tty == Some(true)
    }

    /// A client that has seen the end of the streams asks for the exit code at once; the news of the end may be a moment
    /// behind the last bytes. One that polls a process that goes on waits this moment for nothing.
    async fn ending(&self) {
        let process = {
            let state = self.state();
            state.process.clone().filter(|_| state.code.is_none())
        };
        let Some(process) = process else { return };
        let patience = if is_gone(process.pid()) { LAST_NEWS } else { MOMENT };
        if let Ok(Ok(code)) = tokio::time::timeout(patience, process.wait()).await {
            self.state().code = Some(code);
        }
    }

    /// From now on it is begun; only one caller may.
    fn begin(&self) -> Result<(), ContainerError> {
        let mut state = self.state();
        if state.begun {
            let what = if state.code.is_some() { "has already run" } else { "is already running" };
            return Err(ContainerError::Conflict(format!("Error: Exec command {} {what}", self.id)));
        }
        state.begun = true;
        Ok(())
    }
}

impl Containers {
    /// Prepares a process.
    ///
    /// # Errors
    /// [`ContainerError`]: the container doesn't run, or the request makes no sense.
    #[allow(clippy::unused_async, reason = "as the other requests")]
    pub async fn exec_create(
        &self,
        reference: &str,
        ask: models::ExecConfig,
    ) -> Result<IdResponse, ContainerError> {
        let container = self.find(reference)?;
        container.admit(Ask::Exec)?;
        if ask.cmd.as_ref().is_none_or(|cmd| cmd.first().is_none_or(String::is_empty)) {
            return invalid("No exec command specified");
        }
        if ask.working_dir.as_deref().is_some_and(|dir| !dir.is_empty() && !dir.starts_with('/')) {
            return invalid("the working directory is invalid, it needs to be an absolute path");
        }
        let id = ContainerId::from_bytes(self.parts.random()).to_string();
        let words = ask.cmd.clone().unwrap_or_default().join(" ");
        self.parts.tell(&container.record(), format!("exec_create: {words}"), &[("execID", id.clone())]);
        self.execs.keep(|container| self.find(&container.to_string()).is_ok());
        self.execs.insert(id.clone(), container.id, ask);
        Ok(IdResponse { id })
    }

    /// The keys that leave its terminal, if they were named when it was prepared.
    pub fn exec_detach_keys(&self, exec: &str) -> Option<String> {
        self.execs.find(exec).ok()?.ask.detach_keys.clone()
    }

    /// Runs it.
    ///
    /// # Errors
    /// [`ContainerError`]: it could not be run, or has been run.
    pub async fn exec_start(&self, exec: &str, ask: ExecStart) -> Result<ExecStarted, ContainerError> {
        let entry = self.execs.find(exec)?;
        let container = self.find(&entry.container.to_string())?;
        container.admit(Ask::Exec)?;
        let Some(shim) = container.shim() else {
            return Err(ContainerError::Conflict(format!("container {} is not running", container.id)));
        };
        let record = container.record();
        let spec = self.exec_spec(&record, &entry, &ask)?;
        entry.begin()?;
        let words = spec.process.args.join(" ");
        let mut process = match shim.exec(&spec).await {
            Ok(process) => process,
            Err(error) => {
                entry.state().code = Some(error.exit_code().unwrap_or(126));
                return Err(error.into());
            }
        };
        let stream = process.stream.take();
        let process = Arc::new(process);
        entry.state().process = Some(process.clone());
        self.parts.tell(&record, format!("exec_start: {words}"), &[("execID", entry.id.clone())]);
        let ended = self.watch(entry.clone(), process, record);
        Ok(match stream {
            Some(stream) if !ask.detach => {
                let framing = if entry.tty() { Framing::Raw } else { Framing::Frames };
                ExecStarted::Attached(AttachStream {
                    framing,
                    past: None,
                    io: Io::Open(stream),
                    ended: Some(ended),
                })
            }
            _ => ExecStarted::Detached,
        })
    }

    /// Follows a process to its end; what comes back is told once the exit code is known.
    fn watch(&self, entry: Arc<Entry>, process: Arc<Exec>, record: Arc<Record>) -> oneshot::Receiver<()> {
        let parts = self.parts.clone();
        let (tell, told) = oneshot::channel();
        tokio::spawn(async move {
            // A shim that is gone took the process with it.
            let code = process.wait().await.unwrap_or(137);
            entry.state().code = Some(code);
            let extra = [("execID", entry.id.clone()), ("exitCode", code.to_string())];
            parts.tell(&record, "exec_die", &extra);
            // Nobody listens where the process was started detached.
            let _ = tell.send(());
        });
        told
    }

    fn exec_spec(
        &self,
        record: &Record,
        entry: &Entry,
        start: &ExecStart,
    ) -> Result<ExecSpec, ContainerError> {
        let (ask, wanted) = (&entry.ask, create::read(record, &self.parts.defaults)?);
        let privileged = ask.privileged == Some(true);
        let mut env = wanted.env;
        create::add_variables(&mut env, links::variables(&self.parts, &self.registry, record));
        for pair in ask.env.iter().flatten() {
            let name = pair.split('=').next();
            env.retain(|known| known.split('=').next() != name);
            env.push(pair.clone());
        }
        if entry.tty() && !env.iter().any(|pair| pair.starts_with("TERM=")) {
            env.push("TERM=xterm".to_owned());
        }
        let text = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let said = ask
            .console_size
            .as_deref()
            .map(|size| size.iter().map(|&n| u16::try_from(n).unwrap_or(0)).collect::<Vec<_>>());
        let size = start.console_size.map(|[rows, cols]| (rows, cols)).or(match said.as_deref() {
            Some([rows, cols]) => Some((*rows, *cols)),
            _ => None,
        });
        let process = Process {
            args: ask.cmd.clone().unwrap_or_default(),
            env,
            cwd: text(&ask.working_dir).unwrap_or(wanted.cwd),
            user: text(&ask.user).or_else(|| text(&record.config.user)).unwrap_or_default(),
            extra_groups: record.host.group_add.clone().unwrap_or_default(),
            terminal: entry.tty(),
            console_size: size.filter(|(rows, cols)| *rows > 0 && *cols > 0),
            capabilities: if privileged { capabilities(None, None, true)? } else { wanted.capabilities },
            no_new_privileges: wanted.no_new_privileges,
            rlimits: wanted.rlimits,
            oom_score_adj: None,
        };
        let on = |flag: Option<bool>| flag == Some(true);
        let attach = Attach {
            stdin: on(ask.attach_stdin),
            stdout: on(ask.attach_stdout),
            stderr: on(ask.attach_stderr),
        };
        Ok(ExecSpec {
            process,
            attach: (!start.detach).then_some(attach),
            seccomp: wanted.seccomp,
            privileged: privileged || record.host.privileged == Some(true),
        })
    }

    /// Sets the size of its terminal.
    ///
    /// # Errors
    /// [`ContainerError`].
    pub async fn exec_resize(&self, exec: &str, rows: u16, cols: u16) -> Result<(), ContainerError> {
        let entry = self.execs.find(exec)?;
        let process = entry.state().process.clone();
        match process {
            Some(process) => Ok(process.resize(rows, cols).await?),
            None => Err(ContainerError::Conflict(format!("exec {exec} is not running"))),
        }
    }

    /// What is known of it.
    ///
    /// # Errors
    /// [`ContainerError::NoExec`].
    pub async fn exec_inspect(&self, exec: &str) -> Result<models::ExecInspectResponse, ContainerError> {
        let entry = self.execs.find(exec)?;
        entry.ending().await;
        let (ask, state) = (&entry.ask, entry.state().clone());
        let mut words = ask.cmd.clone().unwrap_or_default().into_iter();
        Ok(models::ExecInspectResponse {
            can_remove: Some(state.code.is_some()),
            detach_keys: Some(ask.detach_keys.clone().unwrap_or_default()),
            id: Some(entry.id.clone()),
            running: Some(state.process.is_some() && state.code.is_none()),
            exit_code: state.code.map(i64::from),
            process_config: Some(models::ProcessConfig {
                privileged: ask.privileged,
                user: ask.user.clone(),
                tty: ask.tty,
                entrypoint: words.next(),
                arguments: Some(words.collect()),
            }),
            open_stdin: ask.attach_stdin,
            open_stderr: ask.attach_stderr,
            open_stdout: ask.attach_stdout,
            container_id: Some(entry.container.to_string()),
            pid: Some(state.process.map_or(0, |process| i64::from(process.pid()))),
        })
    }
}

/// Whether a process has ended, reaped or not: the letter after its name in /proc/PID/stat.
fn is_gone(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(')').and_then(|(_, rest)| rest.trim_start().chars().next());
    matches!(state, None | Some('Z' | 'X'))
}
