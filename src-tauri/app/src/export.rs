//! Exports: traces as they stand, written in any of the formats, with what a format cannot hold.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use tw_artifact::{EditedMessage, PreferencePair};
use tw_contract::{ApiError, ErrorCode, ExportLoss, ExportOutcome, ExportRequest, FormatInfo, Selection};
use tw_formats::{Columns, Envelope, Format, FormatMessage, FormatTrace, Loss, Preference, TableWriter, WriteError};
use tw_store::Edition;

use crate::App;
use crate::errors::Api;
use crate::import::unknown_format;
use crate::traces::{free_name, store_query};

/// The formats, as the window offers them.
pub(crate) fn formats() -> Vec<FormatInfo> {
    let info = |format: Format| FormatInfo {
        name: format.name().to_owned(),
        label: format.label().to_owned(),
        one_file: format.holds_many(),
    };
    Format::ALL.into_iter().map(info).collect()
}

/// A trace as a format takes it.
struct Outgoing {
    trace: FormatTrace,
    /// Its file as it is to be written, where the workspace itself knows the format.
    file: Option<(String, String)>,
}

impl App {
    pub(crate) async fn export_traces(&self, request: ExportRequest) -> Result<ExportOutcome, ApiError> {
        let format = Format::parse(&request.format).ok_or_else(|| unknown_format(&request.format))?;
        let ids = match request.traces {
            Selection::Ids(ids) => ids,
            Selection::Query(query) => self.store.ids(&store_query(query)).await.api()?,
        };
        let out = match request.out {
            Some(out) => PathBuf::from(out),
            None => self.workspace.join("exports").into_std_path_buf(),
        };
        let together: HashSet<String> = ids.iter().cloned().collect();
        let mut columns = Columns::default();
        if format == Format::Parquet && !request.check {
            // A table is laid out before its first row is written.
            for id in &ids {
                if let Some(outgoing) = self.outgoing(format, id, &together).await? {
                    columns.add(&outgoing.trace);
                }
            }
        }
        let mut sheet = Sheet::begin(format, &out, &columns, request.check)?;
        for id in &ids {
            let Some(outgoing) = self.outgoing(format, id, &together).await? else { continue };
            sheet = crate::blocking(move || sheet.add(&outgoing).map(|()| sheet)).await??;
        }
        crate::blocking(move || sheet.finish()).await?
    }

    /// `None` for the worse half of a pair that goes out with the better one.
    async fn outgoing(
        &self,
        format: Format,
        id: &str,
        together: &HashSet<String>,
    ) -> Result<Option<Outgoing>, ApiError> {
        let pairs = if matches!(format, Format::Trl | Format::ShareGpt) {
            self.store.pairs_of(id).await.api()?
        } else {
            Vec::new()
        };
        if pairs.iter().any(|pair| pair.rejected == id && together.contains(&pair.chosen)) {
            return Ok(None);
        }
        let better_half = |pair: &&PreferencePair| pair.chosen == id && together.contains(&pair.rejected);
        let preference = match pairs.iter().find(better_half) {
            None => None,
            Some(pair) => {
                let rejected = self.store.edition(&pair.rejected, None).await.api()?;
                let shared = usize::try_from(pair.shared).unwrap_or(usize::MAX).min(rejected.messages.len());
                let rejected = rejected.messages[shared..].iter().map(format_message).collect();
                Some(Preference { shared, rejected })
            }
        };
        let Edition { messages, tools, .. } = self.store.edition(id, None).await.api()?;
        let summary = self.store.summary(id).await.api()?;
        let envelope = self.store.envelope(id).await.api()?;
        let envelope = envelope.and_then(|(name, json)| Some(Envelope { format: Format::parse(&name)?, json }));
        let file = if format == Format::Workshop {
            let file = self.trace_file(id).await?;
            Some((file.name, file.text))
        } else {
            None
        };
        let trace = FormatTrace {
            title: Some(summary.title),
            timestamp_ms: Some(summary.created_at_ms),
            model: summary.model,
            messages: messages.iter().map(format_message).collect(),
            tools,
            preference,
            // What the workspace keeps of workshop files is its own.
            envelope: envelope.filter(|envelope| envelope.format != Format::Workshop),
        };
        Ok(Some(Outgoing { trace, file }))
    }
}

pub(crate) fn format_message(edited: &EditedMessage) -> FormatMessage {
    FormatMessage { message: edited.message.clone(), train: edited.marks.train, spans: edited.marks.spans.clone() }
}

/// Where an export is written to. A file that is not finished has another name: what stands under the right name is
/// whole.
enum Target {
    /// Nothing is written.
    None,
    /// A file for each trace.
    Folder(PathBuf),
    /// Lines of one file.
    Lines(Unfinished, BufWriter<File>),
    /// Rows of one table.
    Table(Unfinished, Box<TableWriter<BufWriter<File>>>),
}

/// A file on its way.
struct Unfinished {
    path: PathBuf,
}

