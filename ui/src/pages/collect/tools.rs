//! The tools of one server: what each does, what it claims, what it costs, and whether the model is told of it.

use leptos::prelude::*;
use leptos::task::spawn_local;
use tw_artifact::{ToolHints, ToolInfo};
use tw_contract::ToolSwitch;

use crate::components::{Button, ButtonKind, Icon, IconName, Switch, Tag, Tokens, Tone};
use crate::state::servers::use_servers;
use crate::state::toasts::use_toasts;

/// The tools of a server.
#[component]
pub(crate) fn ToolList(
    /// The server.
    server_id: String,
) -> impl IntoView {
    let servers = use_servers();
    let toasts = use_toasts();
    let id = StoredValue::new(server_id);
    let tools = Memo::new(move |_| id.with_value(|id| servers.find(id)).map(|it| it.status.tools).unwrap_or_default());
    let names = Memo::new(move |_| tools.with(|tools| tools.iter().map(|tool| tool.name.clone()).collect::<Vec<_>>()));
    let switch = Callback::new(move |(tool, enabled): (Option<String>, bool)| {
        spawn_local(async move {
            let request = ToolSwitch { server_id: id.get_value(), tool, enabled };
            if let Err(error) = servers.switch_tool(request).await {
                toasts.error(error);
            }
        });
    });
    let all_are = move |on: bool| tools.with(|tools| tools.iter().all(|tool| tool.enabled == on));
    view! {
        <div class="tools-actions">
            <Button label="All on" kind=ButtonKind::Quiet disabled=Signal::derive(move || all_are(true)) on_click=move |()| switch.run((None, true)) testid="tools-all-on"/>
            <Button label="All off" kind=ButtonKind::Quiet disabled=Signal::derive(move || all_are(false)) on_click=move |()| switch.run((None, false)) testid="tools-all-off"/>
        </div>
        <ul class="tool-list">
            <For each=move || names.get() key=Clone::clone let:name>
                <ToolLine name tools switch/>
            </For>
        </ul>
    }
}

#[component]
fn ToolLine(name: String, tools: Memo<Vec<ToolInfo>>, switch: Callback<(Option<String>, bool)>) -> impl IntoView {
    let key = StoredValue::new(name);
    let tool = Memo::new(move |_| {
        tools.with(|tools| key.with_value(|key| tools.iter().find(|tool| tool.name == *key).cloned()))
    });
    let is_on = Memo::new(move |_| tool.with(|tool| tool.as_ref().is_some_and(|it| it.enabled)));
    let whole = RwSignal::new(false);
    let described = move || {
        tool.get().map(|tool| {
            let title = tool.title.filter(|title| *title != tool.name);
            view! {
                <div class="tool-head">
                    <button
                        type="button"
                        class="tool-name mono"
                        title="Read all of it"
                        aria-expanded=move || whole.get().to_string()
                        on:click=move |_| whole.update(|whole| *whole = !*whole)
                    >
                        <span dir="auto">{tool.name.clone()}</span>
                    </button>
                    {title.map(|title| view! { <span class="quiet" dir="auto">{title}</span> })}
                    <Tokens count=Signal::stored(tool.tokens) about=true/>
                </div>
                {(tool.exposed_name != tool.name)
                    .then(|| {
                        view! { <p class="quiet">"The model sees it as " <code>{tool.exposed_name.clone()}</code></p> }
                    })}
                <p class="tool-words" class:whole=move || whole.get() dir="auto">{tool.description}</p>
                <div class="claims"><Claims hints=tool.hints/></div>
                {tool
                    .problem
                    .map(|problem| {
                        view! {
                            <p class="note tone-bad">
                                <Icon name=IconName::Error/>
                                <span dir="auto">{problem} " It is not offered to the model."</span>
                            </p>
                        }
                    })}
            }
        })
    };
    view! {
        <li class="tool" class:is-off=move || !is_on.get() data-testid="tool-line">
            <Switch
                label=Signal::derive(move || key.with_value(|name| format!("Offer {name} to the model")))
                on=is_on
                on_change=move |on| switch.run((Some(key.get_value()), on))
                disabled=Signal::derive(move || tool.with(|tool| tool.as_ref().is_some_and(|it| it.problem.is_some())))
                testid="tool-enabled"
            />
            <div class="tool-body">{described}</div>
        </li>
    }
}

/// What a server claims about a tool, as claims.
#[component]
pub(crate) fn Claims(
    /// The claims.
    hints: ToolHints,
) -> impl IntoView {
    let why = "The server claims this; nobody has checked it.";
    view! {
        {hints.read_only.then(|| view! { <Tag text="says it only reads" tone=Tone::Good icon=IconName::Eye title=why/> })}
        {(!hints.read_only && hints.destructive)
            .then(|| view! { <Tag text="says it may destroy" tone=Tone::Warn icon=IconName::Warning title=why/> })}
        {(!hints.read_only && !hints.destructive)
            .then(|| view! { <Tag text="says it changes, but destroys nothing" icon=IconName::Edit title=why/> })}
    }
}
