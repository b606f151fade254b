//! Train and validation.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tw_artifact::SplitName;

use crate::Splits;

fn ids(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("t{number:03}")).collect()
}

fn validation(splits: &Splits, ids: &[String]) -> usize {
    ids.iter().filter(|id| splits.part(id) == SplitName::Validation).count()
}

#[test]
fn the_share_is_met_and_the_seed_chooses() {
    let ids = ids(100);
    let of = |seed| Splits::of(&ids, &[], 0.1, seed, &BTreeMap::new());
    assert_eq!(validation(&of(1), &ids), 10);
    let chosen = |splits: &Splits| ids.iter().map(|id| splits.part(id)).collect::<Vec<_>>();
    assert_eq!(chosen(&of(1)), chosen(&of(1)));
    assert_ne!(chosen(&of(1)), chosen(&of(2)));
    assert_eq!(validation(&Splits::of(&ids, &[], 0.0, 1, &BTreeMap::new()), &ids), 0);
    assert_eq!(validation(&Splits::of(&ids[..2], &[], 0.01, 1, &BTreeMap::new()), &ids[..2]), 1);
}

#[test]
fn a_person_chooses_for_the_whole_group() {
    let ids = ids(6);
    let bonds = [("t000".to_owned(), "elsewhere".to_owned()), ("t001".to_owned(), "elsewhere".to_owned())];
    let by_hand = BTreeMap::from([("t000".to_owned(), SplitName::Validation)]);
    let splits = Splits::of(&ids, &bonds, 0.0, 0, &by_hand);
    assert_eq!((splits.part("t000"), splits.part("t001")), (SplitName::Validation, SplitName::Validation));
    assert_eq!(splits.bound_to("t000"), ["t001"]);
    assert!(splits.problems.is_empty());
    let torn = BTreeMap::from([("t000".to_owned(), SplitName::Validation), ("t001".to_owned(), SplitName::Train)]);
    let splits = Splits::of(&ids, &bonds, 0.0, 0, &torn);
    assert_eq!(splits.part("t000"), SplitName::Train);
    assert_eq!(splits.problems.len(), 1);
}

#[test]
fn where_all_belong_together_nothing_can_be_set_aside() {
    let ids = ids(2);
    let splits = Splits::of(&ids, &[(ids[0].clone(), ids[1].clone())], 0.5, 0, &BTreeMap::new());
    assert_eq!(validation(&splits, &ids), 0);
    assert_eq!(splits.problems.len(), 1);
}

proptest! {
    #[test]
    fn bonds_never_reach_over_parts(
        count in 2_usize..30,
        bonds in proptest::collection::vec((0_usize..30, 0_usize..30), 0..20),
        fraction in 0.0_f64..0.9,
        seed in any::<u64>(),
    ) {
        let ids = ids(count);
        let name = |place: usize| format!("t{place:03}");
        let mut bonds: Vec<(String, String)> = bonds.into_iter().map(|(a, b)| (name(a), name(b))).collect();
        let splits = Splits::of(&ids, &bonds, fraction, seed, &BTreeMap::new());
        for (one, other) in &bonds {
            if ids.contains(one) && ids.contains(other) {
                prop_assert_eq!(splits.part(one), splits.part(other));
            }
        }
        prop_assert!(validation(&splits, &ids) < count);
        // The order in which bonds are found changes nothing.
        bonds.reverse();
        let again = Splits::of(&ids, &bonds, fraction, seed, &BTreeMap::new());
        for id in &ids {
            prop_assert_eq!(splits.part(id), again.part(id));
        }
    }
}
