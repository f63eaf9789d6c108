//! A rule, built word by word: each word adds what `nft` prints for it and the expressions that it stands for, so that
//! text and rule can't differ. The words are in `matches`, `nat` and `flow`.

use super::{expr::Expr, verdict::Verdict};

/// A rule and how `nft` prints it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Rule {
    pub(crate) exprs: Vec<Expr>,
    text: String,
    pub(crate) comment: Option<String>,
}

impl Rule {
    /// A rule that does nothing yet.
    pub(crate) fn new() -> Self {
        Self { exprs: Vec::new(), text: String::new(), comment: None }
    }

    /// As `nft` prints it.
    pub(crate) fn text(&self) -> String {
        match &self.comment {
            Some(comment) => format!("{} comment \"{comment}\"", self.text),
            None => self.text.clone(),
        }
    }

    pub(super) fn word(mut self, text: impl AsRef<str>, exprs: impl IntoIterator<Item = Expr>) -> Self {
        if !self.text.is_empty() {
            self.text.push(' ');
        }
        self.text.push_str(text.as_ref());
        self.exprs.extend(exprs);
        self
    }

    /// Says why the rule is there.
    pub(crate) fn comment(mut self, text: impl Into<String>) -> Self {
        self.comment = Some(text.into());
        self
    }

    /// Counts the packets that get here.
    pub(crate) fn counter(self) -> Self {
        self.word("counter", [Expr::Counter])
    }

    /// Ends with a verdict.
    pub(crate) fn verdict(self, verdict: Verdict) -> Self {
        self.word(verdict.to_string(), [Expr::Verdict(verdict)])
    }
}
