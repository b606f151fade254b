//! Every way in which a server can go wrong.

use tw_artifact::ServerPhase;
use tw_support::mcp::Endless;

use super::*;

async fn start_fails(behaviour: &Behaviour) -> (McpError, Vec<ServerEventKind>) {
    let folder = tempfile::tempdir().unwrap();
    let recorder = Recorder::new(None);
    let error = start(&fake_config("fake", behaviour), folder.path(), &recorder).await.unwrap_err();
    (error, recorder.events())
}

#[tokio::test]
async fn a_command_that_is_not_found_is_named_with_what_to_install() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = Recorder::new(None);
    let mut context = context(folder.path());
    context.login_path = folder.path().to_str().unwrap().to_owned();
    let config = stdio_config("play", "npx", vec!["-y".to_owned()]);
    let listener: Arc<dyn ServerListener> = Arc::<Recorder>::clone(&recorder);
    let started = Session::start(&config, &ServerSecrets::default(), &context, listener, Vault::in_memory()).await;
    let error = started.unwrap_err();
    assert_eq!(error.to_string(), "the program \"npx\" was not found");
    let hint = error.hint().unwrap();
    assert!(hint.contains("Node.js 20") && hint.contains(&context.login_path), "{hint}");
    let events = recorder.events();
    assert_eq!(events[0], ServerEventKind::Phase(ServerPhase::Starting));
    let failed = ServerPhase::Failed { message: error.to_string(), hint };
    assert_eq!(events[1], ServerEventKind::Phase(failed));

    let config = stdio_config("play", "./nowhere/server", Vec::new());
    let error = start(&config, folder.path(), &recorder).await.unwrap_err();
    assert!(matches!(&error, McpError::CommandNotFound { searched, .. } if searched.is_empty()), "{error:?}");
}

#[tokio::test]
async fn a_working_directory_that_is_missing_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = fake_config("fake", &Behaviour::default());
    let Transport::Stdio { cwd, .. } = &mut config.transport else { unreachable!() };
    *cwd = "not/there".to_owned();
    let error = start(&config, folder.path(), &Recorder::new(None)).await.unwrap_err();
    let path = folder.path().join("not/there").display().to_string();
    assert_eq!(error, McpError::NoWorkingDirectory { server: "fake".to_owned(), path });
}

#[tokio::test]
async fn a_crash_at_start_is_told_with_code_and_last_words() {
    let (error, events) = start_fails(&Behaviour { crash_at_start: Some(3), ..Behaviour::default() }).await;
    assert_eq!(error.to_string(), "\"fake\" ended while it was starting (exit code 3)");
    assert_eq!(error.detail(), Some("loading plugins\nerror: cannot find module 'left-pad'"));
    assert!(error.hint().is_some());
    assert!(matches!(events.last(), Some(ServerEventKind::Phase(ServerPhase::Failed { .. }))), "{events:?}");
}

#[tokio::test]
async fn a_hang_at_start_ends_in_time_with_the_last_words() {
    let folder = tempfile::tempdir().unwrap();
    let mut context = context(folder.path());
    context.start_timeout = Duration::from_secs(1);
    let config = fake_config("fake", &Behaviour { hang_at_start: true, ..Behaviour::default() });
    let listener = Recorder::new(None);
    let started = Session::start(&config, &ServerSecrets::default(), &context, listener, Vault::in_memory()).await;
    let expected = McpError::StartTimeout { server: "fake".to_owned(), timeout_secs: 1, stderr: "thinking".to_owned() };
    assert_eq!(started.unwrap_err(), expected);
}

