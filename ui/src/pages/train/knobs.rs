//! Every setting of a training that a person can change: its name, what it means, how it is read and written as text, and
//! which of them are not as usual. Pure.

use tw_contract::{LORA_TARGETS, TrainDevice, TrainSchedule, TrainSettings};

/// Bytes in a GiB.
const GIB: f64 = 1_073_741_824.0;
/// The widest an adapter may be.
const MAX_RANK: u64 = 4_096;

/// Settings that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    /// The adapter's shape.
    Adapter,
    /// How it is moved.
    Optimizer,
    /// Rows and packs.
    Length,
    /// How long.
    Duration,
    /// What is kept and looked at on the way.
    Checkpoints,
    /// Where it computes.
    Machine,
}

impl Group {
    /// All, in the order in which they are shown.
    pub(crate) const ALL: [Self; 6] =
        [Self::Adapter, Self::Optimizer, Self::Length, Self::Duration, Self::Checkpoints, Self::Machine];

    /// Its name.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Adapter => "Adapter",
            Self::Optimizer => "Optimizer",
            Self::Length => "Length and packing",
            Self::Duration => "Duration",
            Self::Checkpoints => "Checkpoints and validation",
            Self::Machine => "Machine",
        }
    }

    /// For tests.
    pub(crate) const fn testid(self) -> &'static str {
        match self {
            Self::Adapter => "train-group-adapter",
            Self::Optimizer => "train-group-optimizer",
            Self::Length => "train-group-length",
            Self::Duration => "train-group-duration",
            Self::Checkpoints => "train-group-checkpoints",
            Self::Machine => "train-group-machine",
        }
    }
}

/// How a setting is entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A number, as text.
    Number,
    /// Yes or no: `yes`, `no`.
    Switch,
    /// One of a few: the text and the words for it.
    Choice(&'static [(&'static str, &'static str)]),
    /// Several of the projections, with commas between.
    Targets,
}

/// One setting.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Knob {
    /// Stable name; also for tests.
    pub(crate) id: &'static str,
    /// Where it belongs.
    pub(crate) group: Group,
    /// What it is called.
    pub(crate) label: &'static str,
    /// Of what it is a number.
    pub(crate) unit: &'static str,
    /// What it does.
    pub(crate) hint: &'static str,
    /// How it is entered.
    pub(crate) kind: Kind,
    /// What leaving it empty means; empty where it cannot be left empty.
    pub(crate) when_empty: &'static str,
    /// As text.
    pub(crate) text: fn(&TrainSettings) -> String,
    /// Takes a text over, or says what is wrong with it.
    pub(crate) set: fn(&mut TrainSettings, &str) -> Result<(), String>,
}

impl Knob {
    /// As text, where nobody changed it.
    pub(crate) fn usual(&self) -> String {
        (self.text)(&TrainSettings::default())
    }

    /// Whether it is not as usual.
    pub(crate) fn is_changed(&self, settings: &TrainSettings) -> bool {
        (self.text)(settings) != self.usual()
    }

    /// As a person reads it in a list, with its unit.
    pub(crate) fn words(&self, settings: &TrainSettings) -> String {
        self.words_of(&(self.text)(settings))
    }

    /// A text of it as a person reads it in a list.
    pub(crate) fn words_of(&self, text: &str) -> String {
        match self.kind {
            Kind::Choice(options) => {
                options.iter().find(|(value, _)| *value == text).map_or(text, |(_, words)| words).to_owned()
            }
            Kind::Targets if text.split(',').count() == LORA_TARGETS.len() => "all seven".to_owned(),
            Kind::Targets => text.replace(',', ", "),
            Kind::Number if text.is_empty() => self.when_empty.to_owned(),
            Kind::Number if !self.unit.is_empty() => format!("{text} {}", self.unit),
            Kind::Number | Kind::Switch => text.to_owned(),
        }
    }
}

/// The settings of a group.
pub(crate) fn of_group(group: Group) -> impl Iterator<Item = &'static Knob> {
    KNOBS.iter().filter(move |knob| knob.group == group)
}

/// How many settings of a group are not as usual.
pub(crate) fn changed_in(group: Group, settings: &TrainSettings) -> usize {
    of_group(group).filter(|knob| knob.is_changed(settings)).count()
}

