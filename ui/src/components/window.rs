//! A window on a long list of which the host has all rows and the page a few: pages of it, fetched where one looks.
//!
//! In: pages as they come. Out: rows by their place, what is to be fetched, what of it may go again. Never: a fetch.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// The pages that are here. Places count from 0.
#[derive(Clone, Debug)]
pub(crate) struct Pages<T> {
    size: usize,
    most: usize,
    total: usize,
    version: u64,
    pages: HashMap<usize, Page<T>>,
}

#[derive(Clone, Debug)]
struct Page<T> {
    rows: Vec<T>,
    version: u64,
}

impl<T> Pages<T> {
    /// Nothing yet. Pages have `size` rows; at most `most` of them are kept.
    pub(crate) fn new(size: usize, most: usize) -> Self {
        Self { size: size.max(1), most: most.max(1), total: 0, version: 0, pages: HashMap::new() }
    }

    /// How many rows the list has, here or not.
    #[cfg(test)]
    pub(crate) const fn total(&self) -> usize {
        self.total
    }

    /// Which state of the list is wanted: answers that were asked for before [`Pages::outdate`] carry an older one.
    pub(crate) const fn version(&self) -> u64 {
        self.version
    }

    /// A row, where it is here.
    pub(crate) fn get(&self, place: usize) -> Option<&T> {
        self.pages.get(&(place / self.size))?.rows.get(place % self.size)
    }

    /// The first row that fits, of those that are here, and its place.
    pub(crate) fn find(&self, fits: impl Fn(&T) -> bool) -> Option<usize> {
        self.rows().filter(|(_, row)| fits(row)).map(|(place, _)| place).min()
    }

    /// The rows that are here, with their places, in no order.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (usize, &T)> {
        self.pages.iter().flat_map(move |(number, page)| {
            page.rows.iter().enumerate().map(move |(at, row)| (number * self.size + at, row))
        })
    }

    /// Changes the rows that are here.
    pub(crate) fn change(&mut self, mut change: impl FnMut(&mut T)) {
        self.pages.values_mut().flat_map(|page| &mut page.rows).for_each(&mut change);
    }

    /// The list changed: what is here is shown until it was fetched again.
    pub(crate) fn outdate(&mut self) {
        self.version += 1;
    }

    /// The pages to fetch so that `rows` are here and fresh, next to each other ones together; those that are `asked`
    /// for are left out. A list of which nothing is known has a first page.
    pub(crate) fn wanted(&self, rows: &Range<usize>, asked: &HashSet<usize>) -> Vec<Range<usize>> {
        let last_page = self.total.saturating_sub(1) / self.size;
        let first = (rows.start / self.size).min(last_page);
        let last = (rows.end.saturating_sub(1) / self.size).clamp(first, last_page);
        let mut found: Vec<Range<usize>> = Vec::new();
        for page in first..=last {
            let fresh = self.pages.get(&page).is_some_and(|page| page.version == self.version);
            if fresh || asked.contains(&page) {
                continue;
            }
            match found.last_mut() {
                Some(run) if run.end == page => run.end += 1,
                _ => found.push(page..page + 1),
            }
        }
        found
    }

    /// Takes rows in that begin at a page, as the list was at `version`, and the list's length. Pages far from them go.
    pub(crate) fn put(&mut self, page: usize, rows: Vec<T>, version: u64, total: usize) {
        self.total = total;
        let mut rows = rows.into_iter();
        for number in page.. {
            let part: Vec<T> = rows.by_ref().take(self.size).collect();
            if part.is_empty() {
                break;
            }
            self.pages.insert(number, Page { rows: part, version });
        }
        let size = self.size;
        self.pages.retain(|number, _| number * size < total);
        while self.pages.len() > self.most {
            let Some(far) = self.pages.keys().copied().max_by_key(|number| number.abs_diff(page)) else { break };
            self.pages.remove(&far);
        }
    }
}

/// Rows that should be on the page: from `top` pixels on, `height` pixels high, and a few around.
pub(crate) fn visible(top: f64, height: f64, row_px: f64, total: usize, around: usize) -> Range<usize> {
    let row_px = row_px.max(1.0);
    let first = whole(top / row_px).min(total.saturating_sub(1));
    let count = whole((height / row_px).ceil()) + 1;
    first.saturating_sub(around)..(first + count + around).min(total)
}

