//! Templates over the whole app: models, the loss lens, what a live server makes of the same row, hostile templates.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tw_artifact::{DatasetPlan, EditOp, Json, RunState, TextField, TrainOn, TrainSpan, Unroll};
use tw_contract::{
    EditRequest, EmittedBasis, ErrorCode, IdRequest, KeyChange, LensCheck, LensCheckRequest, LensField, LensRequest,
    LensSubject, LensView, LensWarningKind, ModelAdd, ModelEntry, RowQuery,
};
use tw_support::endpoint::{
    AnswerScript, EndpointOptions, Flavour, Script, ScriptedEndpoint, Shape, TextForm, Tokenize, answer,
};
use tw_support::mcp::Behaviour;
use tw_template::Tokenizer;

use crate::harness::Desk;

fn parity() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("parity")
}

pub(crate) fn small_tokenizer() -> Tokenizer {
    Tokenizer::load(&parity().join("goldens/template")).unwrap()
}

/// A model's folder with the small tokenizer and one of our templates.
pub(crate) fn model_folder(desk: &Desk, template: &str) -> PathBuf {
    let folder = desk.dir.path().join(format!("model-{template}"));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::copy(parity().join("goldens/template/tokenizer.json"), folder.join("tokenizer.json")).unwrap();
    std::fs::write(folder.join("tokenizer_config.json"), r#"{"bos_token":"<s>","eos_token":"</s>"}"#).unwrap();
    let text = std::fs::read_to_string(parity().join(format!("templates/{template}.jinja"))).unwrap();
    std::fs::write(folder.join("chat_template.jinja"), text).unwrap();
    folder
}

async fn add_model(desk: &Desk, template: &str) -> ModelEntry {
    let path = model_folder(desk, template).display().to_string();
    desk.api().model_add(ModelAdd { path, name: String::new() }).await.expect("the model is read")
}

/// A run of one call and an answer, as the scripts say.
async fn collected(desk: &Desk, scripts: Vec<AnswerScript>) -> String {
    let server = desk.add_fake_server("fake", &Behaviour::default()).await;
    let endpoint = ScriptedEndpoint::start(scripts).await.unwrap();
    let trace = desk.run(desk.spec(&endpoint, &[&server], "Note one").await).await;
    assert_eq!(trace.summary.state, RunState::Done, "{:?}", trace.ending);
    trace.summary.id
}

fn noting() -> Vec<AnswerScript> {
    vec![
        answer().reasoning("\nFirst.\n").content("\n\n").call("c1", "note", &json!({"text": "one"})),
        answer().reasoning("\nIt is there.\n").content("\n\nNoted."),
    ]
}

async fn open(desk: &Desk, request: LensRequest) -> LensView {
    desk.api().lens_open(request).await.expect("the lens opens")
}

/// The text of the trained tokens.
fn trained(view: &LensView) -> String {
    let (mut text, mut token, mut byte) = (String::new(), 0, 0);
    for run in &view.runs {
        for length in &view.lengths[token..token + run.tokens as usize] {
            let end = byte + *length as usize;
            if run.trained {
                text.push_str(&view.text[byte..end]);
            }
            byte = end;
        }
        token += run.tokens as usize;
    }
    text
}

#[tokio::test]
async fn models_are_read_before_they_are_kept_and_kept_over_a_restart() {
    let desk = Desk::open().await;
    let model = add_model(&desk, "think_generation").await;
    assert_eq!(
        (model.name.as_str(), model.found.templates.as_slice()),
        ("model-think_generation", &["default".to_owned()][..])
    );
    assert!(model.found.says_what_is_written && model.found.knows_tools && model.found.vocabulary > 500, "{model:?}");
    assert_eq!(model.found.tokenizer_sha256.len(), 64);
    // A file of the folder names the folder; the same model is not there twice.
    let path = format!("{}/tokenizer.json", model.path);
    let again = desk.api().model_add(ModelAdd { path, name: "Bees".to_owned() }).await.unwrap();
    assert_eq!((again.id.as_str(), again.name.as_str()), (model.id.as_str(), "Bees"));
    for (path, said) in [("/nowhere/at/all", "cannot be opened"), ("", "No folder")] {
        let error = desk.api().model_add(ModelAdd { path: path.to_owned(), name: String::new() }).await.unwrap_err();
        assert!(error.code == ErrorCode::Invalid && error.message.contains(said), "{error}");
    }
    let bad = model_folder(&desk, "chatml");
    std::fs::write(bad.join("chat_template.jinja"), "{% if %}").unwrap();
    let error =
        desk.api().model_add(ModelAdd { path: bad.display().to_string(), name: String::new() }).await.unwrap_err();
    assert!(error.message.contains("cannot be read"), "{error}");

    let desk = desk.reopen().await;
    let kept = desk.api().model_list(Default::default()).await.unwrap();
    assert_eq!(kept.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["Bees"]);
    std::fs::remove_dir_all(&model.path).unwrap();
    let kept = desk.api().model_list(Default::default()).await.unwrap();
    assert!(kept[0].problem.as_deref().is_some_and(|it| it.contains("no longer there")), "{kept:?}");
    desk.api().model_remove(IdRequest { id: model.id.clone() }).await.unwrap();
    let error = desk.api().model_remove(IdRequest { id: model.id }).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::NotFound);
}

