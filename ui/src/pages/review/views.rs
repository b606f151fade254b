//! Saved views: a query, an order and columns under a name; and the menu of columns.

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use super::browser::{Browser, Sort};
use super::columns::{self, Column, Shown};
use super::popover::Popover;
use crate::components::{Button, ButtonKind, IconButton, IconName, TextField};
use crate::state::settings::use_setting;
use crate::state::toasts::{ToastAction, use_toasts};

/// A saved view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct SavedView {
    name: String,
    query: String,
    sort: Sort,
    columns: Vec<Shown>,
}

/// The names of the saved views and the query of each, followed.
pub(crate) fn use_saved_queries() -> Memo<Vec<(String, String)>> {
    let views = use_setting("review-views", Vec::<SavedView>::new());
    Memo::new(move |_| views.with(|views| views.iter().map(|view| (view.name.clone(), view.query.clone())).collect()))
}

/// The saved views.
#[component]
pub(super) fn Views(browser: Browser, columns: RwSignal<Vec<Shown>>) -> impl IntoView {
    let views = use_setting("review-views", Vec::<SavedView>::new());
    let names = Memo::new(move |_| views.with(|views| views.iter().map(|view| view.name.clone()).collect::<Vec<_>>()));
    view! {
        <Show when=move || names.with(|names| !names.is_empty())>
            <div class="views" role="group" aria-label="Saved views">
                <For each=move || names.get() key=Clone::clone children=move |name| view! { <ViewChip name views browser columns/> }/>
            </div>
        </Show>
    }
}

/// Saves what is shown under a name.
#[component]
pub(super) fn SaveView(browser: Browser, columns: RwSignal<Vec<Shown>>) -> impl IntoView {
    let views = use_setting("review-views", Vec::<SavedView>::new());
    let open = RwSignal::new(false);
    let name = RwSignal::new(String::new());
    let save = move || {
        let name = name.with_untracked(|name| name.trim().to_owned());
        if name.is_empty() {
            return;
        }
        let saved = SavedView {
            name,
            query: browser.query.get_untracked(),
            sort: browser.sort.get_untracked(),
            columns: columns.get_untracked(),
        };
        views.update(|views| match views.iter_mut().find(|view| view.name == saved.name) {
            Some(old) => *old = saved,
            None => views.push(saved),
        });
        open.set(false);
    };
    let exists = move || name.with(|name| views.with(|views| views.iter().any(|view| view.name == name.trim())));
    view! {
        <Popover label="Save view" icon=IconName::Plus title="Keep query, order and columns under a name" open testid="save-view">
            <form
                class="view-form"
                on:submit=move |event| {
                    event.prevent_default();
                    save();
                }
            >
                <TextField label="Name" value=name placeholder="To review" testid="view-name"/>
                <Button
                    kind=ButtonKind::Primary
                    label=Signal::derive(move || if exists() { "Replace" } else { "Save" }.to_owned())
                    disabled=Signal::derive(move || name.with(|name| name.trim().is_empty()))
                    on_click=move |()| save()
                    submit=true
                    testid="view-save"
                />
            </form>
        </Popover>
    }
}

