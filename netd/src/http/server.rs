//! Connections: accepted on every socket, served by one task each until the client goes or the daemon stops. HTTP/1 by
//! hyper itself rather than `axum::serve`, as attached streams take the connection over and answers have to look as Go
//! writes them (`Content-Type`, not `content-type`), for the few clients that care.

use std::{io, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::daemon::Socket;

/// How long to wait when there is no descriptor left for another connection.
const OUT_OF_DESCRIPTORS: Duration = Duration::from_millis(50);

/// Serves the API until it is told to stop; then running requests end and nothing new is taken.
#[derive(Debug)]
pub(crate) struct Server {
    connections: TaskTracker,
    stop: CancellationToken,
}

impl Server {
    /// Starts to serve. Must be called in a runtime.
    pub(crate) fn start(sockets: Vec<Socket>, router: &Router, stop: CancellationToken) -> io::Result<Self> {
        let connections = TaskTracker::new();
        let server = Self { connections, stop };
        for socket in sockets {
            server.listen(socket, router.clone())?;
        }
        Ok(server)
    }

    fn listen(&self, socket: Socket, router: Router) -> io::Result<()> {
        let (connections, stop) = (self.connections.clone(), self.stop.clone());
        match socket {
            Socket::Unix(listener) => {
                listener.set_nonblocking(true)?;
                let listener = UnixListener::from_std(listener)?;
                tokio::spawn(async move {
                    while let Some((stream, _)) = accept(&stop, || listener.accept()).await {
                        connections.spawn(serve(stream, router.clone(), stop.clone()));
                    }
                });
            }
            Socket::Tcp(listener) => {
                listener.set_nonblocking(true)?;
                let listener = TcpListener::from_std(listener)?;
                tokio::spawn(async move {
                    while let Some((stream, _)) = accept(&stop, || listener.accept()).await {
                        let _ = stream.set_nodelay(true);
                        connections.spawn(serve(stream, router.clone(), stop.clone()));
                    }
                });
            }
        }
        Ok(())
    }

    /// Waits until the last request has been answered, but no longer than `patience`.
    pub(crate) async fn finish(self, patience: Duration) {
        self.stop.cancel();
        self.connections.close();
        let _ = tokio::time::timeout(patience, self.connections.wait()).await;
    }
}

/// The next connection; none once we stop.
async fn accept<T, F: Future<Output = io::Result<T>>>(
    stop: &CancellationToken,
    next: impl Fn() -> F,
) -> Option<T> {
    loop {
        let accepted = tokio::select! {
            accepted = next() => accepted,
            () = stop.cancelled() => return None,
        };
        match accepted {
            Ok(connection) => return Some(connection),
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(OUT_OF_DESCRIPTORS).await;
            }
        }
    }
}

pub(super) async fn serve<I: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    io: I,
    router: Router,
    stop: CancellationToken,
) {
    let connection = http1::Builder::new()
        .title_case_headers(true)
        .serve_connection(TokioIo::new(io), TowerToHyperService::new(router))
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // Clients leave in the middle of streams all the time.
        tracing::debug!(%error, "connection ended");
    }
}
