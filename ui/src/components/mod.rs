//! What pages are made of.

mod badges;
mod button;
mod copy_button;
mod dialog;
mod empty;
mod error_box;
mod field;
mod icon;
mod json_view;
mod kbd;
mod markdown;
mod menu;
mod palette;
mod shortcuts;
mod split;
mod tabs;
mod toast_host;
pub(crate) mod turn;
mod virtual_list;

pub(crate) use badges::{RelativeTime, StateBadge, StatusDot, Tag, Tokens, Tone, state_tone};
pub(crate) use button::{Button, ButtonKind, IconButton};
pub(crate) use copy_button::{CopyButton, write_clipboard};
pub(crate) use dialog::{Confirm, Dialog};
pub(crate) use empty::{Empty, Skeleton};
pub(crate) use error_box::ErrorBox;
pub(crate) use field::{Choice, Field, Segmented, Select, Switch, TextArea, TextField};
pub(crate) use icon::{Icon, IconName};
pub(crate) use json_view::JsonView;
pub(crate) use kbd::Kbd;
pub(crate) use menu::{Menu, MenuItem};
pub(crate) use palette::Palette;
pub(crate) use shortcuts::Shortcuts;
pub(crate) use split::Split;
pub(crate) use tabs::{Tab, Tabs};
pub(crate) use toast_host::ToastHost;
pub(crate) use virtual_list::{ListHandle, VirtualList};
