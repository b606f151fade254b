//! Curves over a common axis, drawn as SVG: hover reads them, dragging zooms, keys do both.

mod model;

use leptos::html;
use leptos::prelude::*;
use web_sys::PointerEvent;

use super::button::IconButton;
use super::icon::IconName;
use super::measure::watch_size;
pub(crate) use model::{Curve, Curves, Look, Smoother};
use model::{Drawn, DrawnCurve, Frame, Span, draw};

/// A drag must be so long to zoom, in pixels: a shorter one is a click.
const LEAST_DRAG_PX: f64 = 5.0;
/// How many forms of lines and marks there are.
const TONES: usize = 6;

/// What plots of the same steps share: which part is seen, and what is pointed at. Copied freely.
#[derive(Clone, Copy)]
pub(crate) struct PlotView {
    /// The part that is seen; `None` for all.
    zoom: RwSignal<Option<Span>>,
    /// Where is pointed at.
    cursor: RwSignal<Option<f64>>,
}

impl PlotView {
    /// All is seen.
    pub(crate) fn new() -> Self {
        Self { zoom: RwSignal::new(None), cursor: RwSignal::new(None) }
    }
}

/// A plot with its legend, which also tells the values that are pointed at.
#[component]
pub(crate) fn Plot(
    /// What is plotted, with its unit.
    title: &'static str,
    /// The curves.
    #[prop(into)]
    curves: Signal<Curves>,
    /// What it shares with others.
    view: PlotView,
    /// Its height in pixels.
    height: f64,
    /// A value in words.
    words: fn(f64) -> String,
    /// Whether the upright axis begins at 0.
    #[prop(optional)]
    from_zero: bool,
    /// For tests.
    #[prop(optional)]
    testid: &'static str,
) -> impl IntoView {
    let place = NodeRef::<html::Div>::new();
    let width = RwSignal::new(0.0_f64);
    watch_size(place, move || {
        if let Some(place) = place.get_untracked() {
            let now = place.get_bounding_client_rect().width();
            if (width.get_untracked() - now).abs() > 0.5 {
                width.set(now);
            }
        }
    });
    let drawn = Memo::new(move |_| {
        let (width, zoom) = (width.get(), view.zoom.get());
        if width < 1.0 {
            return Drawn::default();
        }
        curves.with(|curves| draw(curves, width, height, zoom, from_zero))
    });
    let read = Memo::new(move |_| {
        let cursor = view.cursor.get()?;
        curves.with(|curves| curves.read(cursor))
    });
    let names = Memo::new(move |_| {
        let name = |curve: &Curve| (curve.name.clone(), curve.look, curve.tone);
        curves.with(|curves| curves.0.iter().map(name).collect::<Vec<_>>())
    });
    // What is pointed at; without, the last of each.
    let value = move |place: usize| match read.get() {
        Some((_, values)) => values.get(place).copied().flatten(),
        None => curves.with(|curves| Some(curves.0.get(place)?.points.last()?[1])),
    };
    let legend = move || {
        names
            .get()
            .into_iter()
            .enumerate()
            .map(|(place, (name, look, tone))| {
                view! {
                    <span class="curve-key">
                        <Key look tone/>
                        <span class="curve-name" dir="auto" title=name.clone()>{name.clone()}</span>
                        <b>{move || value(place).map_or_else(|| "-".to_owned(), words)}</b>
                    </span>
                }
            })
            .collect_view()
    };
    let at = move || read.get().map(|(x, _)| format!("step {}", crate::state::format::count(rounded(x))));
    let told = move || {
        let (x, values) = read.get()?;
        let mut told = format!("step {}", rounded(x));
        for ((name, ..), value) in names.get().iter().zip(values) {
            if let Some(value) = value {
                told.push_str(&format!(", {name} {}", words(value)));
            }
        }
        Some(told)
    };
    view! {
        <figure class="curve-plot" data-testid=testid data-points=move || curves.with(|curves| curves.0.iter().map(|curve| curve.points.len()).max()).unwrap_or(0).to_string()>
            <figcaption class="curve-head">
                <span class="curve-title">{title}</span>
                <span class="curve-legend">{legend}</span>
                <span class="curve-at">{at}</span>
                <Show when=move || view.zoom.with(Option::is_some)>
                    <IconButton icon=IconName::Undo label="Show all steps (double click, 0)" on_click=move |()| view.zoom.set(None) testid="plot-reset"/>
                </Show>
            </figcaption>
            <div node_ref=place class="curve-place" style:height=format!("{height}px")>
                <Drawing drawn curves view title told=Signal::derive(told) read/>
            </div>
        </figure>
    }
}