/// Settings, those that are not as usual first.
pub(crate) fn changed_first(settings: &TrainSettings) -> Vec<&'static Knob> {
    let mut all: Vec<&'static Knob> = KNOBS.iter().collect();
    all.sort_by_key(|knob| !knob.is_changed(settings));
    all
}

/// Settings in which some of several trainings differ.
pub(crate) fn differing(settings: &[&TrainSettings]) -> Vec<&'static Knob> {
    let differs = |knob: &&'static Knob| {
        let mut texts = settings.iter().map(|settings| (knob.text)(settings));
        let first = texts.next();
        texts.any(|text| Some(text) != first)
    };
    KNOBS.iter().filter(differs).collect()
}

/// A number as short as it can be read back: `0.0002` is `2e-4`.
fn plain(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-3..1e7).contains(&size) { format!("{value:e}") } else { value.to_string() }
}

fn yes_no(value: bool) -> String {
    if value { "yes" } else { "no" }.to_owned()
}

fn read_yes(text: &str) -> bool {
    text == "yes"
}

/// A whole number as people type it: with separators, `32k`.
fn whole(text: &str, least: u64, most: u64) -> Result<u64, String> {
    let text: String = text.chars().filter(|c| !matches!(c, ' ' | ',' | '_' | '\u{a0}' | '\u{202f}')).collect();
    let (digits, unit) = match text.strip_suffix(['k', 'K']) {
        Some(digits) => (digits, 1_024),
        None => (text.as_str(), 1),
    };
    match digits.parse::<u64>().ok().and_then(|number| number.checked_mul(unit)) {
        None => Err("A whole number.".to_owned()),
        Some(number) if number < least => Err(format!("At least {least}.")),
        Some(number) if number > most => Err(format!("At most {most}.")),
        Some(number) => Ok(number),
    }
}

fn whole_u32(text: &str, least: u64) -> Result<u32, String> {
    let number = whole(text, least, u64::from(u32::MAX))?;
    u32::try_from(number).map_err(|_| "A smaller number.".to_owned())
}

/// A whole number, or nothing.
fn maybe<T>(text: &str, read: impl Fn(&str) -> Result<T, String>) -> Result<Option<T>, String> {
    if text.trim().is_empty() { Ok(None) } else { read(text).map(Some) }
}

/// A number from `least` to `most`.
fn real(text: &str, least: f64, most: f64) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(value) if !value.is_finite() => Err("A number, such as 0.5 or 2e-4.".to_owned()),
        Ok(value) if value < least => Err(format!("At least {}.", plain(least))),
        Ok(value) if value > most => Err(format!("At most {}.", plain(most))),
        Ok(value) => Ok(value),
        Err(_) => Err("A number, such as 0.5 or 2e-4.".to_owned()),
    }
}

/// A number above 0, up to `most`.
fn above_zero(text: &str, most: f64) -> Result<f64, String> {
    let value = real(text, 0.0, most)?;
    if value > 0.0 { Ok(value) } else { Err("More than 0.".to_owned()) }
}

/// A share from 0 to below 1.
fn below_one(text: &str) -> Result<f64, String> {
    let value = real(text, 0.0, 1.0)?;
    if value < 1.0 { Ok(value) } else { Err("Less than 1.".to_owned()) }
}

