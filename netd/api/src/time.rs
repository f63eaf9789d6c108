//! Times as they go over the wire: RFC 3339 with as many digits as needed, "seconds.nanoseconds" in queries, Go's
//! durations, and the words of `docker ps` ("5 minutes"). The present comes in as an argument.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, civil};

/// Go's zero time: what Docker writes for "never".
pub const NEVER: &str = "0001-01-01T00:00:00Z";

/// A text that is no point in time and no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// Neither a number of seconds, a date, nor a duration.
    #[error("failed to parse value as time or duration: \"{0}\"")]
    Timestamp(String),
    /// No duration, in Go's words.
    #[error("time: invalid duration \"{0}\"")]
    Duration(String),
}

/// RFC 3339 in UTC with up to nine digits of a second, as Docker writes times in JSON.
pub fn rfc3339(at: Timestamp) -> String {
    at.to_string()
}

/// Reads what `since` and `until` may be: `1700000000`, `1700000000.25`, RFC 3339 (the zone may be missing: UTC), a
/// date, or a duration that reaches back from `now` (`10m`).
///
/// # Errors
/// [`TimeError::Timestamp`].
pub fn parse_timestamp(text: &str, now: Timestamp) -> Result<Timestamp, TimeError> {
    let wrong = || TimeError::Timestamp(text.to_owned());
    if let Some(at) = unix_seconds(text) {
        return Ok(at);
    }
    if let Ok(back) = parse_duration(text) {
        return now.checked_sub(SignedDuration::try_from(back).map_err(|_| wrong())?).map_err(|_| wrong());
    }
    if let Ok(at) = text.parse() {
        return Ok(at);
    }
    let local = text.strip_suffix('Z').unwrap_or(text);
    let at: civil::DateTime = local.parse().map_err(|_| wrong())?;
    Ok(at.in_tz("UTC").map_err(|_| wrong())?.timestamp())
}

/// `seconds` or `seconds.fraction`, the fraction with up to nine digits.
fn unix_seconds(text: &str) -> Option<Timestamp> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let whole = seconds.strip_prefix('-').unwrap_or(seconds);
    if whole.is_empty() || !digits(whole) || !digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let nanos = format!("{fraction:0<9}").parse().ok()?;
    Timestamp::new(seconds.parse().ok()?, nanos).ok()
}

/// Reads a duration as Go writes it: `1h30m`, `1.5s`, `300ms`, `0`. Negative ones have no use here.
///
/// # Errors
/// [`TimeError::Duration`].
pub fn parse_duration(text: &str) -> Result<Duration, TimeError> {
    let wrong = || TimeError::Duration(text.to_owned());
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let mut rest = text;
    let mut total = 0.0_f64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let number: f64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = &rest[digits..];
        let unit = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        total += number * unit_nanos(&rest[..unit]).ok_or_else(wrong)?;
        rest = &rest[unit..];
    }
    let fits = !text.is_empty() && total < i64::MAX as f64;
    fits.then(|| Duration::from_nanos(total as u64)).ok_or_else(wrong)
}

fn unit_nanos(unit: &str) -> Option<f64> {
    Some(match unit {
        "ns" => 1.0,
        "us" | "µs" | "μs" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        "m" => 60e9,
        "h" => 3600e9,
        _ => return None,
    })
}

/// How long, in the words of `docker ps`: "Less than a second", "About an hour", "3 weeks".
pub fn in_words(long: Duration) -> String {
    let seconds = long.as_secs();
    let minutes = seconds / 60;
    let hours = (long.as_secs_f64() / 3600.0 + 0.5) as u64;
    match () {
        () if seconds < 1 => "Less than a second".to_owned(),
        () if seconds == 1 => "1 second".to_owned(),
        () if seconds < 60 => format!("{seconds} seconds"),
        () if minutes == 1 => "About a minute".to_owned(),
        () if minutes < 60 => format!("{minutes} minutes"),
        () if hours == 1 => "About an hour".to_owned(),
        () if hours < 48 => format!("{hours} hours"),
        () if hours < 24 * 7 * 2 => format!("{} days", hours / 24),
        () if hours < 24 * 30 * 2 => format!("{} weeks", hours / 24 / 7),
        () if hours < 24 * 365 * 2 => format!("{} months", hours / 24 / 30),
        () => format!("{} years", seconds / 3600 / 24 / 365),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn since_and_until_have_many_forms() {
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let table = [
            ("1699999000", "2023-11-14T21:56:40Z"),
            ("1699999000.25", "2023-11-14T21:56:40.25Z"),
            ("1699999000.000000001", "2023-11-14T21:56:40.000000001Z"),
            ("10m", "2023-11-14T22:03:20Z"),
            ("1h30m", "2023-11-14T20:43:20Z"),
            ("2023-11-14T22:00:00Z", "2023-11-14T22:00:00Z"),
            ("2023-11-14T22:00:00.5+02:00", "2023-11-14T20:00:00.5Z"),
            ("2023-11-14T22:00:00", "2023-11-14T22:00:00Z"),
            ("2023-11-14T22:00", "2023-11-14T22:00:00Z"),
            ("2023-11-14", "2023-11-14T00:00:00Z"),
        ];
        for (text, at) in table {
            assert_eq!(parse_timestamp(text, now).map(rfc3339).as_deref(), Ok(at), "{text}");
        }
        for text in ["", "yesterday", "1.2.3", "10x", ".", "-"] {
            assert!(parse_timestamp(text, now).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_are_gos() {
        let table =
            [("1h30m", 5_400_000), ("1.5s", 1500), ("300ms", 300), ("0", 0), ("0s", 0), ("2m", 120_000)];
        for (text, millis) in table {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "5", "s", "1d", "-1s", "1 s", "9999999999h"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn words_are_dockers() {
        let hour = 3600;
        let table = [
            (0, "Less than a second"),
            (1, "1 second"),
            (45, "45 seconds"),
            (60, "About a minute"),
            (46 * 60, "46 minutes"),
            (59 * 60, "59 minutes"),
            (65 * 60, "About an hour"),
            (3 * hour, "3 hours"),
            (48 * hour, "2 days"),
            (24 * 13 * hour, "13 days"),
            (24 * 14 * hour, "2 weeks"),
            (24 * 61 * hour, "2 months"),
            (24 * 800 * hour, "2 years"),
        ];
        for (seconds, words) in table {
            assert_eq!(in_words(Duration::from_secs(seconds)), words);
        }
    }

    proptest! {
        #[test]
        fn a_time_is_read_as_it_was_written(seconds in 0..4_000_000_000_i64, nanos in 0..1_000_000_000_i32) {
            let at = Timestamp::new(seconds, nanos).unwrap();
            prop_assert_eq!(parse_timestamp(&rfc3339(at), Timestamp::UNIX_EPOCH), Ok(at));
            let query = format!("{seconds}.{nanos:09}");
            prop_assert_eq!(parse_timestamp(&query, Timestamp::UNIX_EPOCH), Ok(at));
        }

        #[test]
        fn nothing_makes_it_panic(text in ".*") {
            let _ = parse_timestamp(&text, Timestamp::UNIX_EPOCH);
            let _ = parse_duration(&text);
        }
    }
}
