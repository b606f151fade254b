//! `tw doctor`.

use tw_artifact::{DoctorStatus, EndpointConfig};
use tw_contract::{EndpointProbe, KeyChange};

use crate::args::Doctor;
use crate::open::{Place, client};
use crate::report::Report;

pub(crate) async fn examine(place: &Place, args: &Doctor, report: &Report) -> anyhow::Result<()> {
    let app = place.open().await?;
    let endpoint = EndpointConfig {
        base_url: args.endpoint.endpoint.clone(),
        model: args.endpoint.model.clone(),
        ..EndpointConfig::default()
    };
    let key = args.endpoint.key()?.map_or(KeyChange::Clear, KeyChange::Set);
    let found = client(&app).endpoint_doctor(EndpointProbe { endpoint, key }).await?;
    app.shutdown().await;
    report.result(&found, || {
        let mut text = format!("{} · {}", found.base_url, found.model);
        for check in &found.checks {
            let word = match check.status {
                DoctorStatus::Good => "good",
                DoctorStatus::Warning => "warning",
                DoctorStatus::Bad => "bad",
                DoctorStatus::Unknown => "unknown",
            };
            text.push_str(&format!("\n{word:<8} {:<11} {}", check.name, check.finding));
            if let Some(remedy) = &check.remedy {
                text.push_str(&format!("\n{:<21}{remedy}", ""));
            }
        }
        text.push_str(&format!("\n\n{}\n\n{}", found.serve.vllm, found.serve.docker));
        text
    })
}
