//! A plot as numbers: curves, which part of them is seen, where that is drawn and what lies nearest. Pure.

/// Points that are drawn for each pixel of the width at most: the lowest and the highest of those that fall on it.
const PER_PIXEL: usize = 2;
/// Room at the left for the numbers of the upright axis, in pixels.
const LEFT_PX: f64 = 52.0;
/// Room at the right.
const RIGHT_PX: f64 = 10.0;
/// Room above.
const TOP_PX: f64 = 8.0;
/// Room below, for the numbers of the level axis.
const BOTTOM_PX: f64 = 20.0;
/// Pixels between two numbers of the level axis, about.
const X_TICK_PX: f64 = 70.0;
/// Pixels between two numbers of the upright axis, about.
const Y_TICK_PX: f64 = 36.0;
/// Digits after the first of a number along an axis, at most.
const MOST_DIGITS: f64 = 6.0;
/// Pixels between two marks on a line.
const MARK_PX: f64 = 110.0;

/// How a curve is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Look {
    /// A thin, pale line: what was measured, with its noise.
    Thin,
    /// A line.
    #[default]
    Line,
    /// A line with its form and marks of its number, so that it is told apart without colour.
    Marked,
    /// A dot for each point.
    Dots,
}

/// One curve.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Curve {
    /// What it shows.
    pub(crate) name: String,
    /// How it is drawn.
    pub(crate) look: Look,
    /// The number of its colour, form and mark.
    pub(crate) tone: usize,
    /// `[x, y]`, with x rising.
    pub(crate) points: Vec<[f64; 2]>,
}

impl Curve {
    /// A curve without points.
    pub(crate) fn new(name: impl Into<String>, look: Look, tone: usize) -> Self {
        Self { name: name.into(), look, tone, points: Vec::new() }
    }

    /// Takes away the points from `x` on.
    pub(crate) fn cut_from(&mut self, x: f64) {
        let keep = self.points.partition_point(|point| point[0] < x);
        self.points.truncate(keep);
    }
}

/// The curves of a plot.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Curves(pub(crate) Vec<Curve>);

impl Curves {
    /// From the first to the last x of all.
    pub(crate) fn width(&self) -> Option<Span> {
        let ends = self.0.iter().filter_map(|curve| Some((curve.points.first()?[0], curve.points.last()?[0])));
        ends.map(|(from, to)| Span { from, to }).reduce(Span::with)
    }

    /// What the curves are at `x`: the x of the point that is nearest to it, and each curve's y there.
    pub(crate) fn read(&self, x: f64) -> Option<(f64, Vec<Option<f64>>)> {
        let lines = self.0.iter().filter(|curve| curve.look != Look::Dots);
        let candidates = lines.chain(self.0.iter().filter(|curve| curve.look == Look::Dots));
        let mut best = None::<f64>;
        for curve in candidates {
            let Some(point) = nearest(&curve.points, x).and_then(|place| curve.points.get(place)) else { continue };
            if best.is_none_or(|best| (point[0] - x).abs() < (best - x).abs()) {
                best = Some(point[0]);
            }
        }
        let at = best?;
        let value = |curve: &Curve| {
            let point = curve.points.get(nearest(&curve.points, at)?)?;
            ((point[0] - at).abs() < 0.5).then_some(point[1])
        };
        Some((at, self.0.iter().map(value).collect()))
    }

    /// The x of the point that follows the one at `x`, or of the one before it.
    pub(crate) fn step(&self, x: f64, forward: bool) -> Option<f64> {
        let places = self.0.iter().filter_map(|curve| {
            let place = if forward {
                curve.points.partition_point(|point| point[0] <= x)
            } else {
                curve.points.partition_point(|point| point[0] < x).checked_sub(1)?
            };
            Some(curve.points.get(place)?[0])
        });
        places.reduce(if forward { f64::min } else { f64::max })
    }
}

/// The place of the point whose x is nearest.
pub(crate) fn nearest(points: &[[f64; 2]], x: f64) -> Option<usize> {
    let after = points.partition_point(|point| point[0] < x);
    let before = after.checked_sub(1);
    match (before, points.get(after)) {
        (None, None) => None,
        (None, Some(_)) => Some(after),
        (Some(before), None) => Some(before),
        (Some(before), Some(next)) => {
            let from_before = points.get(before).map_or(f64::INFINITY, |point| x - point[0]);
            Some(if from_before <= next[0] - x { before } else { after })
        }
    }
}