fn read_targets(text: &str) -> Result<Vec<String>, String> {
    let wanted: Vec<&str> = text.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    if let Some(unknown) = wanted.iter().find(|name| !LORA_TARGETS.contains(name)) {
        return Err(format!("There is no projection \"{unknown}\"."));
    }
    if wanted.is_empty() {
        return Err("At least one.".to_owned());
    }
    Ok(LORA_TARGETS.iter().filter(|name| wanted.contains(name)).map(|&name| name.to_owned()).collect())
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 2^50")]
fn read_gib(text: &str) -> Result<u64, String> {
    above_zero(text, 1_048_576.0).map(|gib| (gib * GIB).round() as u64)
}

fn gib(bytes: u64) -> String {
    let text = format!("{:.2}", bytes as f64 / GIB);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The schedules.
const SCHEDULES: &[(&str, &str)] = &[("constant", "Constant"), ("linear", "Linear"), ("cosine", "Cosine")];
/// The devices.
const DEVICES: &[(&str, &str)] = &[("auto", "Best found"), ("cpu", "Processor"), ("cuda", "GPU")];

/// Every setting.
pub(crate) const KNOBS: &[Knob] = &[
    Knob {
        id: "rank",
        group: Group::Adapter,
        label: "Rank",
        unit: "",
        hint: "Width of the adapter: more can learn more, and takes more memory.",
        kind: Kind::Number,
        when_empty: "",
        text: |it| it.lora.rank.to_string(),
        set: |it, text| {
            let rank = whole(text, 1, MAX_RANK)?;
            it.lora.rank = u32::try_from(rank).map_err(|_| "A smaller number.".to_owned())?;
            Ok(())
        },
    },
    Knob {
        id: "alpha",
        group: Group::Adapter,
        label: "Alpha",
        unit: "",
        hint: "The adapter counts alpha / rank; twice the rank is usual.",
        kind: Kind::Number,
        when_empty: "",
        text: |it| plain(it.lora.alpha),
        set: |it, text| above_zero(text, 1e6).map(|value| it.lora.alpha = value),
    },
    Knob {
        id: "rslora",
        group: Group::Adapter,
        label: "Rank-stabilised (rsLoRA)",
        unit: "",
        hint: "The adapter counts alpha / square root of the rank: for high ranks.",
        kind: Kind::Switch,
        when_empty: "",
        text: |it| yes_no(it.lora.rslora),
        set: |it, text| {
            it.lora.rslora = read_yes(text);
            Ok(())
        },
    },
    Knob {
        id: "dropout",
        group: Group::Adapter,
        label: "Dropout",
        unit: "",
        hint: "Share of the adapter's input that is dropped while training, 0 to below 1.",
        kind: Kind::Number,
        when_empty: "",
        text: |it| plain(it.lora.dropout),
        set: |it, text| below_one(text).map(|value| it.lora.dropout = value),
    },
    Knob {
        id: "targets",
        group: Group::Adapter,
        label: "Adapted projections",
        unit: "",
        hint: "Which linear layers get an adapter. All is usual and learns best.",
        kind: Kind::Targets,
        when_empty: "",
        text: |it| it.lora.targets.join(","),
        set: |it, text| read_targets(text).map(|targets| it.lora.targets = targets),
    },
    Knob {
        id: "learning-rate",
        group: Group::Optimizer,
        label: "Learning rate",
        unit: "",
        hint: "The highest one. Ten times that of a full fine-tune suits an adapter.",
        kind: Kind::Number,
        when_empty: "",
        text: |it| plain(it.optimizer.learning_rate),
        set: |it, text| above_zero(text, 1.0).map(|value| it.optimizer.learning_rate = value),
    },
    Knob {
        id: "schedule",
        group: Group::Optimizer,
        label: "Schedule",
        unit: "",
        hint: "How the rate goes on after the warm-up.",
        kind: Kind::Choice(SCHEDULES),
        when_empty: "",
        text: |it| {
            match it.optimizer.schedule {
                TrainSchedule::Constant => "constant",
                TrainSchedule::Linear => "linear",
                TrainSchedule::Cosine => "cosine",
            }
            .to_owned()
        },
        set: |it, text| {
            it.optimizer.schedule = match text {
                "linear" => TrainSchedule::Linear,
                "cosine" => TrainSchedule::Cosine,
                _ => TrainSchedule::Constant,
            };
            Ok(())
        },
    },
    Knob {
        id: "warmup",
        group: Group::Optimizer,
        label: "Warm-up",
        unit: "steps",
        hint: "Steps over which the rate rises from 0.",
        kind: Kind::Number,
        when_empty: "none below 50 steps, else 3 %",
        text: |it| it.optimizer.warmup_steps.map(|steps| steps.to_string()).unwrap_or_default(),
        set: |it, text| maybe(text, |text| whole(text, 0, 1 << 40)).map(|steps| it.optimizer.warmup_steps = steps),
    },
    Knob {
        id: "weight-decay",
        group: Group::Optimizer,
        label: "Weight decay",
        unit: "",
        hint: "Pulls the adapter's numbers towards 0; 0 is none.",
        kind: Kind::Number,
        when_empty: "",
        text: |it| plain(it.optimizer.weight_decay),
        set: |it, text| real(text, 0.0, 10.0).map(|value| it.optimizer.weight_decay = value),
    },
    Knob {
        id: "clip-norm",
        group: Group::Optimizer,
        label: "Gradient clipping",
        unit: "",
        hint: "The longest a step's gradient may be; 0 is any length.",
        kind: Kind::Number,
        when_empty: "",
        text: |it| plain(it.optimizer.clip_norm),
        set: |it, text| real(text, 0.0, 1e6).map(|value| it.optimizer.clip_norm = value),
    },
    Knob {
        id: "eight-bit",
        group: Group::Optimizer,
        label: "8-bit optimizer states",
        unit: "",
        hint: "A quarter of the optimizer's memory, nearly the same steps.",
        kind: Kind::Switch,
        when_empty: "",
        text: |it| yes_no(it.optimizer.eight_bit),
        set: |it, text| {
            it.optimizer.eight_bit = read_yes(text);
            Ok(())
        },
    },
    Knob {
        id: "neftune",
        group: Group::Optimizer,
        label: "NEFTune noise",
        unit: "",
        hint: "Noise on the embeddings while training; 5 is usual, 0 is none.",
        kind: Kind::Number,
        when_empty: "",
        text: |it| plain(it.optimizer.neftune_alpha),
        set: |it, text| real(text, 0.0, 1e3).map(|value| it.optimizer.neftune_alpha = value),
    },
    Knob {
        id: "beta1",
        group: Group::Optimizer,
        label: "Beta 1",
        unit: "",
        hint: "How long AdamW remembers the mean gradient.",
        kind: Kind::Number,
        when_empty: "",
        text: |it| plain(it.optimizer.beta1),
        set: |it, text| below_one(text).map(|value| it.optimizer.beta1 = value),
    },
    Knob {
        id: "beta2",
        group: Group::Optimizer,
        label: "Beta 2",
        unit: "",
        hint: "How long it remembers the mean squared gradient.",
        kind: Kind::Number,
        when_empty: "",
        text: |it| plain(it.optimizer.beta2),
        set: |it, text| below_one(text).map(|value| it.optimizer.beta2 = value),
    },
    Knob {
        id: "eps",
        group: Group::Optimizer,
        label: "Epsilon",
        unit: "",
        hint: "Added before it divides.",
        kind: Kind::Number,
        when_empty: "",
        text: |it| plain(it.optimizer.eps),
        set: |it, text| above_zero(text, 1.0).map(|value| it.optimizer.eps = value),
    },
    Knob {
        id: "max-tokens",
        group: Group::Length,
        label: "Longest row",
        unit: "tokens",
        hint: "Longer rows are left out, and the plan says how many.",
        kind: Kind::Number,
        when_empty: "",
        text: |it| it.max_tokens.to_string(),
        set: |it, text| whole_u32(text, 1).map(|value| it.max_tokens = value),
    },
    Knob {
        id: "pack-tokens",
        group: Group::Length,
        label: "Largest pack",
        unit: "tokens",
        hint: "Rows are computed together up to so many tokens. Smaller packs take less memory.",
        kind: Kind::Number,
        when_empty: "as many as the longest row",
        text: |it| it.pack_tokens.map(|tokens| tokens.to_string()).unwrap_or_default(),
        set: |it, text| maybe(text, |text| whole_u32(text, 1)).map(|value| it.pack_tokens = value),
    },
    Knob {
        id: "accumulation",
        group: Group::Length,
        label: "Packs per step",
        unit: "packs",
        hint: "Gradients of so many packs are added before the adapter moves.",
        kind: Kind::Number,
        when_empty: "",
        text: |it| it.accumulation.to_string(),
        set: |it, text| whole_u32(text, 1).map(|value| it.accumulation = value),
    },
    Knob {
        id: "share-prefixes",
        group: Group::Length,
        label: "Share prefixes",
        unit: "",
        hint: "What rows have in common is computed once. Off gives the same gradients, slower.",
        kind: Kind::Switch,
        when_empty: "",
        text: |it| yes_no(it.share_prefixes),
        set: |it, text| {
            it.share_prefixes = read_yes(text);
            Ok(())
        },
    },
    Knob {
        id: "epochs",
        group: Group::Duration,
        label: "Epochs",
        unit: "",
        hint: "Times through all rows. Of no account where steps are set.",
        kind: Kind::Number,
        when_empty: "",
        text: |it| it.epochs.to_string(),
        set: |it, text| whole_u32(text, 1).map(|value| it.epochs = value),
    },
    Knob {
        id: "steps",
        group: Group::Duration,
        label: "Steps",
        unit: "steps",
        hint: "Exactly so many, instead of epochs.",
        kind: Kind::Number,
        when_empty: "as the epochs give",
        text: |it| it.steps.map(|steps| steps.to_string()).unwrap_or_default(),
        set: |it, text| maybe(text, |text| whole(text, 1, 1 << 40)).map(|steps| it.steps = steps),
    },
    Knob {
        id: "seed",
        group: Group::Duration,
        label: "Seed",
        unit: "",
        hint: "The same seed, settings and rows give the same training.",
        kind: Kind::Number,
        when_empty: "",
        text: |it| it.seed.to_string(),
        set: |it, text| whole(text, 0, u64::MAX).map(|value| it.seed = value),
    },
    Knob {
        id: "eval-every",
        group: Group::Checkpoints,
        label: "Validate every",
        unit: "steps",
        hint: "And at the end; 0 is at the end only.",
        kind: Kind::Number,
        when_empty: "",
        text: |it| it.eval_every.to_string(),
        set: |it, text| whole(text, 0, 1 << 40).map(|value| it.eval_every = value),
    },
    Knob {
        id: "save-every",
        group: Group::Checkpoints,
        label: "Checkpoint every",
        unit: "steps",
        hint: "And at the end; 0 is at the end only. A training goes on from the last one.",
        kind: Kind::Number,
        when_empty: "",
        text: |it| it.save_every.to_string(),
        set: |it, text| whole(text, 0, 1 << 40).map(|value| it.save_every = value),
    },
    Knob {
        id: "keep-checkpoints",
        group: Group::Checkpoints,
        label: "Keep the newest",
        unit: "checkpoints",
        hint: "Older ones are removed; 0 keeps all.",
        kind: Kind::Number,
        when_empty: "",
        text: |it| it.keep_checkpoints.to_string(),
        set: |it, text| whole_u32(text, 0).map(|value| it.keep_checkpoints = value),
    },
    Knob {
        id: "device",
        group: Group::Machine,
        label: "Compute on",
        unit: "",
        hint: "A GPU where one is found, else the processor.",
        kind: Kind::Choice(DEVICES),
        when_empty: "",
        text: |it| {
            match it.device {
                TrainDevice::Auto => "auto",
                TrainDevice::Cpu => "cpu",
                TrainDevice::Cuda => "cuda",
            }
            .to_owned()
        },
        set: |it, text| {
            it.device = match text {
                "cpu" => TrainDevice::Cpu,
                "cuda" => TrainDevice::Cuda,
                _ => TrainDevice::Auto,
            };
            Ok(())
        },
    },
    Knob {
        id: "threads",
        group: Group::Machine,
        label: "Threads",
        unit: "threads",
        hint: "Fewer leave room for other work.",
        kind: Kind::Number,
        when_empty: "all",
        text: |it| it.threads.map(|threads| threads.to_string()).unwrap_or_default(),
        set: |it, text| maybe(text, |text| whole_u32(text, 1)).map(|value| it.threads = value),
    },
    Knob {
        id: "memory",
        group: Group::Machine,
        label: "Most memory",
        unit: "GiB",
        hint: "It computes parts again rather than take more.",
        kind: Kind::Number,
        when_empty: "four fifths of what is free",
        text: |it| it.memory_bytes.map(gib).unwrap_or_default(),
        set: |it, text| maybe(text, read_gib).map(|value| it.memory_bytes = value),
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    fn knob(id: &str) -> &'static Knob {
        KNOBS.iter().find(|knob| knob.id == id).unwrap()
    }

    #[test]
    fn what_a_setting_says_it_reads_back() {
        let mut settings = TrainSettings::default();
        for knob in KNOBS {
            let text = knob.usual();
            let before = settings.clone();
            assert_eq!((knob.set)(&mut settings, &text), Ok(()), "{}", knob.id);
            assert_eq!(settings, before, "{}", knob.id);
            assert!(!knob.is_changed(&settings), "{}", knob.id);
        }
    }

    #[test]
    fn every_setting_can_be_changed_and_is_then_known_to_be() {
        for knob in KNOBS {
            let other = match knob.kind {
                Kind::Number => ["0.25", "7"]
                    .into_iter()
                    .find(|text| *text != knob.usual() && (knob.set)(&mut TrainSettings::default(), text).is_ok()),
                Kind::Switch => Some(if knob.usual() == "yes" { "no" } else { "yes" }),
                Kind::Choice(options) => options.last().map(|(value, _)| *value),
                Kind::Targets => Some("q_proj,v_proj"),
            };
            let mut settings = TrainSettings::default();
            (knob.set)(&mut settings, other.unwrap()).unwrap();
            assert!(knob.is_changed(&settings), "{}", knob.id);
            assert_eq!(changed_in(knob.group, &settings), 1, "{} changes itself alone", knob.id);
            assert_eq!(changed_first(&settings)[0].id, knob.id);
            assert_eq!(differing(&[&settings, &TrainSettings::default()]).len(), 1);
            assert!(!knob.words(&settings).is_empty());
        }
    }

    #[test]
    fn names_are_unique_and_every_group_has_settings() {
        for (place, one) in KNOBS.iter().enumerate() {
            assert!(KNOBS.iter().skip(place + 1).all(|other| other.id != one.id), "{}", one.id);
        }
        for group in Group::ALL {
            assert!(of_group(group).count() > 1, "{}", group.label());
        }
    }

    #[test]
    fn nonsense_is_named_and_changes_nothing() {
        let mut settings = TrainSettings::default();
        for (id, text) in [
            ("rank", "0"),
            ("rank", "-4"),
            ("rank", "99999"),
            ("rank", ""),
            ("alpha", "0"),
            ("alpha", "NaN"),
            ("dropout", "1"),
            ("dropout", "0,1"),
            ("learning-rate", "inf"),
            ("learning-rate", "two"),
            ("learning-rate", "2"),
            ("targets", ""),
            ("targets", "q_proj,lm_head"),
            ("max-tokens", "0"),
            ("max-tokens", "9999999999"),
            ("accumulation", "0"),
            ("steps", "0"),
            ("epochs", "1.5"),
            ("memory", "0"),
            ("memory", "-1"),
            ("threads", "0"),
        ] {
            let wrong = (knob(id).set)(&mut settings, text).unwrap_err();
            assert!(wrong.ends_with('.'), "{id} {text}: {wrong}");
        }
        assert_eq!(settings, TrainSettings::default());
    }

    #[test]
    fn numbers_are_read_as_people_type_them() {
        let mut settings = TrainSettings::default();
        (knob("max-tokens").set)(&mut settings, " 32k ").unwrap();
        assert_eq!(settings.max_tokens, 32_768);
        (knob("max-tokens").set)(&mut settings, "8,192").unwrap();
        assert_eq!(settings.max_tokens, 8_192);
        (knob("learning-rate").set)(&mut settings, "1e-4").unwrap();
        assert_eq!(knob("learning-rate").words(&settings), "1e-4");
        (knob("memory").set)(&mut settings, "12.5").unwrap();
        assert_eq!(settings.memory_bytes, Some(13_421_772_800));
        assert_eq!(knob("memory").words(&settings), "12.5 GiB");
        (knob("memory").set)(&mut settings, "").unwrap();
        assert_eq!(settings.memory_bytes, None);
        assert_eq!(knob("memory").words(&settings), "four fifths of what is free");
        (knob("targets").set)(&mut settings, "v_proj, q_proj").unwrap();
        assert_eq!(settings.lora.targets, ["q_proj", "v_proj"], "in the order of the layers");
    }

    #[test]
    fn lists_say_what_is_meant() {
        let usual = TrainSettings::default();
        assert_eq!(knob("targets").words(&usual), "all seven");
        assert_eq!(knob("schedule").words(&usual), "Constant");
        assert_eq!(knob("device").words(&usual), "Best found");
        assert_eq!(knob("max-tokens").words(&usual), "32768 tokens");
    }
}
