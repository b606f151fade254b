//! The trace as its file would be.

use std::sync::Arc;

use leptos::prelude::*;
use leptos::task::spawn_local;
use tw_contract::{ApiError, IdRequest, ImportFile};

use super::state::use_editing;
use crate::components::{CopyButton, ErrorBox, Skeleton, VirtualList};
use crate::state::format;

/// One line of the file: its number and its text.
type Line = (usize, Arc<str>);

/// The file's text, line by line.
#[component]
pub(super) fn RawJson() -> impl IntoView {
    let editing = use_editing();
    let file = RwSignal::new(None::<Result<Arc<ImportFile>, ApiError>>);
    let version = Memo::new(move |_| (editing.state.with(|state| state.revision), editing.messages.with(Vec::len)));
    let asked = StoredValue::new(0_u32);
    let fetch = Callback::new(move |()| {
        let Some(number) = asked.try_update_value(|asked| {
            *asked += 1;
            *asked
        }) else {
            return;
        };
        let request = IdRequest { id: editing.id.get_value() };
        let api = editing.api();
        spawn_local(async move {
            let answer = api.trace_text(request).await.map(Arc::new);
            // A later answer counts more.
            if asked.try_get_value() == Some(number) {
                file.set(Some(answer));
            }
        });
    });
    Effect::new(move |_| {
        // Read, not only tracked: a memo that nobody reads never looks at what it is made of.
        version.with(|_| ());
        fetch.run(());
    });
    let lines = Memo::new(move |_| {
        file.with(|file| match file {
            Some(Ok(file)) => {
                file.text.lines().enumerate().map(|(number, line)| (number + 1, Arc::from(line))).collect::<Vec<Line>>()
            }
            _ => Vec::new(),
        })
    });
    let text = Callback::new(move |()| {
        file.with_untracked(|file| {
            file.as_ref().and_then(|it| it.as_ref().ok()).map(|file| file.text.clone()).unwrap_or_default()
        })
    });
    let came = Memo::new(move |_| {
        file.with(|file| file.as_ref().map(|it| it.as_ref().map(|file| file.name.clone()).map_err(Clone::clone)))
    });
    move || match came.get() {
        None => view! { <Skeleton lines=10/> }.into_any(),
        Some(Err(error)) => view! { <div class="page-error"><ErrorBox error on_retry=fetch/></div> }.into_any(),
        Some(Ok(name)) => view! {
            <div class="raw-bar">
                <span dir="auto">{name} " · " {move || format::counted(lines.with(Vec::len) as u64, "line")}</span>
                <CopyButton text label="Copy the whole file" words="Copy all" testid="copy-raw"/>
            </div>
            <VirtualList
                rows=lines
                key=key_of
                row=raw_line
                estimate_px=18.0
                label="The file's text"
                testid="raw-json"
            />
        }
        .into_any(),
    }
}

fn key_of(line: &Line) -> String {
    line.0.to_string()
}

fn raw_line(line: Signal<Line>) -> impl IntoView {
    move || {
        let (number, text) = line.get();
        let parts = lex(&text)
            .into_iter()
            .map(|(class, part)| view! { <span class=class>{part.to_owned()}</span> })
            .collect_view();
        view! { <div class="raw-line"><span>{number}</span><code dir="auto">{parts}</code></div> }
    }
}

/// The words of one line of indented JSON with the class of each. Strings do not cross lines.
fn lex(line: &str) -> Vec<(&'static str, &str)> {
    let mut parts = Vec::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let (class, length) = match first {
            '"' => {
                let length = string_end(rest);
                let is_key = rest.get(length..).is_some_and(|after| after.trim_start().starts_with(':'));
                (if is_key { "json-key" } else { "json-string" }, length)
            }
            '-' | '0'..='9' => {
                ("json-number", run(rest, |c| c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.')))
            }
            'a'..='z' => ("json-word", run(rest, |c| c.is_ascii_lowercase())),
            _ => ("json-mark", run(rest, |c| !c.is_ascii_alphanumeric() && !matches!(c, '"' | '-'))),
        };
        let (part, after) = rest.split_at(length.max(first.len_utf8()).min(rest.len()));
        parts.push((class, part));
        rest = after;
    }
    parts
}

/// Bytes of the string that `text` begins with, quotes included.
fn string_end(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn run(text: &str, fits: impl Fn(char) -> bool) -> usize {
    text.find(|c| !fits(c)).unwrap_or(text.len())
}