#[tokio::test]
async fn the_lens_shows_the_rows_of_a_trace_and_what_of_them_is_trained() {
    let desk = Desk::open().await;
    let id = collected(&desk, noting()).await;
    let error = desk.api().lens_open(LensRequest::of_trace(&id)).await.unwrap_err();
    assert!(error.message.contains("No model") && !error.hint.is_empty(), "{error}");
    add_model(&desk, "think").await;
    let view = open(&desk, LensRequest::of_trace(&id)).await;
    assert_eq!((view.rows.len(), view.row, view.messages.len()), (2, 1, 4));
    assert_eq!(view.lengths.iter().sum::<u32>() as usize, view.text.len());
    assert_eq!(view.runs.iter().map(|run| run.tokens).sum::<u32>() as usize, view.ids.len());
    assert_eq!(trained(&view), "<think>\nIt is there.\n</think>\n\nNoted.<|im_end|>");
    assert_eq!(view.trained, view.messages.iter().map(|message| message.trained).sum::<u32>());
    assert_eq!(
        view.messages.iter().map(|message| message.id).collect::<Vec<_>>(),
        [Some(0), Some(1), Some(2), Some(3)]
    );
    assert_eq!(view.template, "the model's own \"default\"");
    // What servers leave around reasoning and calls is taken away, and said.
    assert_eq!(view.normalised.len(), 4, "{:?}", view.normalised);
    assert!(view.warnings.iter().any(|it| it.kind == LensWarningKind::WhitespaceNormalised));

    let first = LensSubject::Trace { id: id.clone(), revision: None, unroll: Unroll::Step, row: Some(0) };
    let first = open(&desk, LensRequest::of(first)).await;
    assert_eq!((first.row, first.messages.len()), (0, 2));
    assert!(trained(&first).starts_with("<think>\nFirst.\n</think>\n\n<tool_call>"), "{}", trained(&first));
    let whole = LensSubject::Trace { id: id.clone(), revision: None, unroll: Unroll::None, row: None };
    let whole = LensRequest { train: TrainOn::All, max_tokens: Some(20), ..LensRequest::of(whole) };
    let whole = open(&desk, whole).await;
    assert_eq!(whole.rows.len(), 1);
    assert!(trained(&whole).contains("First.") && trained(&whole).contains("Noted."));
    let long = whole.warnings.iter().find(|it| it.kind == LensWarningKind::OverLimit).unwrap();
    assert!(long.text.contains("over the limit of 20; cut there it would lose its answer"), "{long:?}");
}

#[tokio::test]
async fn marks_of_the_editor_hold_in_the_lens_and_a_stretch_names_its_characters() {
    let desk = Desk::open().await;
    let id = collected(&desk, noting()).await;
    add_model(&desk, "think").await;
    let edit = async |base, op| {
        let request = EditRequest { id: id.clone(), base, op, author: String::new() };
        desk.api().review_edit(request).await.expect("the edit is made");
    };
    edit(0, EditOp::Train { ids: vec![1], train: Some(false) }).await;
    let first = LensSubject::Trace { id: id.clone(), revision: None, unroll: Unroll::Step, row: Some(0) };
    let view = open(&desk, LensRequest::of(first)).await;
    assert_eq!((view.trained, view.messages[1].marked), (0, Some(false)));
    assert_eq!(view.warnings[0].kind, LensWarningKind::NothingTrained);

    // The stretch "ote" of the last answer, as the lens says where it is in the field's own text.
    let view = open(&desk, LensRequest::of_trace(&id)).await;
    let at = u32::try_from(view.text.rfind("Noted.").unwrap()).unwrap();
    let stretch = view.stretches.iter().find(|it| it.start <= at && at < it.end && it.exact).unwrap();
    let source = view.sources[stretch.source as usize];
    assert_eq!((source.message, source.field), (Some(3), LensField::Content));
    let begin = stretch.from + (at - stretch.start) + 1;
    let span = TrainSpan { field: TextField::Content, begin, end: begin + 3, train: false };
    edit(1, EditOp::TrainSpan { id: 3, span }).await;
    let view = open(&desk, LensRequest::of_trace(&id)).await;
    assert!(view.messages[3].has_spans);
    assert!(!trained(&view).contains("ote") && trained(&view).ends_with("d.<|im_end|>"), "{}", trained(&view));
    // What was captured has no marks.
    let captured = LensSubject::Trace { id: id.clone(), revision: Some(0), unroll: Unroll::Step, row: None };
    assert!(trained(&open(&desk, LensRequest::of(captured)).await).contains("Noted."));
    edit(2, EditOp::Exclude { ids: vec![3], excluded: true }).await;
    let view = open(&desk, LensRequest::of_trace(&id)).await;
    assert_eq!(view.rows.len(), 1, "a message that is kept out of datasets is in no row");
}

