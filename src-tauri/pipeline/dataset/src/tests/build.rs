//! Versions on disk.

use std::collections::BTreeMap;
use std::path::Path;

use tw_artifact::{DatasetPlan, Message, SplitName, TrainOn, Unroll};

use super::{Plain, plan, source};
use crate::{
    Build, Built, Error, Made, Manifest, PreferenceRow, Prepared, Source, Splits, Tally, Target, compare, each_row,
    export, families, found, preferences, read_index, row_at, sweep,
};

fn build(root: &Path, sources: &[Source], plan: &DatasetPlan) -> Result<Built, Error> {
    let ids: Vec<String> = sources.iter().map(|source| source.id.clone()).collect();
    let splits = Splits::of(&ids, &[], plan.validation_fraction, plan.seed, &plan.by_hand);
    let renderer = Plain { drops_reasoning: true };
    let mut tally = Tally::new(plan.dedupe, false);
    let mut build = Build::begin(root, "one", plan)?;
    for source in sources {
        let prepared = Prepared::of(source, plan, &renderer);
        let made = Made::of(source, &prepared, plan, &renderer);
        build.add(&mut tally, source, &prepared, made, &splits)?;
    }
    build.finish(&tally, None)
}

fn all(folder: &Path, split: SplitName) -> Vec<crate::StoredRow> {
    let mut rows = Vec::new();
    each_row(folder, split, &mut |row| {
        rows.push(row);
        Ok(true)
    })
    .unwrap();
    rows
}

fn bytes(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = folder.read_dir().unwrap().flatten();
    entries.map(|it| (it.file_name().to_string_lossy().into_owned(), std::fs::read(it.path()).unwrap())).collect()
}

#[test]
fn rows_are_read_as_they_were_made() {
    let root = tempfile::tempdir().unwrap();
    let mut odd = source("a", "suca");
    odd.messages[1] =
        serde_json::from_str::<Message>(r#"{"role":"user","x":1.50,"content":"ü \" \n 🦀","n":null}"#).unwrap();
    odd.tags = vec!["shop".to_owned()];
    odd.rating = Some(4);
    odd.timestamp_ms = 1_748_548_570_000;
    let built = build(root.path(), &[odd.clone()], &plan()).unwrap();
    let rows = all(&built.folder, SplitName::Train);
    assert_eq!(rows.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), ["a_trunc_3", "a"]);
    assert_eq!(rows[1].messages, odd.messages);
    assert_eq!(rows[1].train, [false, false, false, false, true]);
    assert_eq!((rows[0].original_id.as_deref(), rows[0].truncation_point), (Some("a"), Some(3)));
    assert_eq!((rows[1].original_id.as_deref(), rows[1].truncation_point), (None, None));
    assert_eq!((rows[0].timestamp.as_str(), rows[0].rating, rows[0].tags.len()), ("20250529_195610", Some(4), 1));
    assert_eq!(rows[0].timestamp_ms(), odd.timestamp_ms);
    assert_eq!(row_at(&built.folder, SplitName::Train, 1).unwrap(), rows[1]);
    assert!(row_at(&built.folder, SplitName::Train, 2).is_err());
    let families = families(&read_index(&built.folder).unwrap());
    assert_eq!((families.len(), families[0].rows.len(), families[0].rows[1].parent), (1, 2, Some(0)));
}

#[test]
fn the_same_inputs_are_the_same_bytes_and_an_edit_is_another_version() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let plan = DatasetPlan { validation_fraction: 0.5, ..plan() };
    let mut sources = vec![source("a", "suca"), source("b", "succa")];
    let first = build(one.path(), &sources, &plan).unwrap();
    let second = build(two.path(), &sources, &plan).unwrap();
    assert_eq!(first.manifest.id, second.manifest.id);
    assert_eq!(bytes(&first.folder), bytes(&second.folder));
    assert!(build(one.path(), &sources, &plan).unwrap().was_there);
    sources[0].messages[1] = Message::user("something else");
    sources[0].revision = 1;
    let edited = build(one.path(), &sources, &plan).unwrap();
    assert_ne!(edited.manifest.id, first.manifest.id);
    assert_eq!(found(one.path()).len(), 2);
    let (before, after) = (read_index(&first.folder).unwrap(), read_index(&edited.folder).unwrap());
    let difference = compare((&first.manifest, &before), (&edited.manifest, &after));
    assert_eq!((difference.changed, difference.same, difference.added, difference.removed), (2, 3, 0, 0));
    assert_eq!(difference.traces.len(), 1);
    assert_eq!(difference.traces[0].after.as_ref().unwrap().revision, 1);
}

#[test]
fn rows_that_are_the_same_are_kept_once() {
    let root = tempfile::tempdir().unwrap();
    let twin = Source { id: "b".to_owned(), ..source("a", "suca") };
    let built = build(root.path(), &[source("a", "suca"), twin.clone()], &plan()).unwrap();
    assert_eq!((built.manifest.figures.train.rows, built.manifest.figures.duplicates), (2, 2));
    assert_eq!(built.manifest.figures.left_out.len(), 1);
    let kept = DatasetPlan { dedupe: false, ..plan() };
    let built = build(root.path(), &[source("a", "suca"), twin], &kept).unwrap();
    assert_eq!(built.manifest.figures.train.rows, 4);
    // A tree of beginnings does not grow by rows that are there.
    let figures = &built.manifest.figures;
    assert_eq!(figures.trie.nodes, u64::from(figures.longest));
}

