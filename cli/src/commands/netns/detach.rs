//! `pontoon netns detach`.

use serde_json::json;

use super::for_daemon;
use crate::args::NetnsDetach;
use crate::client::Body;
use crate::context::Context;
use crate::error::CliError;

pub(super) async fn run(args: &NetnsDetach, context: &Context<'_>) -> Result<(), CliError> {
    let request = json!({ "Namespace": for_daemon(&args.namespace, context)?, "Network": args.network });
    context.client()?.post("/pontoon/namespaces/detach", Body::Json(&request)).await.map(drop)
}
