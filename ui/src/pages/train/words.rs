//! What a training is and does, in words and figures, and in which order trainings stand. Pure.

use std::cmp::Reverse;

use tw_contract::{TrainJob, TrainSchedule, TrainState};

/// A state in a word or two.
pub(crate) const fn state_label(state: TrainState) -> &'static str {
    match state {
        TrainState::Queued => "Queued",
        TrainState::Preparing => "Preparing",
        TrainState::Running => "Running",
        TrainState::Paused => "Paused",
        TrainState::Stopping => "Stopping",
        TrainState::Stopped => "Stopped",
        TrainState::Done => "Done",
        TrainState::Failed => "Failed",
        TrainState::Lost => "Lost",
    }
}

/// A state's word for tests and styles.
pub(crate) const fn state_word(state: TrainState) -> &'static str {
    match state {
        TrainState::Queued => "queued",
        TrainState::Preparing => "preparing",
        TrainState::Running => "running",
        TrainState::Paused => "paused",
        TrainState::Stopping => "stopping",
        TrainState::Stopped => "stopped",
        TrainState::Done => "done",
        TrainState::Failed => "failed",
        TrainState::Lost => "lost",
    }
}

/// What can be done with a training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// Hold it.
    Pause,
    /// Go on after a pause.
    Resume,
    /// Go on from its last checkpoint, or from the beginning where none was kept.
    GoOn,
    /// End it, with a checkpoint.
    Stop,
    /// Take it out of the queue.
    Leave,
    /// Keep a checkpoint now.
    Checkpoint,
    /// Remove it.
    Delete,
}

/// What can be done with a training as it stands.
pub(crate) const fn deeds(state: TrainState) -> &'static [Deed] {
    match state {
        TrainState::Queued => &[Deed::Leave],
        TrainState::Preparing => &[Deed::Stop],
        TrainState::Running => &[Deed::Pause, Deed::Checkpoint, Deed::Stop],
        TrainState::Paused => &[Deed::Resume, Deed::Checkpoint, Deed::Stop],
        TrainState::Stopping => &[],
        TrainState::Stopped | TrainState::Failed | TrainState::Lost => &[Deed::GoOn, Deed::Delete],
        TrainState::Done => &[Deed::Delete],
    }
}

/// Steps in all: what the plan gives, or what was asked for before there is one; 0 where neither is known.
pub(crate) fn steps_of(job: &TrainJob) -> u64 {
    if job.plan.steps > 0 { job.plan.steps } else { job.settings.steps.unwrap_or(0) }
}

/// How far it is, 0 to 1.
pub(crate) fn share_of(job: &TrainJob) -> f64 {
    let total = steps_of(job);
    if total == 0 { 0.0 } else { (job.step as f64 / total as f64).clamp(0.0, 1.0) }
}

/// The live ones first (those that a worker is at, then the queue in its order), then the rest, the newest first.
pub(crate) fn in_order(jobs: &mut [TrainJob]) {
    jobs.sort_by_key(|job| match job.state {
        TrainState::Queued => (1, Reverse(0), job.created_at_ms),
        state if state.is_live() => (0, Reverse(0), job.created_at_ms),
        _ => (2, Reverse(job.created_at_ms), 0),
    });
}

/// How many trainings a queued one waits for.
pub(crate) fn waits_for(jobs: &[TrainJob], job: &TrainJob) -> usize {
    if job.state != TrainState::Queued {
        return 0;
    }
    let before = |other: &&TrainJob| {
        other.id != job.id
            && other.state.is_live()
            && (other.state != TrainState::Queued || other.created_at_ms < job.created_at_ms)
    };
    jobs.iter().filter(before).count()
}

/// Names an end of a training; another one where it went on and ended again. `None` while it has not ended by itself.
pub(crate) fn end_of(job: &TrainJob) -> Option<String> {
    let by_itself = matches!(job.state, TrainState::Done | TrainState::Failed | TrainState::Lost);
    by_itself.then(|| format!("{}@{}", job.id, job.ended_at_ms.unwrap_or_default()))
}

/// A share in percent with as many digits as tell something: `1.62 %`, `12.4 %`, `100 %`.
pub(crate) fn fine_percent(part: u64, of: u64) -> String {
    if of == 0 {
        return "0 %".to_owned();
    }
    let percent = part as f64 / of as f64 * 100.0;
    match percent {
        it if it <= 0.0 => "0 %".to_owned(),
        it if it < 0.01 => "under 0.01 %".to_owned(),
        it if it < 9.995 => format!("{it:.2} %"),
        it if it < 99.95 => format!("{it:.1} %"),
        it => format!("{it:.0} %"),
    }
}

/// How many times fewer: `2.8`, `12`, `1`.
pub(crate) fn times_fewer(all: u64, computed: u64) -> String {
    let times = all as f64 / computed.max(1) as f64;
    let text = if times < 9.95 { format!("{times:.1}") } else { format!("{times:.0}") };
    text.trim_end_matches(".0").to_owned()
}

