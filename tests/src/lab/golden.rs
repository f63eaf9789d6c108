//! Pages of docs/ that a test found: compared to the letter, and written anew where that is asked for.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A page of docs/.
#[derive(Clone, Debug)]
pub struct Golden {
    name: &'static str,
    path: PathBuf,
}

impl Golden {
    /// The page of that name below docs/.
    pub fn page(name: &'static str) -> Self {
        Self { name, path: Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name) }
    }

    /// What is written there.
    pub fn text(&self) -> String {
        fs::read_to_string(&self.path).unwrap_or_default()
    }

    /// What is written must be what was found; with `INSTA_UPDATE=always` it is written first, as insta does.
    ///
    /// # Panics
    /// If it is not, or can't be written.
    #[track_caller]
    pub fn assert(&self, found: &str) {
        #[allow(
            clippy::disallowed_methods,
            reason = "the same variable by which insta updates its snapshots"
        )]
        if std::env::var("INSTA_UPDATE").is_ok_and(|value| value == "always") {
            fs::write(&self.path, found).expect("docs/ is writable");
        }
        assert_eq!(self.text(), found, "docs/{} is out of date: run `just goldens`", self.name);
    }
}
