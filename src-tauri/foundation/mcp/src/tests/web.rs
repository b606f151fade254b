//! Streamable HTTP, and signing in.

use tw_artifact::ServerPhase;
use tw_support::mcp::{Authorization, Era, HttpServer};
use tw_vault::Secret;

use super::*;

async fn connect(config: &ServerConfig, secrets: &ServerSecrets) -> Result<Session, McpError> {
    let folder = tempfile::tempdir().unwrap();
    Session::start(config, secrets, &context(folder.path()), Recorder::new(None), Vault::in_memory()).await
}

#[tokio::test]
async fn both_eras_are_spoken_over_http() {
    for (era, version) in [(Era::Initialize, "2025-11-25"), (Era::Stateless, "2026-07-28")] {
        let server = HttpServer::start(Behaviour { era, ..Behaviour::default() }, None).await.unwrap();
        let content = Json::parse(r#"{"name":"Ann"}"#).unwrap();
        let recorder = Recorder::new(Some(ElicitationAnswer::Accept { content }));
        let folder = tempfile::tempdir().unwrap();
        let session = start(&http_config("web", &server.url), folder.path(), &recorder).await.unwrap();
        assert_eq!(session.status().protocol.as_deref(), Some(version));
        assert_eq!(text_of(&call(&session, "echo", r#"{"text":"hi"}"#).await.unwrap()), "hi");
        let output = call(&session, "ask_form", "{}").await.unwrap();
        assert_eq!(text_of(&output), r#"{"action":"accept","content":{"name":"Ann"}}"#, "{version}");
        let steps = Mutex::new(0);
        let never = CancellationToken::new();
        let counted = session.call("steps", &Json::Null, &never, LONG, |_| *steps.lock().unwrap() += 1).await;
        assert_eq!(text_of(&counted.unwrap()), "done");
        assert!(steps.into_inner().unwrap() > 0, "{version}");
        let output = call(&session, "shapes", "{}").await.unwrap();
        assert_eq!(output.parts.len(), 5, "{version}");
        let output = call(&session, "big", r#"{"bytes":20000000}"#).await.unwrap();
        assert_eq!(text_of(&output).len(), 20_000_000, "{version}");
        session.shutdown().await;
        assert_eq!(session.status().phase, ServerPhase::Stopped);
        assert_eq!(server.open_sessions(), 0, "{version}");
    }
}

#[tokio::test]
async fn a_changed_list_is_heard_of_over_http() {
    for era in [Era::Initialize, Era::Stateless] {
        let server = HttpServer::start(Behaviour { era, ..Behaviour::default() }, None).await.unwrap();
        let recorder = Recorder::new(None);
        let folder = tempfile::tempdir().unwrap();
        let session = start(&http_config("web", &server.url), folder.path(), &recorder).await.unwrap();
        eventually("the standing stream", || server.is_listened_to()).await;
        call(&session, "add_tool", "{}").await.unwrap();
        recorder.wait_for(|kind| *kind == ServerEventKind::ToolsChanged).await;
        session.shutdown().await;
    }
}

#[tokio::test]
async fn headers_are_sent_with_every_message() {
    let server = HttpServer::start(Behaviour::default(), None).await.unwrap();
    let headers = vec![("X-Team".to_owned(), "blue".to_owned())];
    let secrets = ServerSecrets { env: Vec::new(), headers };
    let session = connect(&http_config("web", &server.url), &secrets).await.unwrap();
    session.shutdown().await;
    let seen = server.headers();
    assert!(!seen.is_empty() && seen.iter().all(|it| it.get("x-team").is_some_and(|team| team == "blue")));
}

#[tokio::test]
async fn an_address_that_cannot_be_used_is_told() {
    let none = ServerSecrets::default();
    let error = connect(&http_config("web", "ftp://x"), &none).await.unwrap_err();
    assert!(matches!(error, McpError::BadConfig { .. }), "{error:?}");
    let headers = vec![("X-Key".to_owned(), "s3cret\n".to_owned() + "x")];
    let secrets = ServerSecrets { env: Vec::new(), headers };
    let error = connect(&http_config("web", "http://127.0.0.1:1/mcp"), &secrets).await.unwrap_err();
    assert!(error.to_string().contains("X-Key") && !format!("{error:?}").contains("s3cret"), "{error:?}");

    // A port that was free a moment ago: nobody listens.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = connect(&http_config("web", &format!("http://127.0.0.1:{port}/mcp")), &none).await.unwrap_err();
    assert!(matches!(error, McpError::Unreachable { .. }), "{error:?}");
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn a_cancelled_call_over_http_returns_at_once_and_is_told() {
    let server = HttpServer::start(Behaviour::default(), None).await.unwrap();
    let session = connect(&http_config("web", &server.url), &ServerSecrets::default()).await.unwrap();
    let cancel = CancellationToken::new();
    let got = |word: &str| server.received().iter().any(|it| it.to_string().contains(word));
    let calling = session.call("hang", &Json::Null, &cancel, LONG, |_| {});
    let cancelling = async {
        eventually("the call", || got("\"hang\"")).await;
        cancel.cancel();
    };
    let (called, ()) = tokio::join!(calling, cancelling);
    assert_eq!(called.unwrap_err(), McpError::Cancelled);
    eventually("the word of the cancellation", || got("notifications/cancelled")).await;
    session.shutdown().await;
}

/// A server behind a sign-in, a vault, and a browser whose person agrees to whatever opens.
struct SignIn {
    server: HttpServer,
    vault: Vault,
    context: LaunchContext,
    config: ServerConfig,
    recorder: Arc<Recorder>,
    _folder: tempfile::TempDir,
}

impl SignIn {
    async fn new(rules: Authorization) -> Self {
        let server = HttpServer::start(Behaviour::default(), Some(rules)).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (recorder, mut urls) = Recorder::with_browser(None);
        tokio::spawn(async move {
            // Follows the redirect back to us, as a browser does. Its answer is for the person.
            while let Some(url) = urls.recv().await {
                drop(reqwest::get(url).await);
            }
        });
        let mut context = context(folder.path());
        context.may_sign_in = true;
        let config = http_config("web", &server.url);
        Self { server, vault: Vault::in_memory(), context, config, recorder, _folder: folder }
    }

    async fn start(&self) -> Result<Session, McpError> {
        let listener: Arc<dyn ServerListener> = Arc::<Recorder>::clone(&self.recorder);
        Session::start(&self.config, &ServerSecrets::default(), &self.context, listener, self.vault.clone()).await
    }

    fn phases(&self) -> Vec<ServerPhase> {
        let phase = |kind| match kind {
            ServerEventKind::Phase(phase) => Some(phase),
            _ => None,
        };
        self.recorder.events().into_iter().filter_map(phase).collect()
    }

    fn kept(&self) -> Option<Secret> {
        self.vault.get(&ServerConfig::oauth_secret_name(&self.config.id)).unwrap()
    }
}

#[tokio::test]
async fn signing_in_opens_the_browser_once_and_the_token_is_kept_in_the_vault() {
    let place = SignIn::new(Authorization::default()).await;
    let session = place.start().await.unwrap();
    assert_eq!(text_of(&call(&session, "echo", r#"{"text":"in"}"#).await.unwrap()), "in");
    use ServerPhase::{NeedsSignIn, Running, Starting};
    assert_eq!(place.phases(), [Starting, NeedsSignIn, Starting, Running]);
    session.shutdown().await;
    assert!(place.kept().unwrap().expose().contains("access-"));

    let again = place.start().await.unwrap();
    assert_eq!(place.server.desk().unwrap().authorizations(), 1);
    again.shutdown().await;
}

#[tokio::test]
async fn a_token_that_ran_out_is_refreshed_in_the_middle_of_a_session_and_in_a_new_one() {
    let place = SignIn::new(Authorization::default()).await;
    let desk = || place.server.desk().unwrap();
    let session = place.start().await.unwrap();
    desk().expire_access();
    assert_eq!(text_of(&call(&session, "echo", r#"{"text":"on"}"#).await.unwrap()), "on");
    assert_eq!((desk().refreshes(), desk().authorizations()), (1, 1));
    session.shutdown().await;
    desk().expire_access();
    let again = place.start().await.unwrap();
    assert_eq!((desk().refreshes(), desk().authorizations()), (2, 1));
    again.shutdown().await;
}

#[tokio::test]
async fn a_sign_in_that_ran_out_for_good_is_asked_for_again() {
    let mut place = SignIn::new(Authorization::default()).await;
    let session = place.start().await.unwrap();
    let desk = place.server.desk().unwrap();
    desk.expire_access();
    desk.revoke_refresh();
    let error = call(&session, "echo", r#"{"text":"x"}"#).await.unwrap_err();
    assert_eq!(error, McpError::SignInNeeded { server: "web".to_owned() });
    assert_eq!(session.status().phase, ServerPhase::NeedsSignIn);
    session.shutdown().await;
    place.context.may_sign_in = false;
    assert_eq!(place.start().await.unwrap_err(), McpError::SignInNeeded { server: "web".to_owned() });
    place.context.may_sign_in = true;
    place.start().await.unwrap().shutdown().await;
    assert_eq!(place.server.desk().unwrap().authorizations(), 2);
}

#[tokio::test]
async fn many_sessions_at_once_sign_in_once() {
    let place = SignIn::new(Authorization::default()).await;
    let sessions = futures::future::join_all((0..4).map(|_| place.start())).await;
    for session in sessions {
        session.unwrap().shutdown().await;
    }
    assert_eq!(place.server.desk().unwrap().authorizations(), 1);
}

#[tokio::test]
async fn a_person_who_declines_is_taken_at_their_word() {
    let place = SignIn::new(Authorization { declines: true, ..Authorization::default() }).await;
    let error = place.start().await.unwrap_err();
    assert_eq!(error.to_string(), "the sign-in to \"web\" failed: access_denied: No thanks");
    assert!(place.kept().is_none());
}

#[tokio::test]
async fn a_client_id_from_the_configuration_is_used_where_none_can_be_registered() {
    let rules = || Authorization { no_registration: true, ..Authorization::default() };
    let error = SignIn::new(rules()).await.start().await.unwrap_err();
    assert!(matches!(error, McpError::SignInFailed { .. }), "{error:?}");
    let mut place = SignIn::new(rules()).await;
    let oauth = Json::parse(r#"{"clientId":"known-client"}"#).unwrap();
    place.config.extra.insert("oauth".to_owned(), oauth);
    place.start().await.unwrap().shutdown().await;
}

#[tokio::test]
async fn a_sign_in_that_nobody_finishes_ends_in_time() {
    let mut place = SignIn::new(Authorization::default()).await;
    let (recorder, mut urls) = Recorder::with_browser(None);
    place.recorder = recorder;
    place.context.sign_in_timeout = Duration::from_millis(300);
    let error = place.start().await.unwrap_err();
    assert!(matches!(error, McpError::SignInFailed { .. }), "{error:?}");
    assert!(urls.recv().await.unwrap().contains("code_challenge_method=S256"));
}

#[tokio::test]
async fn a_token_that_the_person_gave_and_the_server_refuses_opens_no_browser() {
    let place = SignIn::new(Authorization::default()).await;
    let headers = vec![("Authorization".to_owned(), "Bearer s3cret".to_owned())];
    let secrets = ServerSecrets { env: Vec::new(), headers };
    let listener: Arc<dyn ServerListener> = Arc::<Recorder>::clone(&place.recorder);
    let started = Session::start(&place.config, &secrets, &place.context, listener, place.vault.clone()).await;
    let error = started.unwrap_err();
    assert!(matches!(error, McpError::AccessRefused { .. }), "{error:?}");
    assert!(!format!("{error:?}").contains("s3cret"));
    assert_eq!(place.server.desk().unwrap().authorizations(), 0);
}