/// From one value to another.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Span {
    /// The lower one.
    pub(crate) from: f64,
    /// The higher one.
    pub(crate) to: f64,
}

impl Span {
    /// Between two values, in either order.
    pub(crate) const fn between(a: f64, b: f64) -> Self {
        Self { from: a.min(b), to: a.max(b) }
    }

    /// Both together.
    pub(crate) const fn with(self, other: Self) -> Self {
        Self { from: self.from.min(other.from), to: self.to.max(other.to) }
    }

    /// How long it is.
    pub(crate) fn length(self) -> f64 {
        self.to - self.from
    }

    /// This, or where it has hardly any length (values that differ by rounding alone), something around it.
    fn opened(self, least: f64) -> Self {
        if self.length() > least * 1e-3 { self } else { Self { from: self.from - least, to: self.to + least } }
    }

    /// A span of `share` of the length around `middle`, kept within `whole`.
    pub(crate) fn scaled(self, share: f64, middle: f64, whole: Self) -> Self {
        let length = (self.length() * share).min(whole.length());
        let left = if self.length() > 0.0 { (middle - self.from) / self.length() } else { 0.5 };
        let from = length.mul_add(-left, middle).clamp(whole.from, (whole.to - length).max(whole.from));
        Self { from, to: from + length }
    }
}

/// What is drawn on: a place of some pixels and the values that it shows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Frame {
    /// Pixels in all, across.
    pub(crate) width: f64,
    /// Pixels in all, down.
    pub(crate) height: f64,
    /// What is shown across.
    pub(crate) x: Span,
    /// What is shown upwards.
    pub(crate) y: Span,
}

impl Frame {
    /// Where the drawing begins, from the left.
    pub(crate) const fn left(self) -> f64 {
        LEFT_PX
    }

    /// Where it ends.
    pub(crate) fn right(self) -> f64 {
        (self.width - RIGHT_PX).max(LEFT_PX + 1.0)
    }

    /// Where it begins, from above.
    pub(crate) const fn top(self) -> f64 {
        TOP_PX
    }

    /// Where it ends.
    pub(crate) fn bottom(self) -> f64 {
        (self.height - BOTTOM_PX).max(TOP_PX + 1.0)
    }

    /// Where a value is drawn, across.
    pub(crate) fn place_x(self, x: f64) -> f64 {
        ((x - self.x.from) / self.x.length()).mul_add(self.right() - self.left(), self.left())
    }

    /// Where a value is drawn, from above.
    pub(crate) fn place_y(self, y: f64) -> f64 {
        ((y - self.y.from) / self.y.length()).mul_add(self.top() - self.bottom(), self.bottom())
    }

    /// Which value is drawn at a pixel, across.
    pub(crate) fn value_x(self, px: f64) -> f64 {
        let share = (px - self.left()) / (self.right() - self.left());
        share.clamp(0.0, 1.0).mul_add(self.x.length(), self.x.from)
    }
}

/// The points that are seen, and one before and after them, so that lines go on to the edge.
fn seen(points: &[[f64; 2]], x: Span) -> &[[f64; 2]] {
    let from = points.partition_point(|point| point[0] < x.from).saturating_sub(1);
    let to = (points.partition_point(|point| point[0] <= x.to) + 1).min(points.len());
    points.get(from..to).unwrap_or_default()
}

/// From the lowest to the highest y that is seen, with some air.
fn height(curves: &Curves, x: Span, from_zero: bool) -> Span {
    let mut span = None::<Span>;
    for curve in &curves.0 {
        for point in seen(&curve.points, x) {
            if point[0] >= x.from && point[0] <= x.to && point[1].is_finite() {
                let own = Span { from: point[1], to: point[1] };
                span = Some(span.map_or(own, |span| span.with(own)));
            }
        }
    }
    let mut span = span.unwrap_or(Span { from: 0.0, to: 1.0 });
    if from_zero {
        span = span.with(Span::default());
    }
    let span = span.opened((span.from.abs() * 0.05).max(1e-9));
    let air = span.length() * 0.06;
    Span { from: if from_zero && span.from >= 0.0 { span.from } else { span.from - air }, to: span.to + air }
}