#[component]
fn ViewChip(
    name: String,
    views: RwSignal<Vec<SavedView>>,
    browser: Browser,
    columns: RwSignal<Vec<Shown>>,
) -> impl IntoView {
    let toasts = use_toasts();
    let own = StoredValue::new(name.clone());
    let saved =
        Memo::new(move |_| views.with(|views| views.iter().find(|view| view.name == *own.read_value()).cloned()));
    let is_shown = Memo::new(move |_| {
        saved.with(|saved| {
            saved.as_ref().is_some_and(|saved| {
                browser.query.with(|query| query.trim() == saved.query.trim())
                    && browser.sort.get() == saved.sort
                    && columns.with(|columns| same_columns(columns, &saved.columns))
            })
        })
    });
    let show = move |_| {
        if let Some(saved) = saved.get_untracked() {
            browser.sort.set(saved.sort);
            if !saved.columns.is_empty() {
                columns.set(saved.columns);
            }
            browser.query.set(saved.query);
        }
    };
    let open = RwSignal::new(false);
    let new_name = RwSignal::new(name.clone());
    let rename = move || {
        let new = new_name.with_untracked(|name| name.trim().to_owned());
        let taken = views.with_untracked(|views| views.iter().any(|view| view.name == new));
        if new.is_empty() || taken {
            return;
        }
        open.set(false);
        views.update(|views| {
            for view in views.iter_mut().filter(|view| view.name == *own.read_value()) {
                view.name.clone_from(&new);
            }
        });
    };
    let update = move |()| {
        open.set(false);
        views.update(|views| {
            for view in views.iter_mut().filter(|view| view.name == *own.read_value()) {
                view.query = browser.query.get_untracked();
                view.sort = browser.sort.get_untracked();
                view.columns = columns.get_untracked();
            }
        });
    };
    let delete = move |()| {
        open.set(false);
        let before = views.get_untracked();
        views.update(|views| views.retain(|view| view.name != *own.read_value()));
        let back = Callback::new(move |()| views.set(before.clone()));
        toasts.offer(format!("The view “{}” is deleted.", own.get_value()), ToastAction { label: "Undo", run: back });
    };
    view! {
        <span class="view-chip" class:is-shown=is_shown>
            <button
                type="button"
                class="view-name"
                dir="auto"
                aria-pressed=move || is_shown.get().to_string()
                title=move || saved.with(|saved| saved.as_ref().map(|saved| saved.query.clone())).unwrap_or_default()
                data-testid="view-chip"
                on:click=show
            >
                {name.clone()}
            </button>
            <Popover label=format!("Change the view {name}") icon=IconName::More bare=true open testid="view-menu">
                <form
                    class="view-form"
                    on:submit=move |event| {
                        event.prevent_default();
                        rename();
                    }
                >
                    <TextField label="Name" value=new_name testid="view-rename"/>
                    <div class="view-form-buttons">
                        <Button label="Rename" on_click=move |()| rename() submit=true testid="view-rename-save"/>
                        <Button label="Keep what is shown now" title="Query, order and columns take the place of the saved ones" on_click=update testid="view-update"/>
                        <Button kind=ButtonKind::Quiet icon=IconName::Trash label="Delete" on_click=delete testid="view-delete"/>
                    </div>
                </form>
            </Popover>
        </span>
    }
}

/// Whether the same columns stand in the same order; widths do not make another view.
fn same_columns(left: &[Shown], right: &[Shown]) -> bool {
    right.is_empty() || left.iter().map(|it| it.column).eq(right.iter().map(|it| it.column))
}

/// Which columns are shown, and their order.
#[component]
pub(super) fn ColumnMenu(columns: RwSignal<Vec<Shown>>) -> impl IntoView {
    let entries = Memo::new(move |_| {
        columns.with(|columns| {
            let shown: Vec<Column> = columns.iter().map(|shown| shown.column).collect();
            let others = Column::ALL.into_iter().filter(|column| !shown.contains(column));
            shown.iter().map(|column| (*column, true)).chain(others.map(|column| (column, false))).collect::<Vec<_>>()
        })
    });
    let count = move || columns.with(Vec::len);
    view! {
        <Popover label="Columns" icon=IconName::Columns title="Which columns are shown, and their order" testid="column-menu">
            <div class="column-list">
                <For
                    each=move || entries.get()
                    key=|entry| *entry
                    children=move |(column, is_shown)| {
                        view! {
                            <div class="column-entry">
                                <label class="checkbox">
                                    <input
                                        type="checkbox"
                                        prop:checked=is_shown
                                        disabled=move || is_shown && count() == 1
                                        data-testid=format!("column-{}", column.word())
                                        on:change=move |_| columns.update(|columns| columns::toggle(columns, column))
                                    />
                                    <span>{column.label()}</span>
                                </label>
                                {is_shown
                                    .then(|| {
                                        view! {
                                            <span class="column-moves">
                                                <IconButton icon=IconName::ArrowUp label=format!("{} further left", column.label()) on_click=move |()| columns.update(|columns| columns::shift(columns, column, -1))/>
                                                <IconButton icon=IconName::ArrowDown label=format!("{} further right", column.label()) on_click=move |()| columns.update(|columns| columns::shift(columns, column, 1))/>
                                            </span>
                                        }
                                    })}
                            </div>
                        }
                    }
                />
            </div>
            <div class="column-foot">
                <Button kind=ButtonKind::Quiet label="As at first" on_click=move |()| columns.set(columns::usual()) testid="columns-reset"/>
            </div>
        </Popover>
    }
}
