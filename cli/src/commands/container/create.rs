//! `pontoon create`.

use bollard::models::ContainerCreateBody;
use hyper::Method;
use serde_json::Value;

use crate::args::Create;
use crate::client::{Body, Client, query};
use crate::context::Context;
use crate::error::CliError;
use crate::output;
use crate::resolve::Invalid;
use crate::resolve::container::{Plan, Stays, plan};
use crate::resolve::files::reason;
use crate::terminal;

pub(crate) async fn run(args: &Create, context: &Context<'_>) -> Result<(), CliError> {
    let refused = |source: CliError| CliError::Making { verb: "create", source: Box::new(source) };
    let plan = plan(args, Stays::Attached, &context.caller()).map_err(|e| refused(e.into()))?;
    let client = context.client().map_err(refused)?;
    let id = create(&client, plan, args).await?;
    output::line(&id)
}

/// Makes the container, pulling its image if it has to and may. Gives the ID.
pub(super) async fn create(client: &Client, mut plan: Plan, args: &Create) -> Result<String, CliError> {
    warn(&plan.body);
    let cidfile = plan.cidfile.as_deref().map(CidFile::reserve).transpose()?;
    if let (Some(size), Some(host)) = (terminal::size(), plan.body.host_config.as_mut()) {
        host.console_size = Some(vec![size.rows.into(), size.columns.into()]);
    }
    let body = serde_json::to_value(&plan.body)
        .map_err(|source| CliError::Answer { what: "the request".to_owned(), source })?;
    let platform = Some(plan.platform.clone()).filter(|p| !p.is_empty());
    let path = format!("/containers/create{}", query(&[("name", plan.name.clone()), ("platform", platform)]));
    let image = plan.body.image.as_deref().unwrap_or_default();
    if args.pull == "always" {
        pull(client, image, args).await?;
    }
    let answer = match client.post(&path, Body::Json(&body)).await {
        Err(CliError::Daemon { status: 404, message })
            if message.to_lowercase().contains("no such image") && args.pull == "missing" =>
        {
            output::talk(&format!("Unable to find image '{}' locally", tagged(image)));
            pull(client, image, args).await?;
            client.post(&path, Body::Json(&body)).await?
        }
        answer => answer?,
    };
    for warning in answer["Warnings"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        output::talk(&format!("WARNING: {warning}"));
    }
    let id = crate::format::text(&answer, "Id").to_owned();
    if let Some(file) = cidfile {
        file.write(&id)?;
    }
    Ok(id)
}

fn warn(body: &ContainerCreateBody) {
    let servers = body.host_config.as_ref().and_then(|host| host.dns.as_ref());
    for server in servers.into_iter().flatten() {
        if server.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback()) {
            output::talk(&format!("WARNING: Localhost DNS ({server}) may fail in containers."));
        }
    }
}

fn tagged(image: &str) -> String {
    let last = image.rsplit('/').next().unwrap_or(image);
    if last.contains(':') || last.contains('@') { image.to_owned() } else { format!("{image}:latest") }
}

/// Fetches an image; what the daemon says on the way goes to stderr.
async fn pull(client: &Client, image: &str, args: &Create) -> Result<(), CliError> {
    let full = tagged(image);
    let (name, tag) = full.rsplit_once(':').unwrap_or((&full, "latest"));
    let query = query(&[
        ("fromImage", Some(name.to_owned())),
        ("tag", Some(tag.to_owned())),
        ("platform", args.platform.clone()),
    ]);
    let mut lines = client.json_lines(Method::POST, &format!("/images/create{query}")).await?;
    while let Some(line) = lines.next().await? {
        if let Some(error) = line["error"].as_str() {
            return Err(Invalid(error.to_owned()).into());
        }
        if let (Some(status), false) = (line["status"].as_str(), args.quiet) {
            let id = line["id"].as_str().map(|id| format!("{id}: ")).unwrap_or_default();
            output::talk(&format!("{id}{status}"));
        }
    }
    Ok(())
}

/// A file that will hold the ID, and is gone again if there is none.
struct CidFile {
    path: String,
    written: bool,
}

impl CidFile {
    fn reserve(path: &str) -> Result<Self, CliError> {
        if std::path::Path::new(path).exists() {
            let text = format!(
                "container ID file found, make sure the other container isn't running or delete {path}"
            );
            return Err(Invalid(text).into());
        }
        std::fs::write(path, "").map_err(|e| {
            Invalid(format!("failed to create the container ID file: open {path}: {}", reason(&e)))
        })?;
        Ok(Self { path: path.to_owned(), written: false })
    }

    fn write(mut self, id: &str) -> Result<(), CliError> {
        std::fs::write(&self.path, id).map_err(|e| {
            Invalid(format!("failed to write the container ID ({id}) to file: {}", reason(&e)))
        })?;
        self.written = true;
        Ok(())
    }
}

impl Drop for CidFile {
    fn drop(&mut self) {
        if !self.written {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
