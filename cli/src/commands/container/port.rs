//! `pontoon port`.

use serde_json::Value;

use crate::args::Port;
use crate::client::query_escape;
use crate::context::Context;
use crate::error::CliError;
use crate::format::text;
use crate::output;
use crate::resolve::Invalid;

pub(crate) async fn run(args: &Port, context: &Context<'_>) -> Result<(), CliError> {
    let client = context.client()?;
    let seen = client.get(&format!("/containers/{}/json", query_escape(&args.container))).await?;
    let ports = &seen["NetworkSettings"]["Ports"];
    match &args.port {
        Some(port) => output::data(&of_port(ports, port, &args.container)?),
        None => output::data(&all(ports)),
    }
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

fn bindings(value: &Value) -> impl Iterator<Item = String> + '_ {
    value.as_array().into_iter().flatten().map(|binding| {
        let (ip, port) = (text(binding, "HostIp"), text(binding, "HostPort"));
        if ip.contains(':') { format!("[{ip}]:{port}") } else { format!("{ip}:{port}") }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ports_are_listed_in_order() {
        let ports = json!({
            "8080/tcp": [{"HostIp": "::", "HostPort": "9"}], "80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8"}],
            "53/udp": null,
        });
        assert_eq!(all(&ports), "80/tcp -> 0.0.0.0:8\n8080/tcp -> [::]:9\n");
        assert_eq!(of_port(&ports, "80", "c").unwrap(), "0.0.0.0:8\n");
        let error = of_port(&ports, "53/udp", "c").unwrap_err();
        assert_eq!(error.0, "Error: No public port '53/udp' published for c");
    }
}