/// Parameters: `596M`, `4.2B`, `830k`.
pub(crate) fn parameters(count: u64) -> String {
    let short = |unit: f64, sign: char| {
        let value = count as f64 / unit;
        if value < 9.95 { format!("{value:.1}{sign}").replace(".0", "") } else { format!("{value:.0}{sign}") }
    };
    match count {
        0..1_000 => count.to_string(),
        1_000..999_500 => short(1e3, 'k'),
        999_500..999_500_000 => short(1e6, 'M'),
        _ => short(1e9, 'B'),
    }
}

/// Bytes of memory: `780 MiB`, `14.2 GiB`.
pub(crate) fn memory(bytes: u64) -> String {
    let mib = bytes as f64 / f64::from(1_u32 << 20);
    match mib {
        it if it < 9.95 => format!("{it:.1} MiB"),
        it if it < 1_023.5 => format!("{it:.0} MiB"),
        it if it < 102_400.0 => format!("{:.1} GiB", it / 1_024.0),
        it => format!("{:.0} GiB", it / 1_024.0),
    }
}

/// A loss: `1.234`, `0.0412`.
pub(crate) fn loss(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        it if it < 0.001 => tidy(&format!("{value:.2e}")),
        it if it < 0.1 => format!("{value:.4}"),
        it if it < 100.0 => format!("{value:.3}"),
        _ => format!("{value:.0}"),
    }
}

/// A learning rate: `2e-4`, `1.53e-4`, `0`.
pub(crate) fn rate(value: f64) -> String {
    if value == 0.0 { "0".to_owned() } else { tidy(&format!("{value:.2e}")) }
}

/// A gradient's norm: `0.412`, `1,204`.
pub(crate) fn norm(value: f64) -> String {
    loss(value)
}

/// Without zeros that say nothing: `2.00e-4` is `2e-4`.
fn tidy(text: &str) -> String {
    match text.split_once('e') {
        Some((mantissa, power)) if mantissa.contains('.') => {
            format!("{}e{power}", mantissa.trim_end_matches('0').trim_end_matches('.'))
        }
        _ => text.to_owned(),
    }
}

/// Tokens a second: `830`, `4.2k`.
pub(crate) fn per_second(value: f64) -> String {
    match value {
        it if it < 9.95 => format!("{it:.1}"),
        it if it < 999.5 => format!("{it:.0}"),
        it if it < 9_950.0 => format!("{:.1}k", it / 1e3),
        it if it < 999_500.0 => format!("{:.0}k", it / 1e3),
        it => format!("{:.1}M", it / 1e6),
    }
}

/// Seconds that are left: `under 1 s`, `40 s`, `12 min`, `3 h 20 min`, `2 days 4 h`.
pub(crate) fn long_time(secs: u64) -> String {
    let two = |big: u64, big_name: &str, small: u64, small_name: &str| {
        if small == 0 { format!("{big} {big_name}") } else { format!("{big} {big_name} {small} {small_name}") }
    };
    match secs {
        0 => "under 1 s".to_owned(),
        1..60 => format!("{secs} s"),
        60..3_570 => format!("{} min", (secs + 30) / 60),
        3_570..172_800 => {
            let minutes = (secs + 30) / 60;
            two(minutes / 60, "h", minutes % 60, "min")
        }
        _ => {
            let hours = (secs + 1_800) / 3_600;
            two(hours / 24, "days", hours % 24, "h")
        }
    }
}

/// The name that a training without one gets.
pub(crate) fn usual_name(base: &str, dataset: &str) -> String {
    match (base.is_empty(), dataset.is_empty()) {
        (false, false) => format!("{base} on {dataset}"),
        (false, true) => base.to_owned(),
        _ => dataset.to_owned(),
    }
}

