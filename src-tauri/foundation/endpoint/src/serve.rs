//! The command lines that start vLLM as the doctor wants it.

use tw_artifact::ServeLine;

use crate::family;

/// Stands where a model's name cannot be put on a command line.
const PLACEHOLDER: &str = "MODEL";
const CONTEXT_TOKENS: u32 = 32_768;
const PORT: u16 = 8_000;

/// The lines for `model`, ready to copy into a POSIX shell. The name is not trusted: it is quoted, and one that could
/// still do harm there (control characters, a leading dash, anything but printable ASCII) is replaced by `MODEL`.
///
/// The container's port is published to this machine only: vLLM asks nobody for a key unless it is told to.
#[must_use]
pub fn serve_line(model: &str) -> ServeLine {
    let family = family::guess(model);
    let mut flags = vec![
        "--port".to_owned(),
        PORT.to_string(),
        "--max-model-len".to_owned(),
        CONTEXT_TOKENS.to_string(),
        "--enable-auto-tool-choice".to_owned(),
        "--tool-call-parser".to_owned(),
        family.tool_parser.to_owned(),
    ];
    if let Some(parser) = family.reasoning_parser {
        flags.extend(["--reasoning-parser".to_owned(), parser.to_owned()]);
    }
    let flags = flags.join(" ");
    let model = quote(model);
    ServeLine {
        vllm: format!("vllm serve {model} {flags}"),
        docker: format!(
            "docker run --rm --gpus all --ipc=host -p 127.0.0.1:{PORT}:{PORT} \
             -v ~/.cache/huggingface:/root/.cache/huggingface -e HF_TOKEN vllm/vllm-openai:latest \
             --model {model} {flags}"
        ),
    }
}

/// As one word of a shell.
fn quote(word: &str) -> String {
    let printable = word.chars().all(|c| c.is_ascii_graphic() || c == ' ');
    if word.trim().is_empty() || word.starts_with('-') || !printable {
        return PLACEHOLDER.to_owned();
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | ':' | '@' | '+');
    if word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_hold_what_a_tool_using_model_needs() {
        let line = serve_line("Qwen/Qwen3-8B");
        insta::assert_snapshot!(line.vllm, @"vllm serve Qwen/Qwen3-8B --port 8000 --max-model-len 32768 --enable-auto-tool-choice --tool-call-parser hermes --reasoning-parser qwen3");
        insta::assert_snapshot!(line.docker, @"docker run --rm --gpus all --ipc=host -p 127.0.0.1:8000:8000 -v ~/.cache/huggingface:/root/.cache/huggingface -e HF_TOKEN vllm/vllm-openai:latest --model Qwen/Qwen3-8B --port 8000 --max-model-len 32768 --enable-auto-tool-choice --tool-call-parser hermes --reasoning-parser qwen3");
    }

    #[test]
    fn a_hostile_name_cannot_leave_its_word() {
        for (name, word) in [
            ("a; rm -rf ~", "'a; rm -rf ~'"),
            ("$(id)", "'$(id)'"),
            ("it's", r"'it'\''s'"),
            ("--trust-remote-code", "MODEL"),
            ("a\nid\n", "MODEL"),
            ("a\u{1b}[201~id", "MODEL"),
            ("", "MODEL"),
        ] {
            assert_eq!(quote(name), word, "{name:?}");
        }
    }
}
