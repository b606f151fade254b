//! The endpoint doctor: finds out what a server can do by using it once.

use std::time::{Duration, Instant};

use http::Method;
use tokio_util::sync::CancellationToken;
use tw_artifact::{
    AnswerSource, DoctorCheck, DoctorReport, DoctorStatus, Json, Map, Message, ModelInfo, Sampling, ToolDefinition,
};

use crate::family::{self, Family};
use crate::stream::Exchange;
use crate::{ChatFailure, ChatRequest, EndpointClient, EndpointError, RetryPolicy, serve_line};

/// What an agent's conversation needs.
const WANTED_CONTEXT_TOKENS: u32 = 32_768;
/// Room for a model that thinks before it calls.
const PROBE_TOKENS: u32 = 1_024;
/// Longest wait for the probe's answer. A server on a CPU takes its time.
const PROBE_SECS: u64 = 180;

/// Examines `client`'s endpoint. Requests: `GET /models`, `POST /chat/completions` once with one tool, and where the
/// server is vLLM `POST /load_lora_adapter` with an empty object, which cannot load anything.
pub(crate) async fn examine(client: &EndpointClient, model: &str) -> DoctorReport {
    let started = Instant::now();
    let family = family::guess(model);
    let listed = client.models().await;
    let mut checks = vec![reachable(&listed)];
    let can_be_reached = checks[0].status != DoctorStatus::Bad;
    let models = listed.unwrap_or_default();
    let mut reasoning_field = None;
    if can_be_reached {
        checks.extend([model_known(&models, model), context(&models, model)]);
    } else {
        checks.extend(not_examined(&["model", "context"], UNREACHED));
    }
    if !can_be_reached {
        checks.extend(not_examined(&PROBED, UNREACHED));
    } else if model.is_empty() {
        checks.extend(not_examined(&PROBED, "no model is picked"));
    } else {
        match probe(client, model).await {
            Ok(exchange) => {
                reasoning_field.clone_from(&exchange.answer.step.reasoning_field);
                checks.extend([
                    streams(&exchange),
                    reasoning(&exchange, family),
                    tool_calls(&exchange, family),
                    token_ids(&exchange),
                ]);
            }
            Err(failure) => checks.extend(probe_failed(&failure, family)),
        }
    }
    if can_be_reached {
        checks.push(lora(client, &models).await);
    } else {
        checks.extend(not_examined(&["lora"], UNREACHED));
    }
    DoctorReport {
        base_url: client.base_url().to_owned(),
        model: model.to_owned(),
        serve: serve_line(served_from(&models, model)),
        models,
        checks,
        reasoning_field,
        duration_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
    }
}

/// What the model was started from (vLLM's `root`), for an adapter what its base was; its name where nobody says.
fn served_from<'a>(models: &'a [ModelInfo], model: &'a str) -> &'a str {
    let find = |id: &str| models.iter().find(|info| info.id == id);
    let Some(info) = find(model) else {
        return model;
    };
    let base = info.parent.as_deref().and_then(find).unwrap_or(info);
    base.raw.get("root").and_then(Json::as_str).unwrap_or(&base.id)
}

async fn probe(client: &EndpointClient, model: &str) -> Result<Exchange, ChatFailure> {
    let client = client.clone().with_retry(RetryPolicy { max_retries: 0, ..RetryPolicy::default() });
    let city = Map::from([("type".to_owned(), "string".into())]);
    let parameters = Map::from([
        ("type".to_owned(), "object".into()),
        ("properties".to_owned(), Map::from([("city".to_owned(), city.into())]).into()),
        ("required".to_owned(), Json::Array(vec!["city".into()])),
    ]);
    let request = ChatRequest {
        model: model.to_owned(),
        messages: vec![Message::user("What is the weather in Paris right now? Use the tool to find out.")],
        tools: vec![ToolDefinition::new("get_weather", "The weather in a city right now", parameters.into())],
        // No temperature: some hosted models refuse one.
        sampling: Sampling { max_tokens: Some(PROBE_TOKENS), ..Sampling::default() },
        reasoning_field: None,
        want_token_ids: true,
    };
    let cancel = CancellationToken::new();
    let mut ignore = |_| {};
    let exchange = client.exchange(&request, &cancel, &mut ignore);
    let limit = Duration::from_secs(PROBE_SECS);
    match tokio::time::timeout(limit, exchange).await {
        Ok(result) => result,
        Err(_) => Err(EndpointError::FirstByteTimeout { secs: PROBE_SECS.to_string() }.into()),
    }
}