/// The points of a curve as pixels, at most [`PER_PIXEL`] for each pixel of the width.
fn thinned(points: &[[f64; 2]], frame: Frame) -> Vec<[f64; 2]> {
    let points = seen(points, frame.x);
    let place = |point: &[f64; 2]| [frame.place_x(point[0]), frame.place_y(point[1])];
    let columns = whole(frame.right() - frame.left());
    if points.len() <= columns * PER_PIXEL {
        return points.iter().filter(|point| point[1].is_finite()).map(place).collect();
    }
    let mut out = Vec::with_capacity(columns * PER_PIXEL + 4);
    // The lowest and the highest of the column so far, and which of them came first.
    let mut column = f64::NEG_INFINITY;
    let mut low = [0.0, f64::INFINITY];
    let mut high = [0.0, f64::NEG_INFINITY];
    let close = |low: [f64; 2], high: [f64; 2], out: &mut Vec<[f64; 2]>| {
        if low[1] > high[1] {
            return;
        }
        if low == high {
            out.push(low);
        } else if low[0] <= high[0] {
            out.extend([low, high]);
        } else {
            out.extend([high, low]);
        }
    };
    for point in points {
        let [x, y] = place(point);
        if !y.is_finite() {
            continue;
        }
        if x.floor() > column {
            close(low, high, &mut out);
            column = x.floor();
            low = [x, y];
            high = [x, y];
        } else {
            if y < low[1] {
                low = [x, y];
            }
            if y > high[1] {
                high = [x, y];
            }
        }
    }
    close(low, high, &mut out);
    out
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "pixels of a window")]
fn whole(px: f64) -> usize {
    px.clamp(1.0, 100_000.0) as usize
}

/// An SVG path through points.
fn path(points: &[[f64; 2]]) -> String {
    let mut out = String::with_capacity(points.len() * 13);
    for (place, [x, y]) in points.iter().enumerate() {
        out.push(if place == 0 { 'M' } else { 'L' });
        out.push_str(&format!("{x:.1} {y:.1}"));
    }
    out
}

/// Round values within a span, about `count` of them.
pub(crate) fn ticks(span: Span, count: f64, whole_steps: bool) -> Vec<f64> {
    let raw = span.length() / count.max(1.0);
    if !raw.is_finite() || raw <= 0.0 {
        return Vec::new();
    }
    let power = 10_f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|it| it * power).into_iter().find(|step| *step >= raw * 0.999);
    let step = step.unwrap_or(power * 10.0);
    let step = if whole_steps { step.max(1.0) } else { step };
    let mut number = (span.from / step).ceil();
    let mut out = Vec::new();
    while number * step <= span.to && out.len() < 64 {
        out.push(number * step);
        number += 1.0;
    }
    out
}

/// A value of an axis in words, as fine as the distance to the next one asks for.
pub(crate) fn tick_words(value: f64, step: f64) -> String {
    let size = value.abs();
    if size < step * 1e-6 {
        return "0".to_owned();
    }
    if step < 1e-3 && size < 0.01 {
        let fine = (size / step).log10().ceil().clamp(0.0, MOST_DIGITS);
        return scientific(value, whole(fine + 1.0) - 1);
    }
    if size >= 1e4 && step >= 1_000.0 {
        let thousands = value / 1_000.0;
        return if size >= 1e6 {
            format!("{}M", trimmed(thousands / 1_000.0, 1))
        } else {
            format!("{}k", trimmed(thousands, 1))
        };
    }
    trimmed(value, if step < 1.0 { whole((-step.log10()).ceil().clamp(0.0, MOST_DIGITS)) } else { 0 })
}

/// `2e-4`, `1.5e-4`
fn scientific(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$e}");
    match text.split_once('e') {
        Some((mantissa, power)) if mantissa.contains('.') => {
            format!("{}e{power}", mantissa.trim_end_matches('0').trim_end_matches('.'))
        }
        _ => text,
    }
}

