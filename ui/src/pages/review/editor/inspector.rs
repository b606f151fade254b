//! What stands beside the turns: tabs about the whole trace.

use leptos::prelude::*;

use super::View;
use super::changes_tab::{Changes, Compared};
use super::history_tab::HistoryTab;
use super::lens_tab::LensTab;
use super::lint_tab::LintTab;
use super::notes_tab::Notes;
use super::raw_tab::RawJson;
use super::run_tab::RunInfo;
use super::state::use_editing;
use super::steps_tab::Steps;
use super::tools_tab::Tools;
use crate::components::{Tab, Tabs};

/// The inspector.
#[component]
pub(super) fn Inspector(view_of: RwSignal<View>) -> impl IntoView {
    let editing = use_editing();
    let compared = Compared::provide(view_of);
    let numbers = Memo::new(move |_| {
        let findings = editing.state.with(|state| state.findings.len());
        let revision = editing.state.with(|state| state.revision);
        (findings, revision)
    });
    let tabs = Signal::derive(move || {
        let (findings, revision) = numbers.get();
        let count = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        let mut tabs = vec![
            Tab::new(View::Lint, "Lint", "tab-lint").count(count(findings)),
            Tab::new(View::Lens, "Loss lens", "tab-lens"),
            Tab::new(View::Changes, "Changes", "tab-changes"),
            Tab::new(View::History, "History", "tab-history"),
            Tab::new(View::Raw, "Raw", "tab-raw"),
            Tab::new(View::Notes, "Notes", "tab-notes"),
            Tab::new(View::Steps, "Steps", "tab-steps"),
            Tab::new(View::Tools, "Tools", "tab-tools"),
            Tab::new(View::Run, "Run", "tab-run"),
        ];
        if revision > 0
            && let Some(history) = tabs.iter_mut().find(|tab| tab.value == View::History)
        {
            history.count = Some(revision);
        }
        tabs
    });
    view! {
        <div class="inspector" data-testid="inspector">
            <Tabs label="About the trace" tabs value=view_of/>
            <div class="reader-body">
                {move || match view_of.get() {
                    View::Lint => view! { <LintTab/> }.into_any(),
                    View::Lens => view! { <LensTab/> }.into_any(),
                    View::Changes => view! { <Changes compared/> }.into_any(),
                    View::History => view! { <HistoryTab compared/> }.into_any(),
                    View::Raw => view! { <RawJson/> }.into_any(),
                    View::Notes => view! { <Notes/> }.into_any(),
                    View::Steps => view! { <Steps/> }.into_any(),
                    View::Tools => view! { <Tools/> }.into_any(),
                    View::Run => view! { <RunInfo/> }.into_any(),
                }}
            </div>
        </div>
    }
}
