//! Sizes, CPU shares and durations as Docker's flags spell them.

/// `64m`, `1.5g`, `512`: powers of 1024, as `docker/go-units` reads them.
pub(crate) fn bytes(text: &str) -> Result<i64, String> {
    let invalid = || format!("invalid size: '{text}'");
    let digits_end = text.rfind(|c: char| c.is_ascii_digit() || c == '.').map_or(0, |i| i + 1);
    let (number, suffix) = text.split_at(digits_end);
    let number: f64 = number.parse().map_err(|_| invalid())?;
    if number < 0.0 {
        return Err(invalid());
    }
    let suffix = suffix.trim_start().to_ascii_lowercase();
    let power = match suffix.strip_suffix('b').map_or(suffix.as_str(), |s| s.strip_suffix('i').unwrap_or(s)) {
        "" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        "p" => 5,
        _ => return Err(format!("invalid suffix: '{suffix}'")),
    };
    Ok((number * 1024_f64.powi(power)) as i64)
}

/// As [`bytes()`], or `-1` for no limit.
pub(crate) fn swap_bytes(text: &str) -> Result<i64, String> {
    if text == "-1" { Ok(-1) } else { bytes(text) }
}

/// `1.5` CPUs in billionths; a fraction such as `1/2` too.
pub(crate) fn nano_cpus(text: &str) -> Result<i64, String> {
    let no_number = || format!("failed to parse {text} as a rational number");
    let value = match text.split_once('/') {
        Some((above, below)) => {
            let (above, below) = (above.parse::<i64>(), below.parse::<i64>());
            let (above, below) = (above.map_err(|_| no_number())?, below.map_err(|_| no_number())?);
            if below == 0 {
                return Err(no_number());
            }
            above as f64 / below as f64
        }
        None if text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '+')) => {
            text.parse::<f64>().map_err(|_| no_number())?
        }
        None => return Err(no_number()),
    };
    let nano = value * 1e9;
    if (nano - nano.round()).abs() > 1e-3 {
        return Err("value is too precise".to_owned());
    }
    Ok(nano.round() as i64)
}

/// `1h2m3.5s` in nanoseconds, as Go's `time.ParseDuration` reads it.
pub(crate) fn nanoseconds(text: &str) -> Result<i64, String> {
    let invalid = || format!("time: invalid duration {text:?}");
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total = 0.0;
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let number: f64 = rest[..number_end].parse().map_err(|_| invalid())?;
        rest = &rest[number_end..];
        let unit_end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        let unit = match &rest[..unit_end] {
            "ns" => 1.0,
            "us" | "µs" | "μs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3600e9,
            "" => return Err(format!("time: missing unit in duration {text:?}")),
            unit => return Err(format!("time: unknown unit {unit:?} in duration {text:?}")),
        };
        total += number * unit;
        rest = &rest[unit_end..];
    }
    if total > i64::MAX as f64 { Err(invalid()) } else { Ok((sign * total) as i64) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sizes_are_powers_of_1024() {
        for (text, expected) in
            [("0", 0), ("512", 512), ("64m", 64 << 20), ("1.5g", 3 << 29), ("4MiB", 4 << 20)]
        {
            assert_eq!(bytes(text), Ok(expected), "{text}");
        }
        assert_eq!(bytes("abc"), Err("invalid size: 'abc'".to_owned()));
        assert_eq!(bytes("1x"), Err("invalid suffix: 'x'".to_owned()));
        assert_eq!(swap_bytes("-1"), Ok(-1));
        assert!(bytes("-1").is_err());
    }

    #[test]
    fn cpus_and_durations_read_as_in_go() {
        assert_eq!(nano_cpus("1.5"), Ok(1_500_000_000));
        assert_eq!(nano_cpus("1/4"), Ok(250_000_000));
        assert_eq!(nano_cpus("abc"), Err("failed to parse abc as a rational number".to_owned()));
        assert_eq!(nanoseconds("1h2m3.5s"), Ok(3_723_500_000_000));
        assert_eq!(nanoseconds("-3s"), Ok(-3_000_000_000));
        assert_eq!(nanoseconds("3"), Err("time: missing unit in duration \"3\"".to_owned()));
        assert_eq!(nanoseconds("x"), Err("time: invalid duration \"x\"".to_owned()));
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in ".*") {
            let _ = (bytes(&text), nano_cpus(&text), nanoseconds(&text));
        }
    }
}