#[test]
fn a_build_that_does_not_end_leaves_no_version() {
    let root = tempfile::tempdir().unwrap();
    let begun = Build::begin(root.path(), "x", &plan()).unwrap();
    assert_eq!(root.path().read_dir().unwrap().count(), 1);
    drop(begun);
    assert_eq!(root.path().read_dir().unwrap().count(), 0);
    // A killed one leaves its folder; it is no version, and the next start removes it.
    std::fs::create_dir_all(root.path().join(".building-y")).unwrap();
    assert!(found(root.path()).is_empty());
    sweep(root.path());
    assert_eq!(root.path().read_dir().unwrap().count(), 0);
    assert!(matches!(build(root.path(), &[source("a", "su")], &plan()), Err(Error::NoRows { traces: 1, .. })));
    assert_eq!(root.path().read_dir().unwrap().count(), 0);
}

#[test]
fn a_manifest_knows_when_its_files_are_not_its_own_any_more() {
    let root = tempfile::tempdir().unwrap();
    let built = build(root.path(), &[source("a", "suca")], &plan()).unwrap();
    assert_eq!(Manifest::read(&built.folder).unwrap().problem(&built.folder), None);
    std::fs::write(built.folder.join("train.parquet"), "x").unwrap();
    assert_eq!(built.manifest.problem(&built.folder).as_deref(), Some("train.parquet was changed."));
    // Built again, it is whole again.
    assert!(!build(root.path(), &[source("a", "suca")], &plan()).unwrap().was_there);
    assert_eq!(built.manifest.problem(&built.folder), None);
}

#[test]
fn branches_become_prompt_chosen_and_rejected() {
    let root = tempfile::tempdir().unwrap();
    let renderer = Plain::default();
    let (better, mut worse) = (source("a", "suca"), source("a", "suca"));
    worse.id = "b".to_owned();
    worse.messages[4] = Message::assistant("nothing found", None, vec![]);
    let prepare = |source: &Source| Prepared::of(source, &plan(), &renderer);
    let row =
        PreferenceRow::of((&better, &prepare(&better)), (&worse, &prepare(&worse)), SplitName::Validation).unwrap();
    assert_eq!((row.prompt.len(), row.chosen.len(), row.rejected.len()), (4, 1, 1));
    assert_eq!(row.id, "a_over_b");
    assert!(PreferenceRow::of((&better, &prepare(&better)), (&better, &prepare(&better)), SplitName::Train).is_none());
    let mut tally = Tally::new(true, false);
    let mut build = Build::begin(root.path(), "one", &plan()).unwrap();
    build.add_preference(&mut tally, &row).unwrap();
    let built = build.finish(&tally, None).unwrap();
    assert_eq!(preferences(&built.folder, SplitName::Validation).unwrap(), [row]);
    let done = export(Target::Trl, &built.folder, Some(&root.path().join("x.jsonl")), None, &|| true).unwrap();
    let text = std::fs::read_to_string(&done.files[0]).unwrap();
    assert!(done.files[0].ends_with("x-preferences-validation.jsonl"), "{:?}", done.files);
    for key in ["\"prompt\":[", "\"chosen\":[", "\"rejected\":["] {
        assert!(text.contains(key), "{text}");
    }
}

#[test]
fn every_form_says_what_it_loses_and_writes_all_rows() {
    let root = tempfile::tempdir().unwrap();
    let plan = DatasetPlan { validation_fraction: 0.5, ..plan() };
    let built = build(root.path(), &[source("a", "suca"), source("b", "succa")], &plan).unwrap();
    for target in Target::ALL {
        let out = root.path().join(target.name());
        let renderer = Plain { drops_reasoning: true };
        let checked = export(target, &built.folder, None, Some(&renderer), &|| true).unwrap();
        let done = export(target, &built.folder, Some(&out), Some(&renderer), &|| true).unwrap();
        assert_eq!((done.rows, done.files.len()), (5, 2), "{target:?}");
        assert_eq!((checked.rows, checked.files.len()), (5, 0), "{target:?}");
        assert_eq!(checked.losses, done.losses, "{target:?}");
        let lossless = matches!(
            target,
            Target::Parquet | Target::ParquetText | Target::Jsonl | Target::TrlCompletion | Target::Tokens
        );
        if target == Target::Axolotl {
            assert!(done.losses.keys().all(|loss| loss.contains("<think>")), "{:?}", done.losses);
        }
        assert_eq!(done.losses.is_empty(), lossless, "{target:?}: {:?}", done.losses);
    }
    assert!(matches!(export(Target::Tokens, &built.folder, None, None, &|| true), Err(Error::Plan(_))));
    // An export that is cancelled leaves no file.
    let out = root.path().join("cancelled");
    assert!(export(Target::Jsonl, &built.folder, Some(&out), None, &|| false).is_err());
}

#[test]
fn labels_are_minus_100_where_nothing_is_trained() {
    let root = tempfile::tempdir().unwrap();
    let plan = DatasetPlan { unroll: Unroll::None, train: TrainOn::Last, ..plan() };
    let built = build(root.path(), &[source("a", "sua")], &plan).unwrap();
    let out = root.path().join("tokens.jsonl");
    export(Target::Tokens, &built.folder, Some(&out), Some(&Plain { drops_reasoning: true }), &|| true).unwrap();
    let row: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&out).unwrap()).unwrap();
    let list = |key: &str| row[key].as_array().unwrap().iter().map(|it| it.as_i64().unwrap()).collect::<Vec<_>>();
    let (ids, labels) = (list("input_ids"), list("labels"));
    let trained: String = ids
        .iter()
        .zip(&labels)
        .filter(|(_, label)| **label != -100)
        .map(|(id, _)| char::from(u8::try_from(*id).unwrap()))
        .collect();
    assert_eq!(trained, "<assistant>(thought 2)answer 2</>");
    assert_eq!(ids.len(), labels.len());
}
