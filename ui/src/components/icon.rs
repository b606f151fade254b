//! The app's own icons: 16 by 16, drawn with lines of the text's colour.

use leptos::prelude::*;

/// Which icon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IconName {
    /// Collect: a spark that works.
    Collect,
    /// Traces: lines of a record.
    Traces,
    /// Dataset: sheets on a pile.
    Dataset,
    /// Train: a curve that falls.
    Train,
    /// Settings: sliders.
    Settings,
    /// A magnifying glass.
    Search,
    /// A cross.
    Close,
    /// A tick.
    Check,
    /// A triangle with a mark.
    Warning,
    /// A circle with a mark.
    Error,
    /// A circle with an i.
    Info,
    /// Two sheets.
    Copy,
    /// A bin.
    Trash,
    /// A pen.
    Edit,
    /// A plus.
    Plus,
    /// A minus.
    Minus,
    /// A triangle to the right, filled.
    Play,
    /// Two upright strokes.
    Pause,
    /// A square, filled.
    Stop,
    /// A round arrow.
    Restart,
    /// An angle to the right.
    ChevronRight,
    /// An angle downwards.
    ChevronDown,
    /// An arrow into a tray.
    Import,
    /// An arrow out of a tray.
    Export,
    /// Three dots.
    More,
    /// A person.
    User,
    /// A star with four points: the model.
    Model,
    /// A thought.
    Reasoning,
    /// A wrench.
    Tool,
    /// A page that comes back.
    Result,
    /// A gear plate: instructions.
    System,
    /// A clock.
    Clock,
    /// A lock.
    Lock,
    /// The sun.
    Sun,
    /// The moon.
    Moon,
    /// A stethoscope's curve: the doctor.
    Doctor,
    /// An eye.
    Eye,
    /// An arrow downwards.
    ArrowDown,
    /// An arrow upwards.
    ArrowUp,
    /// Upright bars: columns.
    Columns,
    /// Bars of a plot.
    Chart,
    /// Two circles that overlap.
    Twins,
    /// A label on a string.
    Tag,
    /// A folder.
    Folder,
    /// A star with five points.
    Star,
    /// An arrow that leaves a frame.
    Link,
    /// An arrow to the left.
    Back,
    /// A keyboard.
    Keyboard,
    /// Scissors: something was cut.
    Cut,
    /// An arrow that goes on.
    Continue,
    /// An arrow that turns back.
    Undo,
    /// An arrow that turns forward.
    Redo,
    /// Six dots to take hold of.
    Grip,
    /// Two lines that become one.
    Merge,
    /// One line that becomes two.
    Split,
    /// Rings with a middle.
    Target,
    /// A circle with a stroke through it.
    Exclude,
    /// A line that branches.
    Branch,
    /// Two braces.
    Braces,
}