fn reachable(listed: &Result<Vec<ModelInfo>, EndpointError>) -> DoctorCheck {
    let name = "reachable";
    match listed {
        Ok(models) => good(name, &format!("The server answers and lists {}.", count_models(models.len()))),
        Err(error @ EndpointError::NotFound { .. }) => {
            warning(name, "The server answers, but has no list of models.", &error.hint())
        }
        Err(error) => bad(name, &sentence(&error.to_string()), &error.hint()),
    }
}

fn count_models(count: usize) -> String {
    if count == 1 { "1 model".to_owned() } else { format!("{count} models") }
}

fn model_known(models: &[ModelInfo], model: &str) -> DoctorCheck {
    let name = "model";
    if models.is_empty() {
        return unknown(name, "The server's models are not known.");
    }
    let offered: Vec<&str> = models.iter().take(20).map(|info| info.id.as_str()).collect();
    let offered = offered.join(", ");
    if model.is_empty() {
        return bad(name, "No model is picked.", &format!("Pick one of: {offered}."));
    }
    if models.iter().any(|info| info.id == model) {
        return good(name, &format!("The server offers \"{model}\"."));
    }
    bad(name, &format!("The server does not offer \"{model}\"."), &format!("Pick one of: {offered}."))
}

fn context(models: &[ModelInfo], model: &str) -> DoctorCheck {
    let name = "context";
    let tokens = models.iter().find(|info| info.id == model).and_then(|info| info.context_tokens);
    match tokens {
        None => unknown(name, "The server does not say how long a conversation may be."),
        Some(tokens) if tokens < WANTED_CONTEXT_TOKENS => warning(
            name,
            &format!("A conversation may be {tokens} tokens long: tool outputs fill that quickly."),
            "Start vLLM with --max-model-len 32768, llama.cpp with -c 32768, or lower the budgets of tool outputs.",
        ),
        Some(tokens) => good(name, &format!("A conversation may be {tokens} tokens long.")),
    }
}

fn streams(exchange: &Exchange) -> DoctorCheck {
    if exchange.streamed {
        return good("streams", "Answers stream.");
    }
    warning(
        "streams",
        "The answer came in one piece: nothing is seen before it is whole.",
        "Look for a proxy that collects answers, and switch its buffering off.",
    )
}

fn reasoning(exchange: &Exchange, family: Family) -> DoctorCheck {
    let name = "reasoning";
    let answer = &exchange.answer;
    let has_text = !answer.message.text().trim().is_empty() || !answer.calls.is_empty();
    let flag = family.reasoning_parser.map(|parser| format!("--reasoning-parser {parser}"));
    let is_cut = answer.step.finish_reason.as_deref() == Some("length");
    match (&answer.step.reasoning_field, answer.message.reasoning()) {
        (Some(field), _) if !has_text && !is_cut => warning(
            name,
            &format!("The whole answer came as reasoning, under \"{field}\": the parser does not fit the model."),
            "Start vLLM without --reasoning-parser, or with the one for this model.",
        ),
        (Some(field), _) => good(name, &format!("Reasoning comes under \"{field}\".")),
        (None, Some(_)) => warning(
            name,
            "Reasoning comes inside the text, between think tags. It is split here.",
            &format!("Start vLLM with {}.", flag.as_deref().unwrap_or("--reasoning-parser qwen3")),
        ),
        (None, None) => match flag {
            None => good(name, "This answer came without reasoning, as usual for this model."),
            Some(_) => unknown(name, "This answer came without reasoning; thinking may be switched off."),
        },
    }
}

fn tool_calls(exchange: &Exchange, family: Family) -> DoctorCheck {
    let name = "tool_calls";
    let answer = &exchange.answer;
    if answer.calls.is_empty() {
        return if answer.step.finish_reason.as_deref() == Some("length") {
            unknown(name, &format!("The model was still thinking after {PROBE_TOKENS} tokens, so that no call came."))
        } else {
            unknown(name, "The model answered without calling the tool it was given.")
        };
    }
    let broken = answer.calls.iter().find_map(|call| call.arguments.as_ref().err());
    if let Some(why) = broken {
        return warning(
            name,
            &format!("The model called the tool, but {why}."),
            &format!("Check that the parser fits the model: {}.", parser_flags(family)),
        );
    }
    match answer.step.source {
        AnswerSource::Server => good(name, "Tool calls come parsed."),
        AnswerSource::Hermes | AnswerSource::QwenXml | AnswerSource::LlamaJson | AnswerSource::Mistral => warning(
            name,
            "Tool calls come as text. They are read here.",
            &format!("Start vLLM with {}, llama.cpp with --jinja.", parser_flags(family)),
        ),
    }
}

fn parser_flags(family: Family) -> String {
    format!("--enable-auto-tool-choice --tool-call-parser {}", family.tool_parser)
}