#[tokio::test]
async fn what_is_trained_is_what_the_model_wrote_by_its_text_and_by_its_ids() {
    let desk = Desk::open().await;
    add_model(&desk, "think").await;
    // A server without parsers: the app itself splits the text, and keeps it.
    let raw = |text: &str| answer().content(text).shape(Shape::Text(TextForm::Hermes)).token_ids(Vec::new());
    let call = "<tool_call>\n{\"name\": \"note\", \"arguments\": {\"text\": \"one\"}}\n</tool_call>";
    let scripts =
        vec![raw(&format!("<think>\nFirst.\n</think>\n\n{call}")), raw("<think>\nIt is there.\n</think>\n\nNoted.")];
    let id = collected(&desk, scripts).await;
    let all = |id: &str| {
        let subject = LensSubject::Trace { id: id.to_owned(), revision: None, unroll: Unroll::None, row: None };
        LensRequest { train: TrainOn::All, ..LensRequest::of(subject) }
    };
    let view = open(&desk, all(&id)).await;
    let verdicts: Vec<(u32, EmittedBasis, bool)> =
        view.emitted.iter().map(|it| (it.message, it.basis, it.same)).collect();
    assert_eq!(verdicts, [(1, EmittedBasis::Text, true), (3, EmittedBasis::Text, true)], "{:?}", view.emitted);

    // vLLM: parsed fields, and the ids of what the model wrote.
    let wrote = "<think>\nIt is there.\n</think>\n\nNoted.<|im_end|>";
    let ids = small_tokenizer().encode(wrote).unwrap().ids;
    let with_ids =
        |ids: Vec<u32>| vec![noting().swap_remove(0).token_ids(Vec::new()), noting().swap_remove(1).token_ids(ids)];
    let id = collected(&desk, with_ids(ids.clone())).await;
    let view = open(&desk, LensRequest::of_trace(&id)).await;
    assert_eq!(view.emitted.len(), 1, "{:?}", view.emitted);
    assert!(view.emitted[0].same && view.emitted[0].basis == EmittedBasis::Ids, "{:?}", view.emitted);
    let view = open(&desk, LensRequest { normalise: false, ..LensRequest::of_trace(&id) }).await;
    assert!(view.normalised.is_empty());

    // A model that wrote something else than what is kept of it.
    let other = small_tokenizer().encode("<think>\nIt is there.\n</think>\n\nNothing.<|im_end|>").unwrap().ids;
    let id = collected(&desk, with_ids(other)).await;
    let view = open(&desk, LensRequest::of_trace(&id)).await;
    assert!(!view.emitted[0].same && view.emitted[0].emitted.contains("hing."), "{:?}", view.emitted);
    assert_eq!(view.warnings[0].kind, LensWarningKind::NotAsEmitted);
    let text = EditOp::SetText { id: 3, field: TextField::Content, text: "Better.".to_owned() };
    let request = EditRequest { id: id.clone(), base: 0, op: text, author: String::new() };
    desk.api().review_edit(request).await.unwrap();
    let view = open(&desk, LensRequest::of_trace(&id)).await;
    assert!(view.emitted[0].edited && view.warnings.iter().all(|it| it.kind != LensWarningKind::NotAsEmitted));
}

/// What a server's own template makes of a conversation: ours, written again by hand.
pub(crate) fn by_hand(body: &Value, end: &str) -> String {
    let messages = body["messages"].as_array().unwrap();
    let mut text = String::new();
    if messages[0]["role"] != "system" {
        text.push_str("<|im_start|>system\nYou are a small model<|im_end|>\n");
    }
    for message in messages {
        let role = message["role"].as_str().unwrap();
        let content = message["content"].as_str().unwrap_or_default();
        text.push_str(&format!("<|im_start|>{role}\n{content}{end}\n"));
    }
    text
}

