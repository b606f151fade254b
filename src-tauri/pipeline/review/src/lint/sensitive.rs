//! Secrets and personal data: where they stand, and edits that put stand-ins in their place everywhere at once.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use aho_corasick::{AhoCorasick, MatchKind};
use indexmap::IndexMap;
use tw_artifact::{EditOp, Json, LintRule, Place, Repair, Role, Severity, TextField};

use super::memory::LintMemory;
use super::random::is_wordy;
use super::report::{Report, Ruler, repair};
use super::shapes::{Kind, highest_numbers};
use super::view::{Turn, shown_arguments};

/// Different values of a rule that are told apart; more are only counted.
const MOST_VALUES: usize = 1_000;
/// Bytes of a repair that is given again at each further place.
const REPEATED_BYTES: usize = 64 << 10;

/// A text of the trace.
struct Text<'a> {
    id: u64,
    /// Its turn, by place.
    turn: usize,
    field: TextField,
    text: Cow<'a, str>,
    /// How a reason names it.
    name: String,
    can_be_set: bool,
}

/// Something recognised, the same wherever it stands. Kept by its text, an address by that in small letters.
struct Value {
    kind: Kind,
    stand_in: String,
    /// By text, in order.
    ranges: Vec<(usize, Range<usize>)>,
}

pub(super) fn check(turns: &[Turn<'_>], memory: &mut LintMemory, report: &mut Report) {
    let texts = texts_of(turns);
    let keyed: Vec<(i64, &str)> = texts.iter().map(|text| (turns[text.turn].key, &*text.text)).collect();
    let recognised = memory.look(&keyed);
    let mut values: IndexMap<String, Value> = IndexMap::new();
    let mut taken: Vec<String> = Vec::new();
    let (mut secrets, mut others, mut left_out) = (0, 0, Vec::new());
    for (at, (text, hits)) in texts.iter().zip(recognised).enumerate() {
        for hit in hits {
            let found = &text.text[hit.range.clone()];
            if hit.kind == Kind::Taken {
                taken.push(found.to_owned());
                continue;
            }
            let slot = if hit.kind.is_secret() { &mut secrets } else { &mut others };
            // Addresses are the same in any case; of secrets and names every letter counts.
            let key = if hit.kind == Kind::Email { found.to_ascii_lowercase() } else { found.to_owned() };
            if let Some(value) = values.get_mut(&key) {
                value.ranges.push((at, hit.range));
            } else if *slot < MOST_VALUES {
                *slot += 1;
                let value = Value { kind: hit.kind, stand_in: String::new(), ranges: vec![(at, hit.range)] };
                values.insert(key, value);
            } else {
                left_out.push((hit.kind, at, hit.range));
            }
        }
    }
    if values.is_empty() {
        return;
    }
    name_stand_ins(&mut values, &taken);
    find_elsewhere(&texts, &mut values);
    // Secrets first: where there is no room for every repair, theirs are made.
    for only_secrets in [true, false] {
        for (found, value) in values.iter().filter(|(_, value)| value.kind.is_secret() == only_secrets) {
            report_value(&texts, found, value, report);
        }
    }
    for (kind, at, range) in left_out {
        let place = places(&texts[at], std::slice::from_ref(&range));
        let (rule, severity) = rule_of(kind);
        report.add(rule, severity, place, reason_of(kind, "", &texts[at].name), None);
    }
}

fn texts_of<'a>(turns: &[Turn<'a>]) -> Vec<Text<'a>> {
    let mut texts = Vec::with_capacity(turns.len());
    for (place, turn) in turns.iter().enumerate() {
        let whose = match turn.role {
            Role::System => "the system prompt".to_owned(),
            Role::User => "a message of the user".to_owned(),
            Role::Assistant => "an answer".to_owned(),
            Role::Tool => turn.tool.map_or_else(|| "a result".to_owned(), |tool| format!("a result of \"{tool}\"")),
        };
        if let Some(reasoning) = turn.reasoning {
            let name = "the reasoning of an answer".to_owned();
            let text = Cow::Borrowed(reasoning);
            texts.push(Text { id: turn.id, turn: place, field: TextField::Reasoning, text, name, can_be_set: true });
        }
        if !turn.text.is_empty() {
            let (text, can_be_set) = (turn.text.clone(), turn.is_one_text);
            texts.push(Text { id: turn.id, turn: place, field: TextField::Content, text, name: whose, can_be_set });
        }
        for (call, view) in (0_u32..).zip(&turn.calls) {
            let text = shown_arguments(view);
            if !text.is_empty() {
                let name = format!("the arguments of a call of \"{}\"", view.name);
                texts.push(Text {
                    id: turn.id,
                    turn: place,
                    field: TextField::Arguments { call },
                    text,
                    name,
                    can_be_set: true,
                });
            }
        }
    }
    texts
}

/// Numbers stand-ins in the order in which the values come, past those that are there from earlier repairs, so that
/// different values stay different and the same one stays the same.
fn name_stand_ins(values: &mut IndexMap<String, Value>, taken: &[String]) {
    let mut numbers: HashMap<String, u32> = highest_numbers(taken.iter().map(String::as_str));
    let mut next = |mark: &str| {
        let number = numbers.entry(mark.to_owned()).or_default();
        *number += 1;
        *number
    };
    for value in values.values_mut() {
        value.stand_in = match value.kind {
            Kind::Secret { mark, .. } => format!("[REDACTED_{mark}_{}]", next(&format!("REDACTED_{mark}"))),
            Kind::Email => match next("user") {
                1 => "user@example.com".to_owned(),
                number => format!("user{number}@example.com"),
            },
            Kind::Home | Kind::Taken => "user".to_owned(),
        };
    }
}

