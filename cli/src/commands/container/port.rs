//! `pontoon port`, and `pontoon port add|ls|rm`.

use serde_json::{Value, json};

use crate::args::{Port, PortChange, PortCommand};
use crate::client::{Body, query, query_escape};
use crate::context::Context;
use crate::error::CliError;
use crate::format::text;
use crate::output;
use crate::resolve::Invalid;
use crate::resolve::ports::ports;

pub(crate) async fn run(args: &Port, context: &Context<'_>) -> Result<(), CliError> {
    match (&args.command, &args.container) {
        (Some(PortCommand::Add(change)), _) => add(change, context).await,
        (Some(PortCommand::Rm(change)), _) => rm(change, context).await,
        (Some(PortCommand::Ls(asked)), _) => ls(&asked.container, asked.port.as_deref(), context).await,
        (None, container) => {
            ls(container.as_deref().unwrap_or_default(), args.port.as_deref(), context).await
        }
    }
}

async fn ls(container: &str, port: Option<&str>, context: &Context<'_>) -> Result<(), CliError> {
    let ports = published(container, context).await?;
    match port {
        Some(port) => output::data(&of_port(&ports, port, container)?),
        None => output::data(&all(&ports)),
    }
}

async fn published(container: &str, context: &Context<'_>) -> Result<Value, CliError> {
    let seen = context.client()?.get(&format!("/containers/{}/json", query_escape(container))).await?;
    Ok(seen["NetworkSettings"]["Ports"].clone())
}

/// Prints what the container publishes of these ports by now; one that does not run publishes nothing.
async fn add(change: &PortChange, context: &Context<'_>) -> Result<(), CliError> {
    let bindings = ports(&change.ports, &[])?.bindings;
    let body = json!({"PortBindings": bindings});
    context.client()?.post(&path(&change.container), Body::Json(&body)).await?;
    let mut published = published(&change.container, context).await?;
    if let Some(published) = published.as_object_mut() {
        published.retain(|key, _| bindings.contains_key(key));
    }
    output::data(&all(&published))
}

async fn rm(change: &PortChange, context: &Context<'_>) -> Result<(), CliError> {
    let bindings = json!(ports(&change.ports, &[])?.bindings).to_string();
    let path = format!("{}{}", path(&change.container), query(&[("bindings", Some(bindings))]));
    context.client()?.delete(&path).await.map(drop)
}

fn path(container: &str) -> String {
    format!("/containers/{}/ports", query_escape(container))
}

/// `host:port` lines of one port.
fn of_port(ports: &Value, asked: &str, container: &str) -> Result<String, Invalid> {
    let key = if asked.contains('/') { asked.to_owned() } else { format!("{asked}/tcp") };
    let number = key.split('/').next().unwrap_or_default();
    if number.parse::<u16>().is_err() {
        return Err(Invalid(format!("Error: invalid port ({number})")));
    }
    let lines: Vec<String> = bindings(&ports[&key]).map(|binding| format!("{binding}\n")).collect();
    if lines.is_empty() {
        return Err(Invalid(format!("Error: No public port '{asked}' published for {container}")));
    }
    Ok(lines.concat())
}

/// `80/tcp -> host:port` lines, in order of port.
fn all(ports: &Value) -> String {
    let mut by_key: Vec<(&String, &Value)> = ports.as_object().into_iter().flatten().collect();
    by_key.sort_by_key(|(key, _)| {
        let (number, proto) = key.split_once('/').unwrap_or((key.as_str(), ""));
        (number.parse::<u16>().unwrap_or(0), proto.to_owned())
    });
    let lines =
        by_key.into_iter().flat_map(|(key, value)| bindings(value).map(move |b| format!("{key} -> {b}\n")));
    lines.collect()
}

/// In Docker's order: IPv4 first, then by address and port.
fn bindings(value: &Value) -> impl Iterator<Item = String> + '_ {
    let mut all: Vec<(&str, &str)> = value
        .as_array()
        .into_iter()
        .flatten()
        .map(|binding| (text(binding, "HostIp"), text(binding, "HostPort")))
        .collect();
    all.sort_by_key(|(ip, port)| (ip.contains(':'), *ip, port.parse::<u16>().unwrap_or(0)));
    all.into_iter()
        .map(|(ip, port)| if ip.contains(':') { format!("[{ip}]:{port}") } else { format!("{ip}:{port}") })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ports_are_listed_in_order() {
        let ports = json!({
            "8080/tcp": [{"HostIp": "::", "HostPort": "9"}, {"HostIp": "0.0.0.0", "HostPort": "10"},
                {"HostIp": "0.0.0.0", "HostPort": "9"}],
            "80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8"}],
            "53/udp": null,
        });
        assert_eq!(
            all(&ports),
            "80/tcp -> 0.0.0.0:8\n8080/tcp -> 0.0.0.0:9\n8080/tcp -> 0.0.0.0:10\n8080/tcp -> [::]:9\n"
        );
        assert_eq!(of_port(&ports, "80", "c").unwrap(), "0.0.0.0:8\n");
        let error = of_port(&ports, "53/udp", "c").unwrap_err();
        assert_eq!(error.0, "Error: No public port '53/udp' published for c");
    }
}
