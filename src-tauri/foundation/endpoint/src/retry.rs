//! When a request is sent again, and after how long.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderMap;

use crate::EndpointError;

/// When a request that failed before its first streamed byte is sent again. After that byte never.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryPolicy {
    /// How often at most.
    pub max_retries: u32,
    /// The first wait, in seconds; it doubles each time, give or take a quarter so that runs side by side spread out.
    pub base_secs: f64,
    /// The longest wait, in seconds. A server that asks for more (`Retry-After`) is not waited for.
    pub max_secs: f64,
    /// Whether a refused connection is tried again, too: for a server that is still starting.
    pub refused: bool,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { max_retries: 4, base_secs: 1.0, max_secs: 120.0, refused: false }
    }
}

impl RetryPolicy {
    /// The wait before the retry number `retry` (from 0); `None` when the error stands.
    pub(crate) fn wait(&self, error: &EndpointError, retry: u32) -> Option<Duration> {
        let may = error.is_retryable() || (self.refused && matches!(error, EndpointError::Refused { .. }));
        if !may || retry >= self.max_retries {
            return None;
        }
        let max = Duration::try_from_secs_f64(self.max_secs).unwrap_or(Duration::MAX);
        if let Some(asked) = error.retry_after_ms().map(Duration::from_millis) {
            return (asked <= max).then_some(asked);
        }
        let factor = 2_f64.powi(i32::try_from(retry).unwrap_or(i32::MAX));
        Duration::try_from_secs_f64(self.base_secs * factor * spread()).ok().map(|wait| wait.min(max))
    }
}

/// Between 0.75 and 1.25. The clock is random enough to spread runs.
fn spread() -> f64 {
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.subsec_nanos());
    0.75 + f64::from(nanos % 1_000) / 2_000.0
}

/// `retry-after-ms` (OpenAI), else `Retry-After` as seconds or as an HTTP date.
pub(crate) fn retry_after_ms(headers: &HeaderMap, now: SystemTime) -> Option<u64> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    if let Some(ms) = text("retry-after-ms").and_then(|text| text.parse().ok()) {
        return Some(ms);
    }
    let text = text("retry-after")?;
    if let Ok(secs) = text.parse::<u64>() {
        return secs.checked_mul(1_000);
    }
    if let Some(wait) = text.parse::<f64>().ok().and_then(|secs| Duration::try_from_secs_f64(secs).ok()) {
        return u64::try_from(wait.as_millis()).ok();
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    let wait = SystemTime::from(date).duration_since(now).unwrap_or_default();
    u64::try_from(wait.as_millis()).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn check(name: &'static str, value: &str, expected: Option<u64>) {
        let headers = HeaderMap::from_iter([(http::HeaderName::from_static(name), value.parse().unwrap())]);
        let now = UNIX_EPOCH + Duration::from_secs(784_111_777);
        assert_eq!(retry_after_ms(&headers, now), expected, "{name}: {value}");
    }

    #[test]
    fn the_servers_wait_is_read_in_each_form() {
        check("retry-after", "7", Some(7_000));
        check("retry-after", "0.5", Some(500));
        check("retry-after", "Sun, 06 Nov 1994 08:49:47 GMT", Some(10_000));
        check("retry-after", "Sun, 06 Nov 1994 08:49:27 GMT", Some(0));
        check("retry-after-ms", "120", Some(120));
        check("retry-after", "soon", None);
    }

    #[test]
    fn waits_double_and_end() {
        let policy = RetryPolicy::default();
        let error = EndpointError::Server { status: 503, retry_after_ms: None, message: String::new() };
        let waits: Vec<f64> = (0..6).filter_map(|n| policy.wait(&error, n)).map(|wait| wait.as_secs_f64()).collect();
        assert_eq!(waits.len(), 4);
        for (wait, middle) in waits.iter().zip([1.0, 2.0, 4.0, 8.0]) {
            assert!((wait / middle - 1.0).abs() <= 0.25, "{waits:?}");
        }
    }

    #[test]
    fn a_server_that_asks_for_an_hour_is_not_waited_for() {
        let error = EndpointError::RateLimited { retry_after_ms: Some(3_600_000), message: String::new() };
        assert_eq!(RetryPolicy::default().wait(&error, 0), None);
    }

    #[test]
    fn only_passing_errors_are_tried_again() {
        let wait = |error: &EndpointError| RetryPolicy::default().wait(error, 0);
        assert_eq!(wait(&EndpointError::Refused { host: String::new() }), None);
        assert_eq!(wait(&EndpointError::Server { status: 500, retry_after_ms: None, message: String::new() }), None);
        assert!(wait(&EndpointError::Dropped { host: String::new() }).is_some());
        let patient = RetryPolicy { refused: true, ..RetryPolicy::default() };
        assert!(patient.wait(&EndpointError::Refused { host: String::new() }, 0).is_some());
    }
}
