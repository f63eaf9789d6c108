//! Signatures; the bodies follow.
#![allow(missing_docs, clippy::unused_async, clippy::needless_pass_by_value)]

use netd_api::{
    Filters,
    extras::{ExecStart, IdResponse},
    models,
};

use super::*;

#[derive(Debug)]
pub struct Containers;
#[derive(Debug)]
pub struct Volumes;

type Result<T> = std::result::Result<T, ContainerError>;

impl Containers {
    /// `MacAddress` etc. in [`CreateAsk`]. Answers 201.
    pub async fn create(&self, ask: CreateAsk) -> Result<models::ContainerCreateResponse> {
        let _ = ask;
        Err(ContainerError::Closing)
    }
    pub async fn start(&self, reference: &str) -> Result<Done> {
        Err(ContainerError::NotFound(reference.into()))
    }
    pub async fn stop(&self, reference: &str, ask: StopAsk) -> Result<Done> {
        let _ = ask;
        Err(ContainerError::NotFound(reference.into()))
    }
    pub async fn kill(&self, reference: &str, signal: Option<&str>) -> Result<()> {
        let _ = signal;
        Err(ContainerError::NotFound(reference.into()))
    }
    pub async fn restart(&self, reference: &str, ask: StopAsk) -> Result<()> {
        let _ = ask;
        Err(ContainerError::NotFound(reference.into()))
    }
    pub async fn pause(&self, reference: &str) -> Result<()> {
        Err(ContainerError::NotFound(reference.into()))
    }
    pub async fn unpause(&self, reference: &str) -> Result<()> {
        Err(ContainerError::NotFound(reference.into()))
    }
    /// Fails at once if there is no such container; then flush the headers and await the answer.
    pub fn wait(
        &self,
        reference: &str,
        condition: WaitCondition,
    ) -> Result<Pending<Result<models::ContainerWaitResponse>>> {
        let _ = condition;
        Err(ContainerError::NotFound(reference.into()))
    }
    pub async fn rename(&self, reference: &str, name: &str) -> Result<()> {
        let _ = name;
        Err(ContainerError::NotFound(reference.into()))
    }
    pub async fn remove(&self, reference: &str, ask: RemoveAsk) -> Result<()> {
        let _ = ask;
        Err(ContainerError::NotFound(reference.into()))
    }
    pub async fn list(&self, ask: ListAsk) -> Result<Vec<models::ContainerSummary>> {
        let _ = ask;
        Ok(Vec::new())
    }
    /// Docker's JSON, with the fields of old API versions that the models lack.
    pub async fn inspect(&self, reference: &str, size: bool) -> Result<serde_json::Value> {
        let _ = size;
        Err(ContainerError::NotFound(reference.into()))
    }
    pub async fn logs(&self, reference: &str, ask: LogsAsk) -> Result<Logs> {
        let _ = ask;
        Err(ContainerError::NotFound(reference.into()))
    }
    pub async fn attach(&self, reference: &str, ask: AttachAsk) -> Result<AttachStream> {
        let _ = ask;
        Err(ContainerError::NotFound(reference.into()))
    }
    pub async fn resize(&self, reference: &str, rows: u16, cols: u16) -> Result<()> {
        let _ = (rows, cols);
        Err(ContainerError::NotFound(reference.into()))
    }
    pub async fn top(&self, reference: &str, ps_args: &str) -> Result<models::ContainerTopResponse> {
        let _ = ps_args;
        Err(ContainerError::NotFound(reference.into()))
    }
    pub async fn stats(&self, reference: &str, ask: StatsAsk) -> Result<StatsStream> {
        let _ = ask;
        Err(ContainerError::NotFound(reference.into()))
    }
    pub async fn update(
        &self,
        reference: &str,
        ask: models::ContainerUpdateBody,
    ) -> Result<models::ContainerUpdateResponse> {
        let _ = ask;
        Err(ContainerError::NotFound(reference.into()))
    }
    pub async fn prune(&self, filters: Filters) -> Result<models::ContainerPruneResponse> {
        let _ = filters;
        Err(ContainerError::Closing)
    }
    /// `POST /networks/{network}/connect`.
    pub async fn connect(&self, network: &str, ask: models::NetworkConnectRequest) -> Result<()> {
        let _ = network;
        Err(ContainerError::NotFound(ask.container))
    }
    /// `POST /networks/{network}/disconnect`.
    pub async fn disconnect(&self, network: &str, ask: models::NetworkDisconnectRequest) -> Result<()> {
        let _ = network;
        Err(ContainerError::NotFound(ask.container))
    }
    pub async fn exec_create(&self, reference: &str, ask: models::ExecConfig) -> Result<IdResponse> {
        let _ = ask;
        Err(ContainerError::NotFound(reference.into()))
    }
    pub async fn exec_start(&self, exec: &str, ask: ExecStart) -> Result<ExecStarted> {
        let _ = ask;
        Err(ContainerError::NoExec(exec.into()))
    }
    pub async fn exec_resize(&self, exec: &str, rows: u16, cols: u16) -> Result<()> {
        let _ = (rows, cols);
        Err(ContainerError::NoExec(exec.into()))
    }
    pub async fn exec_inspect(&self, exec: &str) -> Result<models::ExecInspectResponse> {
        Err(ContainerError::NoExec(exec.into()))
    }
    /// How many containers are running, paused, stopped: for `info`.
    pub fn counts(&self) -> (usize, usize, usize) {
        (0, 0, 0)
    }
}

impl Volumes {
    pub async fn create(&self, ask: models::VolumeCreateRequest) -> Result<models::Volume> {
        let _ = ask;
        Err(ContainerError::Closing)
    }
    pub async fn list(&self, filters: Filters) -> Result<models::VolumeListResponse> {
        let _ = filters;
        Err(ContainerError::Closing)
    }
    pub async fn inspect(&self, name: &str) -> Result<models::Volume> {
        Err(ContainerError::NoVolume(name.into()))
    }
    pub async fn remove(&self, name: &str, force: bool) -> Result<()> {
        let _ = force;
        Err(ContainerError::NoVolume(name.into()))
    }
    pub async fn prune(&self, filters: Filters) -> Result<models::VolumePruneResponse> {
        let _ = filters;
        Err(ContainerError::Closing)
    }
}
