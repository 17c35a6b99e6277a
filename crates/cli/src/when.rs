//! Instants and spans for people.

use jiff::Timestamp;

/// `2026-11-22T22:00:00Z`, or the number where the calendar ends.
pub(crate) fn instant(unix_seconds: u64) -> String {
    i64::try_from(unix_seconds)
        .ok()
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .map_or_else(
            || unix_seconds.to_string(),
            |timestamp| timestamp.to_string(),
        )
}

/// `3 d 4 h`, `2 h 5 min`, `12 s`: the two largest units.
pub(crate) fn span(seconds: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let mut left = seconds;
    let parts: Vec<String> = UNITS
        .iter()
        .filter_map(|(size, unit)| {
            let count = left.checked_div(*size)?;
            left = left.checked_rem(*size)?;
            (count > 0).then(|| format!("{count} {unit}"))
        })
        .take(2)
        .collect();
    if parts.is_empty() {
        "0 s".to_owned()
    } else {
        parts.join(" ")
    }
}

/// The instant and how far it is: `... (in 59 min)`, `... (3 s ago)`.
pub(crate) fn instant_from(unix_seconds: u64, now: u64) -> String {
    let distance = match unix_seconds.checked_sub(now) {
        Some(0) => "now".to_owned(),
        Some(ahead) => format!("in {}", span(ahead)),
        None => format!("{} ago", span(now.saturating_sub(unix_seconds))),
    };
    format!("{} ({distance})", instant(unix_seconds))
}
