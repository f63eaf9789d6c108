//! Staying with a container: its streams joined to this terminal, signals and window sizes handed on, and the exit
//! code at the end. What `run`, `start -a` and `attach` share.

use hyper::Method;
use serde_json::Value;

use crate::client::{Body, Client, JsonLines, Stream, flag, query, query_escape};
use crate::error::CliError;
use crate::output;
use crate::terminal::{DetachKeys, Ended, Ends, Framing, RawMode, Session, Size, forward, resize_on_change};

/// How somebody stays.
#[derive(Debug, Clone)]
pub(super) struct Join {
    pub(super) id: String,
    pub(super) stdin: bool,
    pub(super) stdout: bool,
    pub(super) stderr: bool,
    pub(super) tty: bool,
    pub(super) keys: Option<String>,
    pub(super) proxy_signals: bool,
}

impl Join {
    /// Asks for the streams.
    pub(super) async fn attach(&self, client: &Client) -> Result<Stream, CliError> {
        let query = query(&[
            ("stream", flag(true)),
            ("stdin", flag(self.stdin)),
            ("stdout", flag(self.stdout)),
            ("stderr", flag(self.stderr)),
            ("detachKeys", self.keys.clone()),
        ]);
        client.upgrade(&format!("/containers/{}/attach{query}", query_escape(&self.id)), Body::None).await
    }

    /// The keys that leave, where there is a terminal.
    pub(super) fn detach_keys(&self) -> Result<Option<DetachKeys>, CliError> {
        if !(self.tty && self.stdin) {
            return Ok(None);
        }
        match self.keys.as_deref().filter(|keys| !keys.is_empty()) {
            Some(keys) => DetachKeys::parse(keys).map(Some).map_err(|e| crate::resolve::Invalid(e).into()),
            None => Ok(Some(DetachKeys::default())),
        }
    }

    /// Joins the streams until the output ends or the user leaves. The container runs by now.
    pub(super) async fn stay(&self, client: &Client, stream: Stream) -> Result<Ended, CliError> {
        let session = Session {
            stream,
            framing: if self.tty { Framing::Terminal } else { Framing::Frames },
            stdin: self.stdin,
            keys: self.detach_keys()?,
        };
        let path = format!("/containers/{}", query_escape(&self.id));
        join(client, session, &path, self.proxy_signals && !self.tty).await
    }
}

/// Runs a session of a container or of a command in one; `path` is where its sizes and signals go.
pub(super) async fn join(
    client: &Client,
    session: Session,
    path: &str,
    signals: bool,
) -> Result<Ended, CliError> {
    let tty = session.framing == Framing::Terminal;
    let raw = (tty && session.stdin && crate::terminal::is_terminal()).then(RawMode::enter).transpose()?;
    let mut ends = raw.is_some().then(Ends::listen).transpose()?;
    let kill = |name| async move {
        let _ = client.post(&format!("{path}/kill?signal={name}"), Body::None).await;
    };
    let resize = |size: Size| async move {
        let (rows, columns) = (size.rows, size.columns);
        let _ = client.post(&format!("{path}/resize?h={rows}&w={columns}"), Body::None).await;
    };
    let forwarded = signals.then(|| forward(kill)).transpose()?;
    let result = tokio::select! {
        ended = session.run() => ended,
        Err(error) = resize_on_change(resize), if tty => Err(error),
        () = async { if let Some(forwarded) = forwarded { forwarded.await } }, if signals => Ok(Ended::Output),
        code = async { match &mut ends { Some(ends) => ends.first().await, None => std::future::pending().await } } => {
            Err(CliError::Exit(code))
        }
    };
    drop(raw);
    result
}

/// What `attach` and `exec` say when the user leaves; `run` and `start` say nothing.
pub(super) fn left() -> CliError {
    crate::resolve::Invalid::new("read escape sequence").into()
}

/// Asks for the exit code. The daemon listens for the end by the time this returns.
pub(super) async fn wait(client: &Client, id: &str, condition: &str) -> Result<JsonLines, CliError> {
    let path = format!("/containers/{}/wait?condition={condition}", query_escape(id));
    client.json_lines(Method::POST, &path).await
}

/// The exit code, once there is one.
pub(super) async fn exit_code(mut wait: JsonLines) -> Result<u8, CliError> {
    let Some(answer) = wait.next().await? else {
        return Err(CliError::Lost("the daemon ended before the container did".to_owned()));
    };
    if let Some(message) = answer["Error"]["Message"].as_str().filter(|m| !m.is_empty()) {
        output::talk(&format!("Error waiting for container: {message}"));
        return Ok(125);
    }
    Ok(code(&answer["StatusCode"]))
}

/// A process's code, as a process can end with it.
pub(super) fn code(value: &Value) -> u8 {
    value.as_i64().map_or(125, |code| (code & 0xff) as u8)
}

/// The code as the end of the program.
pub(super) fn end_with(code: u8) -> Result<(), CliError> {
    if code == 0 { Ok(()) } else { Err(CliError::Exit(code)) }
}

/// What Docker says when the terminal is asked for and there is none.
pub(super) fn check_terminal(stdin: bool, tty: bool) -> Result<(), CliError> {
    if stdin && tty && !crate::terminal::is_terminal() {
        return Err(crate::resolve::Invalid::new("the input device is not a TTY").into());
    }
    Ok(())
}
