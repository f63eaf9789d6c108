//! `inspect`, of anything or of one kind.

use serde_json::Value;

use crate::args::{Inspect, NounInspect};
use crate::client::{Client, flag, query, query_escape};
use crate::context::Context;
use crate::error::CliError;
use crate::format;
use crate::output;
use crate::resolve::Invalid;

/// What can be inspected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Container,
    Image,
    Network,
}

/// Options that change the question.
#[derive(Debug, Clone, Copy)]
struct More {
    size: bool,
    verbose: bool,
}

pub(super) async fn any(args: &Inspect, context: &Context<'_>) -> Result<(), CliError> {
    let kinds: &[Kind] = match args.kind.as_deref() {
        None | Some("") => &[Kind::Container, Kind::Image, Kind::Network],
        Some("container") => &[Kind::Container],
        Some("image") => &[Kind::Image],
        Some("network") => &[Kind::Network],
        Some(other) => {
            let text =
                format!("unknown type: {other:?}: must be one of \"container\", \"image\", \"network\"");
            return Err(Invalid(text).into());
        }
    };
    let more = More { size: args.size, verbose: false };
    inspect(kinds, &args.names, args.format.as_deref(), more, context).await
}

pub(super) async fn of(kind: Kind, args: &NounInspect, context: &Context<'_>) -> Result<(), CliError> {
    let more = More { size: args.size, verbose: args.verbose };
    inspect(&[kind], &args.names, args.format.as_deref(), more, context).await
}

/// What was found is printed, whatever else was not.
async fn inspect(
    kinds: &[Kind],
    names: &[String],
    format: Option<&str>,
    more: More,
    context: &Context<'_>,
) -> Result<(), CliError> {
    let client = context.client()?;
    let mut found = Vec::new();
    let mut errors = Vec::new();
    for name in names {
        match find(&client, kinds, name, more).await {
            Ok(object) => found.push(object),
            Err(error) => errors.push(error),
        }
    }
    let text = format::inspect::render(&found, format).map_err(CliError::Template)?;
    output::data(&text)?;
    if errors.is_empty() { Ok(()) } else { Err(CliError::Several(errors)) }
}

async fn find(client: &Client, kinds: &[Kind], name: &str, more: More) -> Result<Value, CliError> {
    for kind in kinds {
        match client.get(&path(*kind, name, more)).await {
            Err(CliError::Daemon { status: 404, .. }) if kinds.len() > 1 => {}
            other => return other,
        }
    }
    Err(Invalid(format!("Error: No such object: {name}")).into())
}

fn path(kind: Kind, name: &str, more: More) -> String {
    let name = query_escape(name);
    match kind {
        Kind::Container => format!("/containers/{name}/json{}", query(&[("size", flag(more.size))])),
        Kind::Image => format!("/images/{name}/json"),
        Kind::Network => format!("/networks/{name}{}", query(&[("verbose", flag(more.verbose))])),
    }
}
