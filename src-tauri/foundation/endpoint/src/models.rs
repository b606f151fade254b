//! `GET /models`.

use tw_artifact::{Json, ModelInfo};

use crate::EndpointError;
use crate::wire_error::shorten;

/// Reads the list: `{"data":[{"id",...}]}`, in the server's order. The context length is `max_model_len` in vLLM (null
/// for an adapter), `meta.n_ctx_train` or `meta.n_ctx` in llama.cpp, `context_length` or `context_window` at hosts.
pub(crate) fn read_models(body: &str) -> Result<Vec<ModelInfo>, EndpointError> {
    let bad = |what: String| EndpointError::NotTheApi { what };
    let json = Json::parse(body).map_err(|error| bad(format!("the list of models is not JSON ({error})")))?;
    let Some(entries) = json.get("data").and_then(Json::as_array) else {
        return Err(bad(format!("the list of models has no \"data\": {}", shorten(body))));
    };
    let mut models: Vec<ModelInfo> = entries.iter().filter_map(read_model).collect();
    let base_lengths: Vec<(String, Option<u32>)> =
        models.iter().map(|model| (model.id.clone(), model.context_tokens)).collect();
    for model in &mut models {
        if let (None, Some(parent)) = (model.context_tokens, &model.parent) {
            model.context_tokens = base_lengths.iter().find(|(id, _)| id == parent).and_then(|(_, length)| *length);
        }
    }
    Ok(models)
}

fn read_model(entry: &Json) -> Option<ModelInfo> {
    let id = entry.get("id").and_then(Json::as_str)?.to_owned();
    let number = |at: Option<&Json>| at.and_then(Json::as_i64).and_then(|number| u32::try_from(number).ok());
    let meta = |key: &str| entry.get("meta").and_then(|meta| meta.get(key));
    let context_tokens = [
        entry.get("max_model_len"),
        meta("n_ctx"),
        meta("n_ctx_train"),
        entry.get("context_length"),
        entry.get("context_window"),
    ]
    .into_iter()
    .find_map(number);
    let parent = entry.get("parent").and_then(Json::as_str).map(str::to_owned);
    Some(ModelInfo { id, context_tokens, parent, raw: entry.clone() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_adapter_has_the_context_of_its_base() {
        let body = r#"{"object":"list","data":[{"id":"base","max_model_len":8192,"parent":null},{"id":"ad","max_model_len":null,"parent":"base"}]}"#;
        let models = read_models(body).unwrap();
        assert_eq!(models[1].parent.as_deref(), Some("base"));
        assert_eq!(models[1].context_tokens, Some(8192));
    }

    #[test]
    fn the_context_length_is_found_under_each_servers_name() {
        for entry in [r#""meta":{"n_ctx":4096}"#, r#""context_length":4096"#, r#""max_model_len":4096"#] {
            let models = read_models(&format!(r#"{{"data":[{{"id":"m",{entry}}}]}}"#)).unwrap();
            assert_eq!(models[0].context_tokens, Some(4096), "{entry}");
        }
    }

    #[test]
    fn a_page_instead_of_a_list_is_said() {
        let error = read_models("<html></html>").unwrap_err();
        assert!(matches!(error, EndpointError::NotTheApi { .. }), "{error}");
    }
}
