//! One connection, carried in both directions.

use std::{net::SocketAddr, time::Duration};

use nix::sys::socket::{setsockopt, sockopt};
use tokio::{io::copy_bidirectional_with_sizes, net::TcpStream, time::timeout};
use tokio_util::sync::CancellationToken;

/// How long a container may take to accept.
const PATIENCE: Duration = Duration::from_secs(30);
/// What is read at once, in each direction.
const PIECE: usize = 32 * 1024;

/// Carries a connection until both sides have said all that they have to say, or one of them breaks it off, or it must
/// end. That one side has finished is told to the other, which may go on. A container that does not accept is as one that
/// breaks off.
pub(super) async fn carry(mut client: TcpStream, to: SocketAddr, end: &CancellationToken) {
    let server = tokio::select! {
        () = end.cancelled() => None,
        server = timeout(PATIENCE, TcpStream::connect(to)) => server.ok().and_then(Result::ok),
    };
    let Some(mut server) = server else { return break_off(&client) };
    prepare(&client, &server);
    let carried = tokio::select! {
        () = end.cancelled() => false,
        carried = copy_bidirectional_with_sizes(&mut client, &mut server, PIECE, PIECE) => carried.is_ok(),
    };
    if !carried {
        break_off(&client);
        break_off(&server);
    }
}

/// Small pieces are not held back, and a container that ends without a word is noticed.
fn prepare(client: &TcpStream, server: &TcpStream) {
    let done = client.set_nodelay(true).and_then(|()| server.set_nodelay(true));
    let done = done.and_then(|()| Ok(setsockopt(server, sockopt::KeepAlive, &true)?));
    if let Err(error) = done {
        tracing::debug!(%error, "a relayed connection is as the system makes it");
    }
}

/// The peer is told so when the connection is closed.
fn break_off(stream: &TcpStream) {
    if let Err(error) = stream.set_zero_linger() {
        tracing::debug!(%error, "a relayed connection is closed as if it were complete");
    }
}
