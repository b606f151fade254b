//! Who decides about tool calls.

use leptos::prelude::*;
use tw_artifact::{ApprovalRule, PolicyMode, PolicyVerdict, RuleScope};

use super::draft::use_draft;
use crate::components::{Choice, IconButton, IconName, Segmented};
use crate::state::format;
use crate::state::servers::use_servers;

/// The policy and its rules.
#[component]
pub(crate) fn PolicySettings() -> impl IntoView {
    let draft = use_draft();
    let words = move || match draft.mode.get() {
        PolicyMode::AskAlways => "Every call waits for you.",
        PolicyMode::AskUnlessReadOnly => "Calls wait for you, unless the server says that the tool only reads.",
        PolicyMode::NeverAsk => "Every call runs at once, also those that may destroy.",
        PolicyMode::ReadOnlyOrReject => {
            "Calls run where the server says that the tool only reads; all others are rejected."
        }
        PolicyMode::RejectAll => "Every call is rejected.",
    };
    let count = Memo::new(move |_| draft.rules.with(Vec::len) as u64);
    view! {
        <div class="field policy" data-testid="policy">
            <span class="field-label">"Tool calls"</span>
            <Segmented
                label="When a call waits for you"
                options=vec![
                    Choice::new(PolicyMode::AskAlways, "Ask always"),
                    Choice::new(PolicyMode::AskUnlessReadOnly, "Ask unless read-only"),
                    Choice::new(PolicyMode::NeverAsk, "Never ask"),
                ]
                value=draft.mode
                testid="policy-mode"
            />
            <p class="field-hint">{words}</p>
            <Show when=move || { count.get() > 0 }>
                <p class="field-hint">{move || format!("{} from earlier decisions:", format::counted(count.get(), "rule"))}</p>
                <ul class="rules" data-testid="rules">
                    {move || draft.rules.get().into_iter().map(|rule| view! { <Rule rule/> }).collect_view()}
                </ul>
            </Show>
        </div>
    }
}

#[component]
fn Rule(rule: ApprovalRule) -> impl IntoView {
    let draft = use_draft();
    let servers = use_servers();
    let verdict = match rule.verdict {
        PolicyVerdict::Ask => "ask for",
        PolicyVerdict::Allow => "allow",
        PolicyVerdict::Reject => "reject",
    };
    let scope = StoredValue::new(rule.scope);
    let what = move || {
        scope.with_value(|scope| match scope {
            RuleScope::Tool { server_id, tool } => format!("{tool} of {}", servers.name_of(server_id)),
            RuleScope::Server { server_id } => format!("every tool of {}", servers.name_of(server_id)),
        })
    };
    let remove =
        move |()| draft.rules.update(|rules| rules.retain(|rule| scope.with_value(|scope| rule.scope != *scope)));
    view! {
        <li class="rule" data-testid="rule">
            <span>{verdict} " " <span class="mono" dir="auto">{what}</span></span>
            <IconButton icon=IconName::Close label="Remove this rule" on_click=remove testid="rule-remove"/>
        </li>
    }
}
