//! Names, tokens, accounts.

use tw_support::hub::{Fault, LoopbackHub, READ_TOKEN};

use super::{Desk, client};
use crate::{
    HubClient, HubError, HubOptions, RepoId, RepoKind, TokenSource, endpoint_from_env, find_token, model_needs,
};

#[test]
fn names_are_read_as_the_hub_reads_them() {
    let check = |text: &str, expected: Option<&str>| {
        let id = RepoId::parse(RepoKind::Dataset, text).ok().map(|repo| repo.id());
        assert_eq!(id.as_deref(), expected, "{text}");
    };
    check("me/traces", Some("me/traces"));
    check(" me/traces.v1_2-a ", Some("me/traces.v1_2-a"));
    check("https://huggingface.co/datasets/me/traces", Some("me/traces"));
    check("https://huggingface.co/datasets/me/traces/tree/main", Some("me/traces"));
    check("datasets/me/traces", Some("me/traces"));
    for bad in ["", "traces", "me/", "/traces", "me/a/b", "me/../x", "me/a b", "me/-a", "me/a--b", "me/a.git", "ü/x"] {
        check(bad, None);
    }
}

#[test]
fn the_environment_goes_before_the_file_of_the_command_line() {
    let dir = tempfile::TempDir::new().unwrap();
    let home = dir.path().to_str().unwrap().to_owned();
    let file = dir.path().join("token");
    std::fs::write(&file, "hf_fromfile\n").unwrap();
    let with = |pairs: Vec<(&'static str, String)>| {
        move |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone())
    };
    let found = find_token(&with(vec![("HF_HOME", home.clone()), ("HF_TOKEN", " hf_fromenv ".to_owned())])).unwrap();
    assert_eq!((found.token.expose(), found.source), ("hf_fromenv", TokenSource::Environment));
    let found = find_token(&with(vec![("HF_HOME", home.clone()), ("HF_TOKEN", String::new())])).unwrap();
    assert_eq!((found.token.expose(), found.source), ("hf_fromfile", TokenSource::File(file.clone())));
    std::fs::write(&file, "not a\ntoken").unwrap();
    assert_eq!(find_token(&with(vec![("HF_HOME", home)])), None);
    let endpoint = endpoint_from_env(&with(vec![("HF_ENDPOINT", "https://hub.example/".to_owned())]));
    assert_eq!(endpoint.as_deref(), Some("https://hub.example"));
}

#[test]
fn a_token_is_never_sent_unencrypted_to_another_machine() {
    let made = HubClient::new(HubOptions::new("http://hub.example", Some("hf_x".into())));
    assert!(matches!(made, Err(HubError::BadEndpoint { .. })));
    assert!(HubClient::new(HubOptions::new("http://127.0.0.1:1", Some("hf_x".into()))).is_ok());
}

#[test]
fn a_client_shows_no_token() {
    let client = HubClient::new(HubOptions::new("https://hub.example", Some("hf_canary".into()))).unwrap();
    assert!(!format!("{client:?}").contains("hf_canary"));
}

#[test]
fn of_a_model_only_what_is_used_here_is_fetched() {
    for path in ["config.json", "model-00001-of-00002.safetensors", "tokenizer.json", "chat_template.jinja", "LICENSE"]
    {
        assert!(model_needs(path), "{path}");
    }
    for path in ["pytorch_model.bin", "onnx/model.onnx", "original/model.safetensors", ".gitattributes", "model.gguf"] {
        assert!(!model_needs(path), "{path}");
    }
}

#[tokio::test]
async fn an_account_says_who_it_is_and_whether_it_may_write() {
    let hub = LoopbackHub::start().await.unwrap();
    let account = client(&hub, Some(READ_TOKEN)).whoami().await.unwrap();
    assert_eq!((account.name.as_str(), account.can_write), ("tester", Some(false)));
    assert_eq!(account.organisations, ["test-org"]);
    let error = client(&hub, Some("hf_unknown")).whoami().await.unwrap_err();
    assert!(matches!(error, HubError::BadToken), "{error:?}");
    assert!(error.hint().contains("new token"));
    assert!(matches!(client(&hub, None).whoami().await.unwrap_err(), HubError::NotSignedIn));
}

#[tokio::test]
async fn a_hub_that_is_not_there_is_named() {
    let client = HubClient::new(HubOptions {
        first_wait: std::time::Duration::from_millis(1),
        ..HubOptions::new("http://127.0.0.1:9", Some("hf_x".into()))
    });
    let error = client.unwrap().whoami().await.unwrap_err();
    assert!(matches!(&error, HubError::Unreachable { endpoint, .. } if endpoint == "http://127.0.0.1:9"), "{error:?}");
    assert!(error.is_retryable());
}

#[tokio::test]
async fn what_the_hub_refuses_has_a_name() {
    let desk = Desk::open().await;
    let check = async |status: u16, fits: fn(&HubError) -> bool| {
        desk.hub.heal();
        desk.hub.fail(Fault::status("GET /api/whoami-v2", status).times(9));
        let error = desk.client.whoami().await.unwrap_err();
        assert!(fits(&error), "{status}: {error:?}");
    };
    check(401, |error| matches!(error, HubError::BadToken)).await;
    check(403, |error| matches!(error, HubError::Forbidden { .. })).await;
    check(404, |error| matches!(error, HubError::NotFound { .. })).await;
    check(409, |error| matches!(error, HubError::Conflict { .. })).await;
    check(413, |error| matches!(error, HubError::TooLarge { .. })).await;
    check(429, |error| matches!(error, HubError::TooMany { retry_after_secs: None })).await;
    check(418, |error| matches!(error, HubError::Refused { status: 418, .. })).await;
    check(500, |error| matches!(error, HubError::Server { status: 500, .. })).await;
    check(503, |error| matches!(error, HubError::Server { status: 503, .. })).await;
}
