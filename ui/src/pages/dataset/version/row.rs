//! One row, whole: its messages as they are, the loss lens, its JSON.

use std::sync::Arc;

use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::components::A;
use tw_artifact::{Json, Map, Role, SavedMessage};
use tw_contract::{ApiError, DatasetRow, DatasetView, LensRequest, LensSubject, RowMessage, RowRequest};

use super::super::words::percent;
use super::super::{focus, use_paths};
use crate::backend::use_api;
use crate::components::turn::{Turn, TurnCard, TurnPage, turns};
use crate::components::{
    CopyButton, ErrorBox, Icon, IconButton, IconName, JsonView, LensPane, LensTarget, Skeleton, Tab, Tabs, Tag,
    VirtualList,
};
use crate::state::format;
use crate::state::settings::use_setting;

/// About how many bytes of a message's JSON a token has.
const BYTES_A_TOKEN: usize = 4;

/// What is shown of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
enum Side {
    /// Its messages.
    #[default]
    Messages,
    /// What the model is given, token by token.
    Lens,
    /// Its JSON.
    Raw,
}

/// The open row.
#[component]
pub(super) fn RowInspector(
    dataset: StoredValue<Arc<DatasetView>>,
    /// Its id.
    open: RwSignal<Option<String>>,
) -> impl IntoView {
    let api = StoredValue::new(use_api());
    let version = StoredValue::new(dataset.with_value(|dataset| dataset.version.id.clone()));
    let side = use_setting("dataset-row-side", Side::default());
    let row = RwSignal::new(None::<Result<Arc<DatasetRow>, ApiError>>);
    let round = StoredValue::new(0_u64);
    let fetch = move || {
        let Some(id) = open.get_untracked() else { return };
        let Some(number) = round.try_update_value(|round| {
            *round += 1;
            *round
        }) else {
            return;
        };
        let (api, request) = (api.get_value(), RowRequest { id: version.get_value(), row: id });
        spawn_local(async move {
            let answer = api.dataset_row(request).await.map(Arc::new);
            // A later row counts more.
            if round.try_get_value() == Some(number) {
                row.set(Some(answer));
            }
        });
    };
    Effect::new(move |_| {
        open.track();
        fetch();
    });
    let tabs = Signal::stored(vec![
        Tab::new(Side::Messages, "Messages", "row-tab-messages"),
        Tab::new(Side::Lens, "Loss lens", "row-tab-lens"),
        Tab::new(Side::Raw, "Raw JSON", "row-tab-raw"),
    ]);
    let close = move || {
        open.set(None);
        focus("[data-testid=rows-table]");
    };
    let body = move || match side.get() {
        // It fetches for itself, and keeps how one looks at it from row to row.
        Side::Lens => view! { <Lens dataset open/> }.into_any(),
        shown => (move || match (row.get(), shown) {
            (None, _) => view! { <Skeleton lines=10/> }.into_any(),
            (Some(Err(error)), _) => {
                view! { <div class="page-error"><ErrorBox error on_retry=move |()| fetch()/></div> }.into_any()
            }
            (Some(Ok(row)), Side::Raw) => view! { <Raw row/> }.into_any(),
            (Some(Ok(row)), _) => view! { <Messages row/> }.into_any(),
        })
        .into_any(),
    };
    view! {
        <section class="row-inspector" aria-label="Row" data-testid="row-inspector">
            <header class="row-head">
                {move || row.get().and_then(Result::ok).map(|row| view! { <RowFacts row/> })}
                <IconButton icon=IconName::Close label="Close the row" on_click=move |()| close() testid="row-close"/>
            </header>
            <Tabs label="About the row" tabs value=side/>
            {body}
        </section>
    }
}

#[component]
fn RowFacts(row: Arc<DatasetRow>) -> impl IntoView {
    let summary = &row.summary;
    let id = StoredValue::new(summary.id.clone());
    let address = format!("/review/{}", summary.trace_id);
    let title = if summary.title.trim().is_empty() { "Without a title".to_owned() } else { summary.title.clone() };
    let trained = percent(u64::from(summary.trained_tokens), u64::from(summary.tokens));
    view! {
        <div class="row-facts">
            <h3><A href=address attr:title="Open the trace in Review" attr:dir="auto">{title}</A></h3>
            <div class="reader-facts">
                <span class="part" data-split=summary.split.as_str()>{summary.split.as_str()}</span>
                <span>{format::counted(summary.messages, "message")}</span>
                <span title=format!("{} of {} trained", format::count(summary.trained_tokens), format::counted(summary.tokens, "token"))>
                    {format::counted(summary.tokens, "token")} ", " {trained} " trained"
                </span>
                <span dir="auto">{row.model.clone()}</span>
                {row.tags.iter().map(|tag| view! { <Tag text=tag.clone()/> }).collect_view()}
                {row.rating.map(|rating| view! { <span>{format!("rated {rating} of 5")}</span> })}
                <span class="row-id mono" title=id.get_value()>{id.get_value()}</span>
                <CopyButton text=move |()| id.get_value() label="Copy the row's id"/>
            </div>
            {(!summary.warnings.is_empty())
                .then(|| {
                    view! {
                        <ul class="row-warnings">
                            {summary.warnings.iter().map(|kind| view! { <li><Icon name=IconName::Warning/><span>{kind.label()}</span></li> }).collect_view()}
                        </ul>
                    }
                })}
        </div>
    }
}

