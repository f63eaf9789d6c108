//! Just enough of HTTP/1.1 to say what a client says and to see what it sees.

use std::{
    io::{BufRead, BufReader, Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use serde_json::Value;

/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

/// An answer that has not ended: its head has been read, its body comes in pieces.
#[derive(Debug)]
pub(crate) struct Streaming {
    pub(crate) head: Reply,
    reader: BufReader<UnixStream>,
}

impl Reply {
    /// The header of this name, in any case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }

    /// The text of an error.
    pub(crate) fn message(&self) -> String {
        self.json()["message"].as_str().unwrap_or_else(|| panic!("no message: {self:?}")).to_owned()
    }
}

/// Connects, says `text`, and reads until the daemon closes.
pub(crate) fn say(socket: &Path, text: &[u8]) -> Reply {
    let mut stream = connect(socket);
    // A daemon that answers early and closes is not wrong.
    let _ = stream.write_all(text);
    let mut reader = BufReader::new(stream);
    let mut reply = head(&mut reader);
    let mut body = Vec::new();
    let _ = reader.read_to_end(&mut body);
    reply.body = String::from_utf8_lossy(&body).into_owned();
    reply
}

/// Makes a request and reads the whole answer.
pub(crate) fn request(socket: &Path, method: &str, path: &str, kind: Option<&str>, body: &str) -> Reply {
    let kind = kind.map(|kind| format!("Content-Type: {kind}\r\n")).unwrap_or_default();
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: d\r\nConnection: close\r\n{kind}Content-Length: {length}\r\n\r\n"
    );
    say(socket, format!("{head}{body}").as_bytes())
}

/// Makes a request and reads only the head of the answer.
pub(crate) fn open(socket: &Path, path: &str) -> Streaming {
    let mut stream = connect(socket);
    write!(stream, "GET {path} HTTP/1.1\r\nHost: d\r\n\r\n").unwrap();
    let mut reader = BufReader::new(stream);
    let head = head(&mut reader);
    Streaming { head, reader }
}

impl Streaming {
    /// The next piece (RFC 9112, 7.1) of the body; none at its end.
    pub(crate) fn piece(&mut self) -> Option<String> {
        let size = usize::from_str_radix(line(&mut self.reader).trim(), 16).expect("a chunk's size");
        let mut piece = vec![0; size + 2];
        self.reader.read_exact(&mut piece).unwrap();
        piece.truncate(size);
        (size > 0).then(|| String::from_utf8(piece).unwrap())
    }
}

fn connect(socket: &Path) -> UnixStream {
    let stream = UnixStream::connect(socket).unwrap_or_else(|error| panic!("{}: {error}", socket.display()));
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn line(reader: &mut impl BufRead) -> String {
    let mut line = String::new();
    reader.read_line(&mut line).expect("the daemon answers in time");
    line.trim_end().to_owned()
}

fn head(reader: &mut impl BufRead) -> Reply {
    let first = line(reader);
    let mut words = first.split(' ');
    let (Some("HTTP/1.1"), Some(status)) = (words.next(), words.next()) else { panic!("no HTTP: {first:?}") };
    let status = status.parse().unwrap();
    let lines = std::iter::repeat_with(|| line(reader)).take_while(|line| !line.is_empty());
    let headers = lines.filter_map(|line| {
        let (key, value) = line.split_once(':')?;
        Some((key.to_owned(), value.trim().to_owned()))
    });
    Reply { status, headers: headers.collect(), body: String::new() }
}
