//! The words of an error number as Docker's users know them: "no such file or directory", not
//! "No such file or directory (os error 2)".

use std::io;

use nix::errno::Errno;

/// The kernel's reason in lower case, or the error's own text.
pub(crate) fn reason(error: &io::Error) -> String {
    error.raw_os_error().map_or_else(|| error.to_string(), |number| words(Errno::from_raw(number)))
}

/// The same for `nix`.
pub(crate) fn words(errno: Errno) -> String {
    let text = errno.desc();
    let mut letters = text.chars();
    match letters.next() {
        // "I/O error" and the like keep their capitals
        Some(first) if !text[1..].starts_with(|c: char| c.is_uppercase() || c == '/') => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_read_as_in_docker() {
        assert_eq!(words(Errno::ENOENT), "no such file or directory");
        assert_eq!(words(Errno::EACCES), "permission denied");
        assert_eq!(reason(&io::Error::from_raw_os_error(20)), "not a directory");
    }
}
