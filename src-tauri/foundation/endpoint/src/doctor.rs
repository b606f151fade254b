//! The endpoint doctor.

use tw_artifact::DoctorReport;

use crate::{EndpointClient, serve_line};

pub(crate) async fn examine(client: &EndpointClient, model: &str) -> DoctorReport {
    let models = client.models().await.unwrap_or_default();
    DoctorReport {
        base_url: client.base_url().to_owned(),
        model: model.to_owned(),
        models,
        checks: Vec::new(),
        reasoning_field: None,
        serve: serve_line(model),
        duration_ms: 0,
    }
}