/// The learning rate along a training, as shares of the highest one: `[step, share]`, 0 to 1 each.
pub(crate) fn schedule_shape(schedule: TrainSchedule, warmup_steps: u64, steps: u64) -> Vec<[f64; 2]> {
    let steps = steps.max(1) as f64;
    let warm = (warmup_steps as f64 / steps).clamp(0.0, 1.0);
    let mut out = if warm > 0.0 { vec![[0.0, 0.0]] } else { Vec::new() };
    for part in 0..=24_u32 {
        let share = f64::from(part) / 24.0;
        let rest = match schedule {
            TrainSchedule::Constant => 1.0,
            TrainSchedule::Linear => 1.0 - share,
            TrainSchedule::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * share).cos()),
        };
        out.push([(1.0 - warm).mul_add(share, warm), rest]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(id: &str, state: TrainState, created_at_ms: i64) -> TrainJob {
        TrainJob { id: id.to_owned(), state, created_at_ms, ..TrainJob::default() }
    }

    #[test]
    fn what_goes_on_stands_first_then_the_queue_in_its_order_then_the_newest() {
        let mut jobs = vec![
            job("old", TrainState::Done, 1),
            job("new", TrainState::Failed, 9),
            job("second", TrainState::Queued, 6),
            job("first", TrainState::Queued, 5),
            job("runs", TrainState::Paused, 4),
        ];
        in_order(&mut jobs);
        let ids: Vec<_> = jobs.iter().map(|job| job.id.as_str()).collect();
        assert_eq!(ids, ["runs", "first", "second", "new", "old"]);
        assert_eq!(jobs.iter().map(|job| waits_for(&jobs, job)).collect::<Vec<_>>(), [0, 1, 2, 0, 0]);
    }

    #[test]
    fn each_state_offers_what_makes_sense_in_it() {
        assert_eq!(deeds(TrainState::Queued), [Deed::Leave]);
        assert_eq!(deeds(TrainState::Running), [Deed::Pause, Deed::Checkpoint, Deed::Stop]);
        assert_eq!(deeds(TrainState::Paused), [Deed::Resume, Deed::Checkpoint, Deed::Stop]);
        assert_eq!(deeds(TrainState::Stopping), []);
        for state in [TrainState::Stopped, TrainState::Failed, TrainState::Lost] {
            assert_eq!(deeds(state), [Deed::GoOn, Deed::Delete]);
        }
        assert_eq!(deeds(TrainState::Done), [Deed::Delete]);
    }

    #[test]
    fn an_end_is_told_once_and_again_when_it_went_on() {
        let mut done = job("a", TrainState::Done, 0);
        done.ended_at_ms = Some(7);
        assert_eq!(end_of(&done).as_deref(), Some("a@7"));
        assert_eq!(end_of(&job("a", TrainState::Running, 0)), None);
        assert_eq!(end_of(&job("a", TrainState::Stopped, 0)), None, "the person ended it");
    }

    #[test]
    fn progress_is_known_when_the_steps_are() {
        let mut running = job("a", TrainState::Running, 0);
        running.step = 5;
        assert!(share_of(&running).abs() < 1e-9);
        running.settings.steps = Some(20);
        assert!((share_of(&running) - 0.25).abs() < 1e-9);
        running.plan.steps = 10;
        assert!((share_of(&running) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn shares_have_the_digits_that_tell_something() {
        assert_eq!(fine_percent(0, 0), "0 %");
        assert_eq!(fine_percent(162, 10_000), "1.62 %");
        assert_eq!(fine_percent(1, 1_000_000_000), "under 0.01 %");
        assert_eq!(fine_percent(124, 1_000), "12.4 %");
        assert_eq!(fine_percent(5, 5), "100 %");
    }

    #[test]
    fn figures_are_said_as_people_say_them() {
        assert_eq!(times_fewer(2_800, 1_000), "2.8");
        assert_eq!(times_fewer(1_000, 1_000), "1");
        assert_eq!(times_fewer(23_400, 1_000), "23");
        assert_eq!(times_fewer(7, 0), "7");
        assert_eq!(parameters(596_049_920), "596M");
        assert_eq!(parameters(10_092_544), "10M");
        assert_eq!(parameters(4_022_468_096), "4B");
        assert_eq!(parameters(3_085_938_688), "3.1B");
        assert_eq!(parameters(73_728), "74k");
        assert_eq!(memory(3_221_225_472), "3.0 GiB");
        assert_eq!(memory(817_889_280), "780 MiB");
        assert_eq!(memory(5_242_880), "5.0 MiB");
        assert_eq!(loss(1.23456), "1.235");
        assert_eq!(loss(0.04123), "0.0412");
        assert_eq!(loss(0.00002), "2e-5");
        assert_eq!(rate(2e-4), "2e-4");
        assert_eq!(rate(1.534e-4), "1.53e-4");
        assert_eq!(rate(0.0), "0");
        assert_eq!(per_second(834.2), "834");
        assert_eq!(per_second(4_210.0), "4.2k");
        assert_eq!(per_second(83_400.0), "83k");
        assert_eq!(long_time(3_599), "1 h");
        assert_eq!(long_time(12_000), "3 h 20 min");
    }

    #[test]
    fn a_schedule_rises_first_and_ends_where_it_should() {
        let constant = schedule_shape(TrainSchedule::Constant, 0, 40);
        assert!(constant.iter().all(|point| (point[1] - 1.0).abs() < 1e-9));
        let cosine = schedule_shape(TrainSchedule::Cosine, 10, 100);
        assert_eq!(cosine.first(), Some(&[0.0, 0.0]));
        assert!((cosine[1][0] - 0.1).abs() < 1e-9 && (cosine[1][1] - 1.0).abs() < 1e-9);
        let end = cosine.last().unwrap();
        assert!((end[0] - 1.0).abs() < 1e-9 && end[1].abs() < 1e-9);
    }
}
