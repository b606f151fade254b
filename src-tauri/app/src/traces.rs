//! Traces: listed, counted, read, removed.

use tw_artifact::OutputPart;
use tw_contract::{
    Affected, ApiError, Bar, DuplicateGroup, ImportFile, Media, MediaRequest, OutputRequest, OutputView, Selection,
    TraceOrder, TracePage, TraceQuery, TraceStats,
};
use tw_store::TraceSort;

use crate::App;
use crate::errors::Api;

impl App {
    pub(crate) async fn list_traces(&self, query: TraceQuery) -> Result<TracePage, ApiError> {
        let list = self.store.list(store_query(query)).await.api()?;
        let facets = self.store.facets().await.api()?;
        Ok(TracePage {
            traces: list.traces,
            total: list.total,
            reviewed: list.reviewed,
            counted: list.counted,
            problems: list.problems,
            tags: facets.tags,
            models: facets.models,
            tools: facets.tools,
        })
    }

    pub(crate) async fn media(&self, request: MediaRequest) -> Result<Media, ApiError> {
        let (mime, data) = self.store.output_media(&request.trace_id, &request.call_id, request.part).await.api()?;
        Ok(Media { mime, data })
    }

    pub(crate) async fn output_view(&self, request: OutputRequest) -> Result<OutputView, ApiError> {
        let mut parts = self.store.output(&request.trace_id, &request.call_id).await.api()?;
        let limit =
            if request.max_chars == 0 { usize::MAX } else { usize::try_from(request.max_chars).unwrap_or(usize::MAX) };
        let (mut total_chars, mut left, mut shortened) = (0_u64, limit, false);
        for part in &mut parts {
            match part {
                OutputPart::Text { text } | OutputPart::LinkedFile { text, .. } => {
                    let chars = text.chars().count();
                    total_chars += chars as u64;
                    if chars > left {
                        *text = text.chars().take(left).collect();
                        shortened = true;
                    }
                    left = left.saturating_sub(chars);
                }
                OutputPart::Media { data, .. } => data.clear(),
                OutputPart::Other { .. } => {}
            }
        }
        Ok(OutputView { parts, total_chars, shortened })
    }

    pub(crate) async fn trace_file(&self, id: &str) -> Result<ImportFile, ApiError> {
        let file = self.store.export_file(id).await.api()?;
        Ok(ImportFile { name: file.file_name(), text: file.to_text() })
    }

    pub(crate) async fn delete_traces(&self, traces: Selection) -> Result<Affected, ApiError> {
        let ids = match traces {
            Selection::Ids(ids) => ids,
            Selection::Query(query) => self.store.ids(&store_query(query)).await.api()?,
        };
        for id in &ids {
            self.runs.end(id).await;
        }
        let one = if let [id] = ids.as_slice() { Some(id.clone()) } else { None };
        let traces = self.store.delete(ids).await.api()?;
        self.tell_list(one.unwrap_or_default());
        Ok(Affected { traces })
    }

    pub(crate) async fn stats(&self, query: TraceQuery) -> Result<TraceStats, ApiError> {
        let numbers = self.store.stats(&store_query(query)).await.api()?;
        Ok(TraceStats {
            traces: numbers.traces,
            accepted: numbers.accepted,
            rejected: numbers.rejected,
            steps: bars(&numbers.steps),
            tokens: bars(&numbers.tokens),
            errors: bars(&numbers.errors),
            tools: numbers.tools,
            models: numbers.models,
            findings: numbers.findings,
        })
    }

    pub(crate) async fn duplicates(&self, query: TraceQuery) -> Result<Vec<DuplicateGroup>, ApiError> {
        let (ids, prints): (Vec<String>, Vec<Vec<u8>>) =
            self.store.fingerprints(&store_query(query)).await.api()?.into_iter().unzip();
        let groups = crate::blocking(move || tw_review::group_alike(&prints, ALIKE_PERCENT)).await?;
        let mut found = Vec::new();
        for (places, likeness_percent) in groups.into_iter().take(MAX_GROUPS) {
            let mut traces = Vec::with_capacity(places.len());
            for place in places.into_iter().take(MAX_OF_GROUP) {
                traces.push(self.store.summary(&ids[place]).await.api()?);
            }
            traces.sort_by_key(|trace| trace.created_at_ms);
            found.push(DuplicateGroup { traces, likeness_percent });
        }
        Ok(found)
    }
}