#[tokio::test]
async fn a_row_is_compared_with_what_a_live_server_makes_of_it() {
    let desk = Desk::open().await;
    let id = collected(&desk, vec![answer().content("Noted.")]).await;
    add_model(&desk, "chatml").await;
    let check = async |options: EndpointOptions| {
        let endpoint = ScriptedEndpoint::respond_with(options, |_| Script::from(answer())).await.unwrap();
        let endpoint_id = desk.add_endpoint(&endpoint.base_url(), KeyChange::Keep).await;
        let row = LensRequest::of_trace(&id);
        desk.api()
            .lens_check(LensCheckRequest { row, endpoint_id, model: String::new() })
            .await
            .expect("it is compared")
    };
    let tokenizing = |end: &'static str| {
        let tokenizer = small_tokenizer();
        let tokenize = Tokenize::new(move |body| tokenizer.encode(&by_hand(body, end)).unwrap().ids);
        EndpointOptions { tokenize: Some(tokenize), ..EndpointOptions::default() }
    };
    let view = open(&desk, LensRequest::of_trace(&id)).await;
    let tokens = u32::try_from(view.ids.len()).unwrap();
    assert_eq!(check(tokenizing("<|im_end|>")).await, LensCheck::Equal { tokens });
    match check(tokenizing("</s>")).await {
        LensCheck::Differs { first, before, here, there, here_ids, .. } => {
            assert!(before.ends_with("Note one") && here.starts_with("<|im_end|>") && there.starts_with("</s>"));
            assert_eq!(here_ids[0], view.ids[first as usize]);
        }
        other => panic!("{other:?}"),
    }
    let other = EndpointOptions { flavour: Flavour::OpenAi, ..EndpointOptions::default() };
    assert_eq!(check(other).await, LensCheck::NotOffered);
}

