//! Trainings over the whole app, with the real worker on a tiny model: planned, queued, followed, ended.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::broadcast::error::RecvError;
use tw_app::{App, AppOptions, TrainDesk};
use tw_artifact::DatasetPlan;
use tw_contract::{
    Empty, ErrorCode, EventBody, IdRequest, ModelAdd, TrainDevice, TrainJob, TrainMerge, TrainSettings, TrainState,
    TrainView,
};
use tw_support::drive::{PATIENCE, signal_process, wait_for, worker_binary};
use tw_support::models::write_tiny_model;

use super::dataset::{plan, trace};
use crate::harness::{Desk, within};

/// A workspace with a dataset, and a model to train.
struct Shop {
    desk: Desk,
    place: TempDir,
    dataset: String,
}

fn of(id: &str) -> IdRequest {
    IdRequest { id: id.to_owned() }
}

impl Shop {
    async fn open() -> Self {
        Self::with(&[trace("shoes", 2), trace("maps", 1), trace("birds", 1)]).await
    }

    async fn with(traces: &[Value]) -> Self {
        let desk = Desk::open().await;
        let place = TempDir::new().unwrap();
        write_tiny_model(&place.path().join("tiny")).unwrap();
        desk.import_traces(traces).await;
        let model = Some(place.path().join("tiny").display().to_string());
        let split = DatasetPlan { validation_fraction: 0.3, seed: 7, model, ..plan() };
        let dataset = desk.build(split).await.version.unwrap().id;
        Self { desk, place, dataset }
    }

    fn model(&self) -> PathBuf {
        self.place.path().join("tiny")
    }

    /// A training of a moment.
    fn settings(&self) -> TrainSettings {
        let mut settings = TrainSettings {
            dataset: self.dataset.clone(),
            base: self.model().display().to_string(),
            steps: Some(6),
            max_tokens: 2_048,
            save_every: 2,
            eval_every: 3,
            threads: Some(1),
            ..TrainSettings::default()
        };
        settings.lora.rank = 2;
        settings.optimizer.learning_rate = 1e-2;
        settings
    }

    /// One that does not end by itself; nor does its worker where a test fails, before its folder goes.
    fn endless(&self) -> TrainSettings {
        TrainSettings { steps: Some(1_000_000), save_every: 0, eval_every: 0, ..self.settings() }
    }

    async fn start(&self, settings: TrainSettings) -> TrainJob {
        within(self.desk.api().train_start(settings)).await.unwrap()
    }

    async fn view(&self, id: &str) -> TrainView {
        self.desk.api().train_view(of(id)).await.unwrap()
    }

    /// Waits until the training looks as `wanted` says.
    async fn until(&self, id: &str, wanted: impl Fn(&TrainView) -> bool) -> TrainView {
        let mut events = self.desk.app.events();
        within(async {
            loop {
                let view = self.view(id).await;
                if wanted(&view) {
                    return view;
                }
                let is_other_end = !view.job.state.is_live();
                assert!(!is_other_end, "it ended otherwise: {:?} {:?} {:#?}", view.job.state, view.job.error, view.log);
                match events.recv().await {
                    Ok(_) | Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => panic!("the app ended"),
                }
            }
        })
        .await
    }

    async fn until_state(&self, id: &str, state: TrainState) -> TrainView {
        self.until(id, |view| view.job.state == state).await
    }

    /// Stops a training and waits until it has.
    async fn stop(&self, id: &str) -> TrainView {
        self.desk.api().train_stop(of(id)).await.unwrap();
        self.until_state(id, TrainState::Stopped).await
    }
}

fn losses(view: &TrainView) -> BTreeMap<u64, u64> {
    view.points.iter().map(|point| (point.step, point.loss.to_bits())).collect()
}

fn worker_of(job: &TrainJob) -> u32 {
    let record: Value =
        serde_json::from_slice(&std::fs::read(Path::new(&job.folder).join("job.json")).unwrap()).unwrap();
    u32::try_from(record["pid"].as_u64().unwrap()).unwrap()
}

