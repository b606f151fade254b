//! One trace under review: its turns as cards that are edited where they stand, and beside them what lint found, what
//! was changed, who changed it, and everything else that is known of it.

mod arguments_edit;
mod assist;
mod block;
mod branches;
mod call_part;
mod card;
mod changes_tab;
mod compare;
mod completion;
mod diff_view;
mod drafts;
mod drag;
mod edit_bar;
mod head;
mod history_tab;
mod inspector;
mod keep;
mod lens_tab;
mod lint_tab;
mod live;
mod marks;
mod notes_tab;
mod ops;
mod parts;
mod patching;
mod place;
mod raw_tab;
mod rerun;
mod run_tab;
mod schema;
mod selection;
mod shortened;
mod state;
mod steps_tab;
mod text;
mod text_edit;
mod text_view;
mod timeline;
mod tools_tab;
mod whole;
mod whole_edit;
mod writing;

use leptos::prelude::*;

use self::branches::Branches;
use self::compare::CompareDialog;
use self::head::{Head, Toolbar};
use self::inspector::Inspector;
use self::marks::ShownTab;
use self::rerun::RerunDialog;
use self::state::{Editing, Loaded};
use self::timeline::Timeline;
use super::actions::use_trace_actions;
use crate::components::turn::TurnPage;
use crate::components::{ErrorBox, Skeleton, Split};
use crate::state::keys::{Action, use_action};
use crate::state::settings::use_setting;

/// What the inspector beside the turns shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum View {
    /// What lint found.
    #[default]
    Lint,
    /// What a model is trained on, token by token.
    Lens,
    /// What was changed.
    Changes,
    /// Who changed what, and when.
    History,
    /// The file.
    Raw,
    /// What a person decided and noted.
    Notes,
    /// What is kept of each answer.
    Steps,
    /// What the model was told of.
    Tools,
    /// What it was made with.
    Run,
}

/// The editor of one trace.
#[component]
pub(super) fn Editor(
    /// The trace.
    id: String,
    /// What the inspector shows; stays while the person goes from trace to trace.
    view_of: RwSignal<View>,
) -> impl IntoView {
    let page = TurnPage::provide(id.clone(), None);
    let editing = Editing::provide(&id);
    provide_context(ShownTab(view_of));
    live::follow(editing);
    keep::keep(editing);
    use_action(
        Action::new("reasoning-all", "Editor", "Open or fold all reasoning", move || page.folds.toggle_all())
            .keys("KeyO"),
    );
    let inspected = use_setting("review.inspector", true);
    use_action(
        Action::new("inspector", "Editor", "Show or hide what is beside the turns", move || {
            inspected.update(|shown| *shown = !*shown);
        })
        .keys("Mod+KeyI"),
    );
    for (id, title, tab) in [
        ("tab-lint", "Show what lint found", View::Lint),
        ("tab-lens", "Show the loss lens: what is trained", View::Lens),
        ("tab-changes", "Show what was changed", View::Changes),
        ("tab-history", "Show every revision", View::History),
        ("tab-raw", "Show the raw JSON", View::Raw),
        ("tab-notes", "Show review and notes", View::Notes),
        ("tab-run", "Show what the run was made with", View::Run),
    ] {
        use_action(Action::new(id, "Editor", title, move || {
            inspected.set(true);
            view_of.set(tab);
        }));
    }
    view! {
        <section class="editor" aria-label="Trace" data-testid="editor" data-trace=id>
            {move || match editing.loaded.get() {
                Loaded::Not => view! { <div class="editor-wait" aria-busy="true"><Skeleton lines=10/></div> }.into_any(),
                Loaded::Failed(error) => {
                    let actions = use_trace_actions();
                    view! {
                        <div class="page-error">
                            <ErrorBox error on_retry=move |()| editing.fetch() on_close=move |()| actions.open("")/>
                        </div>
                    }
                        .into_any()
                }
                Loaded::Here => view! {
                    <Head/>
                    <Branches/>
                    <Toolbar inspected/>
                    <Split
                        key="review.editor-split"
                        first_share=0.64
                        min_px=300.0
                        first_only=Signal::derive(move || !inspected.get())
                        first=move || view! { <Timeline/> }
                        second=move || view! { <Inspector view_of/> }
                    />
                }
                    .into_any(),
            }}
            <RerunDialog/>
            <CompareDialog/>
        </section>
    }
}
