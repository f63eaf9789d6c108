//! `--since` and `--until`: a moment, or how long ago.

use jiff::{Timestamp, civil, tz::TimeZone};

use super::{Invalid, units};

/// The flag of this name as the daemon wants it: seconds, with nanoseconds behind a point.
pub(crate) fn moment(flag: &str, text: Option<&str>, now: Timestamp) -> Result<Option<String>, Invalid> {
    let read = text.map(|text| read(text, now)).transpose();
    read.map_err(|error| Invalid(format!("invalid value for \"{flag}\": {error}")))
}

fn read(text: &str, now: Timestamp) -> Result<String, Invalid> {
    if let Ok(ago) = units::nanoseconds(text) {
        let nanos = now.as_nanosecond() - i128::from(ago);
        return Ok(seconds(nanos));
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(seconds(at.as_nanosecond()));
    }
    let local =
        text.parse::<civil::DateTime>().or_else(|_| text.parse::<civil::Date>().map(|d| d.at(0, 0, 0, 0)));
    if let Ok(local) = local {
        let zoned = local.to_zoned(TimeZone::system()).map_err(|e| Invalid(e.to_string()))?;
        return Ok(seconds(zoned.timestamp().as_nanosecond()));
    }
    let number = text.split_once('.').map_or(text, |(whole, _)| whole);
    if !number.is_empty() && text.chars().all(|c| c.is_ascii_digit() || c == '.') {
        return Ok(text.to_owned());
    }
    Err(Invalid(format!("failed to parse value as time or duration: {text:?}")))
}

fn seconds(nanos: i128) -> String {
    format!("{}.{:09}", nanos.div_euclid(1_000_000_000), nanos.rem_euclid(1_000_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_absolute_or_ago() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        let table = [
            ("10s", "999990.000000000"),
            ("1970-01-01T00:00:05.5Z", "5.500000000"),
            ("1970-01-01T01:00:05+01:00", "5.000000000"),
            ("1234", "1234"),
            ("1234.5", "1234.5"),
        ];
        for (text, expected) in table {
            assert_eq!(read(text, now).unwrap(), expected, "{text}");
        }
        let error = moment("since", Some("soon"), now).unwrap_err();
        assert_eq!(
            error.0,
            "invalid value for \"since\": failed to parse value as time or duration: \"soon\""
        );
    }
}