fn token_ids(exchange: &Exchange) -> DoctorCheck {
    let step = &exchange.answer.step;
    if step.token_ids.is_some() || step.prompt_token_ids.is_some() {
        return good("token_ids", "The server gives the ids of tokens: traces can be checked against them.");
    }
    warning(
        "token_ids",
        "The server gives no token ids: what the model read and wrote is kept as text only.",
        "vLLM gives them; no flag is needed.",
    )
}

/// Without an answer only what the error tells is known.
fn probe_failed(failure: &ChatFailure, family: Family) -> Vec<DoctorCheck> {
    let error = &failure.error;
    if matches!(error, EndpointError::ModelNotFound { .. }) {
        return not_examined(&PROBED, "the server does not know the model");
    }
    let finding = sentence(&error.to_string());
    let refuses_tools =
        matches!(error, EndpointError::Rejected { message, .. } if message.to_lowercase().contains("tool"));
    let (failed, why, remedy) = if refuses_tools {
        let remedy = format!("Start vLLM with {}, llama.cpp with --jinja.", parser_flags(family));
        ("tool_calls", "the server refused the request with a tool", remedy)
    } else {
        ("streams", "the model gave no answer", error.hint())
    };
    let mut checks = not_examined(&PROBED, why);
    for check in checks.iter_mut().filter(|check| check.name == failed) {
        *check = bad(failed, &finding, &remedy);
    }
    checks
}

/// The checks that the model's answer decides.
const PROBED: [&str; 4] = ["streams", "reasoning", "tool_calls", "token_ids"];
const UNREACHED: &str = "the endpoint could not be reached";

fn not_examined(names: &[&str], why: &str) -> Vec<DoctorCheck> {
    let finding = format!("Not examined: {why}.");
    names.iter().map(|name| unknown(name, &finding)).collect()
}

/// vLLM checks the fields of a request before it looks at anything: an empty object is refused with 400 where the route
/// is there, and with 404 where it is not. Whether the engine itself takes adapters shows only when one is loaded.
async fn lora(client: &EndpointClient, models: &[ModelInfo]) -> DoctorCheck {
    let name = "lora";
    if !is_vllm(client, models).await {
        return unknown(name, "Only vLLM loads adapters while it runs.");
    }
    let url = format!("{}/load_lora_adapter", client.base_url());
    match client.quick(Method::POST, &url, Some(&Map::new().into())).await {
        Ok((400 | 422, _)) => {
            good(name, "The route for loading adapters is open. It also needs --enable-lora, which shows at loading.")
        }
        Ok((404 | 405, _)) => warning(
            name,
            "Adapters cannot be loaded while the server runs.",
            "Start vLLM with VLLM_ALLOW_RUNTIME_LORA_UPDATING=True in its environment and with --enable-lora \
             --max-lora-rank 64. Only where nobody else can reach it: whoever can may load adapters.",
        ),
        Ok((status @ (401 | 403), _)) => unknown(name, &format!("The server refused the question (HTTP {status}).")),
        Ok((status, body)) => {
            let error = client.status_error(status, "/load_lora_adapter", "", &body);
            unknown(name, &sentence(&error.to_string()))
        }
        Err(error) => unknown(name, &sentence(&error.to_string())),
    }
}

async fn is_vllm(client: &EndpointClient, models: &[ModelInfo]) -> bool {
    let owner = |info: &ModelInfo| info.raw.get("owned_by").and_then(Json::as_str).map(str::to_owned);
    if models.iter().any(|info| owner(info).as_deref() == Some("vllm")) {
        return true;
    }
    if models.iter().any(|info| owner(info).is_some()) {
        return false;
    }
    let url = format!("{}/version", client.root_url());
    match client.quick(Method::GET, &url, None).await {
        Ok((200, body)) => Json::parse(&body).is_ok_and(|json| json.get("version").is_some()),
        _ => false,
    }
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first: String = chars.next().into_iter().flat_map(char::to_uppercase).collect();
    let end = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{end}", chars.as_str())
}

fn check(name: &str, status: DoctorStatus, finding: &str, remedy: Option<&str>) -> DoctorCheck {
    DoctorCheck {
        name: name.to_owned(),
        status,
        finding: finding.to_owned(),
        remedy: remedy.filter(|remedy| !remedy.is_empty()).map(str::to_owned),
    }
}

fn good(name: &str, finding: &str) -> DoctorCheck {
    check(name, DoctorStatus::Good, finding, None)
}

fn warning(name: &str, finding: &str, remedy: &str) -> DoctorCheck {
    check(name, DoctorStatus::Warning, finding, Some(remedy))
}

fn bad(name: &str, finding: &str, remedy: &str) -> DoctorCheck {
    check(name, DoctorStatus::Bad, finding, Some(remedy))
}

fn unknown(name: &str, finding: &str) -> DoctorCheck {
    check(name, DoctorStatus::Unknown, finding, None)
}
