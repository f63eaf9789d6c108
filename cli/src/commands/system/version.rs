//! `pontoon version`.

use serde_json::{Value, json};

use crate::args::Version;
use crate::context::Context;
use crate::error::CliError;
use crate::format::{inspect, text};
use crate::output;

pub(crate) async fn run(args: &Version, context: &Context<'_>) -> Result<(), CliError> {
    let (server, error) = match context.client()?.get("/version").await {
        Ok(server) => (Some(server), None),
        Err(error) => (None, Some(error)),
    };
    let own = own();
    match args.format.as_deref().filter(|format| !format.is_empty()) {
        Some(format) => {
            let both = json!({ "Client": own, "Server": server });
            output::line(&inspect::one(&both, format).map_err(CliError::Template)?)?;
        }
        None => {
            output::data(&client_text(&own))?;
            if let Some(server) = &server {
                output::data(&server_text(server))?;
            }
        }
    }
    error.map_or(Ok(()), Err)
}

fn own() -> Value {
    json!({
        "Version": env!("CARGO_PKG_VERSION"),
        "ApiVersion": "1.50",
        "DefaultAPIVersion": "1.50",
        "Os": std::env::consts::OS,
        "Arch": arch(),
        "Context": "default",
    })
}

/// As Go names it.
fn arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn client_text(own: &Value) -> String {
    let mut out = String::from("Client: Pontoon\n");
    out.push_str(&field("Version", text(own, "Version")));
    out.push_str(&field("API version", text(own, "ApiVersion")));
    out.push_str(&field("OS/Arch", &format!("{}/{}", text(own, "Os"), text(own, "Arch"))));
    out
}

fn server_text(server: &Value) -> String {
    let platform = server["Platform"]["Name"].as_str().filter(|n| !n.is_empty()).unwrap_or("Pontoon");
    let mut out = format!("\nServer: {platform}\n Engine:\n");
    let api = format!("{} (minimum version {})", text(server, "ApiVersion"), text(server, "MinAPIVersion"));
    let rows = [
        ("Version", text(server, "Version").to_owned()),
        ("API version", api),
        ("Git commit", text(server, "GitCommit").to_owned()),
        ("Built", text(server, "BuildTime").to_owned()),
        ("OS/Arch", format!("{}/{}", text(server, "Os"), text(server, "Arch"))),
        ("Kernel", text(server, "KernelVersion").to_owned()),
    ];
    for (name, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
        out.push_str(&format!("  {:<18}{value}\n", format!("{name}:")));
    }
    for component in server["Components"].as_array().into_iter().flatten() {
        let (name, version) = (text(component, "Name"), text(component, "Version"));
        if name != "Engine" {
            out.push_str(&format!(" {name}:\n  {:<18}{version}\n", "Version:"));
        }
    }
    out
}

fn field(name: &str, value: &str) -> String {
    format!(" {:<19}{value}\n", format!("{name}:"))
}