impl Unfinished {
    fn create(path: &Path) -> Result<(Self, BufWriter<File>), ApiError> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))?;
        }
        let unfinished = Self { path: path.to_owned() };
        let file = File::create(unfinished.part()).map_err(|error| unwritable(path, &error))?;
        Ok((unfinished, BufWriter::new(file)))
    }

    fn part(&self) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(".part");
        PathBuf::from(name)
    }

    fn finish(self) -> Result<(), ApiError> {
        let synced = File::open(self.part()).and_then(|file| file.sync_all());
        synced.and_then(|()| std::fs::rename(self.part(), &self.path)).map_err(|error| unwritable(&self.path, &error))
    }
}

fn unwritable(path: &Path, error: &std::io::Error) -> ApiError {
    let full = error.kind() == std::io::ErrorKind::StorageFull;
    let code = if full { ErrorCode::DiskFull } else { ErrorCode::Internal };
    ApiError::new(code, format!("{} cannot be written: {error}.", path.display()))
}

struct Sheet {
    format: Format,
    folder: PathBuf,
    target: Target,
    files: Vec<String>,
    traces: u32,
    losses: BTreeMap<&'static str, u32>,
}

impl Sheet {
    fn begin(format: Format, out: &Path, columns: &Columns, check: bool) -> Result<Self, ApiError> {
        let mut sheet = Self {
            format,
            folder: PathBuf::new(),
            target: Target::None,
            files: Vec::new(),
            traces: 0,
            losses: BTreeMap::new(),
        };
        if check {
            return Ok(sheet);
        }
        if !format.holds_many() {
            std::fs::create_dir_all(out).map_err(|error| unwritable(out, &error))?;
            out.clone_into(&mut sheet.folder);
            sheet.target = Target::Folder(out.to_owned());
            return Ok(sheet);
        }
        let path = if out.is_dir() || out.extension().is_none() {
            let stamp = jiff::Zoned::now().strftime("%Y%m%d_%H%M%S").to_string();
            out.join(format!("traces_{}_{stamp}.{}", format.name(), format.extension()))
        } else {
            out.to_owned()
        };
        let (unfinished, writer) = Unfinished::create(&path)?;
        sheet.folder = path.parent().map(Path::to_owned).unwrap_or_default();
        sheet.files.extend(path.file_name().map(|name| name.to_string_lossy().into_owned()));
        sheet.target = if format == Format::Parquet {
            let table = TableWriter::new(writer, columns).map_err(|error| write_error(&path, error))?;
            Target::Table(unfinished, Box::new(table))
        } else {
            Target::Lines(unfinished, writer)
        };
        Ok(sheet)
    }

    fn add(&mut self, outgoing: &Outgoing) -> Result<(), ApiError> {
        let Outgoing { trace, file } = outgoing;
        let losses = match &mut self.target {
            Target::None => tw_formats::losses(self.format, trace),
            Target::Lines(unfinished, writer) => {
                tw_formats::write(self.format, trace, writer).map_err(|error| write_error(&unfinished.path, error))?
            }
            Target::Table(unfinished, table) => {
                table.add(trace).map_err(|error| write_error(&unfinished.path, error))?
            }
            Target::Folder(folder) => {
                let name = file.as_ref().map_or_else(|| tw_formats::file_name(self.format, trace), |it| it.0.clone());
                let name = free_name(&name, &self.files);
                let (unfinished, mut writer) = Unfinished::create(&folder.join(&name))?;
                let losses = match file {
                    Some((_, text)) => {
                        let written = writer.write_all(text.as_bytes());
                        written.map_err(|error| unwritable(&unfinished.path, &error))?;
                        tw_formats::losses(self.format, trace)
                    }
                    None => tw_formats::write(self.format, trace, &mut writer)
                        .map_err(|error| write_error(&unfinished.path, error))?,
                };
                writer.flush().map_err(|error| unwritable(&unfinished.path, &error))?;
                unfinished.finish()?;
                self.files.push(name);
                losses
            }
        };
        self.traces += 1;
        for Loss { kind, .. } in losses {
            *self.losses.entry(kind.words()).or_default() += 1;
        }
        Ok(())
    }

    fn finish(self) -> Result<ExportOutcome, ApiError> {
        match self.target {
            Target::None | Target::Folder(_) => {}
            Target::Lines(unfinished, mut writer) => {
                writer.flush().map_err(|error| unwritable(&unfinished.path, &error))?;
                unfinished.finish()?;
            }
            Target::Table(unfinished, table) => {
                table.finish().map_err(|error| write_error(&unfinished.path, error))?;
                unfinished.finish()?;
            }
        }
        let loss = |(what, traces): (&str, u32)| ExportLoss { what: what.to_owned(), traces };
        Ok(ExportOutcome {
            folder: self.folder.to_string_lossy().into_owned(),
            files: self.files,
            traces: self.traces,
            losses: self.losses.into_iter().map(loss).collect(),
        })
    }
}

fn write_error(path: &Path, error: WriteError) -> ApiError {
    match error {
        WriteError::Io(error) => unwritable(path, &error),
        other => ApiError::new(ErrorCode::Internal, tw_collect::sentence(&other.to_string())),
    }
}
