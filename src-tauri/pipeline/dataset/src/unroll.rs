//! How a trace becomes rows, and which of its answers each row is there for.

use tw_artifact::{DatasetPlan, Role, TrainOn, Unroll};

use crate::render::Renderer;
use crate::source::Prepared;

/// A row of a trace, before its length is looked at: the messages up to `end`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// The message after its last.
    pub end: usize,
    /// Places of the messages that are trained, in order.
    pub trained: Vec<usize>,
    /// Places of messages of which only stretches are trained, as a person said.
    pub stretches: Vec<usize>,
}

/// The rows of a trace, in order.
///
/// # Errors
/// [`Unroll::Minimal`] asks the template for the text of every step; where it gives none, why.
pub fn unroll(
    prepared: &Prepared,
    plan: &DatasetPlan,
    renderer: &dyn Renderer,
    timestamp_ms: i64,
) -> Result<Vec<Shape>, String> {
    let roles: Vec<Role> = prepared.messages.iter().map(tw_artifact::Message::role).collect();
    let answers: Vec<usize> = (0..roles.len()).filter(|place| roles[*place] == Role::Assistant).collect();
    let shape = |end: usize| Shape { end, trained: chosen(&roles[..end], plan.train), stretches: Vec::new() };
    let mut shapes = match plan.unroll {
        _ if answers.is_empty() => Vec::new(),
        Unroll::None => vec![shape(roles.len())],
        Unroll::Step => answers.iter().map(|place| shape(place + 1)).collect(),
        Unroll::User => last_of_turns(&roles).into_iter().map(|place| shape(place + 1)).collect(),
        Unroll::Minimal => fewest(prepared, &answers, renderer, timestamp_ms)?,
    };
    apply_marks(prepared, &mut shapes);
    Ok(shapes)
}

/// The answers that are trained in a row of these messages.
fn chosen(roles: &[Role], train: TrainOn) -> Vec<usize> {
    let answers = || (0..roles.len()).filter(|place| roles[*place] == Role::Assistant);
    match train {
        TrainOn::All => answers().collect(),
        TrainOn::Last => answers().next_back().into_iter().collect(),
        TrainOn::Turn => {
            let question = roles.iter().rposition(|role| *role == Role::User);
            answers().filter(|place| question.is_none_or(|question| *place > question)).collect()
        }
    }
}

/// The last answer of each turn of the user that has one.
fn last_of_turns(roles: &[Role]) -> Vec<usize> {
    let mut lasts: Vec<usize> = Vec::new();
    let mut turn_has_one = false;
    for (place, role) in roles.iter().enumerate() {
        match role {
            Role::User => turn_has_one = false,
            Role::Assistant => {
                if turn_has_one {
                    lasts.pop();
                }
                lasts.push(place);
                turn_has_one = true;
            }
            _ => {}
        }
    }
    lasts
}

/// The fewest rows: an answer is trained in a longer row where the text up to its end begins that row's text, for then
/// it stands there after exactly what the model sees when it answers. "Begins" is transitive, so the rows are those
/// answers whose text begins no later one's, and each other answer goes to the first of them that it begins.
fn fewest(
    prepared: &Prepared,
    answers: &[usize],
    renderer: &dyn Renderer,
    timestamp_ms: i64,
) -> Result<Vec<Shape>, String> {
    let mut rows: Vec<(String, Shape)> = Vec::new();
    for place in answers.iter().rev() {
        let text = renderer.text(&prepared.messages[..=*place], &prepared.tools, timestamp_ms)?;
        // The nearest row stands last.
        match rows.iter_mut().rev().find(|(longer, _)| longer.starts_with(&text)) {
            Some((_, shape)) => shape.trained.push(*place),
            None => rows.push((text, Shape { end: place + 1, trained: vec![*place], stretches: Vec::new() })),
        }
    }
    let shapes = rows.into_iter().rev().map(|(_, mut shape)| {
        shape.trained.reverse();
        shape
    });
    Ok(shapes.collect())
}

/// What a person said about messages goes before what the plan says. A message that they want trained and no row is
/// there for is trained in the first row that shows it.
fn apply_marks(prepared: &Prepared, shapes: &mut [Shape]) {
    for (place, marks) in prepared.marks.iter().enumerate() {
        if marks.train == Some(false) || marks.excluded {
            for shape in shapes.iter_mut() {
                shape.trained.retain(|it| *it != place);
            }
        }
        let is_trained = shapes.iter().any(|shape| shape.trained.contains(&place));
        if is_trained || marks.excluded {
            continue;
        }
        let whole = marks.train == Some(true);
        let stretches = marks.spans.iter().any(|span| span.train);
        let Some(owner) = shapes.iter_mut().find(|shape| shape.end > place) else { continue };
        if whole {
            let at = owner.trained.partition_point(|it| *it < place);
            owner.trained.insert(at, place);
        } else if stretches {
            owner.stretches.push(place);
        }
    }
}
