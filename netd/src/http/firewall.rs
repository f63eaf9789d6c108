//! `GET /pontoon/firewall`: the firewall as the kernel has it, explained.

use std::sync::Arc;

use axum::{Json, Router, extract::State, routing::get};
use netd_api::firewall::FirewallReport;
use serde::Deserialize;

use super::{Api, body::Query, status::Answer};
use crate::network::Concerning;

pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new().route("/pontoon/firewall", get(show))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    container: Option<String>,
    network: Option<String>,
}

async fn show(State(api): State<Arc<Api>>, Query(asked): Query<Asked>) -> Answer<Json<FirewallReport>> {
    let said = |text: Option<String>| text.filter(|text| !text.is_empty());
    let concerning = match (said(asked.container), said(asked.network)) {
        (Some(reference), _) => Concerning::Container(api.engine.containers.network_owner(&reference)?),
        (None, Some(reference)) => Concerning::Network(api.engine.networks.resolve(&reference)?.id),
        (None, None) => Concerning::Everything,
    };
    Ok(Json(api.engine.networks.firewall(concerning).await?))
}
