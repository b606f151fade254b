//! The list of keys that work right now.

use leptos::prelude::*;

use super::dialog::Dialog;
use super::kbd::Kbd;
use crate::state::keys::{Action, use_keys};

/// The dialog behind `?`; once, in the frame.
#[component]
pub(crate) fn Shortcuts() -> impl IntoView {
    let keys = use_keys();
    view! {
        <Dialog open=keys.help title="Keys" testid="shortcuts">
            <div class="shortcuts">
                {move || {
                    groups(keys.all())
                        .into_iter()
                        .map(|(group, actions)| {
                            view! {
                                <section>
                                    <h3>{group}</h3>
                                    <dl>
                                        {actions
                                            .into_iter()
                                            .filter_map(|action| {
                                                let caps = action.keys?;
                                                Some(view! { <div><dt>{action.title}</dt><dd><Kbd keys=caps/></dd></div> })
                                            })
                                            .collect_view()}
                                    </dl>
                                </section>
                            }
                        })
                        .collect_view()
                }}
            </div>
        </Dialog>
    }
}

/// Actions with keys, by group, in the order in which the groups came.
fn groups(actions: Vec<Action>) -> Vec<(&'static str, Vec<Action>)> {
    let mut groups: Vec<(&'static str, Vec<Action>)> = Vec::new();
    for action in actions.into_iter().filter(|action| action.keys.is_some()) {
        match groups.iter_mut().find(|(group, _)| *group == action.group) {
            Some((_, members)) if members.iter().any(|member| member.title == action.title) => {}
            Some((_, members)) => members.push(action),
            None => groups.push((action.group, vec![action])),
        }
    }
    groups
}
