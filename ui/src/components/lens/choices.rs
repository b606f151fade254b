//! How a person looks at a row: the model, what is trained, what the template is told.

use leptos::prelude::*;
use tw_artifact::{Json, Map, TrainOn, Unroll};
use tw_contract::{LensRequest, LensSubject};

use crate::state::settings::use_setting;

/// The choices. Copied freely.
#[derive(Clone, Copy)]
pub(super) struct Choices {
    /// The model; `None` for the dataset's own, or the first.
    pub(super) model: RwSignal<Option<String>>,
    /// Which answers are trained.
    pub(super) train: RwSignal<TrainOn>,
    /// How a trace becomes rows.
    pub(super) unroll: RwSignal<Unroll>,
    /// Which of the rows; `None` for the last.
    pub(super) row: RwSignal<Option<u32>>,
    /// A template in place of the model's.
    pub(super) template: RwSignal<Option<String>>,
    /// What `enable_thinking` is; `None` leaves it to the template.
    pub(super) thinking: RwSignal<Option<bool>>,
    /// Further variables of the template.
    pub(super) kwargs: RwSignal<Map>,
    /// Whether the steering prompt is left out.
    pub(super) drop_steering: RwSignal<bool>,
    /// Whether white space of servers is taken away.
    pub(super) normalise: RwSignal<bool>,
    /// Most tokens of a row.
    pub(super) max_tokens: RwSignal<Option<u32>>,
}

/// The template's variable that asks for reasoning.
const THINKING: &str = "enable_thinking";

impl Choices {
    /// Those of a request. Remembered ones go before.
    pub(super) fn of(request: Signal<LensRequest>, remember: bool) -> Self {
        let first = request.get_untracked();
        let unroll = unroll_of(&first.subject);
        let choices = Self {
            model: if remember { use_setting("lens.model", first.model.clone()) } else { RwSignal::new(None) },
            train: if remember { use_setting("lens.train", first.train) } else { RwSignal::new(first.train) },
            unroll: if remember { use_setting("lens.unroll", unroll) } else { RwSignal::new(unroll) },
            row: RwSignal::new(row_of(&first.subject)),
            template: RwSignal::new(None),
            thinking: RwSignal::new(None),
            kwargs: RwSignal::new(Map::new()),
            drop_steering: RwSignal::new(true),
            normalise: RwSignal::new(true),
            max_tokens: RwSignal::new(None),
        };
        choices.take(&first, !remember);
        // Another row of the same dataset keeps them; another dataset has its own.
        let settings =
            Memo::new(move |_| request.with(|request| LensRequest { subject: nothing(), ..request.clone() }));
        Effect::new(move |before: Option<()>| {
            let settings = settings.get();
            if before.is_some() {
                choices.take(&settings, true);
            }
        });
        choices
    }

    fn take(self, request: &LensRequest, all: bool) {
        if all {
            self.model.set(request.model.clone());
            self.train.set(request.train);
        }
        let mut kwargs = match &request.kwargs {
            Json::Object(map) => map.clone(),
            _ => Map::new(),
        };
        self.thinking.set(match kwargs.get(THINKING) {
            Some(Json::Bool(thinking)) => Some(*thinking),
            _ => None,
        });
        if self.thinking.with_untracked(Option::is_some) {
            kwargs.shift_remove(THINKING);
        }
        self.kwargs.set(kwargs);
        self.template.set(request.template.clone());
        self.drop_steering.set(request.drop_steering);
        self.normalise.set(request.normalise);
        self.max_tokens.set(request.max_tokens);
    }

    /// The request with the choices in it. Tracks.
    pub(super) fn apply(self, request: LensRequest) -> LensRequest {
        let subject = match request.subject {
            LensSubject::Trace { id, revision, .. } => {
                LensSubject::Trace { id, revision, unroll: self.unroll.get(), row: self.row.get() }
            }
            other => other,
        };
        let mut kwargs = self.kwargs.get();
        if let Some(thinking) = self.thinking.get() {
            kwargs.insert(THINKING.to_owned(), Json::Bool(thinking));
        }
        // A version has variables of its own: none at all is said aloud.
        let none = if matches!(subject, LensSubject::Dataset { .. }) { Json::Object(Map::new()) } else { Json::Null };
        LensRequest {
            subject,
            model: self.model.get(),
            template: self.template.get(),
            train: self.train.get(),
            drop_steering: self.drop_steering.get(),
            normalise: self.normalise.get(),
            kwargs: if kwargs.is_empty() { none } else { Json::Object(kwargs) },
            max_tokens: self.max_tokens.get(),
        }
    }
}

const fn unroll_of(subject: &LensSubject) -> Unroll {
    match subject {
        LensSubject::Trace { unroll, .. } => *unroll,
        LensSubject::Dataset { .. } => Unroll::None,
    }
}

const fn row_of(subject: &LensSubject) -> Option<u32> {
    match subject {
        LensSubject::Trace { row, .. } => *row,
        LensSubject::Dataset { .. } => None,
    }
}

const fn nothing() -> LensSubject {
    LensSubject::Dataset { version: String::new(), row: String::new() }
}
