//! Numbers, times and sizes as people read them.

use tw_artifact::RunState;

/// `1,204`
pub(crate) fn count(value: impl TryInto<u64>) -> String {
    let digits = value.try_into().unwrap_or(0).to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 tool`, `2 tools`: a counted noun whose plural is made with an s.
pub(crate) fn counted(value: impl TryInto<u64>, noun: &str) -> String {
    let value = value.try_into().unwrap_or(0);
    if value == 1 { format!("1 {noun}") } else { format!("{} {noun}s", count(value)) }
}

/// `830`, `4.2k`, `54k`, `1.3M`
pub(crate) fn short_count(value: impl TryInto<u64>) -> String {
    let value = value.try_into().unwrap_or(0);
    let short = |unit: u64, sign: char| {
        let tenths = (value * 10 + unit / 2) / unit;
        if tenths >= 100 || tenths.is_multiple_of(10) {
            format!("{}{sign}", (tenths + 5) / 10)
        } else {
            format!("{}.{}{sign}", tenths / 10, tenths % 10)
        }
    };
    match value {
        0..1_000 => value.to_string(),
        1_000..999_500 => short(1_000, 'k'),
        _ => short(1_000_000, 'M'),
    }
}

/// `830 tokens`, `4.2k tokens`
pub(crate) fn counted_short(value: impl TryInto<u64>, noun: &str) -> String {
    let value = value.try_into().unwrap_or(0);
    if value == 1 { format!("1 {noun}") } else { format!("{} {noun}s", short_count(value)) }
}

/// `340 ms`, `2.4 s`, `1 min 5 s`, `2 h 3 min`
pub(crate) fn duration(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        60_000..3_600_000 => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1_000),
        _ => format!("{} h {} min", ms / 3_600_000, ms % 3_600_000 / 60_000),
    }
}

/// `512 B`, `4.2 kB`, `1.3 MB`
pub(crate) fn bytes(value: u64) -> String {
    match value {
        0..1_000 => format!("{value} B"),
        1_000..1_000_000 => format!("{}.{} kB", value / 1_000, value % 1_000 / 100),
        _ => format!("{}.{} MB", value / 1_000_000, value % 1_000_000 / 100_000),
    }
}

/// `just now`, `4 min ago`, `3 h ago`, `yesterday`, `5 days ago`, then the date.
pub(crate) fn relative(at_ms: i64, now_ms: i64) -> String {
    let secs = (now_ms - at_ms).max(0) / 1_000;
    match secs {
        0..60 => "just now".to_owned(),
        60..3_600 => format!("{} min ago", secs / 60),
        3_600..86_400 => format!("{} h ago", secs / 3_600),
        86_400..172_800 => "yesterday".to_owned(),
        172_800..2_592_000 => format!("{} days ago", secs / 86_400),
        _ => date(at_ms),
    }
}

/// The date in the person's own form.
pub(crate) fn date(at_ms: i64) -> String {
    String::from(at(at_ms).to_locale_date_string("default", &wasm_bindgen::JsValue::UNDEFINED))
}

/// Date and time in the person's own form.
pub(crate) fn absolute(at_ms: i64) -> String {
    String::from(at(at_ms).to_locale_string("default", &wasm_bindgen::JsValue::UNDEFINED))
}

/// The time of the day in the person's own form, without seconds.
pub(crate) fn time_of_day(at_ms: i64) -> String {
    let options = js_sys::Object::new();
    for part in ["hour", "minute"] {
        // A plain object takes any key.
        js_sys::Reflect::set(&options, &part.into(), &"2-digit".into()).unwrap_or_default();
    }
    String::from(at(at_ms).to_locale_time_string_with_options("default", &options))
}

fn at(at_ms: i64) -> js_sys::Date {
    // Whole milliseconds of this era are exact in a double.
    js_sys::Date::new(&(at_ms as f64).into())
}

/// The first line that is not empty, at most `max_chars` long.
pub(crate) fn first_line(text: &str, max_chars: usize) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let mut short: String = line.chars().take(max_chars).collect();
    if short.len() < line.len() {
        short.push('…');
    }
    short
}

/// What a state means, for people.
pub(crate) const fn state_label(state: RunState) -> &'static str {
    match state {
        RunState::Queued => "Queued",
        RunState::Running => "Running",
        RunState::Waiting => "Waiting for you",
        RunState::Done => "Done",
        RunState::Stopped => "Stopped",
        RunState::Limit => "Limit reached",
        RunState::Failed => "Failed",
        RunState::Interrupted => "Interrupted",
    }
}
