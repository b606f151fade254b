//! Review: traces opened, edited, compared, decided about.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tw_artifact::{EditOp, EditedMessage, Finding, FindingCount, LintRule};
use tw_contract::{
    Affected, ApiError, DiffChunk, DiffKind, DiffRequest, EditOutcome, EditRequest, ErrorCode, Event, EventBody,
    FieldDiff, History, MessageChange, RepairRequest, ReviewMark, ReviewView, RevisionRequest, Selection,
};
use tw_review::{ChunkKind, EditError, FieldChange, MessageDiff};
use tw_store::{Committed, NewRevision, OpenTrace};

use crate::App;
use crate::desk::{Desk, must_rest};
use crate::errors::{Api, IntoApi};
use crate::shorten::{shorten, shorten_change, shorten_patches};

/// How long repairs are looked for; what is left over is found again.
const REPAIR_TIME: Duration = Duration::from_secs(10);
/// The author of edits that a person made.
const PERSON: &str = "you";

impl IntoApi for EditError {
    fn into_api(self) -> ApiError {
        ApiError::invalid(tw_collect::sentence(&self.to_string()))
    }
}

impl App {
    pub(crate) async fn open_review(&self, request: RevisionRequest) -> Result<ReviewView, ApiError> {
        let desk = match request.revision {
            None => self.desk(&request.id).await?,
            revision => Arc::new(self.desk_at(&request.id, revision).await?),
        };
        let beside = async {
            let branches = self.store.branches(&request.id).await.api()?;
            Ok::<_, ApiError>((branches, self.store.pairs_of(&request.id).await.api()?))
        };
        // Lint takes longest: the rest is read meanwhile.
        let (looked, beside) = tokio::join!(self.look_over(&desk), beside);
        looked?;
        let (branches, pairs) = beside?;
        let state = desk.state();
        if request.revision.is_none() && FindingCount::of(&state.findings) != desk.trace.summary.findings {
            self.keep_findings(&request.id, &state.findings).await?;
        }
        // Read after the findings were kept: the list and the editor say the same.
        let summary = self.store.summary(&request.id).await.api()?;
        let OpenTrace { settings, steps, calls, ending, captured, mut edition, .. } =
            Arc::try_unwrap(desk).map_or_else(|shared| shared.trace.clone(), |desk| desk.trace);
        let shortened = if request.shorten { shorten(&mut edition.messages) } else { Vec::new() };
        Ok(ReviewView {
            summary,
            settings,
            messages: edition.messages,
            tools: edition.tools,
            steps,
            calls,
            captured,
            ending,
            state,
            branches,
            pairs,
            shortened,
        })
    }

    async fn keep_findings(&self, id: &str, findings: &[Finding]) -> Result<(), ApiError> {
        let counts = FindingCount::of(findings);
        self.store.set_findings(id, tw_review::LINT_VERSION, &counts).await.api()
    }

    pub(crate) async fn edit(&self, request: EditRequest) -> Result<EditOutcome, ApiError> {
        let EditRequest { id, base, op, author } = request;
        let desk = self.desk(&id).await?;
        must_rest(desk.trace.summary.state)?;
        if desk.trace.edition.revision != base {
            return Err(moved());
        }
        let other = match &op {
            EditOp::Reset => Some(self.store.edition(&id, Some(0)).await.api()?.messages),
            EditOp::Restore { revision } => Some(self.store.edition(&id, Some(*revision)).await.api()?.messages),
            _ => None,
        };
        let label = tw_review::describe(&op);
        let (on, made) = (Arc::clone(&desk), op.clone());
        let changed = crate::blocking(move || {
            let before = on.messages();
            let messages = match other {
                Some(messages) => messages,
                None => tw_review::apply(before, on.trace.edition.next_id, &made).map_err(IntoApi::into_api)?,
            };
            let same = |(a, b): (&EditedMessage, &EditedMessage)| a.id == b.id && a.key == b.key;
            if before.len() == messages.len() && before.iter().zip(&messages).all(same) {
                on.findings();
                return Ok(None);
            }
            let findings = on.lint(&messages);
            Ok::<_, ApiError>(Some((messages, findings)))
        })
        .await??;
        let Some((messages, findings)) = changed else {
            return Ok(EditOutcome { state: desk.state(), ..EditOutcome::default() });
        };
        let new = NewRevision {
            base,
            author: if author.trim().is_empty() { PERSON.to_owned() } else { author },
            label,
            op,
            at_ms: jiff::Timestamp::now().as_millisecond(),
            messages,
            findings: FindingCount::of(&findings),
            lint_version: tw_review::LINT_VERSION,
        };
        let committed = self.store.commit(&id, new).await.api()?;
        let desk = self.carry_on(desk, &committed, Some(findings)).await?;
        self.tell_list(id);
        Ok(outcome(committed, &desk))
    }

    /// Each repair is made for the trace as the ones before it left it: two of them may set the same text.
    pub(crate) async fn repair(&self, request: RepairRequest) -> Result<EditOutcome, ApiError> {
        let RepairRequest { id, base, rule } = request;
        let desk = self.desk(&id).await?;
        if desk.trace.edition.revision != base {
            return Err(moved());
        }
        let ops = crate::blocking(move || repairs(&desk, rule)).await?;
        let label = match ops.len() {
            0 => {
                return Err(ApiError::invalid("Nothing of this kind can be repaired by itself.")
                    .with_hint("Open each finding and decide."));
            }
            1 => format!("Repaired: {}", rule.label()),
            many => format!("Repaired {many} times: {}", rule.label()),
        };
        self.edit(EditRequest { id, base, op: EditOp::Many { label, ops }, author: String::new() }).await
    }