/// What the pointer and the keys do.
#[derive(Clone, Copy)]
struct Hand {
    drawn: Memo<Drawn>,
    curves: Signal<Curves>,
    view: PlotView,
    /// Where a drag began and where it is, in pixels.
    drag: RwSignal<Option<(f64, f64)>>,
}

impl Hand {
    fn frame(self) -> Frame {
        self.drawn.with_untracked(|drawn| drawn.frame)
    }

    fn point(self, px: f64) {
        let frame = self.frame();
        let x = frame.value_x(px);
        let at = self.curves.with_untracked(|curves| curves.read(x).map(|(at, _)| at));
        if self.view.cursor.get_untracked() != at {
            self.view.cursor.set(at);
        }
        self.drag.update(|drag| {
            if let Some((_, to)) = drag {
                *to = px.clamp(frame.left(), frame.right());
            }
        });
    }

    fn let_go(self) {
        let Some((from, to)) = self.drag.get_untracked() else { return };
        self.drag.set(None);
        if (from - to).abs() >= LEAST_DRAG_PX {
            let frame = self.frame();
            self.zoom(Span::between(frame.value_x(from), frame.value_x(to)));
        }
    }

    /// Shows a part, of at least one step.
    fn zoom(self, part: Span) {
        let all = self.curves.with_untracked(Curves::width).unwrap_or_default();
        let part = if part.length() >= 1.0 { part } else { Span { from: part.from - 0.5, to: part.from + 0.5 } };
        self.view.zoom.set((part.length() < all.length()).then_some(part));
    }

    /// Moves what is pointed at; a part that is seen goes along.
    fn go(self, x: f64) {
        self.view.cursor.set(Some(x));
        if let Some(part) = self.view.zoom.get_untracked() {
            let by = (x - part.to).max(0.0) + (x - part.from).min(0.0);
            if by != 0.0 {
                self.view.zoom.set(Some(Span { from: part.from + by, to: part.to + by }));
            }
        }
    }

    /// Whether a key does something here.
    fn key(self, code: &str, far: bool) -> bool {
        let Some(all) = self.curves.with_untracked(Curves::width) else { return false };
        let part = self.view.zoom.get_untracked().unwrap_or(all);
        let at = self.view.cursor.get_untracked();
        let step = |forward: bool| {
            let Some(at) = at else { return Some(if forward { part.from } else { part.to }) };
            if far {
                let jump = (part.length() / 10.0).max(1.0);
                let to = (if forward { at + jump } else { at - jump }).clamp(all.from, all.to);
                return self.curves.with_untracked(|curves| curves.read(to).map(|(at, _)| at));
            }
            self.curves.with_untracked(|curves| curves.step(at, forward))
        };
        let target = match code {
            "ArrowRight" => step(true),
            "ArrowLeft" => step(false),
            "Home" => Some(all.from),
            "End" => Some(all.to),
            "Equal" | "NumpadAdd" => {
                self.zoom(part.scaled(0.5, at.unwrap_or(f64::midpoint(part.from, part.to)), all));
                return true;
            }
            "Minus" | "NumpadSubtract" => {
                self.zoom(part.scaled(2.0, at.unwrap_or(f64::midpoint(part.from, part.to)), all));
                return true;
            }
            "Digit0" | "Numpad0" => {
                self.view.zoom.set(None);
                return true;
            }
            "Escape" if self.view.zoom.with_untracked(Option::is_some) => {
                self.view.zoom.set(None);
                return true;
            }
            _ => return false,
        };
        if let Some(target) = target {
            self.go(target);
        }
        true
    }
}

