//! The output of a tool as the model is shown it.

use tw_artifact::{Budget, Cut, ImageRef, Json, OutputPart};
use tw_endpoint::{count_tokens, cut};

/// An output as the model is shown it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderedOutput {
    /// The text of the tool message.
    pub text: String,
    /// Its tokens, about.
    pub tokens: u32,
    /// What the budget took away.
    pub cut: Option<Cut>,
    /// The images among the parts.
    pub images: Vec<ImageRef>,
}

/// Joins the parts of an output into one text under `budget`. Images become a line that names them: the text models
/// that this trains cannot see them. `structured` speaks only where the server sent no text.
#[must_use]
pub fn render_output(parts: &[OutputPart], structured: Option<&Json>, budget: Budget) -> RenderedOutput {
    let mut pieces: Vec<String> = Vec::with_capacity(parts.len());
    let mut images = Vec::new();
    for (place, part) in (0_u32..).zip(parts) {
        match part {
            OutputPart::Text { text } => pieces.push(text.clone()),
            OutputPart::LinkedFile { path, text } => pieces.push(format!("{path}:\n```\n{}\n```", text.trim_end())),
            OutputPart::Media { mime, data } => {
                let bytes = decoded_len(data);
                pieces.push(format!("[{mime}, {bytes} bytes]"));
                if mime.starts_with("image/") {
                    images.push(ImageRef { part: place, mime: mime.clone(), bytes });
                }
            }
            OutputPart::Other { json } => pieces.push(json.to_text()),
        }
    }
    if pieces.is_empty()
        && let Some(structured) = structured
    {
        pieces.push(structured.to_text());
    }
    let (text, cut) = cut(&pieces.join("\n"), budget);
    let tokens = cut.map_or_else(|| count_tokens(&text), |cut| cut.kept_tokens);
    RenderedOutput { text, tokens, cut, images }
}

/// Bytes that a base64 text stands for.
fn decoded_len(base64: &str) -> u64 {
    let padding = base64.bytes().rev().take_while(|byte| *byte == b'=').count();
    (base64.len() as u64 * 3 / 4).saturating_sub(padding as u64)
}

#[cfg(test)]
mod tests {
    use tw_artifact::BudgetKeep;

    use super::*;

    #[test]
    fn an_image_becomes_a_line_and_a_reference() {
        let parts = [
            OutputPart::Text { text: "Took it".to_owned() },
            OutputPart::Media { mime: "image/png".to_owned(), data: "AAAA".to_owned() },
        ];
        let shown = render_output(&parts, None, Budget::default());
        assert_eq!(shown.text, "Took it\n[image/png, 3 bytes]");
        assert_eq!(shown.images, [ImageRef { part: 1, mime: "image/png".to_owned(), bytes: 3 }]);
        assert_eq!(shown.cut, None);
    }

    #[test]
    fn a_linked_file_is_shown_under_the_same_budget() {
        let parts = [
            OutputPart::Text { text: "- [Snapshot](page.yml)".to_owned() },
            OutputPart::LinkedFile { path: "page.yml".to_owned(), text: "word ".repeat(1_000) },
        ];
        let shown = render_output(&parts, None, Budget { tokens: 100, keep: BudgetKeep::Head });
        let cut = shown.cut.map(|cut| (cut.full_tokens > 900, cut.kept_tokens <= 100));
        assert_eq!(cut, Some((true, true)), "{shown:?}");
    }

    #[test]
    fn structured_content_speaks_where_there_is_no_text() {
        let structured = Json::parse(r#"{"sum":3}"#).ok();
        assert_eq!(render_output(&[], structured.as_ref(), Budget::default()).text, r#"{"sum":3}"#);
    }
}
