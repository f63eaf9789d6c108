//! `pontoon exec`.

use serde_json::{Map, Value, json};

use super::joined::{check_terminal, code, end_with, join, left};
use crate::args::Exec;
use crate::client::{Body, Client, query_escape};
use crate::context::Context;
use crate::error::{CliError, start_code};
use crate::format::text;
use crate::output;
use crate::resolve::{Invalid, files, lists};
use crate::terminal::{DetachKeys, Ended, Framing, Session, size};

pub(crate) async fn run(args: &Exec, context: &Context<'_>) -> Result<(), CliError> {
    check_terminal(args.interactive && !args.detach, args.tty)?;
    let keys = keys(args)?;
    let environment =
        lists::environment(&files::read_all(&args.env_file)?, &args.env, &context.world.variables)?;
    let client = context.client()?;
    let container = args.words.first().map(String::as_str).unwrap_or_default();
    let request = request(args, &environment);
    let path = format!("/containers/{}/exec", query_escape(container));
    let made = client.post(&path, Body::Json(&request)).await?;
    let id = text(&made, "Id").to_owned();
    let start = with_size(json!({ "Detach": args.detach, "Tty": args.tty }), args.tty);
    let path = format!("/exec/{id}/start");
    if args.detach {
        return client.post(&path, Body::Json(&start)).await.map(|_| ()).map_err(coded);
    }
    let stream = client.upgrade(&path, Body::Json(&start)).await.map_err(coded)?;
    let framing = if args.tty { Framing::Terminal } else { Framing::Frames };
    let session = Session { stream, framing, stdin: args.interactive, keys };
    match join(&client, session, &format!("/exec/{id}"), false).await? {
        Ended::Detached => Err(left()),
        Ended::Output => end_with(exit_code(&client, &id).await?),
    }
}

fn request(args: &Exec, environment: &[String]) -> Value {
    let attached = !args.detach;
    let mut request = Map::new();
    let mut set = |name: &str, value: Value| request.insert(name.to_owned(), value);
    set("User", json!(args.user.clone().unwrap_or_default()));
    set("Privileged", json!(args.privileged));
    set("Tty", json!(args.tty));
    set("AttachStdin", json!(attached && args.interactive));
    set("AttachStdout", json!(attached));
    set("AttachStderr", json!(attached));
    set("DetachKeys", json!(args.detach_keys.clone().unwrap_or_default()));
    set("Env", json!(environment));
    set("WorkingDir", json!(args.workdir.clone().unwrap_or_default()));
    set("Cmd", json!(args.words.get(1..).unwrap_or_default()));
    with_size(Value::Object(request), args.tty)
}

/// With the terminal's size, so that the command never sees another one.
fn with_size(mut request: Value, tty: bool) -> Value {
    if let (true, Some(size)) = (tty, size()) {
        request["ConsoleSize"] = json!([size.rows, size.columns]);
    }
    request
}

fn keys(args: &Exec) -> Result<Option<DetachKeys>, CliError> {
    if !(args.tty && args.interactive) {
        return Ok(None);
    }
    let keys = args.detach_keys.as_deref().filter(|keys| !keys.is_empty());
    Ok(Some(keys.map(DetachKeys::parse).transpose().map_err(Invalid)?.unwrap_or_default()))
}

async fn exit_code(client: &Client, id: &str) -> Result<u8, CliError> {
    let seen = client.get(&format!("/exec/{id}/json")).await?;
    Ok(code(&seen["ExitCode"]))
}

/// A command that could not be started: the code says why, as a shell's would.
fn coded(error: CliError) -> CliError {
    match start_code(&error.to_string()) {
        125 => error,
        code => {
            output::talk(&error.to_string());
            CliError::Exit(code)
        }
    }
}