#[tokio::test]
async fn reasoning_goes_to_a_server_under_the_name_that_it_knows() {
    let desk = Desk::open().await;
    let id = collected(&desk, noting()).await;
    add_model(&desk, "think").await;
    let endpoint = ScriptedEndpoint::start([answer()]).await.unwrap();
    let endpoint_id = desk.add_endpoint(&endpoint.base_url(), KeyChange::Keep).await;
    let row = LensRequest { kwargs: Json::parse(r#"{"enable_thinking":true}"#).unwrap(), ..LensRequest::of_trace(&id) };
    let check = desk.api().lens_check(LensCheckRequest { row, endpoint_id, model: String::new() }).await.unwrap();
    assert!(matches!(check, LensCheck::Differs { .. }), "{check:?}");
    let requests = endpoint.requests();
    let sent = requests.iter().find(|it| it.path == "/tokenize").unwrap();
    assert_eq!(sent.body["messages"][1]["reasoning"], "First.");
    assert!(sent.body["messages"][1].get("reasoning_content").is_none());
    assert_eq!(sent.body["messages"][1]["tool_calls"][0]["function"]["arguments"], r#"{"text":"one"}"#);
    assert_eq!(
        (&sent.body["add_generation_prompt"], &sent.body["chat_template_kwargs"]["enable_thinking"]),
        (&json!(false), &json!(true))
    );
    assert!(sent.body["tools"].as_array().is_some_and(|tools| !tools.is_empty()));
}

#[tokio::test]
async fn a_hostile_template_neither_hangs_nor_reads_nor_ends_the_app() {
    let desk = Desk::open().await;
    let id = collected(&desk, vec![answer().content("Noted.")]).await;
    add_model(&desk, "chatml").await;
    for (template, said) in [
        ("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "was stopped"),
        (
            "{% set ns = namespace(x='ab') %}{% for i in range(64) %}{% set ns.x = ns.x + ns.x %}{% endfor %}{{ ns.x }}",
            "was stopped",
        ),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "was stopped"),
        ("{{ 'a' * 999999999999 }}", "was stopped"),
        ("{% include '/etc/passwd' %}", "cannot be read"),
        ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "fails on this conversation"),
        ("{{ raise_exception('no bees') }}", "no bees"),
        (&"{% if 1 %}".repeat(3000), "cannot be read"),
    ] {
        let request = LensRequest { template: Some(template.to_owned()), ..LensRequest::of_trace(&id) };
        let error = desk.api().lens_open(request).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::Invalid, "{template:.60}: {error}");
        assert!(error.message.contains(said), "{template:.60}: {error}");
    }
    assert_eq!(trained(&open(&desk, LensRequest::of_trace(&id)).await), "Noted.<|im_end|>");
}

/// Some of the goldens of tests/parity, made again by the real packages.
#[test]
fn goldens_are_what_transformers_gives() {
    let variable = |name: &str| std::env::var_os(name).filter(|path| !path.is_empty());
    let (Some(python), Some(templates)) = (variable("TW_TEST_PYTHON"), variable("TW_TEST_TEMPLATES")) else {
        eprintln!("skipped: TW_TEST_PYTHON and TW_TEST_TEMPLATES name no Python and no templates");
        return;
    };
    let run = |script: &str, arguments: &[&std::ffi::OsStr]| {
        let mut command = std::process::Command::new(&python);
        command.arg(parity().join(script)).arg("--check").args(arguments).env("HF_HUB_OFFLINE", "1");
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{script}: {said}{}", String::from_utf8_lossy(&output.stderr));
        assert!(said.contains("the goldens are what transformers gives"), "{script}: {said}");
    };
    run("template.py", &[]);
    let modules = variable("TW_TEST_NODE_MODULES").unwrap_or_default();
    let every = "16".as_ref();
    run(
        "template_corpus.py",
        &["--corpus".as_ref(), &templates, "--node-modules".as_ref(), &modules, "--every".as_ref(), every],
    );
}

#[tokio::test]
async fn the_lens_of_a_dataset_row_is_as_its_version_was_built() {
    let desk = Desk::open().await;
    desk.import_traces(&[super::trace("shoes", 2)]).await;
    let folder = model_folder(&desk, "chatml");
    let file = folder.join("chat_template.jinja");
    let template =
        format!("{{% if tone %}}In a {{{{ tone }}}} tone.{{% endif %}}{}", std::fs::read_to_string(&file).unwrap());
    std::fs::write(&file, &template).unwrap();
    // By path: the workspace's list of models stays empty.
    let plan = DatasetPlan {
        name: "finds".to_owned(),
        model: Some(folder.display().to_string()),
        kwargs: Json::parse(r#"{"tone":"calm"}"#).unwrap(),
        ..DatasetPlan::default()
    };
    let version = desk.build(plan).await.version.unwrap();
    let of_version = desk.api().dataset_view(IdRequest { id: version.id.clone() }).await.unwrap();
    let own = of_version.model.expect("the version's model is there");
    assert_eq!((own.name.as_str(), &own.id), ("model-chatml", &own.path));
    assert!(desk.api().model_list(Default::default()).await.unwrap().is_empty());

    let rows = RowQuery { id: version.id.clone(), ..RowQuery::default() };
    let rows = desk.api().dataset_rows(rows).await.unwrap().rows;
    let subject = |row: &str| LensSubject::Dataset { version: version.id.clone(), row: row.to_owned() };
    for row in &rows {
        let view = open(&desk, LensRequest::of(subject(&row.id))).await;
        assert!(view.text.starts_with("In a calm tone."), "{}", view.text);
        assert_eq!((view.ids.len(), view.trained), (row.tokens as usize, row.trained_tokens), "as it was counted");
        assert_eq!(view.model, "model-chatml");
    }
    // The same model by its id; variables of one's own take the place of the version's.
    let last = subject(&rows[0].id);
    let named = LensRequest { model: Some(own.id.clone()), ..LensRequest::of(last.clone()) };
    assert!(open(&desk, named.clone()).await.text.starts_with("In a calm tone."));
    let without = LensRequest { kwargs: Json::parse("{}").unwrap(), ..named.clone() };
    assert!(!open(&desk, without).await.text.contains("tone."));

    // Files that were changed since are told; another model that a person picks is not.
    let kinds = |view: LensView| view.warnings.into_iter().map(|it| it.kind).collect::<Vec<_>>();
    assert!(!kinds(open(&desk, named.clone()).await).contains(&LensWarningKind::OtherModel));
    std::fs::write(&file, format!("{template} ")).unwrap();
    assert_eq!(kinds(open(&desk, named.clone()).await)[0], LensWarningKind::OtherModel);
    let other = add_model(&desk, "think").await;
    let other = LensRequest { model: Some(other.id), ..named.clone() };
    assert!(!kinds(open(&desk, other).await).contains(&LensWarningKind::OtherModel));
    std::fs::remove_dir_all(&folder).unwrap();
    let of_version = desk.api().dataset_view(IdRequest { id: version.id.clone() }).await.unwrap();
    assert_eq!(of_version.model, None);
    let error = desk.api().lens_open(LensRequest::of(last)).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::NotFound);
}
