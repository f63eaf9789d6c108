//! Images: there is one, and it is built in. What needs a registry, a builder or a store of layers is answered with
//! what to do instead.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::Path,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use netd_api::{Filters, models};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Api,
    body::Query,
    status::{Answer, Failure},
};
use crate::image::{HostImage, ImageError};

/// The filters that image lists have.
const FILTERS: [&str; 7] = ["dangling", "label", "before", "since", "reference", "until", "containers"];

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Pulled {
    from_image: String,
    from_src: String,
    tag: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Listed {
    filters: Option<String>,
}

pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new()
        .route("/images/json", get(list))
        .route("/images/create", post(pull))
        .route("/images/search", get(|| unsupported("searching a registry")))
        .route("/images/get", get(|| unsupported("saving images")))
        .route("/images/load", post(|| unsupported("loading images")))
        .route("/images/prune", post(prune))
        .route("/build", post(|| unsupported("building images")))
        .route("/build/prune", post(prune_builds))
        .route("/commit", post(|| unsupported("committing containers to images")))
        .route("/session", post(|| unsupported("BuildKit")))
        .route("/distribution/{*name}", get(|| unsupported("asking a registry")))
        // Names of images contain slashes, and what is asked of them comes last.
        .route("/images/{*name}", get(of_image).post(to_image).delete(remove))
}

async fn list(Query(asked): Query<Listed>) -> Answer<Json<Vec<models::ImageSummary>>> {
    let filters = Filters::parse(asked.filters.as_deref())?.only(&FILTERS)?;
    let named = filters.any("reference", |pattern| {
        pattern.contains('*') && "host:latest".starts_with(pattern.trim_end_matches('*'))
            || HostImage::find(pattern).is_ok()
    });
    let there = named && !filters.truth("dangling", false)? && !filters.contains("label");
    Ok(Json(if there { vec![HostImage.summary(-1)] } else { Vec::new() }))
}

async fn of_image(Path(name): Path<String>) -> Answer<Response> {
    if let Some(name) = name.strip_suffix("/json") {
        return Ok(Json(HostImage::find(name)?.inspect()).into_response());
    }
    if let Some(name) = name.strip_suffix("/history") {
        let image = HostImage::find(name)?;
        let entry = models::ImageHistoryResponseItem {
            id: image.id().to_owned(),
            created_by: "the machine itself".to_owned(),
            tags: vec![image.tag()],
            ..Default::default()
        };
        return Ok(Json(vec![entry]).into_response());
    }
    match name.strip_suffix("/get") {
        Some(_) => Err(ImageError::Unsupported("saving images").into()),
        None => Err(Failure::page_not_found()),
    }
}

async fn to_image(Path(name): Path<String>) -> Answer<()> {
    let what = match name.rsplit('/').next() {
        Some("push") => "pushing images",
        Some("tag") => "tagging images",
        _ => return Err(Failure::page_not_found()),
    };
    Err(ImageError::Unsupported(what).into())
}

async fn remove(Path(name): Path<String>) -> Answer<()> {
    HostImage::find(&name)?;
    Err(ImageError::BuiltIn.into())
}

/// A pull of what is there already succeeds at once.
async fn pull(Query(asked): Query<Pulled>) -> Answer<Response> {
    if !asked.from_src.is_empty() {
        return Err(ImageError::Unsupported("importing images").into());
    }
    let name = match asked.tag.as_str() {
        "" => asked.from_image,
        tag => format!("{}:{tag}", asked.from_image),
    };
    match HostImage::find(&name) {
        Ok(image) => {
            let status = json!({"status": format!("Status: Image is built in: {}", image.tag())});
            Ok((StatusCode::OK, Json(status)).into_response())
        }
        Err(ImageError::Malformed) => Err(ImageError::Malformed.into()),
        Err(_) => Err(ImageError::Unsupported("pulling images").into()),
    }
}

async fn prune() -> Json<Value> {
    Json(json!({"ImagesDeleted": null, "SpaceReclaimed": 0}))
}

async fn prune_builds() -> Json<Value> {
    Json(json!({"CachesDeleted": null, "SpaceReclaimed": 0}))
}

async fn unsupported(what: &'static str) -> Answer<()> {
    Err(ImageError::Unsupported(what).into())
}
