//! One clock for every relative time on the page.

use std::time::Duration;

use leptos::prelude::*;

/// How often relative times are looked at again.
const TICK: Duration = Duration::from_secs(10);

/// Unix milliseconds, a few seconds old at most.
#[derive(Clone, Copy)]
pub(crate) struct Clock(RwSignal<i64>);

impl Clock {
    /// Now, followed.
    pub(crate) fn now_ms(self) -> i64 {
        self.0.get()
    }
}

/// The clock.
pub(crate) fn use_clock() -> Clock {
    expect_context()
}

/// Unix milliseconds, right now.
#[expect(clippy::cast_possible_truncation, reason = "whole milliseconds of this era fit")]
pub(crate) fn now_ms() -> i64 {
    js_sys::Date::now() as i64
}

pub(super) fn provide() {
    let now = RwSignal::new(now_ms());
    provide_context(Clock(now));
    if let Ok(handle) = set_interval_with_handle(move || now.set(now_ms()), TICK) {
        on_cleanup(move || handle.clear());
    }
}
