//! A trace's rows as a small tree: each row is a lane, which leaves its parent's lane where the two stop being the same.
//!
//! In: the rows with their parents and what they share. Out: where each stroke and each message's cell stands. Pure.

use tw_artifact::FamilyRow;

/// Height of a lane, in pixels.
pub(crate) const LANE_PX: f64 = 20.0;
/// Widest cell of a message, in pixels.
const CELL_MOST_PX: f64 = 9.0;
/// Room at the left, for the first message's mark.
const LEFT_PX: f64 = 5.0;

/// A run of messages of a row that are its own, alike in being trained or not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cell {
    /// Left edge, in pixels.
    pub(crate) x: f64,
    /// In pixels.
    pub(crate) width: f64,
    /// Whether the loss counts them.
    pub(crate) trained: bool,
}

/// A row's lane.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Lane {
    /// The middle of the lane, in pixels from the top.
    pub(crate) y: f64,
    /// The path that leads to it from its parent's lane; empty for a root.
    pub(crate) branch: String,
    /// Where what it shares with its parent ends.
    pub(crate) from_x: f64,
    /// Where it ends.
    pub(crate) to_x: f64,
    /// Trained messages that it shares with its parent, whose cells stand on the shared part.
    pub(crate) cells: Vec<Cell>,
}

/// The whole drawing.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Tree {
    /// A lane for each row, in order.
    pub(crate) lanes: Vec<Lane>,
    /// In pixels.
    pub(crate) width: f64,
    /// In pixels.
    pub(crate) height: f64,
}

/// Draws rows into at most `most_px` pixels of width. A parent that comes after its row, or is the row itself, counts as
/// none.
pub(crate) fn tree(rows: &[FamilyRow], most_px: f64) -> Tree {
    let longest = rows.iter().map(|row| row.messages).max().unwrap_or(0).max(1);
    let cell_px = ((most_px - 2.0 * LEFT_PX) / f64::from(longest)).clamp(0.05, CELL_MOST_PX);
    let x = |message: u32| LEFT_PX + f64::from(message) * cell_px;
    let mut lanes: Vec<Lane> = Vec::with_capacity(rows.len());
    let mut y = LANE_PX / 2.0;
    for (place, row) in rows.iter().enumerate() {
        let parent = row
            .parent
            .and_then(|parent| usize::try_from(parent).ok())
            .filter(|parent| *parent < place)
            .and_then(|parent| lanes.get(parent));
        let shared = if parent.is_some() { row.shared.min(row.messages) } else { 0 };
        let branch = parent.map(|parent| branch(x(shared), parent.y, y)).unwrap_or_default();
        lanes.push(Lane { y, branch, from_x: x(shared), to_x: x(row.messages), cells: cells(row, shared, x, cell_px) });
        y += LANE_PX;
    }
    Tree { width: x(longest) + LEFT_PX, height: y - LANE_PX / 2.0, lanes }
}

/// From the parent's lane down and round into the row's own.
fn branch(x: f64, from_y: f64, to_y: f64) -> String {
    format!("M{x:.1} {from_y:.1}V{:.1}Q{x:.1} {to_y:.1} {:.1} {to_y:.1}", to_y - 4.0, x + 4.0)
}

/// The row's own messages, those of one kind next to each other as one cell; of shared ones only those that are trained
/// here.
fn cells(row: &FamilyRow, shared: u32, x: impl Fn(u32) -> f64, cell_px: f64) -> Vec<Cell> {
    let gap = if cell_px > 3.0 { 1.0 } else { 0.0 };
    let mut cells: Vec<Cell> = Vec::new();
    let mut trained = row.trained.clone();
    trained.sort_unstable();
    for message in 0..row.messages {
        let is_trained = trained.binary_search(&message).is_ok();
        if message < shared && !is_trained {
            continue;
        }
        let cell = Cell { x: x(message), width: (cell_px - gap).max(cell_px * 0.5), trained: is_trained };
        match cells.last_mut() {
            // Too narrow to be told apart: one stroke.
            Some(last)
                if cell_px < 3.0 && last.trained == is_trained && (last.x + last.width - cell.x).abs() < cell_px =>
            {
                last.width = cell.x + cell.width - last.x;
            }
            _ => cells.push(cell),
        }
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(parent: Option<u32>, shared: u32, messages: u32, trained: &[u32]) -> FamilyRow {
        FamilyRow { parent, shared, messages, trained: trained.to_vec(), ..FamilyRow::default() }
    }

    #[test]
    fn a_row_leaves_its_parents_lane_where_they_stop_being_the_same() {
        let drawn = tree(&[row(None, 0, 3, &[2]), row(Some(0), 3, 5, &[4])], 200.0);
        assert_eq!(drawn.lanes[0].branch, "");
        assert_eq!(drawn.lanes[0].cells.len(), 3);
        let second = &drawn.lanes[1];
        assert!((second.from_x - drawn.lanes[0].to_x).abs() < 1e-9);
        assert!(second.branch.starts_with(&format!("M{:.1} {:.1}V", second.from_x, drawn.lanes[0].y)));
        assert_eq!(second.cells.iter().map(|cell| cell.trained).collect::<Vec<_>>(), [false, true]);
    }

    #[test]
    fn a_shared_message_is_drawn_again_only_where_this_row_trains_it() {
        let drawn = tree(&[row(None, 0, 3, &[2]), row(Some(0), 3, 4, &[2, 3])], 200.0);
        assert_eq!(drawn.lanes[1].cells.len(), 2);
        assert!(drawn.lanes[1].cells.iter().all(|cell| cell.trained));
    }

    #[test]
    fn a_parent_that_is_not_before_its_row_counts_as_none() {
        for parent in [0, 1, 9] {
            let drawn = tree(&[row(Some(parent), 2, 3, &[])], 200.0);
            assert_eq!(drawn.lanes[0].branch, "");
            assert_eq!(drawn.lanes[0].cells.len(), 3);
        }
    }

    #[test]
    fn it_stays_within_its_width_however_long_the_rows_are() {
        for messages in [0, 1, 10, 500, 3_000] {
            let drawn = tree(&[row(None, 0, messages, &[0])], 240.0);
            assert!(drawn.width <= 240.0 + 1e-6, "{messages}: {}", drawn.width);
            assert!(drawn.lanes[0].cells.len() <= 500);
        }
    }

    #[test]
    fn nothing_gives_an_empty_drawing() {
        assert_eq!(tree(&[], 200.0).lanes.len(), 0);
    }
}