fn trimmed(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A curve as it is drawn.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct DrawnCurve {
    /// How.
    pub(crate) look: Look,
    /// The number of its colour, form and mark.
    pub(crate) tone: usize,
    /// An SVG path; empty for dots.
    pub(crate) path: String,
    /// Where marks or dots are.
    pub(crate) marks: Vec<[f64; 2]>,
}

/// A plot as it is drawn.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Drawn {
    /// What it is drawn on.
    pub(crate) frame: Frame,
    /// Pixels and words along the level axis.
    pub(crate) x_ticks: Vec<(f64, String)>,
    /// Pixels and words along the upright axis.
    pub(crate) y_ticks: Vec<(f64, String)>,
    /// The curves.
    pub(crate) curves: Vec<DrawnCurve>,
}

/// Draws curves into a place of `width` by `height` pixels; `zoom` is the part of x that is seen.
pub(crate) fn draw(curves: &Curves, width: f64, height_px: f64, zoom: Option<Span>, from_zero: bool) -> Drawn {
    let all = curves.width().unwrap_or(Span { from: 0.0, to: 1.0 });
    let x = zoom.unwrap_or(all).opened(0.5);
    let frame = Frame { width, height: height_px, x, y: height(curves, x, from_zero) };
    let axis = |span: Span, px: f64, each: f64, whole_steps: bool| {
        let found = ticks(span, (px / each).floor(), whole_steps);
        let step = match found.as_slice() {
            [a, b, ..] => b - a,
            _ => span.length(),
        };
        found.into_iter().map(move |value| (value, tick_words(value, step))).collect::<Vec<_>>()
    };
    let place = |ticks: Vec<(f64, String)>, at: &dyn Fn(f64) -> f64| {
        ticks.into_iter().map(|(value, words)| (at(value), words)).collect()
    };
    let across = axis(x, frame.right() - frame.left(), X_TICK_PX, true);
    let upwards = axis(frame.y, frame.bottom() - frame.top(), Y_TICK_PX, false);
    let drawn = curves.0.iter().map(|curve| {
        let points = thinned(&curve.points, frame);
        let (path, marks) = match curve.look {
            Look::Dots => (String::new(), points.into_iter().filter(|point| within(point[0], frame)).collect()),
            Look::Marked => (path(&points), marks(&points, frame, curve.tone)),
            Look::Thin | Look::Line => (path(&points), Vec::new()),
        };
        DrawnCurve { look: curve.look, tone: curve.tone, path, marks }
    });
    Drawn {
        frame,
        x_ticks: place(across, &|value| frame.place_x(value)),
        y_ticks: place(upwards, &|value| frame.place_y(value)),
        curves: drawn.collect(),
    }
}

fn within(px: f64, frame: Frame) -> bool {
    px >= frame.left() - 0.5 && px <= frame.right() + 0.5
}

/// Where a line is marked: every so many pixels, each line elsewhere, and at its end.
fn marks(points: &[[f64; 2]], frame: Frame, tone: usize) -> Vec<[f64; 2]> {
    let mut out = Vec::new();
    let mut next = frame.left() + MARK_PX * (0.2 + 0.17 * (tone % 5) as f64);
    for point in points.iter().filter(|point| within(point[0], frame)) {
        if point[0] >= next {
            out.push(*point);
            next = point[0] + MARK_PX;
        }
    }
    if let Some(last) = points.iter().rev().find(|point| within(point[0], frame)) {
        out.push(*last);
    }
    out
}

/// A running mean that forgets: of a weight of 0.9, a value counts half after about seven.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Smoother {
    weight: f64,
    sum: f64,
    left: f64,
}

impl Smoother {
    /// With a weight of the past, from 0 (none) to below 1.
    pub(crate) const fn new(weight: f64) -> Self {
        Self { weight, sum: 0.0, left: 1.0 }
    }

