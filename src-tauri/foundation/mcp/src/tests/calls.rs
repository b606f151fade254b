//! Calls that talk to the person or to the file system on the way.

use tw_artifact::{ServerPhase, ToolHints};

use super::*;

fn accept(content: &str) -> Option<ElicitationAnswer> {
    Some(ElicitationAnswer::Accept { content: Json::parse(content).unwrap() })
}

#[tokio::test]
async fn a_server_that_is_ready_says_who_it_is_and_what_it_can() {
    let fixture = Fixture::new(&Behaviour::default()).await;
    let status = fixture.session.status();
    assert_eq!(status.phase, ServerPhase::Running);
    assert_eq!(status.identity.as_deref(), Some("fake 1.2.3"));
    assert_eq!(status.protocol.as_deref(), Some("2025-11-25"));
    let echo = &status.tools[0];
    assert_eq!((echo.name.as_str(), echo.title.as_deref()), ("echo", Some("Echo")));
    assert_eq!(
        echo.input_schema.to_text(),
        r#"{"type":"object","properties":{"text":{"type":"string"}},"required":["text"]}"#
    );
    assert_eq!(echo.hints, ToolHints { read_only: true, destructive: false, idempotent: false, open_world: false });
    assert!(echo.enabled && echo.problem.is_none() && echo.tokens > 10);
    assert_eq!(status.tools[1].hints, ToolHints::default());
    let phases: Vec<_> = fixture.recorder.events();
    assert_eq!(phases[0], ServerEventKind::Phase(ServerPhase::Starting));
    assert_eq!(phases[1], ServerEventKind::Phase(ServerPhase::Running));
    fixture.session.shutdown().await;
}

