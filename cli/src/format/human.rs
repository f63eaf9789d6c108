//! Durations and sizes as Docker prints them (`docker/go-units`).

/// "Less than a second", "3 minutes", "About an hour", "2 weeks".
pub(crate) fn duration(seconds: i64) -> String {
    let (minutes, hours) = (seconds / 60, (seconds as f64 / 3600.0).round() as i64);
    match seconds {
        i64::MIN..=0 => "Less than a second".to_owned(),
        1 => "1 second".to_owned(),
        2..=59 => format!("{seconds} seconds"),
        60..=119 => "About a minute".to_owned(),
        120..=3599 if minutes < 60 => format!("{minutes} minutes"),
        _ if hours == 1 => "About an hour".to_owned(),
        _ if hours < 48 => format!("{hours} hours"),
        _ if hours < 24 * 7 * 2 => format!("{} days", hours / 24),
        _ if hours < 24 * 30 * 2 => format!("{} weeks", hours / 24 / 7),
        _ if hours < 24 * 365 * 2 => format!("{} months", hours / 24 / 30),
        _ => format!("{} years", seconds / 3600 / 24 / 365),
    }
}

/// In powers of 1000 with four digits: "1.23kB", "12MB".
pub(crate) fn size(bytes: f64) -> String {
    scaled(bytes, 1000.0, &["B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"], 4)
}

/// As [`size`], with three digits: what `docker ps -s` prints.
pub(crate) fn short_size(bytes: f64) -> String {
    scaled(bytes, 1000.0, &["B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"], 3)
}

/// In powers of 1024: "1.5GiB".
pub(crate) fn binary_size(bytes: f64) -> String {
    scaled(bytes, 1024.0, &["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"], 4)
}

/// A time that is short: "85µs", "12.3ms", "1.5s".
pub(crate) fn micros(micros: u64) -> String {
    let value = micros as f64;
    match micros {
        0..=999 => format!("{micros}µs"),
        1_000..=999_999 => format!("{}ms", general(value / 1e3, 3)),
        _ => format!("{}s", general(value / 1e6, 3)),
    }
}

fn scaled(bytes: f64, base: f64, units: &[&str], digits: usize) -> String {
    let mut value = bytes;
    let mut unit = 0;
    while value >= base && unit + 1 < units.len() {
        value /= base;
        unit += 1;
    }
    format!("{}{}", general(value, digits), units[unit])
}

/// Go's `%.<digits>g` for the numbers that occur here: significant digits, no zeros at the end.
fn general(value: f64, digits: usize) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let whole = value.abs().log10().floor() as i32 + 1;
    let places = usize::try_from(digits as i32 - whole).unwrap_or(0);
    let text = format!("{value:.places$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_docker_s() {
        let table = [
            (0, "Less than a second"),
            (1, "1 second"),
            (45, "45 seconds"),
            (90, "About a minute"),
            (180, "3 minutes"),
            (3600, "About an hour"),
            (3 * 3600, "3 hours"),
            (3 * 86400, "3 days"),
            (20 * 86400, "2 weeks"),
            (90 * 86400, "3 months"),
            (3 * 365 * 86400, "3 years"),
        ];
        for (seconds, expected) in table {
            assert_eq!(duration(seconds), expected, "{seconds}");
        }
    }

    #[test]
    fn short_times_have_three_digits() {
        let table = [(0, "0µs"), (999, "999µs"), (12_340, "12.3ms"), (1_000_000, "1s"), (1_504_000, "1.5s")];
        for (time, expected) in table {
            assert_eq!(micros(time), expected);
        }
    }

    #[test]
    fn sizes_have_few_digits() {
        assert_eq!(size(0.0), "0B");
        assert_eq!(size(1234.0), "1.234kB");
        assert_eq!(short_size(1_234_567.0), "1.23MB");
        assert_eq!(size(12_000_000.0), "12MB");
        assert_eq!(binary_size(1536.0 * 1024.0 * 1024.0), "1.5GiB");
    }
}
