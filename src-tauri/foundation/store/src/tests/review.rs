use tw_artifact::{
    Branch, FindingCount, LintRule, Marks, Review, ReviewChange, ReviewStatus, Severity, ToolDefinition,
};

use super::*;
use crate::{Look, MarkedMessage, NewImport, TraceQuery, TraceSort};

fn query(search: &str) -> TraceQuery {
    TraceQuery { search: search.to_owned(), sort: TraceSort::Title, descending: false, ..TraceQuery::default() }
}

fn import(title: &str) -> NewImport {
    let message = Message::user(format!("Please: {title}"));
    NewImport {
        format: "trl".to_owned(),
        title: title.to_owned(),
        messages: vec![NewMessage { message, step: 0, tokens: 5 }.into()],
        ..NewImport::default()
    }
}

/// Traces with the titles A, B, C ...
async fn several(store: &Store, count: u8) -> Vec<String> {
    let imports = (0..count).map(|n| import(&char::from(b'A' + n).to_string())).collect();
    store.import_many(imports).await.unwrap()
}

async fn titles(store: &Store, search: &str) -> String {
    let list = store.list(query(search)).await.unwrap();
    assert_eq!(list.problems, Vec::<String>::new(), "{search}");
    let titles: Vec<String> = list.traces.into_iter().map(|it| it.title).collect();
    titles.join("")
}

#[tokio::test]
async fn what_was_imported_is_found_as_if_it_had_come_message_by_message() {
    let Workspace { store, folder: _folder } = Workspace::new();
    let id = several(&store, 2).await.remove(0);
    check_integrity(&store).await;
    assert_eq!(titles(&store, "title:B").await, "B");
    assert_eq!(titles(&store, "please").await, "AB");
    // The triggers are at work again.
    let message = NewMessage { message: Message::assistant("A kettle", None, Vec::new()), step: 1, tokens: 2 };
    store.append(&id, message, None, Vec::new(), Vec::new()).await.unwrap();
    assert_eq!(titles(&store, "kettle").await, "A");
    store.delete_trace(&id).await.unwrap();
    check_integrity(&store).await;
    assert_eq!(titles(&store, "please").await, "B");
}

#[tokio::test]
async fn words_that_very_many_traces_have_are_shown_before_they_are_counted() {
    let Workspace { store, folder: _folder } = Workspace::new();
    // More rows than are gathered at once, in traces of many messages.
    let said = |n: usize, of: u8| NewMessage {
        message: Message::user(format!(
            "Please look, {of} {}",
            if n == 7 && of.is_multiple_of(2) { "even" } else { "" }
        )),
        step: 0,
        tokens: 1,
    };
    for of in 0..16 {
        let messages = (0..2_000).map(|n| said(n, of).into()).collect();
        let title = char::from(b'A' + of).to_string();
        let new = NewImport { title, messages, timestamp_ms: Some(i64::from(of)), ..NewImport::default() };
        store.import_many(vec![new]).await.unwrap();
    }
    let quick = |search: &str, offset: u32| TraceQuery { quick: true, limit: 3, offset, ..query(search) };
    let list = store.list(quick("\"please\"", 0)).await.unwrap();
    let titles: Vec<&str> = list.traces.iter().map(|it| it.title.as_str()).collect();
    assert_eq!((titles, list.counted, list.total), (vec!["A", "B", "C"], false, 3));
    assert!(list.traces[0].snippet.as_deref().unwrap_or_default().contains("\u{2}Please\u{3}"), "{list:?}");
    let list = store.list(quick("\"please\" -even", 1)).await.unwrap();
    let titles: Vec<&str> = list.traces.iter().map(|it| it.title.as_str()).collect();
    assert_eq!((titles, list.counted), (vec!["D", "F", "H"], false));
    // All of them fit on the page: they are counted.
    let list = store.list(TraceQuery { limit: 100, ..quick("\"please\" title:C", 0) }).await.unwrap();
    assert_eq!((list.traces.len(), list.counted, list.total), (1, true, 1));
    // Whoever wants all gets all, however it was asked.
    assert_eq!(store.ids(&quick("\"please\" -even", 0)).await.unwrap().len(), 8);
    let list = store.list(TraceQuery { quick: false, ..quick("\"please\"", 0) }).await.unwrap();
    assert_eq!((list.traces.len(), list.counted, list.total), (3, true, 16));
    // Now they are known, until a text changes; a rating is none.
    let change = ReviewChange { rating: Some(4), ..ReviewChange::default() };
    store.mark(vec![list.traces[0].id.clone()], change).await.unwrap();
    assert!(store.list(quick("\"please\"", 0)).await.unwrap().counted);
    let message = NewMessage { message: Message::user("please"), step: 0, tokens: 1 };
    store.append(&list.traces[0].id, message, None, Vec::new(), Vec::new()).await.unwrap();
    assert!(!store.list(quick("\"please\"", 0)).await.unwrap().counted);
}

