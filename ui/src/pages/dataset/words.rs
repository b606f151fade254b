//! What the settings of a dataset mean, in one sentence each, and figures in words. Pure.

use tw_artifact::{DatasetPlan, DatasetVersion, OverLimit, RowFate, SplitTotals, TrainOn, Unroll};

/// What an unroll mode does.
pub(crate) const fn unroll_words(unroll: Unroll) -> &'static str {
    match unroll {
        Unroll::None => "One row per trace. Templates that drop old reasoning (Qwen3) then train only part of it.",
        Unroll::User => "A row for each question, up to the last answer before the next one.",
        Unroll::Step => "A row for each answer, each in exactly the text the model sees when it writes it.",
        Unroll::Minimal => "The fewest rows that still train every answer once, in the text it was written in.",
    }
}

/// What is trained.
pub(crate) const fn train_words(unroll: Unroll, train: TrainOn) -> &'static str {
    match (unroll, train) {
        (Unroll::Minimal, _) => "The fewest rows say themselves what each trains: every answer once.",
        (_, TrainOn::Last) => "The loss counts the last answer of each row; what stands before it is context.",
        (_, TrainOn::Turn) => "The loss counts every answer after the row's last question.",
        (_, TrainOn::All) => {
            "The loss counts every answer of a row, so an answer in several rows counts several times."
        }
    }
}

/// What happens to rows over the limit.
pub(crate) const fn over_limit_words(policy: OverLimit) -> &'static str {
    match policy {
        OverLimit::Drop => "A longer row is left out.",
        OverLimit::CutResults => "In a longer row the oldest tool results are cut short until it fits.",
        OverLimit::Split => {
            "A longer row becomes several, each with the system message, the first question and what fits."
        }
    }
}

/// Why a plan cannot be built as it is, in words; `None` when it can.
pub(crate) fn hindrance(plan: &DatasetPlan) -> Option<&'static str> {
    if plan.name.trim().is_empty() {
        return Some("Give it a name first.");
    }
    if !(0.0..1.0).contains(&plan.validation_fraction) {
        return Some("The part for validation must be below 100 %.");
    }
    None
}

/// Reads a number of tokens as a person types it: digits with separators, `32k`. Empty is `Ok(None)`.
///
/// # Errors
/// What is wrong, in words.
pub(crate) fn read_tokens(text: &str) -> Result<Option<u32>, &'static str> {
    let text: String = text.chars().filter(|c| !matches!(c, ' ' | ',' | '_' | '\u{a0}' | '\u{202f}')).collect();
    if text.is_empty() {
        return Ok(None);
    }
    let (digits, unit) = match text.strip_suffix(['k', 'K']) {
        Some(digits) => (digits, 1_024),
        None => (text.as_str(), 1),
    };
    match digits.parse::<u32>().ok().and_then(|number| number.checked_mul(unit)) {
        Some(0) => Err("A limit of no tokens leaves nothing."),
        Some(tokens) => Ok(Some(tokens)),
        None => Err("A whole number of tokens, such as 32768 or 32k."),
    }
}

/// Both parts together.
pub(crate) const fn together(train: SplitTotals, validation: SplitTotals) -> SplitTotals {
    SplitTotals {
        traces: train.traces + validation.traces,
        rows: train.rows + validation.rows,
        preferences: train.preferences + validation.preferences,
        messages: train.messages + validation.messages,
        tokens: train.tokens + validation.tokens,
        trained_tokens: train.trained_tokens + validation.trained_tokens,
    }
}

/// Both parts of a version together.
pub(crate) const fn whole(version: &DatasetVersion) -> SplitTotals {
    together(version.train, version.validation)
}

/// A share in percent: whole ones, tenths below ten.
pub(crate) fn percent(part: u64, of: u64) -> String {
    if of == 0 {
        return "0 %".to_owned();
    }
    let tenths = (u128::from(part) * 1_000 + u128::from(of) / 2) / u128::from(of);
    match tenths {
        0 if part > 0 => "under 0.1 %".to_owned(),
        0..100 if tenths % 10 != 0 => format!("{}.{} %", tenths / 10, tenths % 10),
        _ => format!("{} %", (tenths + 5) / 10),
    }
}

/// A share, 0 to 1, for drawing.
#[expect(clippy::cast_precision_loss, reason = "a share for drawing")]
pub(crate) fn share(part: u64, of: u64) -> f64 {
    if of == 0 { 0.0 } else { (part as f64 / of as f64).clamp(0.0, 1.0) }
}

/// `2.8`: how many times fewer, from what [`tw_artifact::TrieTotals::saved_percent`] gives.
pub(crate) fn times(percent: u64) -> String {
    let tenths = (percent + 5) / 10;
    if tenths.is_multiple_of(10) { (tenths / 10).to_string() } else { format!("{}.{}", tenths / 10, tenths % 10) }
}

