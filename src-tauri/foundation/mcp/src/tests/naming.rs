//! Names under which the tools of several servers are offered.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;

use super::*;
use crate::Toolbox;
use crate::toolbox::{ToolKey, give_names, plain_name};

fn key<'a>(server_id: &'a str, server_name: &'a str, tool: &'a str) -> ToolKey<'a> {
    ToolKey { server_id, server_name, tool }
}

fn is_taken(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_' || it == b'-')
}

#[test]
fn a_name_is_plain_where_it_can_be_and_prefixed_where_it_clashes() {
    let keys = [key("1", "web", "open"), key("1", "web", "search"), key("2", "my docs", "search")];
    let mut given = HashMap::new();
    assert_eq!(give_names(&keys, &mut given), ["open", "web__search", "my_docs__search"]);
}

#[test]
fn servers_that_share_a_name_still_get_names_of_their_own() {
    let keys = [key("1", "x", "a"), key("2", "x", "a"), key("3", "x", "a.b"), key("4", "x", "a/b")];
    let names = give_names(&keys, &mut HashMap::new());
    assert_eq!(names.iter().collect::<HashSet<_>>().len(), 4, "{names:?}");
    assert!(names.iter().all(|name| is_taken(name)), "{names:?}");
}

#[test]
fn a_name_once_given_stays_when_another_server_brings_the_same() {
    let mut given = HashMap::new();
    assert_eq!(give_names(&[key("1", "web", "search")], &mut given), ["search"]);
    let both = [key("2", "docs", "search"), key("1", "web", "search")];
    assert_eq!(give_names(&both, &mut given), ["docs__search", "search"]);
}

#[test]
fn long_names_are_shortened_the_same_way_every_time() {
    let long = "a".repeat(100);
    let name = plain_name(&long);
    assert_eq!(name.len(), 64);
    assert_eq!(name, plain_name(&long));
    assert_ne!(name, plain_name(&format!("{long}b")));
    // Written into traces: must never change.
    assert_eq!(name, format!("{}_0a0bb1d9", "a".repeat(55)));
}

proptest! {
    #[test]
    fn any_tools_get_different_names_that_endpoints_take(
        tools in prop::collection::hash_set(("[ab]", "[a_]{0,3}", ".{0,80}|[a_ .]{0,3}"), 0..12)
    ) {
        let tools: Vec<_> = tools.into_iter().collect();
        let keys: Vec<_> = tools.iter().map(|(id, name, tool)| key(id, name, tool)).collect();
        let names = give_names(&keys, &mut HashMap::new());
        prop_assert!(names.iter().all(|name| is_taken(name)), "{names:?}");
        // The key of a tool is its server's id and its name.
        let different: HashSet<_> = tools.iter().map(|(id, _, tool)| (id, tool)).collect();
        prop_assert_eq!(names.iter().collect::<HashSet<_>>().len(), different.len());
    }
}

#[tokio::test]
async fn two_servers_with_the_same_tools_are_both_reached() {
    let common = Behaviour { common_names: true, ..Behaviour::default() };
    let folder = tempfile::tempdir().unwrap();
    let recorder = Recorder::new(None);
    let mut second = fake_config("second", &Behaviour::default());
    second.disabled_tools = vec!["hang".to_owned()];
    let first = start(&fake_config("first", &common), folder.path(), &recorder).await.unwrap();
    let second = start(&second, folder.path(), &recorder).await.unwrap();
    let toolbox = Toolbox::new(vec![first.clone(), second.clone()]);
    let names: Vec<_> = toolbox.definitions().iter().map(|it| it.name().to_owned()).collect();
    assert_eq!(names[..4], ["first__echo", "search", "second__echo", "fail"]);
    assert!(!names.contains(&"hang".to_owned()));
    for (name, server) in [("first__echo", "first"), ("second__echo", "second")] {
        let entry = toolbox.get(name).unwrap();
        assert_eq!((entry.session.server_name(), entry.tool.name.as_str()), (server, "echo"));
        assert_eq!(text_of(&call(&entry.session, &entry.tool.name, r#"{"text":"hi"}"#).await.unwrap()), "hi");
    }
    assert!(toolbox.get("echo").is_none());
    let definition = toolbox.definitions().remove(0).0.to_text();
    let expected = r#"{"type":"function","function":{"name":"first__echo","description":"Says it again","parameters":{"type":"object","properties":{"text":{"type":"string"}}}}}"#;
    assert_eq!(definition, expected);
    tokio::join!(first.shutdown(), second.shutdown());
}