#[tokio::test]
async fn an_import_keeps_everything_of_a_record() {
    let Workspace { store, folder: _folder } = Workspace::new();
    let entry = Message::tool_call("c", "look", Json::parse(r#"{"at":1.0}"#).unwrap());
    let marks = Marks { train: Some(false), ..Marks::default() };
    let messages = vec![
        MarkedMessage {
            new: NewMessage { message: Message::user("Find\nshoes"), step: 0, tokens: 4 },
            marks: marks.clone(),
        },
        NewMessage { message: Message::assistant("", None, vec![entry]), step: 1, tokens: 6 }.into(),
    ];
    let envelope = Json::parse(r#"["any",{"json":1.50}]"#).unwrap();
    let finding = FindingCount { rule: LintRule::Refusal, severity: Severity::Warning, count: 3 };
    let review = Review {
        status: ReviewStatus::Accepted,
        rating: Some(4),
        tags: vec!["checkout".to_owned()],
        note: "good".to_owned(),
    };
    let tools = vec![ToolDefinition::new("look", "Looks.", Json::parse("{}").unwrap())];
    let new = NewImport {
        format: "axolotl".to_owned(),
        envelope: envelope.clone(),
        model: "Qwen/Qwen3-8B".to_owned(),
        timestamp_ms: Some(77),
        messages: messages.clone(),
        tools: tools.clone(),
        errors: 2,
        review: review.clone(),
        findings: vec![finding],
        lint_version: 3,
        fingerprint: Some(vec![1, 2, 3]),
        ..NewImport::default()
    };
    let ids = store.import_many(vec![new, import("Other")]).await.unwrap();
    let summary = store.summary(&ids[0]).await.unwrap();
    assert_eq!((summary.title.as_str(), summary.model.as_str(), summary.created_at_ms), ("Find", "Qwen/Qwen3-8B", 77));
    assert_eq!((summary.messages, summary.steps, summary.tokens, summary.errors), (2, 1, 10, 2));
    assert_eq!((summary.review, summary.findings.as_slice()), (review, &[finding][..]));
    assert_eq!(summary.tools_used, ["look"]);
    let edition = store.edition(&ids[0], None).await.unwrap();
    assert_eq!((&edition.messages[0].marks, edition.messages[0].key), (&marks, 0));
    assert_eq!((&edition.messages[1].message, edition.tools), (&messages[1].new.message, tools));
    let (format, kept) = store.envelope(&ids[0]).await.unwrap().unwrap();
    assert_eq!((format.as_str(), kept.to_text()), ("axolotl", envelope.to_text()));
    assert_eq!(store.unlinted(3, 9).await.unwrap(), [ids[1].clone()]);
    assert_eq!(store.fingerprints(&query("")).await.unwrap(), [(ids[0].clone(), vec![1, 2, 3])]);
    let collected = begin(&store, RunState::Done).await;
    assert_eq!(store.envelope(&collected).await.unwrap(), None);
    check_integrity(&store).await;
}

#[tokio::test]
async fn what_was_found_is_kept_for_traces_that_are_still_as_they_were_read() {
    let Workspace { store, folder: _folder } = Workspace::new();
    let ids = several(&store, 3).await;
    let finding = FindingCount { rule: LintRule::Secret, severity: Severity::Error, count: 2 };
    let mut looks = Vec::new();
    for id in &ids {
        let summary = store.summary(id).await.unwrap();
        looks.push(Look {
            id: id.clone(),
            revision: summary.revision,
            updated_at_ms: summary.updated_at_ms,
            findings: vec![finding],
            fingerprint: vec![9],
        });
    }
    looks[1].updated_at_ms -= 1;
    store.delete_trace(&ids[2]).await.unwrap();
    assert_eq!(store.keep_looks(4, looks).await.unwrap(), 1);
    assert_eq!(store.fingerprints(&query("lint:secret")).await.unwrap(), [(ids[0].clone(), vec![9])]);
    assert_eq!(store.unlinted(4, 9).await.unwrap(), [ids[1].clone()]);
}

#[tokio::test]
async fn a_trace_is_opened_with_all_of_one_moment() {
    let Workspace { store, folder: _folder } = Workspace::new();
    let id = begin(&store, RunState::Running).await;
    add(&store, &id, Message::user("look")).await.unwrap();
    let call = call("c", "look", 1);
    answer(&store, &id, 1, &call).await;
    let output = CallOutput { call_id: "c".to_owned(), ..CallOutput::default() };
    result(&store, &id, &call, output).await.unwrap();
    store.set_state(&id, RunState::Limit, Some("the step limit".to_owned())).await.unwrap();
    for revision in [None, Some(0)] {
        let opened = store.open_trace(&id, revision).await.unwrap();
        let trace = store.trace(&id).await.unwrap();
        let captured: Vec<(i64, u32)> = trace.messages.iter().map(|it| (it.saved_at_ms, it.step)).collect();
        assert_eq!((opened.summary, opened.settings, opened.ending), (trace.summary, trace.settings, trace.ending));
        assert_eq!((opened.steps, opened.calls, opened.captured), (trace.steps, trace.calls, captured));
        assert_eq!(opened.edition, store.edition(&id, revision).await.unwrap());
    }
    assert!(store.open_trace(&id, Some(3)).await.is_err());
    assert!(store.open_trace("gone", None).await.is_err());
}

#[tokio::test]
async fn decisions_are_kept_for_one_or_for_all_that_a_query_finds() {
    let Workspace { store, folder: _folder } = Workspace::new();
    let ids = several(&store, 4).await;
    let accept = ReviewChange {
        status: Some(ReviewStatus::Accepted),
        rating: Some(5),
        add_tags: vec![" Shop ".to_owned(), "shop".to_owned(), String::new()],
        note: Some("well done".to_owned()),
        ..ReviewChange::default()
    };
    let gone = "gone".to_owned();
    let marked = store.mark(vec![ids[0].clone(), ids[1].clone(), ids[0].clone(), gone], accept).await.unwrap();
    assert_eq!(marked, 2);
    let review = store.summary(&ids[1]).await.unwrap().review;
    assert_eq!((review.status, review.rating, review.tags), (ReviewStatus::Accepted, Some(5), vec!["Shop".to_owned()]));
    assert_eq!(review.note, "well done");
    let reject = ReviewChange {
        status: Some(ReviewStatus::Rejected),
        rating: Some(0),
        remove_tags: vec!["SHOP".to_owned()],
        ..ReviewChange::default()
    };
    let of_one = TraceQuery { limit: 1, offset: 7, ..query("title:B") };
    assert_eq!(store.mark_found(&of_one, reject).await.unwrap(), 1);
    let review = store.summary(&ids[1]).await.unwrap().review;
    assert_eq!((review.status, review.rating, review.tags.len()), (ReviewStatus::Rejected, None, 0));
    assert_eq!(review.note, "well done");
    let list = store.list(query("")).await.unwrap();
    assert_eq!((list.total, list.reviewed), (4, 2));
    for (search, expected) in [
        ("is:open", "CD"),
        ("is:reviewed", "AB"),
        ("is:accepted", "A"),
        ("is:rejected", "B"),
        ("-is:accepted", "BCD"),
        ("rating:>=4", "A"),
        ("rating:<3", ""),
        ("rating:0", "BCD"),
        ("-rating:5", "BCD"),
        ("tag:shop", "A"),
        ("-tag:shop", "BCD"),
    ] {
        assert_eq!(titles(&store, search).await, expected, "{search}");
    }
    let too_good = ReviewChange { rating: Some(6), ..ReviewChange::default() };
    assert!(matches!(store.mark(ids.clone(), too_good).await.unwrap_err(), StoreError::Invalid { .. }));
    assert_eq!(store.facets().await.unwrap().tags, ["Shop"]);
    assert_eq!(store.delete(vec![ids[0].clone(), ids[0].clone()]).await.unwrap(), 1);
    assert_eq!(store.delete_found(&query("is:open title:C")).await.unwrap(), 1);
    assert_eq!(titles(&store, "").await, "BD");
    assert_eq!(store.facets().await.unwrap().tags, Vec::<String>::new());
    check_integrity(&store).await;
}

#[tokio::test]
async fn fields_find_what_they_name() {
    let Workspace { store, folder: _folder } = Workspace::new();
    let mut imports: Vec<NewImport> = ["A", "B", "C"].into_iter().map(import).collect();
    imports[0].model = "Qwen/Qwen3-8B".to_owned();
    imports[1].model = "gpt-oss".to_owned();
    let entry = Message::tool_call("c", "browser_click", Json::parse("{}").unwrap());
    let answer = Message::assistant("red hats", None, vec![entry]);
    imports[0].messages.push(NewMessage { message: answer, step: 1, tokens: 9_000 }.into());
    imports[0].errors = 2;
    imports[1].timestamp_ms = Some(0);
    let finding = |severity| FindingCount { rule: LintRule::Secret, severity, count: 1 };
    imports[1].findings = vec![finding(Severity::Error)];
    imports[2].findings =
        vec![finding(Severity::Note), FindingCount { rule: LintRule::Refusal, ..finding(Severity::Note) }];
    for it in &mut imports {
        it.lint_version = 1;
    }
    let ids = store.import_many(imports).await.unwrap();
    let base = store.edition(&ids[2], None).await.unwrap();
    let new = crate::NewRevision {
        base: 0,
        author: String::new(),
        op: tw_artifact::EditOp::Reset,
        label: "Emptied".to_owned(),
        at_ms: 0,
        messages: Vec::new(),
        findings: store.summary(&ids[2]).await.unwrap().findings,
        lint_version: 1,
    };
    assert_eq!(base.messages.len(), 1);
    store.commit(&ids[2], new).await.unwrap();
    let of_b = format!("id:{}", ids[1]);
    for (search, expected) in [
        ("model:QWEN", "A"),
        ("-model:qwen", "BC"),
        ("tool:browser_click", "A"),
        ("-tool:browser_click", "BC"),
        ("state:done", "ABC"),
        ("state:failed", ""),
        ("origin:imported", "ABC"),
        ("origin:collected", ""),
        ("queue:x", ""),
        ("-queue:x", "ABC"),
        ("title:b", "B"),
        ("title:%", ""),
        (&of_b, "B"),
        ("before:2001", "B"),
        ("after:2001", "AC"),
        ("tokens:>8k", "A"),
        ("steps:1", "A"),
        ("messages:0..1", "BC"),
        ("errors:>0", "A"),
        ("lint:secret", "BC"),
        ("lint:refusal", "C"),
        ("lint:error", "B"),
        ("-lint:any", "A"),
        ("is:edited", "C"),
        ("is:branch", ""),
        ("please", "AB"),
        ("-please", "C"),
        ("-red please", "B"),
        ("\"red hats\"", "A"),
        ("\"hats red\"", ""),
        ("please tool:browser_click", "A"),
        ("please -tool:browser_click", "B"),
    ] {
        assert_eq!(titles(&store, search).await, expected, "{search}");
    }
    let list = store.list(query("colour:red title:a")).await.unwrap();
    assert_eq!((list.total, list.problems.len()), (1, 1));
    for (sort, first) in [
        (TraceSort::Messages, "A"),
        (TraceSort::Errors, "A"),
        (TraceSort::Findings, "C"),
        (TraceSort::Tokens, "A"),
        (TraceSort::Model, "A"),
    ] {
        let sorted = TraceQuery { sort, limit: 1, ..TraceQuery::default() };
        let sorted = TraceQuery { descending: sort != TraceSort::Model, ..sorted };
        let title = if sort == TraceSort::Model { "C" } else { first };
        assert_eq!(store.list(sorted).await.unwrap().traces[0].title, title, "{sort:?}");
    }
    let by_title = [ids[0].clone(), ids[1].clone(), ids[2].clone()];
    assert_eq!(store.ids(&TraceQuery { limit: 1, offset: 1, ..query("") }).await.unwrap(), by_title);
    let numbers = store.stats(&query("")).await.unwrap();
    assert_eq!((numbers.traces, numbers.errors), (3, vec![(0, 2), (2, 1)]));
    assert_eq!(numbers.tools, [("browser_click".to_owned(), 1)]);
    assert_eq!(numbers.models.len(), 2);
    let worst = FindingCount { rule: LintRule::Secret, severity: Severity::Error, count: 2 };
    assert_eq!(numbers.findings[0], worst);
    assert_eq!(store.stats(&query("model:qwen")).await.unwrap().tokens, [(9_005, 1)]);
}

/// The same search over many traces and over few takes two ways through the store.
#[tokio::test]
async fn a_word_of_thousands_of_traces_is_found_page_by_page() {
    let Workspace { store, folder: _folder } = Workspace::new();
    for batch in 0..11_u32 {
        let imports = (0..500_u32).map(|n| NewImport {
            errors: n % 2,
            timestamp_ms: Some((batch * 500 + n).into()),
            ..import(&format!("{:04}", batch * 500 + n))
        });
        store.import_many(imports.collect()).await.unwrap();
    }
    let mark = ReviewChange { status: Some(ReviewStatus::Accepted), ..ReviewChange::default() };
    assert_eq!(store.mark_found(&query("please errors:1"), mark).await.unwrap(), 2_750);
    for (search, total, reviewed) in
        [("please", 5_500, 2_750), ("please errors:0", 2_750, 0), ("-please", 0, 0), ("please -5499", 5_499, 2_749)]
    {
        let list = store.list(TraceQuery { limit: 2, ..query(search) }).await.unwrap();
        assert_eq!((list.total, list.reviewed), (total, reviewed), "{search}");
        assert!(list.traces.iter().all(|it| it.snippet.as_ref().is_some_and(|text| text.contains("\u{2}Please\u{3}"))));
    }
    let page = TraceQuery { offset: 2_748, limit: 5, ..query("please errors:0") };
    let page: Vec<String> = store.list(page).await.unwrap().traces.into_iter().map(|it| it.title).collect();
    assert_eq!(page, ["5496", "5498"]);
    let relevant = TraceQuery { sort: TraceSort::Relevance, limit: 3, ..query("please") };
    let list = store.list(TraceQuery { descending: true, ..relevant }).await.unwrap();
    assert_eq!((list.total, list.traces.len()), (5_500, 3));
}

#[tokio::test]
async fn branches_know_where_they_came_from_and_pairs_which_is_better() {
    let Workspace { store, folder: _folder } = Workspace::new();
    let parent = several(&store, 1).await.remove(0);
    let mut ids = Vec::new();
    for text in ["one", "other"] {
        let id = Store::new_id();
        let branch = Some(Branch { trace_id: parent.clone(), revision: 0, shared: 1 });
        let shared = store.edition(&parent, None).await.unwrap().messages.remove(0).message;
        let marks = Marks { excluded: true, ..Marks::default() };
        let messages = vec![
            MarkedMessage { new: NewMessage { message: shared, step: 0, tokens: 5 }, marks },
            NewMessage { message: Message::assistant(text, None, Vec::new()), step: 1, tokens: 1 }.into(),
        ];
        store.create_branch(NewTrace { id: id.clone(), branch, ..NewTrace::default() }, messages).await.unwrap();
        ids.push(id);
    }
    let of = |id: &str| {
        let (store, id) = (store.clone(), id.to_owned());
        async move { store.branches(&id).await.unwrap().into_iter().map(|it| it.id).collect::<Vec<_>>() }
    };
    assert_eq!((of(&parent).await, of(&ids[0]).await), (ids.clone(), vec![parent.clone()]));
    let edition = store.edition(&ids[0], None).await.unwrap();
    assert!(edition.messages[0].marks.excluded);
    assert_eq!(edition.messages.len(), 2);
    let summary = store.summary(&ids[0]).await.unwrap();
    assert_eq!((summary.messages, summary.branch.unwrap().shared), (2, 1));
    assert_eq!(store.list(query("is:branch")).await.unwrap().total, 2);

    let pair = store.add_pair(&ids[0], &ids[1]).await.unwrap();
    assert_eq!((pair.chosen.as_str(), pair.rejected.as_str(), pair.shared), (ids[0].as_str(), ids[1].as_str(), 1));
    assert_eq!(store.add_pair(&ids[0], &ids[1]).await.unwrap(), pair);
    let turned = store.add_pair(&ids[1], &ids[0]).await.unwrap();
    assert_eq!((store.pairs().await.unwrap(), turned.chosen.as_str()), (vec![turned.clone()], ids[1].as_str()));
    assert!(matches!(store.add_pair(&ids[0], &ids[0]).await.unwrap_err(), StoreError::Invalid { .. }));
    assert_eq!(store.pairs_of(&ids[0]).await.unwrap(), std::slice::from_ref(&turned));
    assert_eq!(store.pairs_of(&parent).await.unwrap(), []);
    store.delete_pair(&turned.id).await.unwrap();
    assert!(matches!(store.delete_pair(&turned.id).await.unwrap_err(), StoreError::NotFound { what: "pair", .. }));
    store.add_pair(&parent, &ids[0]).await.unwrap();
    store.delete_trace(&parent).await.unwrap();
    assert_eq!((store.pairs().await.unwrap(), of(&ids[0]).await), (Vec::new(), Vec::new()));
    check_integrity(&store).await;
}

#[tokio::test]
async fn failed_calls_are_counted_as_they_come_and_findings_go_when_the_trace_changes() {
    let Workspace { store, folder: _folder } = Workspace::new();
    let id = begin(&store, RunState::Running).await;
    let failed = CallRecord { is_error: true, ..call("c", "look", 1) };
    answer(&store, &id, 1, &call("c", "look", 1)).await;
    let errors = async || store.summary(&id).await.unwrap().errors;
    assert_eq!(errors().await, 0);
    store.put_call(&id, failed.clone()).await.unwrap();
    store.put_call(&id, failed.clone()).await.unwrap();
    assert_eq!(errors().await, 1);
    answer(&store, &id, 2, &CallRecord { step: 2, ..failed }).await;
    assert_eq!(errors().await, 2);
    store.put_call(&id, call("c", "look", 1)).await.unwrap();
    assert_eq!(errors().await, 1);
    assert_eq!(store.unlinted(1, 9).await.unwrap(), Vec::<String>::new());
    store.set_state(&id, RunState::Done, None).await.unwrap();
    assert_eq!(store.unlinted(1, 9).await.unwrap(), std::slice::from_ref(&id));
    let finding = FindingCount { rule: LintRule::NoFinalAnswer, severity: Severity::Warning, count: 1 };
    store.set_findings(&id, 1, &[finding]).await.unwrap();
    assert_eq!(store.unlinted(1, 9).await.unwrap(), Vec::<String>::new());
    assert_eq!(store.unlinted(2, 9).await.unwrap(), std::slice::from_ref(&id));
    assert_eq!(store.summary(&id).await.unwrap().findings, [finding]);
    add(&store, &id, Message::user("more")).await.unwrap();
    assert_eq!(store.unlinted(1, 9).await.unwrap(), std::slice::from_ref(&id));
    store.set_findings(&id, 1, &[]).await.unwrap();
    let corrected = Message::assistant("other", None, Vec::new());
    store.amend_message(&id, 0, &corrected).await.unwrap();
    assert_eq!(
        (store.unlinted(1, 9).await.unwrap(), store.summary(&id).await.unwrap().findings),
        (vec![id], Vec::new())
    );
}
