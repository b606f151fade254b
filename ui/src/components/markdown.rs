//! Text of a model or a person as Markdown. The text is not trusted: HTML in it is shown as text, images are not
//! loaded, and links lead only to http and https and only when they are pressed.

use leptos::prelude::*;
use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html};

/// Longer text is shown as it is: laying it out would stall the page.
const MAX_CHARS: usize = 200_000;

/// Text laid out as Markdown.
#[component]
pub(crate) fn Markdown(
    /// The text.
    #[prop(into)]
    text: Signal<String>,
) -> impl IntoView {
    move || {
        let text = text.get();
        if text.len() > MAX_CHARS {
            view! { <div class="plain-text" dir="auto">{text}</div> }.into_any()
        } else {
            view! { <div class="markdown" dir="auto" inner_html=to_safe_html(&text)></div> }.into_any()
        }
    }
}

/// HTML that holds only what this function made itself: of the text nothing becomes a tag or an attribute but the
/// address of a link, and that only when it is http or https.
fn to_safe_html(text: &str) -> String {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let mut open_links = Vec::new();
    let events = Parser::new_ext(text, options).map(|event| match event {
        Event::Html(raw) | Event::InlineHtml(raw) => Event::Text(raw),
        Event::SoftBreak => Event::HardBreak,
        Event::Start(Tag::HtmlBlock) => Event::Start(Tag::Paragraph),
        Event::End(TagEnd::HtmlBlock) => Event::End(TagEnd::Paragraph),
        Event::Start(Tag::Link { dest_url, .. }) => {
            let safe = is_web_address(&dest_url);
            open_links.push(safe);
            let tag = if safe {
                let address = escape(&dest_url);
                format!(r#"<a href="{address}" title="{address}" target="_blank" rel="noreferrer noopener">"#)
            } else {
                format!(r#"<span class="dead-link" title="{}">"#, escape(&dest_url))
            };
            Event::InlineHtml(CowStr::from(tag))
        }
        Event::End(TagEnd::Link) => {
            let tag = if open_links.pop().unwrap_or(false) { "</a>" } else { "</span>" };
            Event::InlineHtml(CowStr::Borrowed(tag))
        }
        Event::Start(Tag::Image { dest_url, .. }) => {
            Event::InlineHtml(CowStr::from(format!(r#"<span class="image-link" title="{}">"#, escape(&dest_url))))
        }
        Event::End(TagEnd::Image) => Event::InlineHtml(CowStr::Borrowed("</span>")),
        // Only a language's name may become part of a class.
        Event::Start(Tag::CodeBlock(_)) => {
            Event::Start(Tag::CodeBlock(pulldown_cmark::CodeBlockKind::Fenced(CowStr::Borrowed(""))))
        }
        other => other,
    });
    let mut html_text = String::with_capacity(text.len() * 3 / 2);
    html::push_html(&mut html_text, events);
    html_text
}

fn is_web_address(address: &str) -> bool {
    let lower = address.trim_start().to_ascii_lowercase();
    lower.starts_with("http://") || lower.starts_with("https://")
}

fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            _ => safe.push(c),
        }
    }
    safe
}
