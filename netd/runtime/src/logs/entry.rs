//! One line of a json-file log: `{"log":"text\n","stream":"stdout","time":"2026-01-02T03:04:05.000000006Z"}`. Pure.

use std::fmt::Write as _;

use serde::Deserialize;

const NANOS: i64 = 1_000_000_000;
const DAY: i64 = 86_400;

/// One entry of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// The line, with its end if it had one.
    pub line: String,
    /// It came on standard error.
    pub is_stderr: bool,
    /// When, in nanoseconds since 1970.
    pub unix_nanos: i64,
}

#[derive(Deserialize)]
struct Stored {
    log: String,
    stream: String,
    time: String,
}

impl LogEntry {
    /// Reads a line of a log file; `None` if it is none (a line that a full disk has cut).
    pub(crate) fn parse(line: &[u8]) -> Option<Self> {
        let stored: Stored = serde_json::from_slice(line).ok()?;
        Some(Self {
            line: stored.log,
            is_stderr: stored.stream == "stderr",
            unix_nanos: parse_time(&stored.time)?,
        })
    }
}

/// A moment as RFC 3339 with nine digits of a second: the form in which clients get it (`--timestamps`).
#[must_use]
pub fn format_time(unix_nanos: i64) -> String {
    let mut text = String::new();
    append_time(&mut text, unix_nanos - unix_nanos.rem_euclid(NANOS));
    text.pop();
    let _ = write!(text, ".{:09}Z", unix_nanos.rem_euclid(NANOS));
    text
}

/// Reads `2026-01-02T03:04:05.6Z`, the only form that a shim writes.
fn parse_time(text: &str) -> Option<i64> {
    let (date, clock) = text.strip_suffix('Z')?.split_once('T')?;
    let mut date = date.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let days = days(date.next()??, date.next()??, date.next()??);
    let (whole, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let mut parts = whole.splitn(3, ':').map(|part| part.parse::<i64>().ok());
    let seconds = parts.next()?? * 3600 + parts.next()?? * 60 + parts.next()??;
    let nanos: i64 = if fraction.len() > 9 { return None } else { format!("{fraction:0<9}").parse().ok()? };
    (days * DAY + seconds).checked_mul(NANOS)?.checked_add(nanos)
}

/// The inverse of [`civil`].
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Appends the entry for `line` to `out`. Bytes that are no UTF-8 are replaced, as JSON can't hold them.
pub(crate) fn append(out: &mut String, line: &[u8], stream: &str, unix_nanos: i64) {
    out.push_str("{\"log\":\"");
    for chunk in line.utf8_chunks() {
        append_escaped(out, chunk.valid());
        if !chunk.invalid().is_empty() {
            out.push('\u{fffd}');
        }
    }
    out.push_str("\",\"stream\":\"");
    out.push_str(stream);
    out.push_str("\",\"time\":\"");
    append_time(out, unix_nanos);
    out.push_str("\"}\n");
}

fn append_escaped(out: &mut String, text: &str) {
    let mut plain = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0..0x20 => "",
            _ => continue,
        };
        out.push_str(&text[plain..at]);
        plain = at + 1;
        if escape.is_empty() {
            let _ = write!(out, "\\u{byte:04x}");
        } else {
            out.push_str(escape);
        }
    }
    out.push_str(&text[plain..]);
}

/// Appends a moment as RFC 3339 with as many digits of a second as it takes.
pub(crate) fn append_time(out: &mut String, unix_nanos: i64) {
    let seconds = unix_nanos.div_euclid(NANOS);
    let (year, month, day) = civil(seconds.div_euclid(DAY));
    let clock = seconds.rem_euclid(DAY);
    let (hour, minute, second) = (clock / 3600, clock / 60 % 60, clock % 60);
    let _ = write!(out, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
    let nanos = unix_nanos.rem_euclid(NANOS);
    if nanos != 0 {
        let digits = format!("{nanos:09}");
        out.push('.');
        out.push_str(digits.trim_end_matches('0'));
    }
    out.push('Z');
}

/// Days since 1970 as year, month, day of the Gregorian calendar: 400 years have 146,097 days, and counting years from
/// March puts the leap day at the end.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468; // days from 0000-03-01
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(line: &[u8], nanos: i64) -> String {
        let mut out = String::new();
        append(&mut out, line, "stdout", nanos);
        out
    }

    #[test]
    fn entries_look_as_dockers() {
        assert_eq!(
            entry(b"hi \"you\"\t\x01\xff\n", 1_767_322_800_000_000_120),
            "{\"log\":\"hi \\\"you\\\"\\t\\u0001\u{fffd}\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-02T03:00:00.00000012Z\"}\n"
        );
    }

    #[test]
    fn moments_are_those_of_the_calendar() {
        let cases = [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59.999999999Z"),
            (951_782_400 * NANOS, "2000-02-29T00:00:00Z"),
            (4_102_444_799 * NANOS + 500_000_000, "2099-12-31T23:59:59.5Z"),
        ];
        for (nanos, expected) in cases {
            let mut out = String::new();
            append_time(&mut out, nanos);
            assert_eq!(out, expected);
        }
    }

    #[test]
    fn clients_get_nine_digits() {
        assert_eq!(format_time(5 * NANOS + 120), "1970-01-01T00:00:05.000000120Z");
    }

    proptest::proptest! {
        #[test]
        fn every_line_survives_json(line in ".*", nanos in 0_i64..4_000_000_000_000_000_000) {
            let read = LogEntry::parse(entry(line.as_bytes(), nanos).as_bytes()).unwrap();
            proptest::prop_assert_eq!(read, LogEntry { line, is_stderr: false, unix_nanos: nanos });
        }
    }
}
