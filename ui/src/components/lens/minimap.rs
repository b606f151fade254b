//! The whole text in the height of the window: where it is trained, and who speaks. Pure.

/// A stretch of the text about which the same holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Region<K> {
    /// First byte.
    pub(crate) start: usize,
    /// Byte after the last.
    pub(crate) end: usize,
    /// Whether it is trained.
    pub(crate) trained: bool,
    /// Whose it is.
    pub(crate) kind: K,
}

/// Neighbouring strips of the map that look the same; strips are counted from the top.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Strip<K> {
    /// First strip.
    pub(crate) from: usize,
    /// Strip after the last.
    pub(crate) to: usize,
    /// Whether something in it is trained: a single token must not be lost between two strips.
    pub(crate) trained: bool,
    /// Whose the most of it is.
    pub(crate) kind: K,
}

/// Draws a text of `bytes` as `height` strips. Regions come in order; what lies between them has no strip of its own.
pub(crate) fn strips<K: Copy + PartialEq>(
    bytes: usize,
    height: usize,
    regions: impl IntoIterator<Item = Region<K>>,
) -> Vec<Strip<K>> {
    if bytes == 0 || height == 0 {
        return Vec::new();
    }
    // What is known of each strip: whether it is trained, and who has how many bytes of it.
    let mut known: Vec<Option<(bool, K, usize)>> = vec![None; height];
    let place = |byte: usize| (byte.min(bytes) * height / bytes).min(height - 1);
    let begin = |strip: usize| strip * bytes / height;
    for region in regions.into_iter().filter(|region| region.start < region.end) {
        let (first, last) = (place(region.start), place(region.end - 1));
        for (strip, known) in known.iter_mut().enumerate().take(last + 1).skip(first) {
            let share =
                region.end.min(begin(strip + 1).max(begin(strip) + 1)).saturating_sub(region.start.max(begin(strip)));
            *known = Some(match *known {
                None => (region.trained, region.kind, share),
                Some((trained, kind, most)) if kind == region.kind => (trained | region.trained, kind, most + share),
                Some((trained, _, most)) if share > most => (trained | region.trained, region.kind, share),
                Some((trained, kind, most)) => (trained | region.trained, kind, most),
            });
        }
    }
    let mut strips: Vec<Strip<K>> = Vec::new();
    for (at, known) in known.into_iter().enumerate() {
        let Some((trained, kind, _)) = known else { continue };
        match strips.last_mut() {
            Some(last) if last.to == at && last.trained == trained && last.kind == kind => last.to = at + 1,
            _ => strips.push(Strip { from: at, to: at + 1, trained, kind }),
        }
    }
    strips
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn region(start: usize, end: usize, trained: bool, kind: char) -> Region<char> {
        Region { start, end, trained, kind }
    }

    fn told(strips: &[Strip<char>]) -> Vec<(usize, usize, bool, char)> {
        strips.iter().map(|it| (it.from, it.to, it.trained, it.kind)).collect()
    }

    #[test]
    fn a_text_is_shown_in_its_proportions() {
        let map = strips(
            1_000,
            10,
            [region(0, 500, false, 's'), region(500, 900, true, 'a'), region(900, 1_000, false, 'u')],
        );
        assert_eq!(told(&map), [(0, 5, false, 's'), (5, 9, true, 'a'), (9, 10, false, 'u')]);
    }

    #[test]
    fn one_trained_token_in_a_long_text_can_be_seen() {
        let map = strips(
            1_000_000,
            100,
            [
                region(0, 500_000, false, 's'),
                region(500_000, 500_001, true, 'a'),
                region(500_001, 1_000_000, false, 's'),
            ],
        );
        assert_eq!(told(&map), [(0, 50, false, 's'), (50, 51, true, 's'), (51, 100, false, 's')]);
    }

    #[test]
    fn a_short_text_fills_the_map_and_an_empty_one_draws_nothing() {
        let map = strips(2, 10, [region(0, 1, false, 'u'), region(1, 2, true, 'a')]);
        assert!(map.iter().any(|strip| strip.trained) && map.iter().any(|strip| !strip.trained));
        assert_eq!(strips::<char>(0, 10, []), []);
        assert_eq!(strips(10, 0, [region(0, 10, true, 'a')]), []);
    }

    proptest! {
        #[test]
        fn strips_stand_in_order_inside_of_the_map(
            bytes in 1_usize..5_000,
            height in 1_usize..300,
            cuts in prop::collection::vec((0_usize..5_000, any::<bool>()), 0..30),
        ) {
            let mut cuts = cuts;
            cuts.sort_unstable();
            let regions = cuts.windows(2).map(|pair| region(pair[0].0, pair[1].0, pair[0].1, 'x'));
            let map = strips(bytes, height, regions);
            prop_assert!(map.iter().all(|strip| strip.from < strip.to && strip.to <= height));
            prop_assert!(map.windows(2).all(|pair| pair[0].to <= pair[1].from));
        }
    }
}
