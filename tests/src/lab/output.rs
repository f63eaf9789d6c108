//! What a program said, and programs that go on running.

use std::{
    fmt,
    process::{Child, ExitStatus},
};

/// A program that ended: its status and what it wrote.
#[derive(Clone)]
pub struct Output {
    pub(crate) command: String,
    /// How it ended.
    pub status: ExitStatus,
    /// Standard output, without the final line break.
    pub stdout: String,
    /// Standard error, without the final line break.
    pub stderr: String,
}

impl Output {
    pub(crate) fn new(command: String, output: &std::process::Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
        Self { command, status: output.status, stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    /// Standard output of a program that must have succeeded.
    ///
    /// # Panics
    /// If it did not.
    #[track_caller]
    pub fn ok(self) -> String {
        assert!(self.status.success(), "should succeed: {self:?}");
        self.stdout
    }

    /// Standard error of a program that must have ended with `code`.
    ///
    /// # Panics
    /// If it ended otherwise.
    #[track_caller]
    pub fn fails(self, code: i32) -> String {
        assert_eq!(self.status.code(), Some(code), "should fail with {code}: {self:?}");
        self.stderr
    }

    /// Standard output, or the whole of what happened: for [`eventually`](crate::eventually).
    ///
    /// # Errors
    /// If the program failed.
    pub fn result(self) -> Result<String, Self> {
        if self.status.success() { Ok(self.stdout) } else { Err(self) }
    }

    /// Standard output as JSON.
    ///
    /// # Panics
    /// If the program failed or wrote something else.
    #[track_caller]
    pub fn json(self) -> serde_json::Value {
        let text = self.ok();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("no JSON ({error}): {text}"))
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "`{}` ended with {}", self.command, self.status)?;
        writeln!(f, "--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr)
    }
}

/// A program that goes on running; dropping it kills it.
#[derive(Debug)]
pub struct Process {
    /// The process, for its pipes.
    pub child: Child,
}

impl Process {
    /// Kills it with SIGKILL and waits until it is gone.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Whether a text has this word. Ids and names of links have any digits within.
pub fn has_word(text: &str, word: &str) -> bool {
    text.split(|letter: char| !letter.is_ascii_alphanumeric()).any(|found| found == word)
}
