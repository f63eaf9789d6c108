//! A container's streams joined to ours, until its output ends or the user leaves.

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::mpsc;

use super::{Demux, DetachKeys, input};
use crate::client::Stream;
use crate::error::CliError;
use crate::output::{self, To};

/// How output comes: with a terminal there are no frames, and all of it is stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    Terminal,
    Frames,
}

/// Why a session is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    Output,
    Detached,
}

/// What is joined to what.
pub(crate) struct Session {
    pub(crate) stream: Stream,
    pub(crate) framing: Framing,
    /// Whether our input is handed on.
    pub(crate) stdin: bool,
    /// What leaves, where there is a terminal.
    pub(crate) keys: Option<DetachKeys>,
}

impl Session {
    /// Hands bytes on in both directions.
    pub(crate) async fn run(self) -> Result<Ended, CliError> {
        let (reader, writer) = tokio::io::split(self.stream);
        let input = self.stdin.then(input::read_stdin);
        tokio::select! {
            ended = copy_output(reader, self.framing) => ended.map(|()| Ended::Output),
            () = copy_input(writer, input, self.keys) => Ok(Ended::Detached),
        }
    }
}

async fn copy_output(mut reader: ReadHalf<Stream>, framing: Framing) -> Result<(), CliError> {
    let mut demux = Demux::default();
    let mut buffer = vec![0; 32 * 1024];
    loop {
        match reader.read(&mut buffer).await {
            Ok(0) => return Ok(()),
            Ok(read) => show(&buffer[..read], framing, &mut demux)?,
            Err(error) => return Err(CliError::Lost(error.to_string())),
        }
    }
}

fn show(bytes: &[u8], framing: Framing, demux: &mut Demux) -> Result<(), CliError> {
    match framing {
        Framing::Terminal => output::bytes(To::Stdout, bytes),
        Framing::Frames => demux.feed(bytes).into_iter().try_for_each(|(to, bytes)| output::bytes(to, bytes)),
    }
}

/// Returns only when the keys were typed: that input ends, or can't be handed on, ends nothing.
async fn copy_input(
    mut writer: WriteHalf<Stream>,
    input: Option<mpsc::Receiver<Bytes>>,
    mut keys: Option<DetachKeys>,
) {
    if let Some(mut input) = input {
        while let Some(bytes) = input.recv().await {
            let (bytes, detached) = match &mut keys {
                Some(keys) => {
                    let (bytes, detached) = keys.feed(&bytes);
                    (Bytes::from(bytes), detached)
                }
                None => (bytes, false),
            };
            if writer.write_all(&bytes).await.is_err() {
                return std::future::pending().await;
            }
            let _ = writer.flush().await;
            if detached {
                return;
            }
        }
        let _ = writer.shutdown().await;
    }
    std::future::pending::<()>().await;
}

/// The output of a request's answer, such as logs.
pub(crate) async fn copy_frames(mut body: Incoming, framing: Framing) -> Result<(), CliError> {
    let mut demux = Demux::default();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| CliError::Lost(error.to_string()))?;
        if let Ok(bytes) = frame.into_data() {
            show(&bytes, framing, &mut demux)?;
        }
    }
    Ok(())
}
