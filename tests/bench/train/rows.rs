//! Rows of traces: one for every answer, and one for every question, over the same answers.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use tw_artifact::{Json, Role};
use tw_jobs::Row;
use tw_template::{Row as Conversation, RowRenderer, RowSettings, Template, TemplateSource, Tokenizer, Train};

/// What rows are rendered with.
pub(crate) struct Renderer {
    template: Template,
    special_tokens: tw_template::SpecialTokens,
    tokenizer: Tokenizer,
}

impl Renderer {
    /// The tokenizer of one model's folder, with a template.
    pub(crate) fn new(model: &Path, template: Template) -> Result<Self> {
        let special_tokens = TemplateSource::from_folder(model)?.special_tokens;
        Ok(Self { template, special_tokens, tokenizer: Tokenizer::load(model)? })
    }

    /// A row of what stands in the conversation up to `end`, with what `train` says trained.
    pub(crate) fn row(&self, id: &str, conversation: &Conversation, end: usize, train: Train) -> Result<Row> {
        let shown = Conversation { messages: conversation.messages[..end].to_vec(), ..conversation.clone() };
        let renderer =
            RowRenderer { template: &self.template, special_tokens: &self.special_tokens, tokenizer: &self.tokenizer };
        let settings =
            RowSettings { train, headers: false, ..RowSettings::new(jiff::civil::date(2026, 2, 3).at(4, 5, 6, 0)) };
        let rendered = renderer.render(&shown, &settings)?;
        let weights: Vec<f32> = rendered.mask.iter().map(|trained| f32::from(*trained)).collect();
        Ok(Row::from_weights(id, &rendered.ids, &weights))
    }
}

/// The rows of some traces, made in the two ways that train every answer once after what the model sees.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rows {
    /// A row for every answer, trained on that answer.
    pub(crate) steps: Vec<Row>,
    /// A row for every question, trained on all answers to it: the strongest way without shared prefixes.
    pub(crate) turns: Vec<Row>,
}

fn trained(rows: &[Row]) -> usize {
    rows.iter().flat_map(|row| &row.spans).map(|span| span.end - span.start).sum()
}

impl Rows {
    pub(crate) fn tokens(rows: &[Row]) -> usize {
        rows.iter().map(|row| row.tokens.len()).sum()
    }

    /// All rows of a folder's traces whose question's row has at most `max_length` tokens; with a `total`, only as many
    /// questions as fit into it step by step, but at least one.
    pub(crate) fn of(renderer: &Renderer, traces: &Path, max_length: usize, total: Option<usize>) -> Result<Self> {
        let mut files: Vec<_> = std::fs::read_dir(traces)
            .with_context(|| format!("{} cannot be read", traces.display()))?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
            .collect();
        files.sort();
        let mut rows = Self::default();
        for (number, file) in files.iter().enumerate() {
            let conversation = Conversation::parse(&Json::parse(&std::fs::read_to_string(file)?)?)?;
            rows.add(renderer, &format!("trace_{number}"), &conversation, max_length, total)?;
        }
        ensure!(!rows.turns.is_empty(), "no question of the traces fits into {max_length} tokens");
        ensure!(trained(&rows.steps) == trained(&rows.turns), "the two ways must train the same tokens");
        Ok(rows)
    }

    fn add(
        &mut self,
        renderer: &Renderer,
        id: &str,
        conversation: &Conversation,
        max_length: usize,
        total: Option<usize>,
    ) -> Result<()> {
        let roles: Vec<Role> = conversation.messages.iter().map(tw_artifact::Message::role).collect();
        let questions: Vec<usize> = (0..roles.len()).filter(|place| roles[*place] == Role::User).collect();
        for (index, question) in questions.iter().enumerate() {
            let end = questions.get(index + 1).copied().unwrap_or(roles.len());
            let answers: Vec<usize> = (*question..end).filter(|place| roles[*place] == Role::Assistant).collect();
            let Some(last) = answers.last() else { continue };
            let turn = renderer.row(&format!("{id}_trunc_{}", last + 1), conversation, last + 1, Train::Turn)?;
            if turn.tokens.len() > max_length {
                continue;
            }
            let mut steps = Vec::with_capacity(answers.len());
            for answer in answers {
                let id = format!("{id}_trunc_{}", answer + 1);
                steps.push(renderer.row(&id, conversation, answer + 1, Train::Last)?);
            }
            let fits = total.is_none_or(|total| Self::tokens(&self.steps) + Self::tokens(&steps) <= total);
            if fits || self.turns.is_empty() {
                self.steps.extend(steps);
                self.turns.push(turn);
            }
        }
        Ok(())
    }
}
