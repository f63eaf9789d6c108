//! `pontoon update`.

use bollard::models::ContainerUpdateBody;

use crate::args::Update;
use crate::client::{Body, query_escape};
use crate::commands::Each;
use crate::context::Context;
use crate::error::CliError;
use crate::output;
use crate::resolve::Invalid;
use crate::resolve::host::{limits, restart};

pub(crate) async fn run(args: &Update, context: &Context<'_>) -> Result<(), CliError> {
    let body = body(args)?;
    if body == ContainerUpdateBody::default() {
        return Err(Invalid::new("you must provide one or more flags when using this command").into());
    }
    let body = serde_json::to_value(body)
        .map_err(|source| CliError::Answer { what: "the request".to_owned(), source })?;
    let client = context.client()?;
    let mut each = Each::default();
    let mut warnings = Vec::new();
    for container in &args.containers {
        let path = format!("/containers/{}/update", query_escape(container));
        let answer = client.post(&path, Body::Json(&body)).await;
        if let Ok(answer) = &answer {
            let new = answer["Warnings"].as_array().into_iter().flatten().filter_map(|w| w.as_str());
            warnings.extend(new.map(str::to_owned));
        }
        each.done(container, answer.map(|_| ()))?;
    }
    for warning in warnings {
        output::talk(&warning);
    }
    each.end()
}

fn body(args: &Update) -> Result<ContainerUpdateBody, Invalid> {
    let limits = limits(&args.limits);
    Ok(ContainerUpdateBody {
        blkio_weight: limits.blkio_weight,
        cpu_period: limits.cpu_period,
        cpu_quota: limits.cpu_quota,
        cpu_realtime_period: limits.cpu_realtime_period,
        cpu_realtime_runtime: limits.cpu_realtime_runtime,
        cpu_shares: limits.cpu_shares,
        nano_cpus: limits.nano_cpus,
        cpuset_cpus: limits.cpuset_cpus,
        cpuset_mems: limits.cpuset_mems,
        memory: limits.memory,
        memory_reservation: limits.memory_reservation,
        memory_swap: limits.memory_swap,
        pids_limit: limits.pids_limit,
        restart_policy: restart(args.restart.restart.as_deref())?,
        ..ContainerUpdateBody::default()
    })
}
