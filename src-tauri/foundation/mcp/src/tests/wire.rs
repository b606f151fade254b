//! Every message that we send, as it goes over the wire.

use tw_support::mcp::Era;

use super::*;

/// A whole conversation with the double: start, a call with a question, progress, a cancelled call, a changed list.
/// Gives what the double received, one message per line.
async fn conversation(era: Era) -> String {
    let log = tempfile::NamedTempFile::new().unwrap();
    let logged = || std::fs::read_to_string(log.path()).unwrap();
    let content = Json::parse(r#"{"name":"Ann"}"#).unwrap();
    let behaviour = Behaviour { era, more_tools: 1, log: Some(log.path().to_owned()), ..Behaviour::default() };
    let fixture = Fixture::answering(&behaviour, Some(ElicitationAnswer::Accept { content })).await;
    if era == Era::Stateless {
        eventually("the subscription", || logged().contains("subscriptions/listen")).await;
    }
    fixture.call("echo", r#"{"text":"1e3 is not 1000","n":1.50}"#).await.unwrap();
    fixture.call("ask_form", "{}").await.unwrap();
    let cancel = CancellationToken::new();
    let calling = fixture.session.call("hang", &Json::Null, &cancel, LONG, |_| {});
    let cancelling = async {
        eventually("the call", || logged().contains("\"hang\"")).await;
        cancel.cancel();
    };
    let (called, ()) = tokio::join!(calling, cancelling);
    assert_eq!(called.unwrap_err(), McpError::Cancelled);
    eventually("the word of the cancellation", || logged().contains("notifications/cancelled")).await;
    fixture.call("add_tool", "{}").await.unwrap();
    fixture.recorder.wait_for(|kind| *kind == ServerEventKind::ToolsChanged).await;
    fixture.session.shutdown().await;
    logged().replace(env!("CARGO_PKG_VERSION"), "[version]")
}

#[tokio::test]
async fn messages_of_the_era_with_initialize() {
    insta::assert_snapshot!(conversation(Era::Initialize).await);
}

#[tokio::test]
async fn messages_of_the_era_without() {
    insta::assert_snapshot!(conversation(Era::Stateless).await);
}
