//! A repository on the Hub: what is known of it, and its files.

use leptos::prelude::*;
use tw_contract::{HubEntry, HubListing};

use super::pull::Look;
use crate::components::{Button, ButtonKind, CopyButton, Icon, IconName, Tag, Tone};
use crate::state::format;

/// Splits that are named.
const SPLITS: usize = 12;

/// The repository.
#[component]
pub(super) fn Browser(look: Look, path: RwSignal<String>) -> impl IntoView {
    let facts = move || look.listing.get().map(|listing| view! { <Facts listing/> });
    let entries =
        Memo::new(move |_| look.listing.with(|it| it.as_ref().map(|it| it.entries.clone()).unwrap_or_default()));
    let next = Memo::new(move |_| look.listing.with(|it| it.as_ref().and_then(|it| it.next.clone())));
    let above = Memo::new(move |_| {
        path.with(|path| (!path.is_empty()).then(|| path.rsplit_once('/').map_or("", |(above, _)| above).to_owned()))
    });
    view! {
        {facts}
        <div class="hub-files" aria-busy=move || look.looking.get().to_string()>
            <table>
                <tbody>
                    {move || {
                        above
                            .get()
                            .map(|above| {
                                view! {
                                    <tr>
                                        <td colspan="2">
                                            <button type="button" class="link-button" data-testid="pull-above" on:click=move |_| look.open(above.clone(), None)>
                                                <Icon name=IconName::ArrowUp/>
                                                " back from " <span class="mono" dir="auto">{path.get()}</span>
                                            </button>
                                        </td>
                                    </tr>
                                }
                            })
                    }}
                    {move || entries.get().into_iter().map(|entry| view! { <Entry look entry/> }).collect_view()}
                </tbody>
            </table>
            {move || {
                next.get()
                    .map(|next| {
                        view! { <Button kind=ButtonKind::Quiet label="More files" busy=look.looking on_click=move |()| look.open(path.get_untracked(), Some(next.clone())) testid="pull-more-files"/> }
                    })
            }}
        </div>
    }
}

#[component]
fn Facts(listing: HubListing) -> impl IntoView {
    let url = StoredValue::new(listing.url);
    let day = listing.changed_at.split('T').next().unwrap_or_default().to_owned();
    let mut words = Vec::new();
    if !day.is_empty() {
        words.push(format!("changed {day}"));
    }
    if listing.downloads > 0 {
        words.push(format!("{} this month", format::counted(listing.downloads, "download")));
    }
    if !listing.licence.is_empty() {
        words.push(format!("licence {}", listing.licence));
    }
    words.push(format!("commit {}", listing.commit.chars().take(8).collect::<String>()));
    let splits = listing
        .splits
        .iter()
        .take(SPLITS)
        .map(|split| format!("{}/{}", split.config, split.split))
        .collect::<Vec<_>>()
        .join(", ");
    view! {
        <div class="hub-repo" data-testid="pull-facts">
            <p>
                <strong dir="auto">{listing.repo}</strong>
                {listing.is_private.then(|| view! { <Tag text="private" icon=IconName::Lock tone=Tone::Neutral/> })}
                <CopyButton text=move |()| url.get_value() label="Copy its address"/>
            </p>
            <p class="field-hint" dir="auto">{words.join(" · ")}</p>
            {(!splits.is_empty()).then(|| view! { <p class="field-hint" dir="auto">{format!("The card names {splits}")}</p> })}
        </div>
    }
}

#[component]
fn Entry(look: Look, entry: HubEntry) -> impl IntoView {
    let path = entry.path.clone();
    let is_shown = Memo::new(move |_| look.file.with(|file| file.as_ref().is_some_and(|file| file.path == path)));
    let name = entry.path.rsplit('/').next().unwrap_or_default().to_owned();
    let size = if entry.is_folder { String::new() } else { format::bytes(entry.bytes) };
    let can_open = entry.is_folder || entry.has_rows;
    let icon = if entry.is_folder { IconName::Folder } else { IconName::Traces };
    let testid = if entry.is_folder { "pull-folder" } else { "pull-file" };
    let open = StoredValue::new(move || {
        if entry.is_folder {
            look.open(entry.path.clone(), None);
        } else {
            look.look_into(entry.clone());
        }
    });
    view! {
        <tr class:is-at=is_shown>
            <td>
                {if can_open {
                    view! {
                        <button type="button" class="link-button mono" data-testid=testid aria-pressed=move || is_shown.get().to_string() on:click=move |_| open.with_value(|open| open())>
                            <Icon name=icon/>" "<span dir="auto">{name}</span>
                        </button>
                    }
                        .into_any()
                } else {
                    view! { <span class="mono hub-other" dir="auto">{name}</span> }.into_any()
                }}
            </td>
            <td class="is-number">{size}</td>
        </tr>
    }
}
