//! A template as a tree. Made by the parser, walked by the evaluator.

use serde_json::Value;

/// Where in the source something stands: for error texts.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) text: String,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Text(String),
    /// `{{pipeline}}`: printed unless it only sets a variable.
    Action(Pipeline),
    If(Branch),
    With(Branch),
    Range(Branch),
    Break,
    Continue,
}

/// The parts that `if`, `with` and `range` share.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Branch {
    pub(super) pipeline: Pipeline,
    pub(super) body: Vec<Node>,
    pub(super) otherwise: Vec<Node>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pipeline {
    /// The variables that it sets, in order; `range` may have two.
    pub(super) sets: Vec<String>,
    /// New ones (`:=`), or ones that exist (`=`).
    pub(super) declares: Declares,
    pub(super) commands: Vec<Command>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Declares {
    New,
    Existing,
}

/// An operand, or a function or method with its arguments.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Command {
    pub(super) place: Place,
    pub(super) words: Vec<Operand>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Operand {
    pub(super) place: Place,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    /// `.` and `.A.B`.
    Dot(Vec<String>),
    /// `$x` and `$x.A`; the name holds the `$`.
    Variable(String, Vec<String>),
    /// `(pipeline)` and `(pipeline).A`.
    Group(Box<Pipeline>, Vec<String>),
    Function(String),
    Literal(Value),
}
