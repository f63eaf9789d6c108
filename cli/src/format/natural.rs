//! Names in the order that people expect: `n2` before `n10`.

/// A part of a name; digits come before anything else.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// Digits without leading zeros: the longer number is the larger one. Among equals the one with fewer zeros is first.
    Number { length: usize, digits: String, zeros: usize },
    /// What is no digit.
    Byte(u8),
}

/// What a name is sorted by.
pub(crate) fn key(name: &str) -> Vec<Part> {
    let mut rest = name;
    let mut parts = Vec::new();
    while !rest.is_empty() {
        let number = rest.bytes().take_while(u8::is_ascii_digit).count();
        let letters = rest.bytes().take_while(|byte| !byte.is_ascii_digit()).count();
        let (part, behind) = rest.split_at(number.max(letters));
        if number > 0 {
            let digits = part.trim_start_matches('0');
            let zeros = number - digits.len();
            parts.push(Part::Number { length: digits.len(), digits: digits.to_owned(), zeros });
        } else {
            parts.extend(part.bytes().map(Part::Byte));
        }
        rest = behind;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count() {
        let sorted = [
            "", "1", "01", "2", "10", "Z", "a", "n", "n2", "n02", "n10", "n10a", "n10b2", "n10b10", "na", "ü",
        ];
        let mut names = sorted;
        names.reverse();
        names.sort_by_key(|name| key(name));
        assert_eq!(names, sorted);
    }
}