    /// Takes the next value and gives the mean.
    pub(crate) fn next(&mut self, value: f64) -> f64 {
        if value.is_finite() {
            self.sum = self.weight.mul_add(self.sum, (1.0 - self.weight) * value);
            self.left *= self.weight;
        }
        // Without this the first values would be drawn towards 0.
        if self.left < 1.0 { self.sum / (1.0 - self.left) } else { value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(count: u32, y: impl Fn(f64) -> f64) -> Curve {
        let points = (1..=count).map(|x| [f64::from(x), y(f64::from(x))]).collect();
        Curve { points, ..Curve::new("loss", Look::Line, 0) }
    }

    #[test]
    fn a_hundred_thousand_points_become_two_a_pixel_and_none_that_stands_out_is_lost() {
        let mut curve = line(100_000, |x| 2.0 + (x * 0.37).sin());
        curve.points[61_234][1] = 40.0;
        curve.points[20_001][1] = -7.0;
        let curves = Curves(vec![curve]);
        let frame =
            Frame { width: 856.0, height: 300.0, x: curves.width().unwrap(), y: Span { from: -10.0, to: 50.0 } };
        let drawn = thinned(&curves.0[0].points, frame);
        let columns = frame.right() - frame.left();
        assert!(drawn.len() as f64 <= (columns + 1.0) * 2.0, "{} points on {columns} pixels", drawn.len());
        assert!(drawn.iter().any(|point| (point[1] - frame.place_y(40.0)).abs() < 0.01));
        assert!(drawn.iter().any(|point| (point[1] - frame.place_y(-7.0)).abs() < 0.01));
        assert!(drawn.windows(2).all(|pair| pair[0][0] <= pair[1][0]), "it never turns back");
    }

    #[test]
    fn few_points_are_drawn_as_they_are() {
        let curves = Curves(vec![line(5, |x| x)]);
        let drawn = draw(&curves, 400.0, 200.0, None, false);
        assert_eq!(drawn.curves[0].path.matches(['M', 'L']).count(), 5);
        assert!((drawn.frame.place_x(1.0) - drawn.frame.left()).abs() < 1e-9);
        assert!((drawn.frame.place_x(5.0) - drawn.frame.right()).abs() < 1e-9);
        assert!(drawn.frame.place_y(5.0) < drawn.frame.place_y(1.0), "more is higher");
    }

    #[test]
    fn a_plot_of_nothing_of_one_point_and_of_equal_ones_can_be_drawn() {
        for curve in [Curve::default(), line(1, |_| 3.0), line(9, |_| 0.0)] {
            let drawn = draw(&Curves(vec![curve]), 400.0, 200.0, None, false);
            assert!(drawn.frame.x.length() > 0.0 && drawn.frame.y.length() > 0.0);
            assert!(!drawn.curves[0].path.contains("NaN"), "{}", drawn.curves[0].path);
        }
        assert_eq!(Curves::default().read(3.0), None);
    }

    #[test]
    fn the_first_step_of_any_training_can_be_drawn() {
        for value in [0.0_f64, 1e-300, 1.6e-5, 2e-4, 12.17, 1e12, -3.0] {
            for from_zero in [false, true] {
                // Smoothed, a value may differ from itself by rounding.
                for points in [vec![[1.0, value]], vec![[1.0, value], [2.0, value.next_up()]]] {
                    let curve = Curve { points, ..Curve::new("rate", Look::Line, 0) };
                    for width in [1.0, 57.0, 300.0, 900.0] {
                        let drawn = draw(&Curves(vec![curve.clone()]), width, 128.0, None, from_zero);
                        assert!(
                            drawn.y_ticks.iter().all(|(_, words)| words.len() < 12),
                            "{value}: {:?}",
                            drawn.y_ticks
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn a_value_that_is_no_number_is_left_out() {
        let mut curve = line(10, |x| x);
        curve.points[4][1] = f64::NAN;
        let drawn = draw(&Curves(vec![curve]), 400.0, 200.0, None, false);
        assert_eq!(drawn.curves[0].path.matches(['M', 'L']).count(), 9);
        assert!(!drawn.curves[0].path.contains("NaN"));
    }

    #[test]
    fn what_is_zoomed_out_of_view_does_not_set_the_height() {
        let curves = Curves(vec![line(100, |x| if x < 10.0 { 1_000.0 } else { 1.0 + x / 100.0 })]);
        let drawn = draw(&curves, 400.0, 200.0, Some(Span { from: 50.0, to: 90.0 }), false);
        assert!(drawn.frame.y.to < 3.0, "{:?}", drawn.frame.y);
        // A point at either side, so that the line goes on to the edge.
        assert_eq!(drawn.curves[0].path.matches(['M', 'L']).count(), 43);
    }

    #[test]
    fn the_nearest_point_is_read_of_every_curve_that_has_one_there() {
        let mut dots = Curve::new("validation", Look::Dots, 1);
        dots.points = vec![[5.0, 0.5], [10.0, 0.4]];
        let curves = Curves(vec![line(8, |x| 10.0 - x), dots]);
        assert_eq!(curves.read(4.6), Some((5.0, vec![Some(5.0), Some(0.5)])));
        assert_eq!(curves.read(4.4), Some((4.0, vec![Some(6.0), None])));
        assert_eq!(curves.read(-3.0), Some((1.0, vec![Some(9.0), None])));
        assert_eq!(curves.read(99.0), Some((10.0, vec![None, Some(0.4)])));
    }

    #[test]
    fn keys_step_from_point_to_point() {
        let curves = Curves(vec![line(3, |x| x)]);
        assert_eq!(curves.step(1.0, true), Some(2.0));
        assert_eq!(curves.step(2.0, false), Some(1.0));
        assert_eq!(curves.step(3.0, true), None);
        assert_eq!(curves.step(1.0, false), None);
    }

    #[test]
    fn ticks_are_round_and_within() {
        assert_eq!(ticks(Span { from: 0.0, to: 100.0 }, 5.0, true), [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
        assert_eq!(ticks(Span { from: 1.0, to: 4.0 }, 10.0, true), [1.0, 2.0, 3.0, 4.0], "no half steps");
        let fine = ticks(Span { from: 0.31, to: 0.48 }, 4.0, false);
        assert!(fine.iter().all(|value| (0.31..=0.48).contains(value)) && fine.len() >= 3, "{fine:?}");
        assert!(ticks(Span { from: 1.0, to: 1.0 }, 4.0, false).is_empty());
        assert!(ticks(Span { from: 0.0, to: f64::INFINITY }, 4.0, false).is_empty());
    }

    #[test]
    fn ticks_say_as_much_as_they_must() {
        assert_eq!(tick_words(0.0, 0.1), "0");
        assert_eq!(tick_words(0.35, 0.05), "0.35");
        assert_eq!(tick_words(1.5, 0.5), "1.5");
        assert_eq!(tick_words(2e-4, 5e-5), "2e-4");
        assert_eq!(tick_words(12.175, 0.000_999), "12.175");
        assert_eq!(tick_words(1.5e-4, 5e-5), "1.5e-4");
        assert_eq!(tick_words(800.0, 200.0), "800");
        assert_eq!(tick_words(20_000.0, 5_000.0), "20k");
        assert_eq!(tick_words(1_500_000.0, 500_000.0), "1.5M");
        assert!(tick_words(12.0, 0.0).len() < 12, "whatever the step");
        assert!(tick_words(12.0, f64::NAN).len() < 12);
    }

    #[test]
    fn points_from_a_step_on_are_taken_back() {
        let mut curve = line(10, |x| x);
        curve.cut_from(7.0);
        assert_eq!(curve.points.last(), Some(&[6.0, 6.0]));
        curve.cut_from(0.0);
        assert!(curve.points.is_empty());
    }

    #[test]
    fn smoothing_begins_at_the_first_value_and_follows() {
        let mut smoother = Smoother::new(0.9);
        assert!((smoother.next(4.0) - 4.0).abs() < 1e-9);
        let second = smoother.next(2.0);
        assert!(second > 2.0 && second < 4.0);
        let mut none = Smoother::new(0.0);
        assert!((none.next(4.0) - 4.0).abs() < 1e-9 && (none.next(1.0) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn zooming_by_keys_stays_within_what_there_is() {
        let whole = Span { from: 0.0, to: 100.0 };
        let half = whole.scaled(0.5, 20.0, whole);
        assert_eq!(half, Span { from: 10.0, to: 60.0 });
        assert_eq!(half.scaled(4.0, 20.0, whole), whole);
        let edge = whole.scaled(0.5, 100.0, whole);
        assert_eq!(edge, Span { from: 50.0, to: 100.0 });
    }
}