    pub(crate) async fn step_revision(&self, id: &str, forward: bool) -> Result<EditOutcome, ApiError> {
        let desk = self.desk(id).await?;
        must_rest(desk.trace.summary.state)?;
        let moved = if forward { self.store.redo(id).await } else { self.store.undo(id).await }.api()?;
        let Some(committed) = moved else {
            self.look_over(&desk).await?;
            return Ok(EditOutcome { state: desk.state(), ..EditOutcome::default() });
        };
        let desk = self.carry_on(desk, &committed, None).await?;
        self.look_over(&desk).await?;
        self.keep_findings(id, desk.findings()).await?;
        self.tell_list(id.to_owned());
        Ok(outcome(committed, &desk))
    }

    pub(crate) async fn history(&self, id: &str) -> Result<History, ApiError> {
        let (revisions, head) = self.store.history(id).await.api()?;
        Ok(History { revisions, head })
    }

    pub(crate) async fn diff(&self, request: DiffRequest) -> Result<Vec<MessageChange>, ApiError> {
        let before = self.store.edition(&request.id, Some(request.from)).await.api()?;
        let after = self.store.edition(&request.id, request.to).await.api()?;
        let compare = move || {
            let diffs = tw_review::compare(&before.messages, &after.messages);
            let mut changes: Vec<MessageChange> = diffs.into_iter().map(message_change).collect();
            changes.iter_mut().for_each(shorten_change);
            changes
        };
        crate::blocking(compare).await
    }

    pub(crate) async fn mark(&self, request: ReviewMark) -> Result<Affected, ApiError> {
        let change = request.change;
        if change.rating.is_some_and(|rating| rating > 5) {
            return Err(ApiError::invalid("A rating is a number from 1 to 5; 0 takes it away."));
        }
        let traces = match request.traces {
            Selection::Ids(ids) => {
                let one = if let [id] = ids.as_slice() { Some(id.clone()) } else { None };
                let traces = self.store.mark(ids, change).await.api()?;
                if traces == 0 && one.is_some() {
                    return Err(ApiError::not_found("trace"));
                }
                self.tell_list(one.unwrap_or_default());
                return Ok(Affected { traces });
            }
            Selection::Query(query) => self.store.mark_found(&crate::traces::store_query(query), change).await.api()?,
        };
        self.tell_list(String::new());
        Ok(Affected { traces })
    }

    /// Tells that the list changed: one trace, or, with an empty id, many.
    pub(crate) fn tell_list(&self, trace_id: String) {
        self.hub.emit(Event::TRACES, EventBody::TraceChanged { trace_id });
    }
}

/// The edits that repair every finding of a rule, in order.
fn repairs(desk: &Desk, rule: LintRule) -> Vec<EditOp> {
    let until = Instant::now() + REPAIR_TIME;
    let (mut messages, mut ops) = (desk.messages().to_vec(), Vec::new());
    while Instant::now() < until {
        let findings = desk.lint(&messages);
        let mut next = findings.into_iter().filter(|finding| finding.rule == rule).filter_map(|finding| finding.repair);
        let repaired = next.find_map(|repair| {
            let after = tw_review::apply(&messages, desk.trace.edition.next_id, &repair.op).ok()?;
            // One that changes nothing would be found for ever.
            (after != messages).then_some((repair.op, after))
        });
        let Some((op, after)) = repaired else { break };
        ops.push(op);
        messages = after;
    }
    ops
}

fn outcome(mut committed: Committed, desk: &Desk) -> EditOutcome {
    let shortened = shorten_patches(&mut committed.patches);
    EditOutcome { did: committed.did, patches: committed.patches, state: desk.state(), shortened }
}

/// The trace changed under the person's hands.
pub(crate) fn moved() -> ApiError {
    ApiError::new(ErrorCode::Conflict, "This trace was changed elsewhere meanwhile.")
        .with_hint("It is shown as it is now; make the edit again.")
}

fn message_change(diff: MessageDiff) -> MessageChange {
    match diff {
        MessageDiff::Same(count) => MessageChange::Same { count: u32::try_from(count).unwrap_or(u32::MAX) },
        MessageDiff::Added(message) => MessageChange::Added { message },
        MessageDiff::Removed(message) => MessageChange::Removed { message },
        MessageDiff::Moved(message, from) => {
            MessageChange::Moved { message, from: u32::try_from(from).unwrap_or(u32::MAX) }
        }
        MessageDiff::Edited(message, fields) => {
            MessageChange::Edited { message, fields: fields.into_iter().map(field_diff).collect() }
        }
    }
}

pub(crate) fn field_diff(change: FieldChange) -> FieldDiff {
    let chunk = |chunk: tw_review::Chunk| DiffChunk {
        kind: match chunk.kind {
            ChunkKind::Same => DiffKind::Same,
            ChunkKind::Deleted => DiffKind::Deleted,
            ChunkKind::Inserted => DiffKind::Inserted,
        },
        text: chunk.text,
    };
    FieldDiff { name: change.name, chunks: change.chunks.into_iter().map(chunk).collect() }
}
