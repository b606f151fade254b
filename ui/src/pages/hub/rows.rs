//! The first rows of a file on the Hub, of which only the bytes that they need were fetched.

use leptos::prelude::*;
use tw_artifact::Json;
use tw_contract::HubRowPage;

use super::pull::{Look, Want};
use crate::components::{Button, ButtonKind, ErrorBox, JsonView, Skeleton, Tag, Tone};
use crate::state::format;

/// Columns that have a place in the table; the rest is in the opened row.
const COLUMNS: usize = 6;
/// Characters of a cell.
const CELL_CHARS: usize = 90;

/// The rows.
#[component]
pub(super) fn Rows(look: Look) -> impl IntoView {
    let some = Memo::new(move |_| look.rows.with(Option::is_some));
    let name = move || look.file.with(|file| file.as_ref().map(|file| file.path.clone()).unwrap_or_default());
    view! {
        <Show when=move || look.file.with(Option::is_some) fallback=|| view! { <p class="field-hint">"Pick a file to see its first rows."</p> }>
            <section class="pull-rows" data-testid="pull-rows">
                <h3 class="mono" dir="auto">{name}</h3>
                {move || look.row_problem.get().map(|error| view! { <ErrorBox error on_retry=move |()| look.more_rows()/> })}
                <Show when=move || some.get() fallback=move || view! { <Show when=move || look.fetching.get()><Skeleton lines=4/></Show> }>
                    {move || look.rows.get().map(|page| view! { <Table look page/> })}
                </Show>
            </section>
        </Show>
    }
}

#[component]
fn Table(look: Look, page: HubRowPage) -> impl IntoView {
    let shown = page.rows.len() as u64;
    let mut words = match page.total {
        Some(total) => format!("{} of {}", format::count(shown), format::counted(total, "row")),
        None => format!("The first {}", format::counted(shown, "row")),
    };
    words.push_str(&format!(" · {} of {} fetched", format::bytes(page.read_bytes), format::bytes(page.file_bytes)));
    let understood = page.format.clone();
    let columns: Vec<String> = page.columns.iter().take(COLUMNS).cloned().collect();
    let more = page.columns.len().saturating_sub(COLUMNS);
    let width = columns.len() + 3;
    let offset = page.offset;
    let rows = (offset..)
        .zip(page.rows)
        .map(|(number, row)| view! { <Row look number row columns=columns.clone() width/> })
        .collect_view();
    view! {
        <p class="pull-facts">
            <span>{words}</span>
            {if understood.is_empty() {
                view! { <Tag text="not recognised as traces" tone=Tone::Warn title="None of the formats that traces are read from fits its rows." testid="pull-format"/> }.into_any()
            } else {
                view! { <Tag text=understood tone=Tone::Good title="What the importer takes it for" testid="pull-format"/> }.into_any()
            }}
        </p>
        <div class="pull-table">
            <table>
                <thead>
                    <tr>
                        <th></th>
                        <th class="is-number">"#"</th>
                        {columns.into_iter().map(|column| view! { <th dir="auto">{column}</th> }).collect_view()}
                        <th>{(more > 0).then(|| format!("+{more}"))}</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
            <Show when=move || page.has_more>
                <Button kind=ButtonKind::Quiet label="More rows" busy=look.fetching on_click=move |()| look.more_rows() testid="pull-more-rows"/>
            </Show>
        </div>
    }
}

#[component]
fn Row(look: Look, number: u64, row: Json, columns: Vec<String>, width: usize) -> impl IntoView {
    let open = RwSignal::new(false);
    let ticked = Memo::new(move |_| look.ticked.with(|ticked| ticked.contains(&number)));
    let cells = columns
        .iter()
        .map(|column| {
            let text = row.get(column).map(cell).unwrap_or_default();
            view! { <td dir="auto">{text}</td> }
        })
        .collect_view();
    let row = StoredValue::new(row);
    view! {
        <tr class="pull-row" data-testid="pull-row" on:click=move |_| open.update(|open| *open = !*open)>
            <td>
                <input
                    type="checkbox"
                    aria-label=format!("Import row {}", number + 1)
                    prop:checked=ticked
                    data-testid="pull-tick"
                    on:click=move |event| event.stop_propagation()
                    on:change=move |_| {
                        look.ticked.update(|ticked| {
                            if !ticked.remove(&number) {
                                ticked.insert(number);
                            }
                        });
                        look.want.set(if look.ticked.with_untracked(std::collections::BTreeSet::is_empty) { Want::All } else { Want::Ticked });
                    }
                />
            </td>
            <td class="is-number">{format::count(number + 1)}</td>
            {cells}
            <td>
                <button
                    type="button"
                    class="link-button"
                    aria-expanded=move || open.get().to_string()
                    on:click=move |event| {
                        event.stop_propagation();
                        open.update(|open| *open = !*open);
                    }
                >
                    {move || if open.get() { "Close" } else { "Open" }}
                </button>
            </td>
        </tr>
        <Show when=move || open.get()>
            <tr>
                <td colspan=width.to_string() class="pull-whole"><JsonView value=row.get_value()/></td>
            </tr>
        </Show>
    }
}

/// A value in a few words.
fn cell(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) => format::first_line(text, CELL_CHARS),
        Json::Array(items) => format::counted(items.len() as u64, "item"),
        Json::Object(map) => format::counted(map.len() as u64, "field"),
        other => other.to_text(),
    }
}
