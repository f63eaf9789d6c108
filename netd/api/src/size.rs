//! Sizes as Docker writes them (`1.24MB`: decimal, four digits) and reads them (`64m`: binary).

/// A text that is no size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid size: '{0}'")]
pub struct SizeError(String);

const DECIMAL: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
const BINARY: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

/// A size in powers of 1,000, as in `docker images`: `0B`, `1.24MB`.
pub fn decimal(bytes: u64) -> String {
    scaled(bytes, 1000.0, DECIMAL)
}

/// A size in powers of 1,024, as in `docker stats`: `5.5MiB`.
pub fn binary(bytes: u64) -> String {
    scaled(bytes, 1024.0, BINARY)
}

fn scaled(bytes: u64, base: f64, units: [&str; 7]) -> String {
    let mut size = bytes as f64;
    let mut unit = 0;
    while size >= base && unit < units.len() - 1 {
        size /= base;
        unit += 1;
    }
    format!("{}{}", four_digits(size), units[unit])
}

/// Go's `%.4g` for what is at least 0 and below 10,000: four significant digits, no zeros at the end.
fn four_digits(size: f64) -> String {
    let decimals = match size {
        _ if size >= 1000.0 => 0,
        _ if size >= 100.0 => 1,
        _ if size >= 10.0 => 2,
        _ => 3,
    };
    let text = format!("{size:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// Reads a size in powers of 1,024: `64m`, `1g`, `1.5GiB`, `1024`.
///
/// # Errors
/// [`SizeError`] for everything else, and for what does not fit.
pub fn parse(text: &str) -> Result<u64, SizeError> {
    let wrong = || SizeError(text.to_owned());
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let unit = unit.strip_prefix(' ').unwrap_or(unit).to_ascii_lowercase();
    let unit = unit.strip_suffix("ib").or_else(|| unit.strip_suffix('b')).unwrap_or(&unit);
    let power = match unit {
        "" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        "p" => 5,
        _ => return Err(wrong()),
    };
    let bytes = number * 1024_f64.powi(power);
    if bytes < i64::MAX as f64 { Ok(bytes as u64) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_are_written_as_docker_writes_them() {
        let table = [
            (0, "0B"),
            (999, "999B"),
            (1000, "1kB"),
            (1_240_000, "1.24MB"),
            (16_800_000, "16.8MB"),
            (123_456_789, "123.5MB"),
            (u64::MAX, "18.45EB"),
        ];
        for (bytes, text) in table {
            assert_eq!(decimal(bytes), text);
        }
        assert_eq!(binary(5_767_168), "5.5MiB");
        assert_eq!(binary(1023 * 1024), "1023KiB");
    }

    #[test]
    fn sizes_are_read_as_docker_reads_them() {
        for (text, bytes) in
            [("64m", 64 << 20), ("1g", 1 << 30), ("1.5GiB", 3 << 29), ("1024", 1024), ("2 kb", 2048)]
        {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
        for text in ["", "m", "64x", "-1", "1..5g", "99999999p", "1e3"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_nearly_what_it_was(bytes in 0..1_u64 << 60) {
            let back = parse(&binary(bytes).replace("EiB", "x")).unwrap_or(bytes);
            prop_assert!(back.abs_diff(bytes) as f64 <= bytes as f64 / 999.0 + 1.0, "{} {}", bytes, back);
        }

        #[test]
        fn nothing_makes_it_panic(text in ".*") {
            let _ = parse(&text);
        }
    }
}