#[tokio::test]
async fn traces_become_an_adapter_with_all_that_it_was_made_of() {
    let shop = Shop::open().await;
    let api = shop.desk.api();
    api.model_add(ModelAdd { path: shop.model().display().to_string(), name: "Tiny".to_owned() }).await.unwrap();
    let options = api.train_options(Empty {}).await.unwrap();
    let machine = options.machine.unwrap();
    assert!(
        machine.build.starts_with("tw-worker") && machine.devices.contains(&"cpu".to_owned()) && machine.threads > 0
    );
    assert_eq!((options.bases[0].family.as_str(), options.bases[0].problem.as_deref()), ("qwen3", None));
    let settings = TrainSettings { base: options.bases[0].id.clone(), ..shop.settings() };

    let mut events = shop.desk.app.events();
    let planned = api.train_plan(settings.clone()).await.unwrap();
    assert_eq!(planned.refusal, None);
    assert!(planned.rows > 0 && planned.validation_rows > 0 && planned.too_long == 0, "{planned:?}");
    assert!(planned.pack_tokens < planned.row_tokens && planned.trained_tokens < planned.row_tokens, "{planned:?}");
    assert_eq!((planned.steps, planned.warmup_steps, planned.seconds), (6, 0, None));
    assert!(planned.trained_parameters > 0 && planned.base_parameters > planned.trained_parameters);
    assert!(planned.peak_bytes > 0 && planned.device == "cpu");
    let told = std::iter::from_fn(|| events.try_recv().ok())
        .filter(|event| matches!(&event.body, EventBody::TrainPlanProgress(it) if it.done_rows == it.total_rows));
    assert!(told.count() > 0, "progress was told");
    assert!(api.train_list(Empty {}).await.unwrap().is_empty(), "a plan writes no training");
    // Other settings of the same rows do not make them again.
    let mut wider = settings.clone();
    wider.lora.rank = 4;
    let wider = api.train_plan(wider).await.unwrap();
    assert_eq!(wider.trained_parameters, planned.trained_parameters * 2);
    assert!(events.try_recv().is_err(), "rows are kept");
    let alone = api.train_plan(TrainSettings { share_prefixes: false, ..settings.clone() }).await.unwrap();
    assert_eq!(alone.pack_tokens, alone.row_tokens);

    let job = shop.start(settings.clone()).await;
    assert_eq!(job.name, "Tiny on finds");
    let done = shop.until_state(&job.id, TrainState::Done).await;
    assert_eq!(done.points.iter().map(|point| point.step).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    assert_eq!(done.evals.iter().map(|eval| eval.step).collect::<Vec<_>>(), [3, 6]);
    assert!(done.points[5].loss < done.points[0].loss, "it learns: {:?}", done.points);
    assert_eq!((done.job.step, done.job.checkpoint_step, done.job.error.as_deref()), (6, Some(6), None));
    assert!(done.job.started_at_ms <= done.job.ended_at_ms && done.job.seconds_left.is_none());
    let adapter = PathBuf::from(done.job.adapter.clone().unwrap());
    for name in ["adapter_config.json", "adapter_model.safetensors", "training.json"] {
        assert!(adapter.join(name).is_file(), "{name}");
    }
    let made: Value = serde_json::from_slice(&std::fs::read(adapter.join("training.json")).unwrap()).unwrap();
    assert_eq!(made["dataset"]["id"].as_str(), Some(shop.dataset.as_str()));
    assert_eq!(
        (made["points"].as_array().map(Vec::len), made["settings"]["lora"]["rank"].as_u64()),
        (Some(6), Some(2))
    );

    // What was measured tells how long the next one takes.
    assert!(api.train_plan(settings.clone()).await.unwrap().seconds.is_some());
    // On from an adapter, by the training that made it.
    let on = shop.start(TrainSettings { adapter: Some(job.id.clone()), steps: Some(1), ..settings }).await;
    let on = shop.until_state(&on.id, TrainState::Done).await;
    assert!(on.points[0].loss < done.points[0].loss);

    let merged = api.train_merge(TrainMerge { id: job.id.clone(), out: None, add: true }).await.unwrap();
    assert!(Path::new(&merged.folder).join("model.safetensors").is_file());
    assert!(Path::new(&merged.folder).join("tokenizer.json").is_file() && merged.model.is_some());
    let again = TrainMerge { id: job.id.clone(), out: Some(merged.folder.clone()), add: false };
    assert_eq!(api.train_merge(again).await.unwrap_err().code, ErrorCode::Invalid);
    let listed = api.train_list(Empty {}).await.unwrap();
    assert_eq!(listed.iter().map(|it| it.id.clone()).collect::<Vec<_>>(), [on.job.id, job.id.clone()]);
    assert_eq!(api.train_resume(of(&job.id)).await.unwrap_err().code, ErrorCode::Invalid);
    api.train_delete(of(&job.id)).await.unwrap();
    assert!(!Path::new(&done.job.folder).exists());
    assert_eq!(api.train_view(of(&job.id)).await.unwrap_err().code, ErrorCode::NotFound);
}

#[tokio::test]
async fn every_step_is_told_once_and_in_order() {
    let shop = Shop::open().await;
    let mut events = shop.desk.app.events();
    let job = shop.start(shop.settings()).await;
    let (mut steps, mut evals, mut seq, mut changes) = (Vec::new(), 0, 0, 0);
    within(async {
        loop {
            let event = events.recv().await.unwrap();
            match event.body {
                EventBody::TrainsChanged => changes += 1,
                EventBody::TrainNews(news) if news.job.id == job.id => {
                    seq += 1;
                    assert_eq!(event.seq, seq);
                    steps.extend(news.points.iter().map(|point| point.step));
                    evals += news.evals.len();
                    if !news.job.state.is_live() {
                        assert_eq!(news.job.state, TrainState::Done);
                        break;
                    }
                }
                _ => {}
            }
        }
    })
    .await;
    assert_eq!((steps, evals), (vec![1, 2, 3, 4, 5, 6], 2));
    assert!(changes >= 2, "the list was told");
    assert_eq!(shop.view(&job.id).await.seq, seq);
}

#[tokio::test]
async fn a_training_is_paused_kept_and_goes_on() {
    let shop = Shop::open().await;
    let api = shop.desk.api();
    let job = shop.start(shop.endless()).await;
    shop.until(&job.id, |view| view.job.step >= 2).await;
    assert_eq!(api.train_delete(of(&job.id)).await.unwrap_err().code, ErrorCode::Invalid);
    api.train_checkpoint(of(&job.id)).await.unwrap();
    let kept = shop.until(&job.id, |view| view.job.checkpoint_step.is_some()).await;
    api.train_pause(of(&job.id)).await.unwrap();
    let paused = shop.until_state(&job.id, TrainState::Paused).await;
    assert!(paused.job.checkpoint_step >= kept.job.checkpoint_step && paused.job.memory_bytes.is_some());
    assert_eq!(shop.view(&job.id).await.job.step, paused.job.step, "nothing is done meanwhile");
    api.train_resume(of(&job.id)).await.unwrap();
    let more = shop.until(&job.id, |view| view.job.step > paused.job.step).await;
    assert_eq!(more.job.state, TrainState::Running);
    assert!(more.job.tokens_per_sec.is_some() && more.job.seconds_left.is_some());
    let stopped = shop.stop(&job.id).await;
    assert!(stopped.job.adapter.is_some() && stopped.job.checkpoint_step == Some(stopped.job.step));
}

#[tokio::test]
async fn stopped_and_resumed_it_is_the_same_as_in_one_go() {
    let shop = Shop::open().await;
    let api = shop.desk.api();
    let straight = shop.start(shop.settings()).await;
    let straight = shop.until_state(&straight.id, TrainState::Done).await;
    let broken = shop.start(shop.settings()).await;
    // Asked before there is anything to pause: it pauses as soon as it can.
    shop.until(&broken.id, |view| view.job.state != TrainState::Queued).await;
    if api.train_pause(of(&broken.id)).await.is_ok() {
        shop.until(&broken.id, |view| !matches!(view.job.state, TrainState::Preparing | TrainState::Running)).await;
    }
    let stopped = shop.stop(&broken.id).await;
    assert!(stopped.job.step < 6, "it was stopped on the way: {}", stopped.job.step);
    api.train_resume(of(&broken.id)).await.unwrap();
    let done = shop.until_state(&broken.id, TrainState::Done).await;
    assert_eq!(losses(&done), losses(&straight));
    let weights = |view: &TrainView| {
        std::fs::read(Path::new(view.job.adapter.as_deref().unwrap()).join("adapter_model.safetensors")).unwrap()
    };
    assert!(weights(&done) == weights(&straight), "the same bits");
}

#[tokio::test]
async fn a_training_goes_on_while_the_app_is_closed() {
    let mut shop = Shop::open().await;
    let running = shop.start(shop.endless()).await;
    let waiting = shop.start(shop.settings()).await;
    let before = shop.until(&running.id, |view| view.job.step >= 2).await;
    shop.desk = shop.desk.reopen().await;
    let after = shop.until(&running.id, |view| view.job.step > before.job.step).await;
    assert_eq!(after.job.state, TrainState::Running);
    let steps: Vec<u64> = after.points.iter().map(|point| point.step).collect();
    assert_eq!(steps, (1..=after.job.step).collect::<Vec<_>>(), "nothing was missed");
    assert_eq!(shop.view(&waiting.id).await.job.state, TrainState::Queued);
    // The queue goes on, and was not begun twice.
    shop.stop(&running.id).await;
    let done = shop.until_state(&waiting.id, TrainState::Done).await;
    assert_eq!(done.log.iter().filter(|line| line.text == "Training begins.").count(), 1);
}

#[tokio::test]
async fn one_that_ended_while_the_app_was_closed_is_found_done() {
    let mut shop = Shop::open().await;
    let job = shop.start(shop.settings()).await;
    shop.until(&job.id, |view| view.job.state != TrainState::Queued).await;
    shop.desk.api().train_pause(of(&job.id)).await.unwrap();
    let paused = shop.until_state(&job.id, TrainState::Paused).await;
    let dir = shop.desk.close().await;
    let workspace = camino::Utf8PathBuf::from_path_buf(dir.path().join("workspace")).unwrap();
    TrainDesk::open(&workspace).resume(&job.id).unwrap();
    let events = Path::new(&paused.job.folder).join("events.jsonl");
    let is_done = async || std::fs::read_to_string(&events).ok().filter(|text| text.contains(r#""event":"done""#));
    wait_for("the training", PATIENCE, is_done).await.unwrap();
    shop.desk = Desk::open_on(Arc::into_inner(dir).unwrap()).await;
    let done = shop.until_state(&job.id, TrainState::Done).await;
    assert_eq!(done.points.iter().map(|point| point.step).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    let adapter = PathBuf::from(done.job.adapter.unwrap());
    assert!(adapter.join("training.json").is_file() && done.job.ended_at_ms.is_some());
}

#[tokio::test]
async fn the_queue_goes_in_order_and_lets_go_of_what_is_cancelled() {
    let shop = Shop::open().await;
    let api = shop.desk.api();
    let first = shop.start(shop.endless()).await;
    let second = shop.start(shop.settings()).await;
    let third = shop.start(shop.settings()).await;
    let fourth = shop.start(shop.settings()).await;
    shop.until(&first.id, |view| view.job.step >= 1).await;
    assert_eq!(api.train_pause(of(&third.id)).await.unwrap_err().code, ErrorCode::Invalid);
    let cancelled = api.train_stop(of(&third.id)).await.unwrap();
    assert_eq!((cancelled.state, cancelled.step), (TrainState::Stopped, 0));
    // Back into the queue, at its end.
    assert_eq!(api.train_resume(of(&third.id)).await.unwrap().state, TrainState::Queued);
    shop.stop(&first.id).await;
    let mut begun = Vec::new();
    for id in [&second.id, &fourth.id, &third.id] {
        let done = shop.until_state(id, TrainState::Done).await;
        begun.push((done.job.started_at_ms, done.job.ended_at_ms));
    }
    assert!(begun.windows(2).all(|pair| pair[0].1 <= pair[1].0), "one after the other: {begun:?}");
}

#[tokio::test]
async fn a_killed_worker_is_seen_and_its_training_goes_on_from_the_checkpoint() {
    let shop = Shop::open().await;
    let job = shop.start(TrainSettings { save_every: 1, ..shop.endless() }).await;
    let running = shop.until(&job.id, |view| view.job.checkpoint_step.is_some()).await;
    signal_process(worker_of(&running.job), "KILL");
    let lost = shop.until_state(&job.id, TrainState::Lost).await;
    let said = lost.job.error.unwrap();
    assert!(said.contains("signal 9") && said.contains("memory") && said.contains("checkpoint of step"), "{said}");
    shop.desk.api().train_resume(of(&job.id)).await.unwrap();
    let kept = lost.job.checkpoint_step.unwrap();
    let more = shop.until(&job.id, |view| view.job.state == TrainState::Running && view.job.step > lost.job.step).await;
    assert!(more.log.iter().any(|line| line.text.contains("goes on from the checkpoint")), "{:#?}", more.log);
    let steps: Vec<u64> = more.points.iter().map(|point| point.step).collect();
    assert_eq!(steps, (1..=more.job.step).collect::<Vec<_>>(), "each step once, also after {kept}");
    assert_eq!(more.job.error, None);
    shop.stop(&job.id).await;
}

#[tokio::test]
async fn another_process_sees_and_steers_the_same_trainings() {
    let shop = Shop::open().await;
    let workspace = shop.desk.workspace();
    let job = shop.start(shop.endless()).await;
    shop.until(&job.id, |view| view.job.step >= 1).await;
    let other = TrainDesk::open_with(&workspace, worker_binary().ok());
    let seen = other.view(&job.id[..18]).unwrap();
    assert!(seen.job.state == TrainState::Running && !seen.points.is_empty());
    other.pause(&job.id).unwrap();
    shop.until_state(&job.id, TrainState::Paused).await;
    assert_eq!(other.resume(&job.id).unwrap().id, job.id);
    shop.until_state(&job.id, TrainState::Running).await;
    other.stop(&job.id).unwrap();
    let stopped = shop.until_state(&job.id, TrainState::Stopped).await;
    // Both could start it now; one does.
    other.resume(&job.id).unwrap();
    let again = shop.until(&job.id, |view| view.job.step > stopped.job.step).await;
    assert_eq!(again.log.iter().filter(|line| line.text.contains("goes on from the checkpoint")).count(), 1);
    shop.stop(&job.id).await;
}

#[tokio::test]
async fn what_cannot_be_trained_is_refused_with_what_would_help() {
    let shop = Shop::open().await;
    let api = shop.desk.api();
    let planned = async |settings: TrainSettings| within(api.train_plan(settings)).await;
    let refusal = async |settings: TrainSettings| planned(settings).await.unwrap().refusal.unwrap();

    let gone = TrainSettings { dataset: "abcdef".to_owned(), ..shop.settings() };
    assert_eq!(planned(gone).await.unwrap_err().code, ErrorCode::NotFound);
    let nowhere = TrainSettings { base: "/nowhere/at/all".to_owned(), ..shop.settings() };
    assert_eq!(planned(nowhere).await.unwrap_err().code, ErrorCode::Invalid);
    let mut odd = shop.settings();
    odd.lora.targets = vec!["lm_head".to_owned()];
    assert!(planned(odd).await.unwrap_err().message.contains("lm_head"));

    let cuda = refusal(TrainSettings { device: TrainDevice::Cuda, ..shop.settings() }).await;
    assert_eq!(cuda.settings.unwrap().device, TrainDevice::Auto);

    let short = refusal(TrainSettings { max_tokens: 20, ..shop.settings() }).await;
    let enough = short.settings.unwrap();
    assert!(short.reason.contains("more than 20 tokens") && enough.max_tokens > 20, "{}", short.reason);
    assert_eq!(planned(*enough).await.unwrap().refusal, None);

    // Between the shortest and the longest row: what does not fit is left out, and said.
    let whole = planned(shop.settings()).await.unwrap();
    let tight = refusal(TrainSettings { memory_bytes: Some(whole.peak_bytes / 2), ..shop.settings() }).await;
    assert!(tight.reason.contains("GB"), "{}", tight.reason);
    let none = refusal(TrainSettings { memory_bytes: Some(1_000_000), ..shop.settings() }).await;
    assert!(none.suggestion.contains("smaller base") && none.settings.is_none());
    let refused = api.train_start(TrainSettings { memory_bytes: Some(1_000_000), ..shop.settings() }).await;
    assert_eq!(refused.unwrap_err().code, ErrorCode::Invalid);
    assert!(api.train_list(Empty {}).await.unwrap().is_empty());

    let gguf = shop.place.path().join("model.gguf");
    std::fs::write(&gguf, "GGUF").unwrap();
    let gguf = refusal(TrainSettings { base: gguf.display().to_string(), ..shop.settings() }).await;
    assert!(gguf.reason.contains("GGUF"));

    // Another vocabulary than the tokenizer's.
    let config = shop.model().join("config.json");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("151936", "1000")).unwrap();
    let small = refusal(TrainSettings { tokenizer: Some(shop.model().display().to_string()), ..shop.settings() }).await;
    assert!(small.reason.contains("vocabulary") && small.settings.unwrap().tokenizer.is_none(), "{}", small.reason);
    std::fs::write(&config, text.replace("\"qwen3\"", "\"mamba\"")).unwrap();
    assert!(refusal(shop.settings()).await.reason.contains("mamba"));
    std::fs::write(&config, &text).unwrap();

    let weights = shop.model().join("model.safetensors");
    let bytes = std::fs::read(&weights).unwrap();
    std::fs::write(&weights, &bytes[..bytes.len() - 100]).unwrap();
    let damaged = refusal(shop.settings()).await;
    assert!(damaged.reason.contains("damaged") && damaged.suggestion.contains("again"), "{}", damaged.reason);
    std::fs::remove_file(&weights).unwrap();
    assert!(refusal(shop.settings()).await.reason.contains("no weights"));
    std::fs::write(&weights, &bytes).unwrap();

    std::fs::remove_file(shop.model().join("tokenizer.json")).unwrap();
    assert!(planned(shop.settings()).await.unwrap_err().message.contains("no tokenizer"));
    write_tiny_model(&shop.model()).unwrap();

    api.dataset_delete(of(&shop.dataset)).await.unwrap();
    let deleted = planned(shop.settings()).await.unwrap_err();
    assert!(deleted.code == ErrorCode::NotFound && deleted.message.contains("dataset"), "{deleted}");
}

#[tokio::test]
async fn what_fails_on_the_way_is_said_and_goes_on_once_it_is_mended() {
    let shop = Shop::open().await;
    let api = shop.desk.api();
    let holding = shop.start(shop.endless()).await;
    let job = shop.start(shop.settings()).await;
    // The dataset may go: its rows are the training's own by now. The base may not.
    api.dataset_delete(of(&shop.dataset)).await.unwrap();
    let weights = shop.model().join("model.safetensors");
    let bytes = std::fs::read(&weights).unwrap();
    shop.until(&holding.id, |view| view.job.step >= 1).await;
    std::fs::write(&weights, &bytes[..1_000]).unwrap();
    shop.stop(&holding.id).await;
    let failed = shop.until_state(&job.id, TrainState::Failed).await;
    let said = failed.job.error.unwrap();
    assert!(said.contains("model.safetensors") && said.contains("damaged"), "{said}");
    std::fs::write(&weights, &bytes).unwrap();
    api.train_resume(of(&job.id)).await.unwrap();
    let done = shop.until(&job.id, |view| !view.job.state.is_live() && view.job.state != TrainState::Failed).await;
    assert_eq!((done.job.state, done.job.error), (TrainState::Done, None));
}

#[tokio::test]
async fn a_loss_that_is_no_number_ends_a_training_with_advice() {
    let shop = Shop::open().await;
    let mut wild = TrainSettings { steps: Some(200), ..shop.settings() };
    wild.optimizer.learning_rate = 1e30;
    wild.optimizer.clip_norm = 0.0;
    let job = shop.start(wild).await;
    let failed = shop.until_state(&job.id, TrainState::Failed).await;
    let said = failed.job.error.unwrap();
    assert!(said.contains("number") && said.contains("lower learning rate"), "{said}");
}

#[tokio::test]
async fn without_the_program_that_trains_it_is_named_and_nothing_else_breaks() {
    let shop = Shop::open().await;
    let (settings, dir) = (shop.settings(), shop.desk.close().await);
    let workspace = camino::Utf8PathBuf::from_path_buf(dir.path().join("workspace")).unwrap();
    let options = AppOptions {
        workspace,
        guard_exe: None,
        worker: Some(PathBuf::from("/nowhere/tw-worker")),
        open_url: Arc::new(|_| {}),
        vault: Some(tw_vault::Vault::in_memory()),
    };
    let app = App::open(options).await.unwrap();
    let call = async |command: &str, payload: String| app.call(command, &payload).await;
    let options: tw_contract::TrainOptions =
        serde_json::from_str(&call("train_options", "{}".to_owned()).await.unwrap()).unwrap();
    assert!(options.machine.is_none() && options.problem.unwrap().contains("/nowhere/tw-worker"));
    let error = call("train_plan", serde_json::to_string(&settings).unwrap()).await.unwrap_err();
    assert!(error.message.contains("tw-worker") && error.hint.contains("TRACEWRIGHT_WORKER"), "{error}");
    app.shutdown().await;
}