/// A secret that was recognised by what stands around it may stand elsewhere alone. Short ones and words are left: they
/// would be found in other words.
fn find_elsewhere(texts: &[Text<'_>], values: &mut IndexMap<String, Value>) {
    const SHORTEST: usize = 12;
    let strong: Vec<usize> = values
        .iter()
        .enumerate()
        .filter(|(_, (found, value))| value.kind.is_secret() && found.len() >= SHORTEST && !is_wordy(found.as_bytes()))
        .map(|(place, _)| place)
        .collect();
    let words = strong.iter().filter_map(|place| values.get_index(*place).map(|(found, _)| found.as_str()));
    let Ok(finder) = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(words) else { return };
    if strong.is_empty() {
        return;
    }
    let mut found: Vec<Vec<(usize, Range<usize>)>> = vec![Vec::new(); strong.len()];
    for (at, text) in texts.iter().enumerate() {
        for place in finder.find_iter(&*text.text) {
            found[place.pattern().as_usize()].push((at, place.range()));
        }
    }
    for (place, ranges) in strong.into_iter().zip(found) {
        if let Some((_, value)) = values.get_index_mut(place)
            && !ranges.is_empty()
        {
            value.ranges = ranges;
        }
    }
}

const fn rule_of(kind: Kind) -> (LintRule, Severity) {
    if kind.is_secret() { (LintRule::Secret, Severity::Error) } else { (LintRule::PersonalData, Severity::Warning) }
}

fn reason_of(kind: Kind, found: &str, name: &str) -> String {
    match kind {
        Kind::Secret { what, has_prefix, .. } => {
            // Four characters of a known prefix say which kind it is and nothing of the secret.
            let head = if has_prefix { found.get(..4).map(|head| format!(" ({head}...)")) } else { None };
            let what = format!("{}{}", what[..1].to_uppercase(), &what[1..]);
            format!("{what}{} stands in {name}.", head.unwrap_or_default())
        }
        Kind::Email => format!("An e-mail address stands in {name}."),
        Kind::Home | Kind::Taken => format!("A home folder with a person's name stands in {name}."),
    }
}

/// The first of the ranges of a value in a text.
fn places(text: &Text<'_>, ranges: &[Range<usize>]) -> Option<Place> {
    let first = ranges.first()?;
    let mut ruler = Ruler::new(&text.text);
    let begin = ruler.place_of(first.start);
    Some(Place { id: text.id, field: Some(text.field), begin, end: ruler.place_of(first.end) })
}

/// One finding for each text that a value stands in.
fn report_value(texts: &[Text<'_>], found: &str, value: &Value, report: &mut Report) {
    let (rule, severity) = rule_of(value.kind);
    let mut by_text: IndexMap<usize, Vec<Range<usize>>> = IndexMap::new();
    for (at, range) in &value.ranges {
        by_text.entry(*at).or_default().push(range.clone());
    }
    let mend = if report.is_full(rule) { None } else { mend(texts, value, &by_text, report) };
    for (nth, (at, ranges)) in by_text.iter().enumerate() {
        let text = &texts[*at];
        let mut reason = reason_of(value.kind, found, &text.name);
        if nth > 0 {
            reason.push_str(" It is the same as before.");
        } else if by_text.len() > 1 {
            reason.push_str(&format!(" The same stands in {} texts.", by_text.len()));
        }
        let place = if report.is_full(rule) { None } else { places(text, ranges) };
        let mend = match &mend {
            Some((mend, bytes)) if nth == 0 || (*bytes <= REPEATED_BYTES && report.take_room(*bytes)) => {
                Some(mend.clone())
            }
            _ => None,
        };
        report.add(rule, severity, place, reason, mend);
    }
}

/// Puts the stand-in wherever the value stands and a text can be set; the bytes of the new texts.
fn mend(
    texts: &[Text<'_>],
    value: &Value,
    by_text: &IndexMap<usize, Vec<Range<usize>>>,
    report: &mut Report,
) -> Option<(Repair, usize)> {
    let bytes: usize = by_text.keys().map(|at| texts[*at].text.len()).sum();
    if !report.take_room(bytes) {
        return None;
    }
    let mut ops: Vec<EditOp> =
        by_text.iter().filter_map(|(at, ranges)| replace(&texts[*at], ranges, &value.stand_in)).collect();
    let label = match value.kind {
        Kind::Secret { .. } => "Replace the secret",
        Kind::Email => "Replace the address",
        Kind::Home | Kind::Taken => "Replace the name",
    };
    let op = match ops.len() {
        0 => return None,
        1 => ops.remove(0),
        _ => EditOp::Many { label: format!("{label} everywhere"), ops },
    };
    let label = if by_text.len() > 1 { format!("{label} everywhere") } else { label.to_owned() };
    Some((repair(&label, op), bytes))
}

fn replace(text: &Text<'_>, ranges: &[Range<usize>], stand_in: &str) -> Option<EditOp> {
    if !text.can_be_set {
        return None;
    }
    let mut new = String::with_capacity(text.text.len());
    let mut from = 0;
    for range in ranges {
        new.push_str(text.text.get(from..range.start)?);
        new.push_str(stand_in);
        from = range.end;
    }
    new.push_str(text.text.get(from..)?);
    match text.field {
        // Stand-ins have nothing that JSON escapes: what is an object still after the change changed in texts only.
        TextField::Arguments { call } => match Json::parse(&new) {
            Ok(arguments @ Json::Object(_)) => Some(EditOp::SetArguments { id: text.id, call, arguments }),
            _ => None,
        },
        field => Some(EditOp::SetText { id: text.id, field, text: new }),
    }
}