/// The loss lens of the row, as the version was built: its model, its variables, its limit.
#[component]
fn Lens(dataset: StoredValue<Arc<DatasetView>>, open: RwSignal<Option<String>>) -> impl IntoView {
    let paths = use_paths();
    let own_model = dataset.with_value(|dataset| dataset.model.clone());
    let request = Memo::new(move |before: Option<&LensRequest>| {
        let row = open.get().or_else(|| match before.map(|before| &before.subject) {
            Some(LensSubject::Dataset { row, .. }) => Some(row.clone()),
            _ => None,
        });
        dataset.with_value(|dataset| {
            let (version, plan) = (dataset.version.id.clone(), &dataset.plan);
            LensRequest {
                model: dataset.model.as_ref().map(|model| model.id.clone()),
                train: plan.train,
                drop_steering: plan.drop_steering,
                normalise: plan.normalise,
                kwargs: plan.kwargs.clone(),
                max_tokens: plan.max_tokens,
                ..LensRequest::of(LensSubject::Dataset { version, row: row.unwrap_or_default() })
            }
        })
    });
    let go = move |target: LensTarget| paths.go(format!("/review/{}", target.trace));
    view! { <div class="row-lens"><LensPane request own_model open=go/></div> }
}

/// The messages, as cards; each says whether it is trained.
#[component]
fn Messages(row: Arc<DatasetRow>) -> impl IntoView {
    TurnPage::provide(row.summary.trace_id.clone(), None);
    let saved = saved(&row.messages);
    let trained: Vec<Trained> = row.messages.iter().map(Trained::of).collect();
    let cards: Vec<Arc<Turn>> = turns(&saved, &[], &[]);
    let trained = StoredValue::new(trained);
    let row = move |turn: Signal<Arc<Turn>>| {
        let place = turn.with_untracked(|turn| turn.key());
        let state = trained.with_value(|trained| {
            usize::try_from(place).ok().and_then(|place| trained.get(place).copied()).unwrap_or_default()
        });
        let is_answer = turn.with_untracked(|turn| turn.message.message.role()) == Role::Assistant;
        view! {
            <div class="row-turn" data-train=state.word() data-testid="row-message">
                {is_answer.then(|| view! { <span class="train-mark" title=state.title()>{state.label()}</span> })}
                <TurnCard turn/>
            </div>
        }
    };
    view! {
        <VirtualList
            rows=Signal::stored(cards)
            key=key_of
            row
            estimate_px=160.0
            label="Messages of the row"
            testid="row-messages"
        />
    }
}

fn key_of(turn: &Arc<Turn>) -> String {
    turn.key().to_string()
}

/// Whether a message is trained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Trained {
    #[default]
    No,
    Partly,
    Yes,
}

impl Trained {
    fn of(message: &RowMessage) -> Self {
        match (message.train, message.spans.is_empty()) {
            (true, true) => Self::Yes,
            (false, true) => Self::No,
            (_, false) => Self::Partly,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::Partly => "partly",
            Self::Yes => "yes",
        }
    }

    const fn label(self) -> &'static str {
        match self {
            Self::No => "context",
            Self::Partly => "partly trained",
            Self::Yes => "trained",
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::No => "The model reads it; the loss does not count it",
            Self::Partly => "A person said otherwise about stretches of it: the loss lens shows which",
            Self::Yes => "The loss counts its tokens",
        }
    }
}

/// The messages in the form that cards take; answers are counted as steps.
fn saved(messages: &[RowMessage]) -> Vec<Arc<SavedMessage>> {
    let mut step = 0;
    messages
        .iter()
        .zip(0_u32..)
        .map(|(it, seq)| {
            if it.message.role() == Role::Assistant {
                step += 1;
            }
            let bytes = Json::from(it.message.clone()).to_text().len();
            Arc::new(SavedMessage {
                seq,
                saved_at_ms: 0,
                step,
                message: it.message.clone(),
                captured: None,
                tokens: u32::try_from(bytes / BYTES_A_TOKEN).unwrap_or(u32::MAX),
            })
        })
        .collect()
}

/// The row as JSON.
#[component]
fn Raw(row: Arc<DatasetRow>) -> impl IntoView {
    let json = json_of(&row);
    let text = StoredValue::new(json.clone());
    view! {
        <div class="raw-bar">
            <span>"As the row's columns hold it; what is trained stands beside it in the version's files."</span>
            <CopyButton text=move |()| text.with_value(Json::to_pretty) label="Copy the row" words="Copy all" testid="copy-row"/>
        </div>
        <div class="reader-scroll" data-testid="row-raw"><JsonView value=json/></div>
    }
}

fn json_of(row: &DatasetRow) -> Json {
    let mut map = Map::new();
    let mut put = |name: &str, value: Json| {
        map.insert(name.to_owned(), value);
    };
    put("id", row.summary.id.as_str().into());
    put("model", row.model.as_str().into());
    put("messages", Json::Array(row.messages.iter().map(|it| Json::from(it.message.clone())).collect()));
    put("tools", Json::Array(row.tools.iter().map(|tool| tool.0.clone()).collect()));
    put("truncated", Json::Bool(row.summary.truncated));
    put("original_id", row.summary.trace_id.as_str().into());
    put("split", row.summary.split.as_str().into());
    put("tags", Json::Array(row.tags.iter().map(|tag| tag.as_str().into()).collect()));
    Json::Object(map)
}
