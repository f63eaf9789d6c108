//! Attached streams: the connection stops being HTTP and becomes the container's stdin, stdout and stderr. What goes
//! out is framed by the shim already (or raw, with a terminal); here bytes are only carried, and the end of one side
//! told to the other.

use std::{io, os::fd::AsFd as _, pin::Pin, time::Duration};

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use hyper::{
    ext::ReasonPhrase,
    upgrade::{OnUpgrade, Upgraded},
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, Interest},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::oneshot,
    time::timeout,
};
use tokio_util::io::ReaderStream;

use super::{keys::DetachKeys, version::Version};
use crate::container::{AttachStream, Framing};

/// Size of what is carried at once: that of a pipe.
const CHUNK: usize = 64 << 10;

/// How long a client may go on typing into nothing, once the container's output has ended.
const LAST_INPUT: Duration = Duration::from_secs(5);

/// The client's wish to take the connection over.
pub(super) struct Hijack {
    upgrade: Option<OnUpgrade>,
    version: Version,
}

/// What a process says and takes, taken apart.
struct Stdio {
    framing: Framing,
    /// What was said before.
    past: Option<Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>>,
    /// The stream, once there is a process.
    live: Pin<Box<dyn Future<Output = Option<UnixStream>> + Send>>,
    /// Told once the exit code of the process is known: a client asks for it as soon as its stream ends.
    ended: Option<oneshot::Receiver<()>>,
}

impl From<AttachStream> for Stdio {
    fn from(mut attached: AttachStream) -> Self {
        let (framing, past, ended) = (attached.framing, attached.past.take(), attached.ended.take());
        Self { framing, past: past.map(|past| past.body), live: Box::pin(attached.open()), ended }
    }
}

impl Hijack {
    /// Reads the wish from the request's headers. Clients from before 2015 don't send them.
    pub(super) fn of(request: &mut Request, version: Version) -> Self {
        let wanted = request.headers().contains_key(header::UPGRADE);
        Self { upgrade: wanted.then(|| hyper::upgrade::on(request)), version }
    }

    /// Answers, and carries bytes both ways from then on; `keys` leave a terminal. A client that did not ask to take
    /// the connection over gets the output as the answer's body.
    pub(super) fn answer(self, attached: AttachStream, keys: Option<DetachKeys>) -> Response {
        self.stream(attached.into(), keys)
    }

    /// Answers that there is nothing to carry, in the words of `text`: clients that attach to a process of their own
    /// read there why it could not be started.
    pub(super) fn refuse(self, text: &str, framing: Framing) -> Response {
        let said = match framing {
            Framing::Raw => Bytes::copy_from_slice(text.as_bytes()),
            Framing::Frames => stdout_frame(text.as_bytes()),
        };
        let past = Box::pin(stream::iter([Ok(said)]));
        self.stream(Stdio { framing, past: Some(past), live: Box::pin(async { None }), ended: None }, None)
    }

    fn stream(self, stdio: Stdio, keys: Option<DetachKeys>) -> Response {
        let kind = content_type(stdio.framing, self.version);
        let Some(upgrade) = self.upgrade else {
            let mut response = Response::new(Body::from_stream(output_of(stdio)));
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
            return response;
        };
        let keys = keys.filter(|_| stdio.framing == Framing::Raw);
        tokio::spawn(async move {
            match upgrade.await {
                Ok(client) => carry(client, stdio, keys).await,
                Err(error) => tracing::debug!(%error, "connection was not taken over"),
            }
        });
        switching(kind)
    }
}

/// One of Docker's frames: the stream, three zeros, the length, the bytes.
fn stdout_frame(bytes: &[u8]) -> Bytes {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    [&[1, 0, 0, 0][..], &length.to_be_bytes(), bytes].concat().into()
}

/// The type of a container's output.
pub(super) fn content_type(framing: Framing, version: Version) -> HeaderValue {
    HeaderValue::from_static(if framing == Framing::Frames && version.knows(42) {
        "application/vnd.docker.multiplexed-stream"
    } else {
        "application/vnd.docker.raw-stream"
    })
}

/// What was, and what is written from now on.
fn output_of(stdio: Stdio) -> impl Stream<Item = io::Result<Bytes>> + Send {
    let live = stream::once(stdio.live).flat_map(|stream| {
        stream::iter(stream).flat_map(|stream| ReaderStream::with_capacity(stream, CHUNK))
    });
    stream::iter(stdio.past).flatten().chain(live)
}

fn switching(kind: HeaderValue) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    response.extensions_mut().insert(ReasonPhrase::from_static(b"UPGRADED"));
    *response.headers_mut() = HeaderMap::from_iter([
        (header::CONTENT_TYPE, kind),
        (header::CONNECTION, HeaderValue::from_static("Upgrade")),
        (header::UPGRADE, HeaderValue::from_static("tcp")),
    ]);
    response
}

