//! Measured by hand: `TW_STORE_SPEED=/some/folder cargo test -p tw-store -- --ignored --nocapture speed`. The folder's
//! workspace is made where it is missing (`TW_STORE_SPEED_TRACES`, else 100,000) and used again.

use std::time::Instant;

use tw_artifact::{FindingCount, LintRule, Review, ReviewChange, ReviewStatus, Severity, ToolDefinition};

use super::*;
use crate::{MarkedMessage, NewImport, TraceQuery, TraceSort};

/// Numbers that look random and are the same every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    /// Few words often, many seldom, as in any language.
    fn word(&mut self) -> String {
        let range = 1 << (1 + self.roll(15));
        format!("w{}", self.roll(range))
    }

    /// `TW_STORE_SPEED_PERCENT` makes all texts shorter.
    fn text(&mut self, words: u64) -> String {
        let percent: u64 = std::env::var("TW_STORE_SPEED_PERCENT").map_or(100, |it| it.parse().unwrap());
        (0..words * percent / 100).map(|_| self.word()).collect::<Vec<_>>().join(" ")
    }
}

fn trace(dice: &mut Dice, number: u32) -> NewImport {
    let mut messages = vec![Message::system(dice.text(60)), Message::user(dice.text(12))];
    for step in 0..5 {
        let (id, tool) = (format!("c{step}"), format!("browser_{}", dice.roll(20)));
        let arguments = Json::parse(&format!(r#"{{"ref":"e{}"}}"#, dice.roll(500))).unwrap();
        let call = Message::tool_call(&id, &tool, arguments);
        messages.push(Message::assistant("", Some(dice.text(40)), vec![call]));
        let words = 250 + dice.roll(300);
        messages.push(Message::tool(&id, &tool, format!("page {}", dice.text(words))));
    }
    messages.push(Message::assistant(dice.text(40), None, Vec::new()));
    let steps: Vec<u32> = crate::steps_of(messages.iter().map(Message::role)).collect();
    let messages = messages.into_iter().zip(steps).map(|(message, step)| {
        let tokens = u32::try_from(message.text().len() / 4).unwrap();
        MarkedMessage::from(NewMessage { message, step, tokens })
    });
    let findings = (dice.roll(3) == 0)
        .then_some(FindingCount { rule: LintRule::Secret, severity: Severity::Warning, count: 1 })
        .into_iter();
    let status =
        [ReviewStatus::Open, ReviewStatus::Accepted, ReviewStatus::Rejected][usize::try_from(dice.roll(3)).unwrap()];
    NewImport {
        format: "workshop".to_owned(),
        model: format!("model-{}", dice.roll(12)),
        timestamp_ms: Some(1_700_000_000_000 + i64::from(number) * 1_000),
        messages: messages.collect(),
        tools: (0..8)
            .map(|n| {
                ToolDefinition::new(&format!("browser_{n}"), "Clicks.", Json::parse(r#"{"type":"object"}"#).unwrap())
            })
            .collect(),
        errors: u32::try_from(dice.roll(4)).unwrap(),
        review: Review {
            status,
            rating: Some(u8::try_from(1 + dice.roll(5)).unwrap()),
            tags: vec![format!("tag-{}", dice.roll(30))],
            note: String::new(),
        },
        findings: findings.collect(),
        lint_version: 1,
        fingerprint: Some(vec![7; 256]),
        ..NewImport::default()
    }
}

#[tokio::test]
#[ignore = "measures, by hand"]
async fn speed_of_a_hundred_thousand_traces() {
    let Ok(dir) = std::env::var("TW_STORE_SPEED") else { return };
    let count: u32 = std::env::var("TW_STORE_SPEED_TRACES").map_or(100_000, |count| count.parse().unwrap());
    let begun = Instant::now();
    let store = Store::open(Utf8Path::new(&dir)).unwrap();
    println!("open {:?}", begun.elapsed());
    if store.list(TraceQuery { limit: 1, ..TraceQuery::default() }).await.unwrap().total == 0 {
        let begun = Instant::now();
        let mut dice = Dice(1);
        let mut bytes = 0;
        let batch: u32 = std::env::var("TW_STORE_SPEED_BATCH").map_or(64, |batch| batch.parse().unwrap());
        for first in (0..count).step_by(usize::try_from(batch).unwrap()) {
            let traces: Vec<NewImport> = (first..first + batch).map(|n| trace(&mut dice, n)).collect();
            bytes += traces.iter().flat_map(|it| &it.messages).map(|it| it.new.message.text().len()).sum::<usize>();
            store.import_many(traces).await.unwrap();
        }
        println!("import {:?}, {} MB of text", begun.elapsed(), bytes / 1_000_000);
    }
    let base = TraceQuery::default;
    let with = |search: &str| TraceQuery { search: search.to_owned(), ..base() };
    let sorted = |sort: TraceSort| TraceQuery { sort, ..base() };
    let at = |offset: u32| TraceQuery { offset, ..base() };
    for (name, query) in [
        ("first page", base()),
        ("offset 90,000", at(90_000)),
        ("by title", sorted(TraceSort::Title)),
        ("by tokens, offset 50,000", TraceQuery { offset: 50_000, ..sorted(TraceSort::Tokens) }),
        ("by rating", sorted(TraceSort::Rating)),
        ("rare word", with("w31000")),
        ("word in some", with("w5000")),
        ("word in many", with("w900")),
        ("word in all", with("\"page\"")),
        ("word in all, offset 50,000", TraceQuery { offset: 50_000, ..with("\"page\"") }),
        ("prefix of a rare word", with("w3100")),
        ("prefix of many words", with("w31")),
        ("two letters", with("pa")),
        ("two words", with("w900 w5000")),
        ("by score", TraceQuery { sort: TraceSort::Relevance, ..with("w5000") }),
        ("negated word", with("-w5000")),
        ("tool", with("tool:browser_3")),
        ("rating", with("rating:>=4")),
        ("tokens", with("tokens:<2000")),
        ("tag", with("tag:tag-7")),
        ("lint", with("lint:secret")),
        ("is open", with("is:open")),
        ("is open, offset 20,000", TraceQuery { offset: 20_000, ..with("is:open") }),
        ("model part", with("model:EL-3")),
        ("title part", with("title:w31")),
        ("many fields", with("w900 tool:browser_3 rating:>=3 is:open -tag:tag-1")),
    ] {
        let mut best = None;
        let mut found = 0;
        let mut first = None;
        // Before the hits are known.
        let begun = Instant::now();
        let quick = store.list(TraceQuery { quick: true, ..query.clone() }).await.unwrap();
        let at_once = begun.elapsed();
        for _ in 0..4 {
            let begun = Instant::now();
            found = store.list(query.clone()).await.unwrap().total;
            let took = begun.elapsed();
            first = first.or(Some(took));
            best = best.min(Some(took)).or(Some(took));
        }
        println!(
            "{name:28} {found:>7} found, quick {at_once:>10.2?} ({}, {}), first {:>10.2?}, best {:>10.2?}",
            quick.traces.len(),
            if quick.counted { "all" } else { "some" },
            first.unwrap(),
            best.unwrap()
        );
    }
    let begun = Instant::now();
    store.facets().await.unwrap();
    println!("facets {:?}", begun.elapsed());
    let begun = Instant::now();
    store.stats(&base()).await.unwrap();
    println!("stats {:?}", begun.elapsed());
    let begun = Instant::now();
    println!("ids {} {:?}", store.ids(&base()).await.unwrap().len(), begun.elapsed());
    let begun = Instant::now();
    let change = ReviewChange { add_tags: vec!["bulk".to_owned()], rating: Some(3), ..ReviewChange::default() };
    let marked = store.mark_found(&with("is:open"), change).await.unwrap();
    println!("mark {marked} {:?}", begun.elapsed());
    let change = ReviewChange { remove_tags: vec!["bulk".to_owned()], ..ReviewChange::default() };
    store.mark_found(&with("is:open"), change).await.unwrap();
    let id = store.ids(&at(0)).await.unwrap()[500].clone();
    let begun = Instant::now();
    let edition = store.edition(&id, None).await.unwrap();
    println!("edition of {} messages {:?}", edition.messages.len(), begun.elapsed());
}