#[tokio::test]
async fn progress_goes_to_the_caller_and_to_the_window() {
    let fixture = Fixture::new(&Behaviour::default()).await;
    let steps = Mutex::new(Vec::new());
    let arguments = Json::parse(r#"{"count":5}"#).unwrap();
    let cancel = CancellationToken::new();
    let output =
        fixture.session.call("steps", &arguments, &cancel, LONG, |step| steps.lock().unwrap().push(step)).await;
    assert_eq!(text_of(&output.unwrap()), "done");
    let steps = steps.into_inner().unwrap();
    let third = steps.iter().find(|step| step.message.as_deref() == Some("step 3")).unwrap();
    assert_eq!((third.progress, third.total), (3.0, Some(5.0)));
    let told = fixture.recorder.events();
    let of_steps = |kind: &&ServerEventKind| matches!(kind, ServerEventKind::Progress { tool, .. } if tool == "steps");
    assert_eq!(told.iter().filter(of_steps).count(), 5);
    fixture.session.shutdown().await;
}

#[tokio::test]
async fn a_form_is_put_before_the_person_and_its_answer_sent_back() {
    let fixture = Fixture::answering(&Behaviour::default(), accept(r#"{"name":"Ann","age":7}"#)).await;
    let output = fixture.call("ask_form", "{}").await.unwrap();
    assert_eq!(text_of(&output), r#"{"action":"accept","content":{"name":"Ann","age":7}}"#);
    let question = &fixture.recorder.questions()[0];
    assert_eq!((question.message.as_str(), question.server_name.as_str()), ("Who are you?", "fake"));
    let schema = question.schema.as_ref().unwrap();
    assert_eq!(schema.get("required").unwrap().to_text(), r#"["name"]"#);
    assert_eq!(question.url, None);
    fixture.session.shutdown().await;
}

#[tokio::test]
async fn declining_and_closing_a_question_are_told_apart() {
    for (answer, word) in [(ElicitationAnswer::Decline, "decline"), (ElicitationAnswer::Cancel, "cancel")] {
        let fixture = Fixture::answering(&Behaviour::default(), Some(answer)).await;
        let output = fixture.call("ask_form", "{}").await.unwrap();
        assert_eq!(text_of(&output), format!(r#"{{"action":"{word}"}}"#));
        fixture.session.shutdown().await;
    }
}

#[tokio::test]
async fn a_link_is_shown_in_full_and_accepted_without_content() {
    let fixture = Fixture::answering(&Behaviour::default(), accept("{}")).await;
    let output = fixture.call("ask_link", "{}").await.unwrap();
    assert_eq!(text_of(&output), r#"{"action":"accept"}"#);
    let question = &fixture.recorder.questions()[0];
    assert_eq!(question.url.as_deref(), Some("https://example.com/pay"));
    assert_eq!(question.schema, None);
    fixture.session.shutdown().await;
}

#[tokio::test]
async fn a_call_that_needs_a_link_opened_first_is_repeated_once_it_was() {
    let fixture = Fixture::answering(&Behaviour::default(), accept("{}")).await;
    assert_eq!(text_of(&fixture.call("need_link", "{}").await.unwrap()), "thank you");
    assert_eq!(fixture.recorder.questions()[0].url.as_deref(), Some("https://example.com/consent"));
    fixture.session.shutdown().await;

    let fixture = Fixture::new(&Behaviour::default()).await;
    let error = fixture.call("need_link", "{}").await.unwrap_err();
    assert!(matches!(error, McpError::Refused { code: -32_042, .. }), "{error:?}");
    fixture.session.shutdown().await;
}

#[tokio::test]
async fn the_time_a_person_takes_does_not_count_and_a_cancel_takes_the_question_back() {
    let fixture = Fixture::answering(&Behaviour::default(), None).await;
    let cancel = CancellationToken::new();
    let limit = Duration::from_secs(1);
    let calling = fixture.session.call("ask_form", &Json::Null, &cancel, limit, |_| {});
    let waiting = async {
        fixture.recorder.asked.notified().await;
        tokio::time::sleep(2 * limit).await;
        cancel.cancel();
    };
    let (called, ()) = tokio::join!(calling, waiting);
    assert_eq!(called.unwrap_err(), McpError::Cancelled);
    let questions = &fixture.session;
    eventually("the end of the question", || questions.open_questions() == 0).await;
    fixture.session.shutdown().await;
}

#[tokio::test]
async fn a_file_that_the_server_wrote_and_links_to_is_read_in() {
    let fixture = Fixture::new(&Behaviour::default()).await;
    let output = fixture.call("snapshot", "{}").await.unwrap();
    assert!(text_of(&output).contains("- [Snapshot](.playwright-mcp/page-1.yml)"));
    let linked = OutputPart::LinkedFile {
        path: ".playwright-mcp/page-1.yml".to_owned(),
        text: "- button \"Go\" [ref=e1]\n".to_owned(),
    };
    assert_eq!(output.parts[1..], [linked]);
    fixture.session.shutdown().await;
}

#[tokio::test]
async fn a_file_outside_the_server_s_folders_is_not_read_in() {
    let fixture = Fixture::new(&Behaviour::default()).await;
    let outside = tempfile::tempdir().unwrap();
    let target = outside.path().join("page.yml");
    let output = fixture.call("snapshot", &format!(r#"{{"target":"{}"}}"#, target.display())).await.unwrap();
    assert!(target.is_file());
    assert_eq!(output.parts.len(), 1, "{:?}", output.parts);
    fixture.session.shutdown().await;
}

#[tokio::test]
async fn every_kind_of_content_arrives() {
    let fixture = Fixture::new(&Behaviour::default()).await;
    let output = fixture.call("shapes", "{}").await.unwrap();
    assert_eq!(output.parts.len(), 5);
    assert_eq!(output.parts[1], OutputPart::Media { mime: "image/png".to_owned(), data: "aGVsbG8=".to_owned() });
    let json = Json::parse(r#"{"type":"hologram","beams":[1,2.5]}"#).unwrap();
    assert_eq!(output.parts[4], OutputPart::Other { json });
    let output = fixture.call("structured", "{}").await.unwrap();
    assert_eq!(output.structured.as_ref().unwrap().to_text(), r#"{"celsius":21.5,"city":"Ulm"}"#);
    assert_eq!(text_of(&output), r#"{"celsius":21.5,"city":"Ulm"}"#);
    fixture.session.shutdown().await;
}

#[tokio::test]
async fn the_server_gets_its_environment_and_working_directory() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("inner")).unwrap();
    let mut config = fake_config("fake", &Behaviour::default());
    let Transport::Stdio { cwd, .. } = &mut config.transport else { unreachable!() };
    *cwd = "inner".to_owned();
    let secrets = ServerSecrets { env: vec![("SOME_KEY".to_owned(), "s3cret".to_owned())], headers: Vec::new() };
    let context = context(folder.path());
    let session = Session::start(&config, &secrets, &context, Recorder::new(None), Vault::in_memory()).await.unwrap();
    let output = call(&session, "environment", r#"{"name":"SOME_KEY"}"#).await.unwrap();
    let told = Json::parse(text_of(&output)).unwrap();
    assert_eq!(told.get("value").and_then(Json::as_str), Some("s3cret"));
    let inner = folder.path().join("inner").canonicalize().unwrap();
    assert_eq!(told.get("cwd").and_then(Json::as_str), inner.to_str());
    session.shutdown().await;
}

#[tokio::test]
async fn roots_are_named_only_where_the_configuration_names_some() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = fake_config("fake", &Behaviour::default());
    config.extra.insert("roots".to_owned(), Json::Array(vec!["/srv/data".into(), "file:///home/x".into()]));
    let session = start(&config, folder.path(), &Recorder::new(None)).await.unwrap();
    let output = call(&session, "ask_roots", "{}").await.unwrap();
    assert_eq!(text_of(&output), r#"{"roots":[{"uri":"file:///srv/data"},{"uri":"file:///home/x"}]}"#);
    session.shutdown().await;

    let log = tempfile::NamedTempFile::new().unwrap();
    let fixture = Fixture::new(&Behaviour { log: Some(log.path().to_owned()), ..Behaviour::default() }).await;
    fixture.session.shutdown().await;
    assert!(!std::fs::read_to_string(log.path()).unwrap().contains("roots"));
    drop(fixture.folder);
}
