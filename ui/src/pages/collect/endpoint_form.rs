//! What stands in the form of an endpoint, and the endpoint that it describes.

use leptos::prelude::*;
use tw_artifact::{EndpointConfig, EndpointPreset, Json, Map, Sampling};
use tw_contract::{EndpointProbe, KeyChange};

/// What happens with the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyPlan {
    /// The saved one stays.
    Keep,
    /// What stands in the field is saved; nothing when it is empty.
    Type,
    /// The saved one is removed.
    Remove,
}

/// The form. Copied freely.
#[derive(Clone, Copy)]
pub(crate) struct EndpointForm {
    id: StoredValue<String>,
    /// What it is made from.
    pub(crate) preset: RwSignal<EndpointPreset>,
    /// The person's name for it.
    pub(crate) name: RwSignal<String>,
    /// The address, where it is not made from a pod.
    pub(crate) base_url: RwSignal<String>,
    /// RunPod's pod.
    pub(crate) pod_id: RwSignal<String>,
    /// The port on it.
    pub(crate) pod_port: RwSignal<String>,
    /// Whether a key is in the vault.
    pub(crate) has_key: bool,
    /// What happens with it.
    pub(crate) key_plan: RwSignal<KeyPlan>,
    /// A key that was typed.
    pub(crate) key: RwSignal<String>,
    /// The model.
    pub(crate) model: RwSignal<String>,
    /// Sampling, as typed.
    pub(crate) temperature: RwSignal<String>,
    /// Sampling, as typed.
    pub(crate) top_p: RwSignal<String>,
    /// Sampling, as typed.
    pub(crate) max_tokens: RwSignal<String>,
    /// Sampling, as typed.
    pub(crate) seed: RwSignal<String>,
    /// Whether a turn may hold several calls.
    pub(crate) parallel: RwSignal<Option<bool>>,
    /// Further fields of the request as JSON.
    pub(crate) extra: RwSignal<String>,
}

/// What is wrong, by field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Problems {
    /// The address, or the pod.
    pub(crate) address: Option<String>,
    /// Sampling.
    pub(crate) temperature: Option<String>,
    /// Sampling.
    pub(crate) top_p: Option<String>,
    /// Sampling.
    pub(crate) max_tokens: Option<String>,
    /// Sampling.
    pub(crate) seed: Option<String>,
    /// Further fields.
    pub(crate) extra: Option<String>,
}

impl EndpointForm {
    /// The form of an endpoint, new or saved.
    pub(crate) fn new(endpoint: &EndpointConfig) -> Self {
        let sampling = &endpoint.sampling;
        let (pod_id, pod_port) = split_pod_url(&endpoint.base_url).unwrap_or_default();
        let extra =
            if sampling.extra.is_empty() { String::new() } else { Json::from(sampling.extra.clone()).to_pretty() };
        Self {
            id: StoredValue::new(endpoint.id.clone()),
            preset: RwSignal::new(endpoint.preset),
            name: RwSignal::new(endpoint.name.clone()),
            base_url: RwSignal::new(endpoint.base_url.clone()),
            pod_id: RwSignal::new(pod_id),
            pod_port: RwSignal::new(if pod_port.is_empty() { "8000".to_owned() } else { pod_port }),
            has_key: endpoint.has_key,
            key_plan: RwSignal::new(if endpoint.has_key { KeyPlan::Keep } else { KeyPlan::Type }),
            key: RwSignal::default(),
            model: RwSignal::new(endpoint.model.clone()),
            temperature: RwSignal::new(show(sampling.temperature)),
            top_p: RwSignal::new(show(sampling.top_p)),
            max_tokens: RwSignal::new(show(sampling.max_tokens)),
            seed: RwSignal::new(show(sampling.seed)),
            parallel: RwSignal::new(sampling.parallel_tool_calls),
            extra: RwSignal::new(extra),
        }
    }

    /// Takes over what a preset fills in.
    pub(crate) fn use_preset(self, preset: EndpointPreset) {
        self.preset.set(preset);
        self.base_url.set(preset.base_url().to_owned());
    }

    /// The address: typed, or made from the pod. Tracks.
    pub(crate) fn address(self) -> Option<String> {
        if self.preset.get() == EndpointPreset::VllmRunpod {
            let port = self.pod_port.with(|port| port.trim().parse().ok())?;
            return self.pod_id.with(|pod| EndpointPreset::runpod_url(pod.trim(), port));
        }
        let typed = self.base_url.with(|url| url.trim().trim_end_matches('/').to_owned());
        let rest = typed.strip_prefix("http://").or_else(|| typed.strip_prefix("https://"))?;
        (!rest.is_empty()).then_some(typed)
    }