/// The row that one of `slots` shows, when the first row on the page is `first`: rows keep their slot while they are on
/// the page, so that scrolling by one row changes one slot.
pub(crate) const fn row_of_slot(slot: usize, slots: usize, first: usize) -> usize {
    if slots == 0 {
        return first;
    }
    let behind = (slot + slots - first % slots) % slots;
    first + behind
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "negative becomes 0, rows are few")]
const fn whole(value: f64) -> usize {
    value as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages() -> Pages<usize> {
        let mut pages = Pages::new(10, 3);
        pages.put(0, (0..10).collect(), 0, 95);
        pages
    }

    #[test]
    fn rows_are_found_by_their_place_and_others_are_wanted() {
        let pages = pages();
        let none = HashSet::new();
        assert_eq!(pages.get(7), Some(&7));
        assert_eq!(pages.get(10), None);
        assert!(pages.wanted(&(0..10), &none).is_empty());
        assert_eq!(pages.wanted(&(5..31), &none), vec![Range { start: 1, end: 4 }]);
        assert_eq!(pages.wanted(&(5..31), &HashSet::from([2])), [1..2, 3..4]);
        assert_eq!(pages.wanted(&(90..200), &none), vec![Range { start: 9, end: 10 }]);
        assert_eq!(pages.wanted(&(500..600), &none), vec![Range { start: 9, end: 10 }]);
    }

    #[test]
    fn an_empty_list_wants_its_first_page_once() {
        let mut pages = Pages::<usize>::new(10, 3);
        let none = HashSet::new();
        assert_eq!(pages.wanted(&(0..0), &none), vec![Range { start: 0, end: 1 }]);
        pages.put(0, vec![1], 0, 1);
        assert!(pages.wanted(&(0..0), &none).is_empty());
    }

    #[test]
    fn a_changed_list_is_shown_until_it_was_fetched_again() {
        let mut pages = pages();
        pages.outdate();
        assert_eq!(pages.get(7), Some(&7));
        assert_eq!(pages.wanted(&(0..10), &HashSet::new()), vec![Range { start: 0, end: 1 }]);
        // An answer to the older question does not pass for a fresh one.
        pages.put(0, (100..110).collect(), 0, 95);
        assert_eq!(pages.wanted(&(0..10), &HashSet::new()), vec![Range { start: 0, end: 1 }]);
        pages.put(0, (200..210).collect(), pages.version(), 95);
        assert!(pages.wanted(&(0..10), &HashSet::new()).is_empty());
        assert_eq!(pages.find(|row| *row == 203), Some(3));
    }

    #[test]
    fn far_pages_go_and_so_does_what_is_beyond_the_end() {
        let mut pages = pages();
        pages.put(5, (50..80).collect(), 0, 95);
        assert_eq!(pages.get(3), None);
        assert_eq!((pages.get(50), pages.get(79)), (Some(&50), Some(&79)));
        pages.put(5, (50..55).collect(), 0, 55);
        assert_eq!((pages.total(), pages.get(60)), (55, None));
    }

    #[test]
    fn the_rows_on_the_page_follow_the_scroll_position() {
        assert_eq!(visible(0.0, 300.0, 30.0, 1_000, 2), 0..13);
        assert_eq!(visible(3_000.0, 300.0, 30.0, 1_000, 2), 98..113);
        assert_eq!(visible(29_990.0, 300.0, 30.0, 1_000, 2), 997..1_000);
        assert_eq!(visible(0.0, 300.0, 30.0, 0, 2), 0..0);
    }

    #[test]
    fn slots_show_each_row_on_the_page_once_and_keep_it() {
        for first in 0..50 {
            let mut rows: Vec<usize> = (0..8).map(|slot| row_of_slot(slot, 8, first)).collect();
            rows.sort_unstable();
            assert_eq!(rows, (first..first + 8).collect::<Vec<_>>());
        }
        let kept = (0..8).filter(|slot| row_of_slot(*slot, 8, 20) == row_of_slot(*slot, 8, 21)).count();
        assert_eq!(kept, 7);
    }
}