/// The client's side of a connection that was taken over.
struct Client {
    reader: Box<dyn AsyncRead + Send + Unpin>,
    writer: Box<dyn AsyncWrite + Send + Unpin>,
    /// The same socket once more, to notice that the client is gone and not only done with its stdin.
    watched: Option<UnixStream>,
}

impl Client {
    fn new(upgraded: Upgraded) -> Self {
        match upgraded.downcast::<TokioIo<UnixStream>>() {
            Ok(parts) => {
                let stream = parts.io.into_inner();
                let again = stream.as_fd().try_clone_to_owned().map(std::os::unix::net::UnixStream::from);
                let watched = again.and_then(UnixStream::from_std).ok();
                let (reader, writer) = stream.into_split();
                let early: Bytes = parts.read_buf;
                Self {
                    reader: Box::new(io::Cursor::new(early).chain(reader)),
                    writer: Box::new(writer),
                    watched,
                }
            }
            Err(upgraded) => {
                let (reader, writer) = tokio::io::split(TokioIo::new(upgraded));
                Self { reader: Box::new(reader), writer: Box::new(writer), watched: None }
            }
        }
    }
}

/// Carries bytes until the container's output ends, the user detaches or the client is gone. The end of the client's
/// input is the end of stdin, no more.
async fn carry(client: Upgraded, stdio: Stdio, keys: Option<DetachKeys>) {
    let mut client = Client::new(client);
    tokio::select! {
        result = converse(&mut client.reader, &mut client.writer, stdio, keys) => {
            if let Err(error) = result {
                tracing::debug!(%error, "attached client left");
            }
        }
        () = gone(client.watched.as_ref()) => {}
    }
    let _ = client.writer.shutdown().await;
    // A unix socket closed with input unread makes the peer's last read an error instead of the end.
    let _ = timeout(LAST_INPUT, tokio::io::copy(&mut client.reader, &mut tokio::io::sink())).await;
}

async fn converse(
    reader: &mut (dyn AsyncRead + Send + Unpin),
    writer: &mut (dyn AsyncWrite + Send + Unpin),
    stdio: Stdio,
    keys: Option<DetachKeys>,
) -> io::Result<()> {
    if let Some(mut past) = stdio.past {
        while let Some(piece) = past.next().await {
            writer.write_all(&piece?).await?;
        }
    }
    // The container may still have to be started, and may be removed instead.
    let Some(stream) = stdio.live.await else { return Ok(()) };
    let (output, input) = stream.into_split();
    tokio::select! {
        result = send_output(output, writer) => {
            if let Some(ended) = stdio.ended {
                let _ = ended.await;
            }
            result
        }
        () = take_input(reader, input, keys) => Ok(()),
    }
}

async fn send_output(
    mut output: OwnedReadHalf,
    client: &mut (dyn AsyncWrite + Send + Unpin),
) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    loop {
        let length = output.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        client.write_all(&buffer[..length]).await?;
        client.flush().await?;
    }
}

/// Ends only when the user detaches: the end of stdin, and a container that takes no more, leave the output running.
async fn take_input(
    client: &mut (dyn AsyncRead + Send + Unpin),
    input: OwnedWriteHalf,
    keys: Option<DetachKeys>,
) {
    if pass_input(client, input, keys).await {
        return;
    }
    std::future::pending::<()>().await;
}

/// True once the user has detached, false at the end of either side. Dropping `input` is the end of stdin.
async fn pass_input(
    client: &mut (dyn AsyncRead + Send + Unpin),
    mut input: OwnedWriteHalf,
    mut keys: Option<DetachKeys>,
) -> bool {
    let mut buffer = vec![0; CHUNK];
    loop {
        let Ok(length @ 1..) = client.read(&mut buffer).await else { return false };
        let passed = match &mut keys {
            None => input.write_all(&buffer[..length]).await,
            Some(keys) => {
                let typed = keys.take(&buffer[..length]);
                let passed = input.write_all(&typed.forward).await;
                if typed.detach {
                    return true;
                }
                passed
            }
        };
        if passed.is_err() {
            return false;
        }
    }
}

/// Ends when the client has closed both directions. A client that closed only its own sends an end of stdin, and
/// still reads; epoll tells the two apart (RDHUP, HUP).
async fn gone(watched: Option<&UnixStream>) {
    let Some(watched) = watched else { return std::future::pending().await };
    loop {
        match watched.ready(Interest::WRITABLE).await {
            Ok(ready) if ready.is_write_closed() => return,
            // Forgets that it is writable, so that only the next change wakes us.
            Ok(_) => {
                let _ = watched.try_io(Interest::WRITABLE, || Err::<(), _>(io::ErrorKind::WouldBlock.into()));
            }
            Err(_) => return std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests;
