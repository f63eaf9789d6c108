//! `pontoon info`.

use serde_json::{Value, json};

use crate::args::Info;
use crate::context::Context;
use crate::error::CliError;
use crate::format::{human, inspect, text};
use crate::output;

pub(crate) async fn run(args: &Info, context: &Context<'_>) -> Result<(), CliError> {
    let mut info = context.client()?.get("/info").await?;
    if let Some(format) = args.format.as_deref().filter(|format| !format.is_empty()) {
        info["ClientInfo"] = json!({ "Version": env!("CARGO_PKG_VERSION"), "Context": "default" });
        return output::line(&inspect::one(&info, format).map_err(CliError::Template)?);
    }
    output::data(&page(&info))?;
    for warning in info["Warnings"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        output::talk(warning);
    }
    Ok(())
}

fn page(info: &Value) -> String {
    let number = |name: &str| info.get(name).and_then(Value::as_i64).unwrap_or(0);
    let mut runtimes: Vec<&str> =
        info["Runtimes"].as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    runtimes.sort_unstable();
    let mut out = format!(
        "Client: Pontoon\n Version:    {}\n Context:    default\n\nServer:\n",
        env!("CARGO_PKG_VERSION")
    );
    let rows = [
        ("Containers", number("Containers").to_string()),
        (" Running", number("ContainersRunning").to_string()),
        (" Paused", number("ContainersPaused").to_string()),
        (" Stopped", number("ContainersStopped").to_string()),
        ("Images", number("Images").to_string()),
        ("Server Version", text(info, "ServerVersion").to_owned()),
        ("Storage Driver", text(info, "Driver").to_owned()),
        ("Logging Driver", text(info, "LoggingDriver").to_owned()),
        ("Cgroup Driver", text(info, "CgroupDriver").to_owned()),
        ("Cgroup Version", text(info, "CgroupVersion").to_owned()),
        ("Plugins", plugins(info)),
        ("Swarm", text(&info["Swarm"], "LocalNodeState").to_owned()),
        ("Runtimes", runtimes.join(" ")),
        ("Default Runtime", text(info, "DefaultRuntime").to_owned()),
        ("Security Options", security(info)),
        ("Firewall Backend", text(&info["FirewallBackend"], "Driver").to_owned()),
        ("Kernel Version", text(info, "KernelVersion").to_owned()),
        ("Operating System", text(info, "OperatingSystem").to_owned()),
        ("OSType", text(info, "OSType").to_owned()),
        ("Architecture", text(info, "Architecture").to_owned()),
        ("CPUs", number("NCPU").to_string()),
        ("Total Memory", human::binary_size(number("MemTotal") as f64)),
        ("Name", text(info, "Name").to_owned()),
        ("ID", text(info, "ID").to_owned()),
        ("Docker Root Dir", text(info, "DockerRootDir").to_owned()),
        ("Debug Mode", info["Debug"].as_bool().unwrap_or(false).to_string()),
        ("Live Restore Enabled", info["LiveRestoreEnabled"].as_bool().unwrap_or(false).to_string()),
    ];
    for (name, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
        let gap = if value.starts_with('\n') { "" } else { " " };
        out.push_str(&format!(" {name}:{gap}{value}\n"));
    }
    out.push_str(&pools(info));
    out
}

/// A line for each kind of plugin.
fn plugins(info: &Value) -> String {
    let line = |kind: &str| {
        let all = info["Plugins"][kind].as_array().into_iter().flatten().filter_map(Value::as_str);
        format!("\n  {kind}: {}", all.collect::<Vec<_>>().join(" "))
    };
    ["Volume", "Network", "Log"].map(line).concat()
}

/// `name=seccomp,profile=builtin` as two lines.
fn security(info: &Value) -> String {
    let mut out = String::new();
    for option in info["SecurityOptions"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        for pair in option.split(',') {
            match pair.split_once('=') {
                Some(("name", name)) => out.push_str(&format!("\n  {name}")),
                Some((key, value)) => out.push_str(&format!("\n   {}: {value}", capitalised(key))),
                None => out.push_str(&format!("\n  {pair}")),
            }
        }
    }
    out
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn pools(info: &Value) -> String {
    let pools = info["DefaultAddressPools"].as_array().map(Vec::as_slice).unwrap_or_default();
    if pools.is_empty() {
        return String::new();
    }
    let line = |pool: &Value| format!("   Base: {}, Size: {}\n", text(pool, "Base"), pool["Size"]);
    format!(" Default Address Pools:\n{}", pools.iter().map(line).collect::<String>())
}