    /// A question to the endpoint as it stands in the form; `None` while it has no address. Tracks.
    pub(crate) fn probe(self) -> Option<EndpointProbe> {
        let base_url = self.address()?;
        let endpoint = EndpointConfig {
            id: self.id.get_value(),
            name: String::new(),
            preset: self.preset.get(),
            base_url,
            model: String::new(),
            has_key: self.has_key,
            sampling: Sampling::default(),
        };
        Some(EndpointProbe { endpoint, key: self.key_change() })
    }

    /// What happens with the key. Tracks.
    pub(crate) fn key_change(self) -> KeyChange {
        match self.key_plan.get() {
            KeyPlan::Keep => KeyChange::Keep,
            KeyPlan::Remove => KeyChange::Clear,
            KeyPlan::Type => match self.key.with(|key| key.trim().to_owned()) {
                key if key.is_empty() => KeyChange::Keep,
                key => KeyChange::Set(key),
            },
        }
    }

    /// The endpoint.
    ///
    /// # Errors
    /// Every field that cannot be used, with the reason.
    pub(crate) fn read(self) -> Result<EndpointConfig, Problems> {
        untrack(|| self.read_tracked())
    }

    fn read_tracked(self) -> Result<EndpointConfig, Problems> {
        let mut problems = Problems::default();
        let address = self.address();
        if address.is_none() {
            problems.address = Some(if self.preset.get() == EndpointPreset::VllmRunpod {
                "The pod id is the letters and digits that RunPod shows; the port is a number.".to_owned()
            } else {
                "This should look like http://127.0.0.1:8000/v1.".to_owned()
            });
        }
        let sampling = Sampling {
            temperature: read(self.temperature, &mut problems.temperature, "A number from 0 to 2.", |it: &f64| {
                (0.0..=2.0).contains(it)
            }),
            top_p: read(self.top_p, &mut problems.top_p, "A number from 0 to 1.", |it: &f64| (0.0..=1.0).contains(it)),
            max_tokens: read(self.max_tokens, &mut problems.max_tokens, "A whole number over 0.", |it: &u32| *it > 0),
            seed: read(self.seed, &mut problems.seed, "A whole number.", |_: &i64| true),
            parallel_tool_calls: self.parallel.get(),
            extra: self.extra.with(|text| read_extra(text)).unwrap_or_else(|problem| {
                problems.extra = Some(problem);
                Map::new()
            }),
        };
        let Some(base_url) = address.filter(|_| problems == Problems::default()) else { return Err(problems) };
        let preset = self.preset.get();
        let typed = self.name.with(|name| name.trim().to_owned());
        Ok(EndpointConfig {
            id: self.id.get_value(),
            name: if typed.is_empty() { default_name(preset, &base_url) } else { typed },
            preset,
            base_url,
            model: self.model.with(|model| model.trim().to_owned()),
            has_key: self.has_key,
            sampling,
        })
    }
}

/// The name of an endpoint that the person did not name.
pub(crate) fn default_name(preset: EndpointPreset, base_url: &str) -> String {
    match preset {
        EndpointPreset::Other => {
            let rest = base_url.split_once("://").map_or(base_url, |(_, rest)| rest);
            rest.split('/').next().unwrap_or(rest).to_owned()
        }
        EndpointPreset::VllmRunpod => {
            split_pod_url(base_url).map_or_else(|| preset.label().to_owned(), |(pod, _)| format!("RunPod {pod}"))
        }
        _ => preset.label().to_owned(),
    }
}

fn split_pod_url(url: &str) -> Option<(String, String)> {
    let host = url.strip_prefix("https://")?.strip_suffix(".proxy.runpod.net/v1")?;
    let (pod, port) = host.rsplit_once('-')?;
    Some((pod.to_owned(), port.to_owned()))
}

fn show<T: ToString>(value: Option<T>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

fn read<T: std::str::FromStr>(
    text: RwSignal<String>,
    problem: &mut Option<String>,
    wanted: &str,
    fits: impl Fn(&T) -> bool,
) -> Option<T> {
    let text = text.get();
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    let value = text.parse().ok().filter(fits);
    if value.is_none() {
        *problem = Some(wanted.to_owned());
    }
    value
}

fn read_extra(text: &str) -> Result<Map, String> {
    if text.trim().is_empty() {
        return Ok(Map::new());
    }
    match Json::parse(text) {
        Ok(Json::Object(map)) => Ok(map),
        Ok(_) => Err("This must be an object, such as {\"top_k\": 20}.".to_owned()),
        Err(error) => Err(format!("This is not JSON: {error}.")),
    }
}
