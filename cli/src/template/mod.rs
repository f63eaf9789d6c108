//! The part of Go's template language that `--format` of Docker's users consists of, over JSON values: text, fields,
//! pipelines, `if`, `range`, `with`, variables, the built-in functions and Docker's own. No `define`, no methods
//! except those that the caller lends. Error texts are Go's. Pure; called by [`crate::format`].

mod ast;
mod eval;
mod functions;
mod lexer;
mod parser;
mod printf;
mod show;
#[cfg(test)]
mod tests;

use serde_json::Value;

pub(crate) use show::{compact, compact_escaped};

/// A template that was read without error.
#[derive(Debug)]
pub(crate) struct Template {
    nodes: Vec<ast::Node>,
}

/// A template that can't be read, or does not fit the value it is given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TemplateError {
    /// The text is no template.
    #[error("template: :{line}: {what}")]
    Syntax {
        /// Where, from 1.
        line: usize,
        /// What is wrong there.
        what: String,
    },
    /// The template can't be filled from this value.
    #[error("template: :{line}:{column}: executing \"\" at <{at}>: {what}")]
    Execution {
        /// Where, from 1.
        line: usize,
        /// Where in the line, from 0.
        column: usize,
        /// The part of the template.
        at: String,
        /// What is wrong with it.
        what: String,
    },
}

/// What a template is filled from: a value, and calls such as `.Label "x"` that no field answers.
pub(crate) struct Data<'a> {
    /// What `.` and `$` stand for at the beginning.
    pub(crate) root: &'a Value,
    /// A method of the root: its name and argument in, `None` if there is none of this name.
    pub(crate) method: &'a dyn Fn(&str, &[Value]) -> Option<Value>,
    /// How the root's type is called in errors.
    pub(crate) type_name: &'a str,
}

impl Template {
    /// Reads a template.
    pub(crate) fn parse(source: &str) -> Result<Self, TemplateError> {
        let tokens = lexer::lex(source)?;
        Ok(Self { nodes: parser::parse(source, tokens)? })
    }

    /// Fills the template.
    pub(crate) fn render(&self, data: &Data<'_>) -> Result<String, TemplateError> {
        eval::render(&self.nodes, data)
    }
}