#[component]
fn Drawing(
    drawn: Memo<Drawn>,
    curves: Signal<Curves>,
    view: PlotView,
    title: &'static str,
    told: Signal<Option<String>>,
    read: Memo<Option<(f64, Vec<Option<f64>>)>>,
) -> impl IntoView {
    let hand = Hand { drawn, curves, view, drag: RwSignal::new(None) };
    let px = |event: &PointerEvent| {
        let own = event_target_svg(event).map(|it| it.get_bounding_client_rect().left());
        f64::from(event.client_x()) - own.unwrap_or_default()
    };
    let clip = super::field::fresh_id("clip");
    let clip_url = format!("url(#{clip})");
    let frame = Memo::new(move |_| drawn.with(|drawn| drawn.frame));
    let span = move |get: fn(Frame) -> f64| format!("{:.1}", get(frame.get()));
    let axes = move || {
        let frame = frame.get();
        drawn.with(|drawn| {
            let across = drawn.x_ticks.iter().map(|(x, words)| {
                // At the edge a number stands beside its place rather than be cut.
                let at_edge = frame.right() - x < 12.0;
                let (x, anchor) = if at_edge { (frame.width - 1.0, "end") } else { (*x, "middle") };
                view! { <text class="curve-tick" x=format!("{x:.1}") y=format!("{:.1}", frame.bottom() + 14.0) text-anchor=anchor>{words.clone()}</text> }
            });
            let upwards = drawn.y_ticks.iter().map(|(y, words)| {
                view! {
                    <line class="curve-grid" x1=format!("{:.1}", frame.left()) x2=format!("{:.1}", frame.right()) y1=format!("{y:.1}") y2=format!("{y:.1}")></line>
                    <text class="curve-tick" x=format!("{:.1}", frame.left() - 6.0) y=format!("{:.1}", y + 3.5) text-anchor="end">{words.clone()}</text>
                }
            });
            (upwards.collect_view(), across.collect_view())
        })
    };
    let lines = move || drawn.with(|drawn| drawn.curves.iter().map(line).collect_view());
    // Where is pointed at, on every curve.
    let pointed = move || {
        let (x, values) = read.get()?;
        let frame = frame.get();
        let at = frame.place_x(x);
        if at < frame.left() - 0.5 || at > frame.right() + 0.5 {
            return None;
        }
        let dots = values.into_iter().flatten().map(|y| {
            view! { <circle class="curve-point" cx=format!("{at:.1}") cy=format!("{:.1}", frame.place_y(y)) r="3"></circle> }
        });
        Some(view! {
            <line class="curve-cursor" x1=format!("{at:.1}") x2=format!("{at:.1}") y1=format!("{:.1}", frame.top()) y2=format!("{:.1}", frame.bottom())></line>
            {dots.collect_view()}
        })
    };
    let brush = move || {
        let (from, to) = hand.drag.get()?;
        let frame = frame.get();
        let part = Span::between(from, to);
        Some(view! {
            <rect class="curve-brush" x=format!("{:.1}", part.from) width=format!("{:.1}", part.length()) y=format!("{:.1}", frame.top()) height=format!("{:.1}", frame.bottom() - frame.top())></rect>
        })
    };
    let ends = move || curves.with(Curves::width);
    view! {
        <svg
            class="curve-drawing"
            width=move || span(|frame| frame.width)
            height=move || span(|frame| frame.height)
            tabindex="0"
            role="slider"
            aria-label=format!("{title} by step. Arrow keys read values, plus and minus zoom, 0 shows all.")
            aria-valuemin=move || ends().map_or(0, |it| rounded(it.from)).to_string()
            aria-valuemax=move || ends().map_or(0, |it| rounded(it.to)).to_string()
            aria-valuenow=move || view.cursor.get().map(|at| rounded(at).to_string())
            aria-valuetext=move || told.get()
            on:pointerdown=move |event| {
                if event.button() == 0 {
                    let frame = hand.frame();
                    let at = px(&event).clamp(frame.left(), frame.right());
                    if let Some(own) = event_target_svg(&event) {
                        // Without it the drag ends at the edge.
                        own.set_pointer_capture(event.pointer_id()).unwrap_or_default();
                    }
                    hand.drag.set(Some((at, at)));
                }
            }
            on:pointermove=move |event| hand.point(px(&event))
            on:pointerup=move |_| hand.let_go()
            on:pointercancel=move |_| hand.drag.set(None)
            on:pointerleave=move |_| {
                if hand.drag.with_untracked(Option::is_none) {
                    view.cursor.set(None);
                }
            }
            on:dblclick=move |_| view.zoom.set(None)
            on:blur=move |_| view.cursor.set(None)
            on:keydown=move |event| {
                if !event.ctrl_key() && !event.meta_key() && !event.alt_key() && hand.key(&event.code(), event.shift_key()) {
                    event.prevent_default();
                }
            }
        >
            <clipPath id=clip>
                <rect x=move || span(Frame::left) y="0" width=move || span(|frame| frame.right() - frame.left()) height=move || span(|frame| frame.height)></rect>
            </clipPath>
            {axes}
            <line class="curve-axis" x1=move || span(Frame::left) x2=move || span(Frame::right) y1=move || span(Frame::bottom) y2=move || span(Frame::bottom)></line>
            <g clip-path=clip_url>{lines} {brush}</g>
            {pointed}
        </svg>
    }
}

