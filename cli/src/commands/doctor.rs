//! `pontoon doctor`: the daemon looks at itself; where none answers, this program looks at what it can.

use serde_json::{Value, json};

use crate::args::Doctor;
use crate::client::Body;
use crate::context::Context;
use crate::error::CliError;
use crate::format::{doctor, inspect};
use crate::output;

pub(crate) async fn run(args: &Doctor, context: &Context<'_>) -> Result<(), CliError> {
    let client = context.client()?;
    let asked = match args.fix {
        true => client.post("/pontoon/doctor/repair", Body::None).await,
        false => client.get("/pontoon/doctor").await,
    };
    let examination = match asked {
        Err(CliError::NoDaemon { host, .. }) if !args.fix => alone(&host)?,
        other => other?,
    };
    match args.json {
        true => output::line(&inspect::pretty(&examination))?,
        false => output::data(&doctor::page(&examination, context.colour()))?,
    }
    if doctor::is_well(&examination) { Ok(()) } else { Err(CliError::Exit(1)) }
}

/// What can be known without a daemon.
fn alone(host: &str) -> Result<Value, CliError> {
    let what = "This answer can't be written as JSON";
    let to_value = |source| CliError::Answer { what: what.to_owned(), source };
    let mut findings = serde_json::to_value(libnet::host::examine_alone()).map_err(to_value)?;
    let nobody = json!({
        "Area": "daemon",
        "Severity": "note",
        "What": format!("no daemon answers at {host}: networks and containers were not looked at"),
        "Advice": "pontoon daemon start",
    });
    findings.as_array_mut().into_iter().for_each(|all| all.push(nobody.clone()));
    Ok(json!({ "Findings": findings, "Repaired": [], "Errors": [] }))
}
