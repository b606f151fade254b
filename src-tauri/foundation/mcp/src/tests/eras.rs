//! Both eras of the protocol, and servers between them.

use tw_artifact::ServerPhase;
use tw_support::mcp::Era;

use super::*;

fn stateless() -> Behaviour {
    Behaviour { era: Era::Stateless, ..Behaviour::default() }
}

#[tokio::test]
async fn a_server_of_the_newer_era_is_talked_to_without_a_handshake() {
    let log = tempfile::NamedTempFile::new().unwrap();
    let fixture = Fixture::new(&Behaviour { log: Some(log.path().to_owned()), ..stateless() }).await;
    let status = fixture.session.status();
    assert_eq!(status.protocol.as_deref(), Some("2026-07-28"));
    assert_eq!(status.identity.as_deref(), Some("fake 1.2.3"));
    assert_eq!(text_of(&fixture.call("echo", r#"{"text":"new"}"#).await.unwrap()), "new");
    fixture.session.shutdown().await;
    let log = std::fs::read_to_string(log.path()).unwrap();
    assert!(log.contains("server/discover") && !log.contains("\"initialize\""), "{log}");
}

#[tokio::test]
async fn questions_of_the_newer_era_are_answered_in_rounds() {
    let content = Json::parse(r#"{"name":"Ann"}"#).unwrap();
    let fixture = Fixture::answering(&stateless(), Some(ElicitationAnswer::Accept { content })).await;
    let output = fixture.call("ask_form", "{}").await.unwrap();
    assert_eq!(text_of(&output), r#"{"action":"accept","content":{"name":"Ann"}}"#);
    let output = fixture.call("ask_link", "{}").await.unwrap();
    assert_eq!(text_of(&output), r#"{"action":"accept"}"#);
    let questions = fixture.recorder.questions();
    assert_eq!(questions[1].url.as_deref(), Some("https://example.com/pay"));
    assert_ne!(questions[0].id, questions[1].id);
    fixture.session.shutdown().await;
}

#[tokio::test]
async fn a_changed_list_is_heard_of_in_the_newer_era_too() {
    let log = tempfile::NamedTempFile::new().unwrap();
    let fixture = Fixture::new(&Behaviour { log: Some(log.path().to_owned()), ..stateless() }).await;
    let listening = || std::fs::read_to_string(log.path()).unwrap().contains("subscriptions/listen");
    eventually("the subscription", listening).await;
    fixture.call("add_tool", "{}").await.unwrap();
    fixture.recorder.wait_for(|kind| *kind == ServerEventKind::ToolsChanged).await;
    assert!(fixture.session.status().tools.iter().any(|tool| tool.name == "more_0"));
    fixture.session.shutdown().await;
}

#[tokio::test]
async fn progress_and_cancel_work_in_the_newer_era_too() {
    let fixture = Fixture::new(&stateless()).await;
    let steps = Mutex::new(0);
    let cancel = CancellationToken::new();
    let called = fixture.session.call("steps", &Json::Null, &cancel, LONG, |_| *steps.lock().unwrap() += 1).await;
    assert_eq!(text_of(&called.unwrap()), "done");
    assert!(steps.into_inner().unwrap() > 0);
    cancel.cancel();
    let called = fixture.session.call("hang", &Json::Null, &cancel, LONG, |_| {}).await;
    assert_eq!(called.unwrap_err(), McpError::Cancelled);
    fixture.session.shutdown().await;
}

#[tokio::test]
async fn a_server_that_ends_at_the_question_for_the_newer_era_is_started_again_for_the_older() {
    let fixture = Fixture::new(&Behaviour { strict_first_message: true, ..Behaviour::default() }).await;
    assert_eq!(fixture.session.status().phase, ServerPhase::Running);
    assert_eq!(text_of(&fixture.call("echo", r#"{"text":"old"}"#).await.unwrap()), "old");
    fixture.session.shutdown().await;
}

#[tokio::test]
async fn a_server_that_is_silent_or_slow_to_the_question_is_talked_to_in_the_older_era() {
    let silent = Behaviour { silent: true, ..Behaviour::default() };
    // So slow that it reads the question only after we have gone over to the older handshake.
    let slow = Behaviour { slow_start_ms: 11_000, ..Behaviour::default() };
    let both = async {
        let (silent, slow) = tokio::join!(Fixture::new(&silent), Fixture::new(&slow));
        for fixture in [silent, slow] {
            assert_eq!(fixture.session.status().protocol.as_deref(), Some("2025-11-25"));
            fixture.session.shutdown().await;
        }
    };
    tokio::time::timeout(LONG, both).await.unwrap();
}
