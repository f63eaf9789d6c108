//! `pontoon system df`.

use serde_json::{Map, Value, json};

use crate::args::SystemDf;
use crate::context::Context;
use crate::error::CliError;
use crate::format::human;
use crate::format::list::{self, Kind, Row};
use crate::output;

const KIND: Kind = Kind {
    type_name: "*formatter.diskUsageContext",
    headings: &[
        ("Type", "TYPE"),
        ("TotalCount", "TOTAL"),
        ("Active", "ACTIVE"),
        ("Size", "SIZE"),
        ("Reclaimable", "RECLAIMABLE"),
    ],
    table: "{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}",
    raw: "type: {{.Type}}\ntotal: {{.TotalCount}}\nactive: {{.Active}}\nsize: {{.Size}}\nreclaimable: {{.Reclaimable}}\n",
    quiet: "{{.Type}}",
};

/// What one kind of object takes.
struct Usage {
    count: usize,
    active: usize,
    size: f64,
    reclaimable: f64,
}

pub(crate) async fn run(args: &SystemDf, context: &Context<'_>) -> Result<(), CliError> {
    let answer = context.client()?.get("/system/df").await?;
    if args.verbose {
        return output::line(&crate::format::inspect::pretty(&answer));
    }
    let running = |c: &Value| matches!(crate::format::text(c, "State"), "running" | "paused" | "restarting");
    let used = |i: &Value| i["Containers"].as_i64().unwrap_or(0) > 0;
    let referenced = |v: &Value| v["UsageData"]["RefCount"].as_i64().unwrap_or(0) > 0;
    let in_use = |b: &Value| b["InUse"].as_bool().unwrap_or(false);
    let rows = [
        row("Images", &usage(&answer["Images"], used, |i| i["Size"].as_f64())),
        row("Containers", &usage(&answer["Containers"], running, |c| c["SizeRw"].as_f64())),
        row("Local Volumes", &usage(&answer["Volumes"], referenced, |v| v["UsageData"]["Size"].as_f64())),
        row("Build Cache", &usage(&answer["BuildCache"], in_use, |b| b["Size"].as_f64())),
    ];
    output::data(&list::render(&KIND, args.format.as_deref(), false, &rows).map_err(CliError::ListTemplate)?)
}

fn usage(objects: &Value, active: impl Fn(&Value) -> bool, size: impl Fn(&Value) -> Option<f64>) -> Usage {
    let mut usage = Usage { count: 0, active: 0, size: 0.0, reclaimable: 0.0 };
    for object in objects.as_array().into_iter().flatten() {
        let size = size(object).unwrap_or(0.0).max(0.0);
        usage.count += 1;
        usage.size += size;
        if active(object) {
            usage.active += 1;
        } else {
            usage.reclaimable += size;
        }
    }
    usage
}

fn row(kind: &str, usage: &Usage) -> Row {
    let share = if usage.size > 0.0 {
        format!(" ({}%)", (usage.reclaimable / usage.size * 100.0) as i64)
    } else {
        String::new()
    };
    let cells = json!({
        "Type": kind,
        "TotalCount": usage.count.to_string(),
        "Active": usage.active.to_string(),
        "Size": human::size(usage.size),
        "Reclaimable": format!("{}{share}", human::size(usage.reclaimable)),
    });
    Row::new(cells, Map::new())
}