#[tokio::test]
async fn a_crash_in_the_middle_of_a_call_ends_the_call_and_the_session() {
    let fixture = Fixture::new(&Behaviour::default()).await;
    let error = fixture.call("crash", r#"{"code":9}"#).await.unwrap_err();
    assert_eq!(error.to_string(), "\"fake\" ended by itself (exit code 9)");
    assert_eq!(error.detail(), Some("fatal: out of cheese"));
    let failed = |kind: &ServerEventKind| matches!(kind, ServerEventKind::Phase(ServerPhase::Failed { .. }));
    fixture.recorder.wait_for(failed).await;
    assert!(matches!(fixture.session.status().phase, ServerPhase::Failed { .. }));
    let error = fixture.call("echo", r#"{"text":"x"}"#).await.unwrap_err();
    assert!(matches!(error, McpError::Crashed { .. }), "{error:?}");
    fixture.session.shutdown().await;
}

#[tokio::test]
async fn a_call_that_hangs_ends_after_its_limit_and_the_session_goes_on() {
    let log = tempfile::NamedTempFile::new().unwrap();
    let fixture = Fixture::new(&Behaviour { log: Some(log.path().to_owned()), ..Behaviour::default() }).await;
    let limit = Duration::from_millis(300);
    let called = fixture.session.call("hang", &Json::Null, &CancellationToken::new(), limit, |_| {}).await;
    assert!(matches!(called, Err(McpError::CallTimeout { .. })), "{called:?}");
    let told = || std::fs::read_to_string(log.path()).unwrap().contains("notifications/cancelled");
    eventually("the word of the cancellation", told).await;
    assert_eq!(text_of(&fixture.call("echo", r#"{"text":"still here"}"#).await.unwrap()), "still here");
    fixture.session.shutdown().await;
}

#[tokio::test]
async fn cancelling_a_call_that_hangs_returns_at_once_and_tells_the_server() {
    let log = tempfile::NamedTempFile::new().unwrap();
    let fixture = Fixture::new(&Behaviour { log: Some(log.path().to_owned()), ..Behaviour::default() }).await;
    let logged = |word: &str| std::fs::read_to_string(log.path()).unwrap().contains(word);
    let cancel = CancellationToken::new();
    let calling = fixture.session.call("hang", &Json::Null, &cancel, LONG, |_| {});
    let cancelling = async {
        eventually("the call", || logged("\"hang\"")).await;
        cancel.cancel();
        Instant::now()
    };
    let (called, cancelled_at) = tokio::join!(calling, cancelling);
    assert_eq!(called.unwrap_err(), McpError::Cancelled);
    assert!(cancelled_at.elapsed() < Duration::from_secs(1));
    eventually("the word of the cancellation", || logged("notifications/cancelled")).await;
    fixture.session.shutdown().await;
}

#[tokio::test]
async fn noise_on_stdout_is_shown_and_does_no_harm() {
    let fixture = Fixture::new(&Behaviour { noise: true, ..Behaviour::default() }).await;
    assert_eq!(text_of(&fixture.call("echo", r#"{"text":"hello"}"#).await.unwrap()), "hello");
    let tail = fixture.session.stderr_tail();
    for line in ["[stdout] Server listening on stdio", "[stdout] 42", "[stdout] {\"level\":\"info\""] {
        assert!(tail.iter().any(|it| it == line), "{line} is not in {tail:?}");
    }
    fixture.session.shutdown().await;
}

#[tokio::test]
async fn a_result_of_20_megabytes_arrives_whole() {
    let fixture = Fixture::new(&Behaviour::default()).await;
    let output = fixture.call("big", r#"{"bytes":20000000}"#).await.unwrap();
    assert_eq!(text_of(&output).len(), 20_000_000);
    fixture.session.shutdown().await;
}

#[tokio::test]
async fn a_result_beyond_the_limit_is_an_error_and_the_session_goes_on() {
    let fixture = Fixture::new(&Behaviour::default()).await;
    let error = fixture.call("big", r#"{"bytes":70000000}"#).await.unwrap_err();
    assert!(matches!(error, McpError::TooLarge { .. }), "{error:?}");
    assert_eq!(text_of(&fixture.call("echo", r#"{"text":"on"}"#).await.unwrap()), "on");
    fixture.session.shutdown().await;
}

#[tokio::test]
async fn tools_that_are_wrong_in_themselves_are_listed_with_their_problem_and_not_offered() {
    let fixture = Fixture::new(&Behaviour { broken_tools: true, ..Behaviour::default() }).await;
    let tools = fixture.session.tools().await.unwrap();
    let broken: Vec<_> = tools.iter().filter_map(|tool| Some((tool.name.as_str(), tool.problem.as_deref()?))).collect();
    assert_eq!(
        broken,
        [
            ("schema_is_text", "its input schema is not a JSON object"),
            ("schema_is_missing", "it has no input schema"),
            ("schema_of_array", "its input schema has the type \"array\", not \"object\""),
            ("schema_of_unknown_type", "inputSchema.properties.when.type is \"date\", which is no JSON type"),
            ("echo", "the server lists another tool under the same name before this one"),
            ("", "the tool has no name"),
        ]
    );
    let toolbox = crate::Toolbox::new(vec![fixture.session.clone()]);
    assert_eq!(toolbox.len(), tools.len() - broken.len());
    assert!(toolbox.get("schema_is_text").is_none());
    fixture.session.shutdown().await;
}

#[tokio::test]
async fn all_pages_of_a_list_are_read() {
    let fixture = Fixture::new(&Behaviour { more_tools: 45, ..Behaviour::default() }).await;
    let tools = fixture.session.status().tools;
    assert_eq!(tools.last().unwrap().name, "more_44");
    assert_eq!(tools.iter().filter(|tool| tool.name.starts_with("more_")).count(), 45);
    fixture.session.shutdown().await;
}

#[tokio::test]
async fn a_list_without_end_is_refused() {
    for endless in [Endless::SameCursor, Endless::NewCursors] {
        let (error, _) = start_fails(&Behaviour { endless: Some(endless), ..Behaviour::default() }).await;
        let words = error.to_string();
        assert!(matches!(error, McpError::Protocol { .. }) && words.contains("no end"), "{words}");
    }
}

#[tokio::test]
async fn a_protocol_version_that_is_not_known_is_told() {
    let version = Some("1999-12-31".to_owned());
    let (error, _) = start_fails(&Behaviour { version, ..Behaviour::default() }).await;
    assert!(error.to_string().contains("1999-12-31"), "{error}");
    assert!(matches!(error, McpError::Protocol { .. }));
}

#[tokio::test]
async fn a_program_that_is_no_mcp_server_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = Recorder::new(None);
    let script = "read line; echo '{\"hello\": 1}'; echo '{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{\"content\":[]}}'; cat >/dev/null";
    let config = stdio_config("cat", "sh", vec!["-c".to_owned(), script.to_owned()]);
    let error = start(&config, folder.path(), &recorder).await.unwrap_err();
    assert!(matches!(error, McpError::Protocol { .. }), "{error:?}");
}

#[tokio::test]
async fn a_tool_that_fails_gives_a_result_that_says_so() {
    let fixture = Fixture::new(&Behaviour::default()).await;
    let output = fixture.call("fail", "{}").await.unwrap();
    assert!(output.is_error);
    assert_eq!(text_of(&output), "the disk is on fire");
    fixture.session.shutdown().await;
}

#[tokio::test]
async fn a_refusal_is_told_with_code_words_and_data() {
    let fixture = Fixture::new(&Behaviour::default()).await;
    let error = fixture.call("refuse", "{}").await.unwrap_err();
    assert_eq!(error.to_string(), "\"fake\" refused: not today (code -32603)");
    assert_eq!(error.detail(), Some(r#"{"why":"monday"}"#));
    let error = fixture.call("no_such_tool", "{}").await.unwrap_err();
    assert_eq!(error.to_string(), "\"fake\" has no tool \"no_such_tool\"");
    let error = fixture.call("echo", "[1]").await.unwrap_err();
    assert_eq!(error.to_string(), "the arguments of \"echo\" must be a JSON object, not a list");
    fixture.session.shutdown().await;
}

#[tokio::test]
async fn a_list_of_tools_that_changes_is_fetched_again() {
    let fixture = Fixture::new(&Behaviour::default()).await;
    let mut toolbox = crate::Toolbox::new(vec![fixture.session.clone()]);
    assert!(toolbox.get("more_0").is_none());
    fixture.call("add_tool", "{}").await.unwrap();
    fixture.recorder.wait_for(|kind| *kind == ServerEventKind::ToolsChanged).await;
    toolbox.update();
    assert!(toolbox.get("more_0").is_some());
    assert_eq!(text_of(&fixture.call("more_0", "{}").await.unwrap()), "more_0");
    fixture.session.shutdown().await;
}

#[tokio::test]
async fn stderr_is_told_line_by_line_and_kept_within_bounds() {
    let fixture = Fixture::new(&Behaviour::default()).await;
    fixture.call("stderr", r#"{"lines":1000}"#).await.unwrap();
    fixture.recorder.wait_for(|kind| *kind == ServerEventKind::Stderr("line 999".to_owned())).await;
    let tail = fixture.session.stderr_tail();
    assert_eq!(tail.len(), 200);
    assert_eq!(tail.last().unwrap(), "line 999");
    fixture.session.shutdown().await;
}

#[tokio::test]
async fn after_a_shutdown_calls_say_that_the_session_is_closed() {
    let fixture = Fixture::new(&Behaviour::default()).await;
    fixture.session.shutdown().await;
    assert_eq!(fixture.session.status().phase, ServerPhase::Stopped);
    let error = fixture.call("echo", r#"{"text":"x"}"#).await.unwrap_err();
    assert_eq!(error, McpError::Closed { server: "fake".to_owned() });
}
