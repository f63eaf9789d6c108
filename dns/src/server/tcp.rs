//! The TCP loop (RFC 7766): one task per connection, a bounded number of them, questions of one connection in
//! order.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::handle::Handler;
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

async fn converse(handler: &Handler, mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let idle = handler.limits.idle;
    let mut reply = Vec::new();
    loop {
        let message = timeout(idle, read_message(&mut stream)).await??;
        handler.counters.tcp_queries.one();
        if let Some(forwarding) = handler.handle(&message, Transport::Tcp, &mut reply) {
            reply = handler.forward(forwarding).await;
        }
        if !reply.is_empty() {
            timeout(idle, write_message(&mut stream, &reply)).await??;
        }
    }
}