/// Traces that share so much are nearly the same.
const ALIKE_PERCENT: u8 = 80;
/// Groups that are shown.
const MAX_GROUPS: usize = 200;
/// Traces of a group that are shown.
const MAX_OF_GROUP: usize = 200;
/// Bars of a histogram, at most.
const MAX_BARS: u32 = 24;

/// The store's query of the window's.
pub(crate) fn store_query(query: TraceQuery) -> tw_store::TraceQuery {
    let (sort, descending) = match query.order {
        TraceOrder::Newest => (TraceSort::Created, true),
        TraceOrder::Oldest => (TraceSort::Created, false),
        TraceOrder::Updated => (TraceSort::Updated, true),
        TraceOrder::Title => (TraceSort::Title, false),
        TraceOrder::Model => (TraceSort::Model, false),
        TraceOrder::Steps => (TraceSort::Steps, true),
        TraceOrder::Messages => (TraceSort::Messages, true),
        TraceOrder::Tokens => (TraceSort::Tokens, true),
        TraceOrder::Rating => (TraceSort::Rating, true),
        TraceOrder::Errors => (TraceSort::Errors, true),
        TraceOrder::Findings => (TraceSort::Findings, true),
        TraceOrder::Relevance => (TraceSort::Relevance, true),
    };
    tw_store::TraceQuery {
        search: query.search,
        model: query.model,
        state: query.state,
        tool: query.tool,
        batch_id: query.batch_id,
        sort,
        descending: descending != query.reverse,
        limit: if query.limit == 0 { 100 } else { query.limit },
        offset: query.offset,
        quick: query.quick,
        ..tw_store::TraceQuery::default()
    }
}

/// A histogram with bars of a round width: 1, 2 or 5 times a power of ten.
fn bars(values: &[(u32, u32)]) -> Vec<Bar> {
    let Some(largest) = values.iter().map(|(value, _)| *value).max() else { return Vec::new() };
    let mut width = 1_u32;
    let mut factors = [2, 5, 10].into_iter().cycle();
    let mut decade = 1_u32;
    while largest / width >= MAX_BARS {
        let factor = factors.next().unwrap_or(10);
        width = decade.saturating_mul(factor);
        if factor == 10 {
            decade = width;
        }
    }
    let mut bars: Vec<Bar> = (0..=largest / width)
        .map(|place| Bar { from: place * width, to: (place * width).saturating_add(width), traces: 0 })
        .collect();
    for (value, count) in values {
        if let Some(bar) = usize::try_from(value / width).ok().and_then(|place| bars.get_mut(place)) {
            bar.traces += count;
        }
    }
    bars
}

/// `name`, or with a number before its ending where it is taken: samples of one task share their names.
#[must_use]
pub fn free_name(name: &str, taken: &[String]) -> String {
    if !taken.iter().any(|other| other == name) {
        return name.to_owned();
    }
    let (stem, ending) = name.rsplit_once('.').unwrap_or((name, "json"));
    let mut number = 2_u32;
    loop {
        let candidate = format!("{stem}_{number}.{ending}");
        if !taken.contains(&candidate) {
            return candidate;
        }
        number += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_one_export_do_not_overwrite_each_other() {
        let taken = ["a.json".to_owned(), "a_2.json".to_owned()];
        assert_eq!(free_name("a.json", &taken), "a_3.json");
        assert_eq!(free_name("b.json", &taken), "b.json");
    }

    #[test]
    fn bars_have_round_widths_and_hold_every_value() {
        let wide = bars(&[(0, 3), (7, 1), (480, 2)]);
        assert_eq!(wide.len(), 10);
        assert_eq!(wide[0], Bar { from: 0, to: 50, traces: 4 });
        assert_eq!(wide[9], Bar { from: 450, to: 500, traces: 2 });
        assert_eq!(bars(&[(3, 1)]).len(), 4);
        assert!(bars(&[]).is_empty());
        assert!(bars(&[(u32::MAX, 1)]).len() <= 24);
    }
}
