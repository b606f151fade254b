use tw_artifact::{EndpointConfig, EndpointPreset, Map, Sampling, ServerConfig, Transport};

use super::*;

fn endpoint(id: &str) -> EndpointConfig {
    let mut extra = Map::new();
    extra.insert("top_k".to_owned(), Json::parse("20.0").unwrap());
    EndpointConfig {
        id: id.to_owned(),
        name: format!("Endpoint {id}"),
        preset: EndpointPreset::Other,
        base_url: "http://127.0.0.1:8000/v1".to_owned(),
        model: String::new(),
        has_key: true,
        sampling: Sampling { temperature: Some(0.7), extra, ..Sampling::default() },
    }
}

fn server(id: &str) -> ServerConfig {
    ServerConfig {
        id: id.to_owned(),
        name: id.to_owned(),
        transport: Transport::Stdio { command: "npx".to_owned(), args: vec!["-y".to_owned()], cwd: String::new() },
        env_names: vec!["TOKEN".to_owned()],
        header_names: Vec::new(),
        enabled: true,
        disabled_tools: Vec::new(),
        call_timeout_secs: 120,
        extra: Map::new(),
    }
}

#[tokio::test]
async fn settings_are_kept_by_key() {
    let workspace = Workspace::new();
    assert_eq!(workspace.store.get_setting::<u32>("n").await.unwrap(), None);
    workspace.store.set_setting("n", &1_u32).await.unwrap();
    workspace.store.set_setting("n", &2_u32).await.unwrap();
    workspace.store.set_setting("sampling", &endpoint("a").sampling).await.unwrap();
    let workspace = workspace.reopen();
    assert_eq!(workspace.store.get_setting("n").await.unwrap(), Some(2_u32));
    assert_eq!(workspace.store.get_setting("sampling").await.unwrap(), Some(endpoint("a").sampling));
    let error = workspace.store.get_setting::<String>("n").await.unwrap_err();
    assert!(matches!(error, StoreError::Unreadable { .. }), "{error:?}");
}

#[tokio::test]
async fn endpoints_and_servers_keep_the_order_in_which_they_were_added() {
    let Workspace { store, folder: _folder } = Workspace::new();
    for id in ["z", "a", "m"] {
        store.put_endpoint(&endpoint(id)).await.unwrap();
        store.put_server(&server(id)).await.unwrap();
    }
    store.put_endpoint(&EndpointConfig { name: "new name".to_owned(), ..endpoint("z") }).await.unwrap();
    store.delete_endpoint("a").await.unwrap();
    store.delete_server("z").await.unwrap();
    let renamed = EndpointConfig { name: "new name".to_owned(), ..endpoint("z") };
    assert_eq!(store.list_endpoints().await.unwrap(), [renamed, endpoint("m")]);
    assert_eq!(store.list_servers().await.unwrap(), [server("a"), server("m")]);
    let error = store.delete_server("z").await.unwrap_err();
    assert_eq!(error, StoreError::NotFound { what: "server", id: "z".to_owned() });
}