/// Mebibytes as `780 MiB`, `14.2 GiB`.
pub(crate) fn memory(mib: u64) -> String {
    if mib < 1_024 {
        return format!("{mib} MiB");
    }
    let tenths = (mib * 10 + 512) / 1_024;
    if tenths >= 1_000 { format!("{} GiB", tenths / 10) } else { format!("{}.{} GiB", tenths / 10, tenths % 10) }
}

/// Seconds of training as a person says them: `40 s`, `12 min`, `3 h 20 min`, `2 days 4 h`.
pub(crate) fn long_time(secs: u64) -> String {
    match secs {
        0 => "under 1 s".to_owned(),
        1..60 => format!("{secs} s"),
        60..3_600 => format!("{} min", (secs + 30) / 60),
        3_600..172_800 => {
            let minutes = (secs + 30) / 60;
            if minutes.is_multiple_of(60) {
                format!("{} h", minutes / 60)
            } else {
                format!("{} h {} min", minutes / 60, minutes % 60)
            }
        }
        _ => {
            let hours = (secs + 1_800) / 3_600;
            if hours.is_multiple_of(24) {
                format!("{} days", hours / 24)
            } else {
                format!("{} days {} h", hours / 24, hours % 24)
            }
        }
    }
}

/// The trace that a row's id names, and the number of messages where it ends earlier: `<trace>_trunc_<messages>`.
pub(crate) fn trace_of_row(id: &str) -> (&str, Option<u32>) {
    match id.rsplit_once("_trunc_") {
        Some((trace, number)) => match number.split('_').next().unwrap_or_default().parse() {
            Ok(number) => (trace, Some(number)),
            Err(_) => (id, None),
        },
        None => (id, None),
    }
}

/// What became of a row, in a word or two; `None` for one that is simply there.
pub(crate) const fn fate_words(fate: RowFate) -> Option<&'static str> {
    Some(match fate {
        RowFate::Kept => return None,
        RowFate::Cut => "results cut",
        RowFate::OverLimit => "over the limit",
        RowFate::Duplicate => "duplicate",
        RowFate::Untrained => "nothing trained",
        RowFate::NotRendered => "not rendered",
    })
}

/// Whether a row with this fate is in the dataset.
pub(crate) const fn is_in(fate: RowFate) -> bool {
    matches!(fate, RowFate::Kept | RowFate::Cut)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_tokens_is_read_as_people_write_it() {
        assert_eq!(read_tokens(""), Ok(None));
        assert_eq!(read_tokens(" 32,768 "), Ok(Some(32_768)));
        assert_eq!(read_tokens("32k"), Ok(Some(32_768)));
        assert_eq!(read_tokens("8 K"), Ok(Some(8_192)));
        assert!(read_tokens("0").is_err());
        assert!(read_tokens("-5").is_err());
        assert!(read_tokens("many").is_err());
        assert!(read_tokens("9999999999").is_err());
        assert!(read_tokens("4194304k").is_err());
    }

    #[test]
    fn shares_never_round_something_to_nothing() {
        assert_eq!(percent(0, 0), "0 %");
        assert_eq!(percent(0, 10), "0 %");
        assert_eq!(percent(1, 100_000), "under 0.1 %");
        assert_eq!(percent(1_035, 14_365), "7.2 %");
        assert_eq!(percent(1, 2), "50 %");
        assert_eq!(percent(3, 3), "100 %");
        assert_eq!(percent(u64::MAX, u64::MAX), "100 %");
    }

    #[test]
    fn times_have_a_tenth_where_there_is_one() {
        assert_eq!(times(100), "1");
        assert_eq!(times(279), "2.8");
        assert_eq!(times(300), "3");
    }

    #[test]
    fn time_and_memory_are_said_as_people_say_them() {
        for (secs, words) in [
            (0, "under 1 s"),
            (59, "59 s"),
            (61, "1 min"),
            (3_600, "1 h"),
            (12_000, "3 h 20 min"),
            (187_200, "2 days 4 h"),
            (172_800, "2 days"),
        ] {
            assert_eq!(long_time(secs), words);
        }
        assert_eq!(memory(780), "780 MiB");
        assert_eq!(memory(14_541), "14.2 GiB");
        assert_eq!(memory(204_800), "200 GiB");
    }

    #[test]
    fn a_rows_id_names_its_trace() {
        assert_eq!(trace_of_row("0198-ab"), ("0198-ab", None));
        assert_eq!(trace_of_row("0198-ab_trunc_7"), ("0198-ab", Some(7)));
        assert_eq!(trace_of_row("a_trunc_b"), ("a_trunc_b", None));
        assert_eq!(trace_of_row("a_trunc_4_trunc_9"), ("a_trunc_4", Some(9)));
    }

    #[test]
    fn what_cannot_be_built_says_why() {
        let mut plan = DatasetPlan::default();
        assert!(hindrance(&plan).is_some());
        plan.name = "shop".to_owned();
        assert_eq!(hindrance(&plan), None);
        for fraction in [1.0, -0.1, f64::NAN] {
            plan.validation_fraction = fraction;
            assert!(hindrance(&plan).is_some(), "{fraction}");
        }
    }
}