impl IconName {
    /// The path in a view box of 16 by 16.
    const fn path(self) -> &'static str {
        match self {
            Self::Collect => "M8 1.5v4M8 10.5v4M1.5 8h4M10.5 8h4M3.6 3.6l2 2M10.4 10.4l2 2M3.6 12.4l2-2M10.4 5.6l2-2",
            Self::Traces => "M2.5 3.5h2M6.5 3.5h7M2.5 8h2M6.5 8h7M2.5 12.5h2M6.5 12.5h4.5",
            Self::Dataset => "M8 2 14 5 8 8 2 5zM2.2 8.2 8 11l5.8-2.8M2.2 11.2 8 14l5.8-2.8",
            Self::Train => "M2.5 2v11.5H14M4.8 4.2c.8 4.6 3 6.4 8.7 6.6",
            Self::Settings => "M2 4.5h6.5M12 4.5h2M2 11.5h2M7.5 11.5H14M10.25 2.75v3.5M5.75 9.75v3.5",
            Self::Search => "M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10ZM10.7 10.7 14 14",
            Self::Close => "M4 4l8 8M12 4l-8 8",
            Self::Check => "M3 8.5 6.5 12 13 4.5",
            Self::Warning => "M8 2.2 14.6 13.5H1.4L8 2.2ZM8 6.5v3M8 11.4v.2",
            Self::Error => "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM8 5v3.6M8 10.8v.2",
            Self::Info => "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM8 7.4V11M8 5v.2",
            Self::Copy => "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3",
            Self::Trash => "M2.5 4.5h11M6 4.5v-2h4v2M4 4.5l.6 9h6.8l.6-9M6.8 7v4M9.2 7v4",
            Self::Edit => "M3 13l.6-3L11 2.6 13.4 5 6 12.4 3 13ZM9.5 4.1l2.4 2.4",
            Self::Plus => "M8 3v10M3 8h10",
            Self::Minus => "M3 8h10",
            Self::Play => "M5 3v10l8-5z",
            Self::Pause => "M5.5 3.5v9M10.5 3.5v9",
            Self::Stop => "M4 4h8v8H4z",
            Self::Restart => "M13 8a5 5 0 1 1-1.6-3.7M13 2v3h-3",
            Self::ChevronRight => "M6 3.5 10.5 8 6 12.5",
            Self::ChevronDown => "M3.5 6 8 10.5 12.5 6",
            Self::Import => "M8 2v8M4.8 6.8 8 10l3.2-3.2M2.5 11v2.5h11V11",
            Self::Export => "M8 10V2M4.8 5.2 8 2l3.2 3.2M2.5 11v2.5h11V11",
            Self::More => {
                "M2.4 8a1 1 0 1 0 2 0 1 1 0 0 0-2 0ZM7 8a1 1 0 1 0 2 0 1 1 0 0 0-2 0ZM11.6 8a1 1 0 1 0 2 0 1 1 0 0 0-2 0Z"
            }
            Self::User => "M8 8a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM2.5 14c.4-3 2.6-4.5 5.5-4.5s5.1 1.5 5.5 4.5",
            Self::Model => "M8 1.8 9.7 6.3 14.2 8 9.7 9.7 8 14.2 6.3 9.7 1.8 8l4.5-1.7z",
            Self::Reasoning => {
                "M5.2 12.2h5.6M6 14h4M5.6 10C4.3 9.2 3.5 7.9 3.5 6.4a4.5 4.5 0 0 1 9 0c0 1.5-.8 2.8-2.1 3.6v.6H5.6z"
            }
            Self::Tool => {
                "M13.6 4.3a3.6 3.6 0 0 1-4.7 4.4L4.6 13a1.4 1.4 0 0 1-2-2l4.5-4.2a3.6 3.6 0 0 1 4.4-4.6L9.3 4.4l.4 2 2 .3z"
            }
            Self::Result => "M13.5 3.5v5h-9M7.5 5.5l-3 3 3 3M2.5 12.5v1h11",
            Self::System => "M2.5 2.5h11v11h-11zM5 6h6M5 8.5h6M5 11h3",
            Self::Clock => "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM8 4.8V8l2.2 1.6",
            Self::Lock => "M3.5 7h9v6.5h-9zM5.5 7V5a2.5 2.5 0 0 1 5 0v2",
            Self::Sun => {
                "M8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM8 1.5v1.3M8 13.2v1.3M1.5 8h1.3M13.2 8h1.3M3.4 3.4l.9.9M11.7 11.7l.9.9M3.4 12.6l.9-.9M11.7 4.3l.9-.9"
            }
            Self::Moon => "M13.5 9.6A5.8 5.8 0 0 1 6.4 2.5a5.8 5.8 0 1 0 7.1 7.1Z",
            Self::Doctor => "M1.5 8h3l1.7-4.5L9 12l1.8-4h3.7",
            Self::Eye => {
                "M1.5 8S4 3.8 8 3.8 14.5 8 14.5 8 12 12.2 8 12.2 1.5 8 1.5 8ZM8 9.8a1.8 1.8 0 1 0 0-3.6 1.8 1.8 0 0 0 0 3.6Z"
            }
            Self::ArrowUp => "M8 13V3M3.8 7.2 8 3l4.2 4.2",
            Self::Columns => "M2.5 3h11v10h-11zM6.2 3v10M9.8 3v10",
            Self::Chart => "M2 14h12M3.8 14V8.5M8 14V3M12.2 14V6",
            Self::Twins => "M6 11.5a4 4 0 1 0 0-8 4 4 0 0 0 0 8ZM10 12.5a4 4 0 1 0 0-8 4 4 0 0 0 0 8Z",
            Self::Tag => "M2.5 2.5h5.2l6 6-5.2 5.2-6-6zM5.4 5.4h.01",
            Self::Folder => "M1.8 12.8V3.5h4.4l1.5 1.8h6.5v7.5z",
            Self::Star => "M8 2l1.8 3.9 4.2.5-3.1 2.9.8 4.2L8 11.4l-3.7 2.1.8-4.2L2 6.4l4.2-.5z",
            Self::ArrowDown => "M8 3v10M3.8 8.8 8 13l4.2-4.2",
            Self::Link => "M6.5 3.5h-3v9h9v-3M9 2.5h4.5V7M13.5 2.5 7.5 8.5",
            Self::Back => "M13 8H3M7.2 3.8 3 8l4.2 4.2",
            Self::Keyboard => "M1.5 4h13v8h-13zM4 6.5h.01M6.7 6.5h.01M9.3 6.5h.01M12 6.5h.01M5 9.5h6",
            Self::Cut => {
                "M4 5.8a1.8 1.8 0 1 0 0-3.6 1.8 1.8 0 0 0 0 3.6ZM4 13.8a1.8 1.8 0 1 0 0-3.6 1.8 1.8 0 0 0 0 3.6ZM5.5 5 13.5 12M5.5 11l8-7"
            }
            Self::Continue => "M2.5 3.5v9l6-4.5zM11 3.5v9",
            Self::Undo => "M5.5 3 2.5 6l3 3M2.5 6h7a4 4 0 0 1 0 8H6",
            Self::Redo => "M10.5 3l3 3-3 3M13.5 6h-7a4 4 0 0 0 0 8H10",
            Self::Grip => {
                "M5 3.2a.9.9 0 1 0 1.8 0 .9.9 0 0 0-1.8 0ZM9.2 3.2a.9.9 0 1 0 1.8 0 .9.9 0 0 0-1.8 0ZM5 8a.9.9 0 1 0 1.8 0A.9.9 0 0 0 5 8ZM9.2 8A.9.9 0 1 0 11 8a.9.9 0 0 0-1.8 0ZM5 12.8a.9.9 0 1 0 1.8 0 .9.9 0 0 0-1.8 0ZM9.2 12.8a.9.9 0 1 0 1.8 0 .9.9 0 0 0-1.8 0Z"
            }
            Self::Merge => "M3.5 2.5v3L8 8.5v5M12.5 2.5v3L8 8.5M5.8 11.4 8 13.6l2.2-2.2",
            Self::Split => "M8 2.5v4L3.5 10v3.5M8 6.5l4.5 3.5v3.5M2 12l1.5 1.6L5 12M11 12l1.5 1.6L14 12",
            Self::Target => "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM8 10.4a2.4 2.4 0 1 0 0-4.8 2.4 2.4 0 0 0 0 4.8Z",
            Self::Exclude => "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12ZM3.8 3.8l8.4 8.4",
            Self::Braces => {
                "M6 2.5H5A1.5 1.5 0 0 0 3.5 4v2.5L2 8l1.5 1.5V12A1.5 1.5 0 0 0 5 13.5h1M10 2.5h1A1.5 1.5 0 0 1 12.5 4v2.5L14 8l-1.5 1.5V12a1.5 1.5 0 0 1-1.5 1.5h-1"
            }
            Self::Branch => "M4.5 2.5v11M4.5 10.5c0-4 7-2.5 7-6.5M9.4 5.6l2.1-2.1 2.1 2.1",
        }
    }

    const fn is_filled(self) -> bool {
        matches!(self, Self::Play | Self::Stop | Self::More | Self::Grip)
    }
}

/// An icon. It says nothing to screen readers: a label stands beside it or on its button.
#[component]
pub(crate) fn Icon(
    /// Which.
    name: IconName,
) -> impl IntoView {
    view! {
        <svg class="icon" class:icon-filled=name.is_filled() viewBox="0 0 16 16" aria-hidden="true" focusable="false">
            <path d=name.path()></path>
        </svg>
    }
}
