//! How the servers that are imitated lay out their answers.

use serde_json::Value;

/// Which server is imitated in lists, versions and errors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flavour {
    /// vLLM 0.32.
    #[default]
    Vllm,
    /// OpenAI's own.
    OpenAi,
    /// llama.cpp's server.
    LlamaCpp,
}

/// How an answer's chunks look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// vLLM 0.32 with its parsers on: `reasoning`, names before arguments, a usage chunk without choices.
    #[default]
    Vllm,
    /// vLLM before 2026 and several hosts: the same with `reasoning_content`.
    ReasoningContent,
    /// OpenAI: no reasoning, the first fragment of a call has empty arguments, `usage: null` in every chunk.
    OpenAi,
    /// A server without parsers: everything is text.
    Text(TextForm),
}

/// How a model writes calls in its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextForm {
    /// `<tool_call>{json}</tool_call>`, with `<think>` around reasoning.
    Hermes,
    /// The same where the chat template wrote `<think>` into the prompt, so that only its end is seen.
    HermesThinkOpened,
    /// `<tool_call><function=...>`
    QwenXml,
    /// Bare JSON.
    Llama,
    /// `[TOOL_CALLS][...]`
    Mistral,
}

/// A call of an answer: id, name, arguments as JSON text.
#[derive(Clone, Debug)]
pub(super) struct ScriptedCall {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) arguments: String,
}

/// An answer as the text that a model of this form writes.
pub(super) fn as_text(form: TextForm, reasoning: &str, content: &str, calls: &[ScriptedCall]) -> String {
    let mut text = String::new();
    if !reasoning.is_empty() {
        if form != TextForm::HermesThinkOpened {
            text.push_str("<think>");
        }
        text.push_str(reasoning);
        text.push_str("</think>");
    }
    text.push_str(content);
    match form {
        TextForm::Hermes | TextForm::HermesThinkOpened => {
            for call in calls {
                let (name, arguments) = (&call.name, &call.arguments);
                text.push_str(&format!(
                    "<tool_call>\n{{\"name\": \"{name}\", \"arguments\": {arguments}}}\n</tool_call>\n"
                ));
            }
        }
        TextForm::QwenXml => {
            for call in calls {
                text.push_str(&format!("<tool_call>\n<function={}>\n", call.name));
                if let Ok(Value::Object(fields)) = serde_json::from_str(&call.arguments) {
                    for (key, value) in fields {
                        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                        text.push_str(&format!("<parameter={key}>\n{value}\n</parameter>\n"));
                    }
                }
                text.push_str("</function>\n</tool_call>\n");
            }
        }
        TextForm::Llama => {
            let calls: Vec<String> = calls
                .iter()
                .map(|call| format!("{{\"name\": \"{}\", \"parameters\": {}}}", call.name, call.arguments))
                .collect();
            text.push_str(&calls.join("; "));
        }
        TextForm::Mistral if !calls.is_empty() => {
            let calls: Vec<String> = calls
                .iter()
                .map(|call| format!("{{\"name\": \"{}\", \"arguments\": {}}}", call.name, call.arguments))
                .collect();
            text.push_str(&format!("[TOOL_CALLS][{}]", calls.join(", ")));
        }
        TextForm::Mistral => {}
    }
    text
}
