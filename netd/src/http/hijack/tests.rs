use std::sync::{Arc, Mutex};

use axum::{Router, extract::State, routing::post};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::http::server::serve;

/// What the next attach gets.
type Next = Arc<Mutex<Option<(Stdio, Option<DetachKeys>)>>>;

/// A client's connection, and the process at the other end.
struct Attached {
    client: UnixStream,
    process: UnixStream,
    head: String,
}

async fn attach(
    framing: Framing,
    keys: Option<DetachKeys>,
    headers: &str,
    past: &[&'static str],
) -> Attached {
    let (process, shim) = UnixStream::pair().unwrap();
    let past: Vec<_> = past.iter().map(|piece| Ok(Bytes::from_static(piece.as_bytes()))).collect();
    let stdio = Stdio {
        framing,
        past: Some(Box::pin(stream::iter(past))),
        live: Box::pin(async { Some(shim) }),
        ended: None,
    };
    let next: Next = Arc::new(Mutex::new(Some((stdio, keys))));
    let handler = |State(next): State<Next>, version: Version, mut request: Request| async move {
        let (stdio, keys) = next.lock().unwrap().take().unwrap();
        Hijack::of(&mut request, version).stream(stdio, keys)
    };
    let router = Router::new().route("/attach", post(handler)).with_state(next);
    let (mut client, server) = UnixStream::pair().unwrap();
    tokio::spawn(serve(server, router, CancellationToken::new()));
    let request = format!("POST /attach HTTP/1.1\r\nHost: d\r\n{headers}Content-Length: 0\r\n\r\n");
    client.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.unwrap());
    }
    Attached { client, process, head: String::from_utf8(head).unwrap() }
}

const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: tcp\r\n";

async fn upgraded(framing: Framing, keys: Option<DetachKeys>) -> Attached {
    attach(framing, keys, UPGRADE, &[]).await
}

async fn rest(stream: &mut UnixStream) -> Vec<u8> {
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    rest
}

async fn heard(stream: &mut UnixStream, expected: &[u8]) {
    let mut said = vec![0; expected.len()];
    stream.read_exact(&mut said).await.unwrap();
    assert_eq!(said, expected);
}

#[tokio::test]
async fn the_head_says_what_follows() {
    let frames = upgraded(Framing::Frames, None).await.head;
    assert!(frames.starts_with("HTTP/1.1 101 UPGRADED\r\n"), "{frames}");
    for header in
        ["Connection: Upgrade", "Upgrade: tcp", "Content-Type: application/vnd.docker.multiplexed-stream"]
    {
        assert!(frames.contains(header), "{header} in {frames}");
    }
    let raw = upgraded(Framing::Raw, None).await.head;
    assert!(raw.contains("Content-Type: application/vnd.docker.raw-stream"), "{raw}");
}

#[tokio::test]
async fn the_end_of_stdin_leaves_the_output_running() {
    let Attached { mut client, mut process, .. } = upgraded(Framing::Frames, None).await;
    client.write_all(b"question").await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(rest(&mut process).await, b"question");
    process.write_all(b"answer").await.unwrap();
    drop(process);
    assert_eq!(rest(&mut client).await, b"answer");
}

#[tokio::test]
async fn what_was_said_before_comes_first() {
    let attached = attach(Framing::Frames, None, UPGRADE, &["one ", "two "]).await;
    let Attached { mut client, mut process, .. } = attached;
    process.write_all(b"three").await.unwrap();
    drop(process);
    assert_eq!(rest(&mut client).await, b"one two three");
}

#[tokio::test]
async fn an_end_with_input_left_over_is_no_error() {
    let Attached { mut client, mut process, .. } = upgraded(Framing::Frames, None).await;
    process.write_all(b"done").await.unwrap();
    drop(process);
    heard(&mut client, b"done").await;
    let _ = client.write_all(&[b'y'; 100_000]).await;
    assert_eq!(rest(&mut client).await, b"");
}

#[tokio::test]
async fn detach_keys_leave_a_terminal_and_nothing_else() {
    let keys = DetachKeys::parse(None).unwrap();
    let Attached { mut client, mut process, .. } = upgraded(Framing::Raw, Some(keys.clone())).await;
    client.write_all(b"ls\x10\x11").await.unwrap();
    assert_eq!(rest(&mut client).await, b"");
    assert_eq!(rest(&mut process).await, b"ls");

    let Attached { mut client, mut process, .. } = upgraded(Framing::Frames, Some(keys)).await;
    client.write_all(b"ls\x10\x11").await.unwrap();
    heard(&mut process, b"ls\x10\x11").await;
    drop(process);
    assert_eq!(rest(&mut client).await, b"");
}

#[tokio::test]
async fn a_client_that_is_gone_is_noticed_though_the_process_is_silent() {
    let Attached { mut client, mut process, .. } = upgraded(Framing::Frames, None).await;
    client.shutdown().await.unwrap();
    assert_eq!(rest(&mut process).await, b"", "the end of stdin");
    process.write_all(b"still here").await.unwrap();
    heard(&mut client, b"still here").await;
    drop(client);
    // Once nobody carries its output any more, the process' end of the socket is dead.
    let end = timeout(LAST_INPUT * 2, async {
        while process.write_all(b"x").await.is_ok() {
            tokio::task::yield_now().await;
        }
    });
    end.await.expect("the stream ends with its client");
}

#[tokio::test]
async fn old_clients_get_a_body() {
    let Attached { mut client, mut process, head } =
        attach(Framing::Raw, None, "Connection: close\r\n", &["one"]).await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    process.write_all(b"two").await.unwrap();
    drop(process);
    let body = rest(&mut client).await;
    let body = String::from_utf8(body).unwrap();
    assert_eq!(body, "3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n");
}

#[test]
fn a_frame_is_dockers() {
    assert_eq!(stdout_frame(b"no"), &[1, 0, 0, 0, 0, 0, 0, 2, b'n', b'o'][..]);
}
