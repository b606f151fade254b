//! A trace between its file and the workspace.

use std::io::Read;

use tw_artifact::{EditedMessage, FindingCount, Json, Marks, Role, RunState, TraceFile};
use tw_endpoint::estimate_message;
use tw_formats::{Envelope, Format, FormatMessage, FormatTrace, Record, Refusal};
use tw_review::{LintInput, Linter};
use tw_store::{NewImport, NewMessage, steps_of, title_of};

/// The largest workshop file that is read.
const MAX_FILE_BYTES: u64 = 256 << 20;

/// A trace that was read.
pub(crate) struct Incoming {
    trace: FormatTrace,
    /// Whether it is the worse half of a pair whose better half came just before.
    pub(crate) is_rejected_of_previous: bool,
}

/// Gives every trace and every refusal of a file to `take`, until that says no.
pub(crate) fn incoming(
    records: impl Iterator<Item = Result<Record, Refusal>>,
    take: &mut dyn FnMut(Result<Incoming, Refusal>) -> bool,
) {
    for item in records {
        let goes_on = match item {
            Err(refusal) => take(Err(refusal)),
            Ok(Record { mut trace, .. }) => {
                // The workspace keeps the two halves of a pair as two traces.
                let rejected = trace.preference.take().map(|preference| {
                    let mut messages = trace.messages[..preference.shared.min(trace.messages.len())].to_vec();
                    messages.extend(preference.rejected);
                    FormatTrace { messages, preference: None, envelope: None, ..trace.clone() }
                });
                let chosen = take(Ok(Incoming { trace, is_rejected_of_previous: false }));
                chosen && rejected.is_none_or(|trace| take(Ok(Incoming { trace, is_rejected_of_previous: true })))
            }
        };
        if !goes_on {
            return;
        }
    }
}

/// The same of a file in the workshop's form: one trace, or one on each line. The workspace keeps these in a way of its
/// own: string arguments become objects, everything else is given back as it was.
pub(crate) fn incoming_workshop(
    name: &str,
    reader: &mut dyn Read,
    take: &mut dyn FnMut(Result<Incoming, Refusal>) -> bool,
) {
    let refuse = |line: Option<u64>, reason: String| Refusal { file: name.to_owned(), line, reason };
    let mut text = String::new();
    match reader.take(MAX_FILE_BYTES + 1).read_to_string(&mut text) {
        Ok(_) if text.len() as u64 > MAX_FILE_BYTES => {
            take(Err(refuse(None, format!("it is larger than {} MiB", MAX_FILE_BYTES >> 20))));
            return;
        }
        Ok(_) => {}
        Err(error) => {
            take(Err(refuse(None, format!("it cannot be read as text: {error}"))));
            return;
        }
    }
    let whole = match TraceFile::parse(&text) {
        Ok(file) => {
            take(Ok(Incoming::of_file(&file)));
            return;
        }
        Err(error) => error,
    };
    let lines: Vec<(u64, &str)> = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()).collect();
    let is_list_of_lines = lines.len() > 1 && lines.iter().take(2).all(|(_, line)| TraceFile::parse(line).is_ok());
    if !is_list_of_lines {
        take(Err(refuse(None, whole.to_string())));
        return;
    }
    for (number, line) in lines {
        let item = TraceFile::parse(line);
        let item = item.map(|file| Incoming::of_file(&file)).map_err(|error| refuse(Some(number), error.to_string()));
        if !take(item) {
            return;
        }
    }
}

impl Incoming {
    fn of_file(file: &TraceFile) -> Self {
        let trace = FormatTrace {
            timestamp_ms: tw_store::read_stamp(file.timestamp()),
            model: file.model().to_owned(),
            messages: file.messages().into_iter().map(FormatMessage::from).collect(),
            tools: file.tools(),
            envelope: Some(Envelope { format: Format::Workshop, json: file.frame() }),
            ..FormatTrace::default()
        };
        Self { trace, is_rejected_of_previous: false }
    }

    pub(crate) fn title(&self) -> String {
        let named = title_of(self.trace.title.as_deref().unwrap_or_default());
        if !named.is_empty() {
            return named;
        }
        let first = self.trace.messages.iter().find(|it| it.message.role() == Role::User);
        first.map(|it| title_of(&it.message.text_ref())).unwrap_or_default()
    }

    /// About how much text it is, in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        let of = |it: &FormatMessage| it.message.text_ref().len() + it.message.reasoning().map_or(0, str::len) + 200;
        self.trace.messages.iter().map(of).sum::<usize>() as u64
    }

    /// As the workspace keeps it: with steps, tokens, lint and likeness, which cost time and are worked out beside the
    /// thread that writes.
    pub(crate) fn into_import(self, linter: &mut Linter) -> NewImport {
        let trace = self.trace;
        let steps: Vec<u32> = steps_of(trace.messages.iter().map(|it| it.message.role())).collect();
        let edited: Vec<EditedMessage> = (0_u32..)
            .zip(trace.messages)
            .map(|(seq, it)| {
                let tokens = estimate_message(&it.message);
                let marks = Marks { train: it.train, spans: it.spans, excluded: false };
                EditedMessage { marks, ..EditedMessage::captured(seq, it.message, tokens) }
            })
            .collect();
        let findings = linter.lint(&LintInput {
            messages: &edited,
            tools: &trace.tools,
            calls: &[],
            steering_prompt: "",
            state: RunState::Done,
            ending: None,
            is_collected: false,
        });
        let fingerprint = tw_review::fingerprint(&edited);
        let (format, envelope) = match trace.envelope {
            Some(envelope) => (envelope.format.name().to_owned(), envelope.json),
            None => (String::new(), Json::Null),
        };
        let messages = edited.into_iter().zip(steps).map(|(it, step)| tw_store::MarkedMessage {
            new: NewMessage { message: it.message, step, tokens: it.tokens },
            marks: it.marks,
        });
        NewImport {
            format,
            envelope,
            model: trace.model,
            timestamp_ms: trace.timestamp_ms,
            title: trace.title.unwrap_or_default(),
            messages: messages.collect(),
            tools: trace.tools,
            findings: FindingCount::of(&findings),
            lint_version: tw_review::LINT_VERSION,
            fingerprint: Some(fingerprint),
            ..NewImport::default()
        }
    }
}