/// The drawing that an event came from.
fn event_target_svg(event: &PointerEvent) -> Option<web_sys::Element> {
    use wasm_bindgen::JsCast;
    let element = event.target()?.dyn_into::<web_sys::Element>().ok()?;
    element.closest("svg").ok().flatten()
}

fn line(curve: &DrawnCurve) -> impl IntoView + use<> {
    let tone = (curve.tone % TONES).to_string();
    let class = match curve.look {
        Look::Thin => "curve-thin",
        Look::Line => "curve-line",
        Look::Marked => "curve-line is-marked",
        Look::Dots => "curve-dots",
    };
    let marks = curve.marks.iter().map(|[x, y]| view! { <path d=mark(curve.tone, *x, *y)></path> }).collect_view();
    view! {
        <g class=class data-tone=tone>
            {(!curve.path.is_empty()).then(|| view! { <path class="curve-path" d=curve.path.clone()></path> })}
            <g class="curve-marks">{marks}</g>
        </g>
    }
}

/// The mark of a tone: each has a form of its own.
fn mark(tone: usize, x: f64, y: f64) -> String {
    match tone % TONES {
        0 => format!("M{:.1} {y:.1}a3.2 3.2 0 1 0 6.4 0a3.2 3.2 0 1 0-6.4 0z", x - 3.2),
        1 => format!("M{x:.1} {:.1}l4 4l-4 4l-4-4z", y - 4.0),
        2 => format!("M{:.1} {:.1}h6v6h-6z", x - 3.0, y - 3.0),
        3 => format!("M{x:.1} {:.1}l4 6.6h-8z", y - 4.0),
        4 => format!("M{x:.1} {:.1}l4-6.6h-8z", y + 4.0),
        _ => format!("M{:.1} {:.1}h2v-3h2v3h3v2h-3v3h-2v-3h-3v-2z", x - 3.0, y - 1.0),
    }
}

/// A curve's colour, form and mark beside its name.
#[component]
pub(crate) fn Key(
    /// How it is drawn.
    look: Look,
    /// The number of its colour, form and mark.
    tone: usize,
) -> impl IntoView {
    let shown = DrawnCurve {
        look,
        tone,
        path: if look == Look::Dots { String::new() } else { "M1 6L23 6".to_owned() },
        marks: if matches!(look, Look::Dots | Look::Marked) { vec![[12.0, 6.0]] } else { Vec::new() },
    };
    view! { <svg class="curve-sample" viewBox="0 0 24 12" aria-hidden="true" focusable="false">{line(&shown)}</svg> }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "steps are whole and not below 0")]
fn rounded(x: f64) -> u64 {
    x.max(0.0).round() as u64
}
