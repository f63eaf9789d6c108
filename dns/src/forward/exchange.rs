//! One question, one server.

use std::io;
use std::sync::Arc;

use thiserror::Error;
use tokio::net::{TcpStream, UdpSocket};

use super::question::{Judgement, Question, Transport};
use crate::dial::Dial;
use crate::framing::{read_message, write_message};
use crate::upstream::{DialFrom, Upstream};

/// Why one server gave no answer.
#[derive(Debug, Error)]
pub(crate) enum UpstreamError {
    #[error("could not make a socket towards upstream {}", .0.addr)]
    Dial(Upstream, #[source] io::Error),
    #[error("could not exchange messages with upstream {}", .0.addr)]
    Exchange(Upstream, #[source] io::Error),
    #[error("upstream {} answered SERVFAIL or REFUSED, or something else than was asked", .0.addr)]
    Unhelpful(Upstream),
}

/// Asks one server; waits as long as it takes.
pub(super) async fn ask(
    question: &Question,
    server: Upstream,
    dial: &Arc<dyn Dial>,
) -> Result<Vec<u8>, UpstreamError> {
    let reply = match question.transport {
        Transport::Tcp => over_tcp(question, server, dial).await?,
        Transport::Udp => match over_udp(question, server, dial).await? {
            (reply, Judgement::Cut) => over_tcp(question, server, dial).await.unwrap_or(reply),
            (reply, _) => reply,
        },
    };
    Ok(question.restore(reply))
}

async fn over_udp(
    question: &Question,
    server: Upstream,
    dial: &Arc<dyn Dial>,
) -> Result<(Vec<u8>, Judgement), UpstreamError> {
    let socket = dialled(dial, server, |dial, Upstream { addr, from }| dial.udp(from, addr)).await?;
    let socket = UdpSocket::from_std(socket).map_err(|error| UpstreamError::Dial(server, error))?;
    let failed = |error| UpstreamError::Exchange(server, error);
    let id = rand::random();
    socket.send(&question.under(id)).await.map_err(failed)?;
    // The server keeps to the size that the client's own question allows.
    let mut reply = vec![0; question.reply_size];
    loop {
        reply.resize(question.reply_size, 0);
        let len = socket.recv(&mut reply).await.map_err(failed)?;
        reply.truncate(len);
        match question.judge(id, &reply) {
            Judgement::Foreign => {}
            Judgement::Unhelpful => return Err(UpstreamError::Unhelpful(server)),
            good => return Ok((reply, good)),
        }
    }
}

async fn over_tcp(
    question: &Question,
    server: Upstream,
    dial: &Arc<dyn Dial>,
) -> Result<Vec<u8>, UpstreamError> {
    let stream = dialled(dial, server, |dial, Upstream { addr, from }| dial.tcp(from, addr)).await?;
    let mut stream = TcpStream::from_std(stream).map_err(|error| UpstreamError::Dial(server, error))?;
    let failed = |error| UpstreamError::Exchange(server, error);
    let id = rand::random();
    let reply = converse(&mut stream, &question.under(id)).await.map_err(failed)?;
    match question.judge(id, &reply) {
        Judgement::Good | Judgement::Cut => Ok(reply),
        Judgement::Unhelpful | Judgement::Foreign => Err(UpstreamError::Unhelpful(server)),
    }
}

async fn converse(stream: &mut TcpStream, message: &[u8]) -> io::Result<Vec<u8>> {
    // The connection may still be under way; how that ended is the first thing that the socket tells.
    stream.writable().await?;
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    write_message(stream, message).await?;
    read_message(stream).await
}

/// A socket, made on a thread that may wait if another namespace must be entered for it.
async fn dialled<S: Send + 'static>(
    dial: &Arc<dyn Dial>,
    server: Upstream,
    make: fn(&dyn Dial, Upstream) -> io::Result<S>,
) -> Result<S, UpstreamError> {
    match server.from {
        DialFrom::Host => make(&**dial, server),
        DialFrom::Container => {
            let dial = dial.clone();
            let made = tokio::task::spawn_blocking(move || make(&*dial, server)).await;
            made.unwrap_or_else(|gone| Err(io::Error::other(gone)))
        }
    }
    .map_err(|error| UpstreamError::Dial(server, error))
}
