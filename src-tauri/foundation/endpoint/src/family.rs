//! Which parsers of vLLM a model needs, guessed from its name.

/// Flags of `vllm serve` for a family of models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Family {
    /// `--tool-call-parser`
    pub(crate) tool_parser: &'static str,
    /// `--reasoning-parser`; `None` for models that do not reason.
    pub(crate) reasoning_parser: Option<&'static str>,
}

/// The family that a model's name speaks for. An unknown name is taken for one that calls tools as Hermes does, the
/// most widespread form.
pub(crate) fn guess(model: &str) -> Family {
    let name = model.to_lowercase();
    let has = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
    let family = |tool_parser, reasoning_parser| Family { tool_parser, reasoning_parser };
    if has(&["qwen3-coder", "qwen3_coder"]) {
        return family("qwen3_coder", None);
    }
    if has(&["qwen3.5", "qwen3.6", "qwen3_5", "qwen3_6"]) {
        return family("qwen3_coder", Some("qwen3"));
    }
    if has(&["deepseek-r1"]) {
        let tool_parser = if has(&["llama"]) {
            "llama3_json"
        } else if has(&["qwen"]) {
            "hermes"
        } else {
            "deepseek_v3"
        };
        return family(tool_parser, Some("deepseek_r1"));
    }
    if has(&["qwen3"]) {
        return family("hermes", (!has(&["instruct"])).then_some("qwen3"));
    }
    if has(&["qwq"]) {
        return family("hermes", Some("deepseek_r1"));
    }
    if has(&["llama-3", "llama3", "llama_3"]) {
        return family("llama3_json", None);
    }
    if has(&["magistral"]) {
        return family("mistral", Some("mistral"));
    }
    if has(&["mistral", "mixtral", "ministral", "devstral"]) {
        return family("mistral", None);
    }
    if has(&["gpt-oss"]) {
        return family("openai", Some("openai_gptoss"));
    }
    family("hermes", None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(model: &str, tool_parser: &'static str, reasoning_parser: Option<&'static str>) {
        assert_eq!(guess(model), Family { tool_parser, reasoning_parser }, "{model}");
    }

    #[test]
    fn parsers_follow_the_models_family() {
        check("Qwen/Qwen3-30B-A3B-FP8", "hermes", Some("qwen3"));
        check("Qwen/Qwen3-4B-Instruct-2507", "hermes", None);
        check("Qwen/Qwen3-4B-Thinking-2507", "hermes", Some("qwen3"));
        check("Qwen/Qwen3-Coder-30B-A3B-Instruct", "qwen3_coder", None);
        check("Qwen/Qwen3.5-9B", "qwen3_coder", Some("qwen3"));
        check("Qwen/Qwen3.6-27B", "qwen3_coder", Some("qwen3"));
        check("Qwen/Qwen2.5-7B-Instruct", "hermes", None);
        check("meta-llama/Llama-3.1-8B-Instruct", "llama3_json", None);
        check("mistralai/Mistral-Small-3.2-24B-Instruct-2506", "mistral", None);
        check("deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", "hermes", Some("deepseek_r1"));
        check("somebody/unheard-of", "hermes", None);
    }
}
