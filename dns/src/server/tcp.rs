//! The TCP loop (RFC 7766): one task per connection, and a bounded number of them.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::net::tcp::OwnedReadHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::handle::{Handled, Handler};
use crate::forward::Transport;
use crate::framing::{read_message, write_message};

/// How long to wait when no connection can be accepted (no descriptors left).
const AFTER_ERROR: Duration = Duration::from_millis(100);

pub(super) async fn serve(handler: Arc<Handler>, listener: TcpListener) {
    let mut connections = JoinSet::new();
    let places = Arc::new(Semaphore::new(handler.limits.connections));
    loop {
        // The semaphore is never closed.
        let Ok(place) = places.clone().acquire_owned().await else { return };
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                let handler = handler.clone();
                connections.spawn(async move {
                    // A client that goes away in the middle of a message is no event.
                    let _gone = converse(&handler, stream).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, sandbox.id = %handler.asker, "could not accept a dns connection");
                tokio::time::sleep(AFTER_ERROR).await;
            }
        }
    }
}

/// Reads on while questions are at the upstreams: replies leave as they come, and clients tell them by their id.
async fn converse(handler: &Handler, stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let idle = handler.limits.idle;
    let (reader, mut writer) = stream.into_split();
    let mut reading = pin!(Some(next_message(reader, idle)));
    let mut forwards = FuturesUnordered::new();
    loop {
        let reply = tokio::select! {
            Some((reply, _)) = forwards.next() => reply,
            Some((message, reader)) = some(reading.as_mut().as_pin_mut()) => match message {
                Ok(message) => {
                    reading.set(Some(next_message(reader, idle)));
                    let mut reply = Vec::new();
                    handler.counters.tcp_queries.one();
                    if let Handled::Forward(forwarding) = handler.handle(&message, Transport::Tcp, &mut reply) {
                        forwards.push(handler.forward(*forwarding));
                    }
                    reply
                }
                // Closed for writing, or idle; what is under way is still waited for.
                Err(_) => {
                    reading.set(None);
                    continue;
                }
            },
            else => return Ok(()),
        };
        if !reply.is_empty() {
            timeout(idle, write_message(&mut writer, &reply)).await??;
        }
    }
}

/// The next message and the reader again, so that a message half read is never lost to a `select!`.
async fn next_message(mut reader: OwnedReadHalf, idle: Duration) -> (io::Result<Vec<u8>>, OwnedReadHalf) {
    let message = match timeout(idle, read_message(&mut reader)).await {
        Ok(message) => message,
        Err(late) => Err(late.into()),
    };
    (message, reader)
}

async fn some<F: Future>(future: Option<F>) -> Option<F::Output> {
    Some(future?.await)
}
