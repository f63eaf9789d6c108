//! Fills a tree from a value.

use serde_json::Value;

use super::ast::{Branch, Command, Declares, Kind, Node, Operand, Pipeline, Place};
use super::functions::{self, truth};
use super::{Data, TemplateError, show};

pub(super) fn render(nodes: &[Node], data: &Data<'_>) -> Result<String, TemplateError> {
    let variables = vec![("$".to_owned(), data.root.clone())];
    let mut run = Run { data, variables, out: String::new(), at_root: true };
    run.nodes(nodes, data.root)?;
    Ok(run.out)
}

struct Run<'a> {
    data: &'a Data<'a>,
    variables: Vec<(String, Value)>,
    out: String,
    /// Whether `.` is the root: methods belong to the root alone.
    at_root: bool,
}

/// What a node does to the loop around it.
#[derive(PartialEq, Eq)]
enum Flow {
    On,
    Break,
    Continue,
}

impl Run<'_> {
    fn nodes(&mut self, nodes: &[Node], dot: &Value) -> Result<Flow, TemplateError> {
        for node in nodes {
            let flow = match node {
                Node::Text(text) => {
                    self.out.push_str(text);
                    Flow::On
                }
                Node::Action(pipeline) => self.action(pipeline, dot)?,
                Node::If(branch) => self.choose(branch, dot, Dot::Stays)?,
                Node::With(branch) => self.choose(branch, dot, Dot::Moves)?,
                Node::Range(branch) => self.range(branch, dot)?,
                Node::Break => Flow::Break,
                Node::Continue => Flow::Continue,
            };
            if flow != Flow::On {
                return Ok(flow);
            }
        }
        Ok(Flow::On)
    }

    fn action(&mut self, pipeline: &Pipeline, dot: &Value) -> Result<Flow, TemplateError> {
        let value = self.pipeline(pipeline, dot)?;
        if pipeline.sets.is_empty() {
            self.out.push_str(&show::text(&value));
        } else {
            self.set(pipeline, &pipeline.sets, vec![value]);
        }
        Ok(Flow::On)
    }

    fn choose(&mut self, branch: &Branch, dot: &Value, kind: Dot) -> Result<Flow, TemplateError> {
        let scope = self.variables.len();
        let value = self.pipeline(&branch.pipeline, dot)?;
        self.set(&branch.pipeline, &branch.pipeline.sets, vec![value.clone()]);
        let flow = match (truth(&value), kind) {
            (true, Dot::Moves) => self.below(&branch.body, &value),
            (true, Dot::Stays) => self.nodes(&branch.body, dot),
            (false, _) => self.nodes(&branch.otherwise, dot),
        };
        self.variables.truncate(scope);
        flow
    }

    fn range(&mut self, branch: &Branch, dot: &Value) -> Result<Flow, TemplateError> {
        let scope = self.variables.len();
        let value = self.pipeline(&branch.pipeline, dot)?;
        let items = items_of(&value).map_err(|what| fail(place_of(&branch.pipeline), what))?;
        if items.is_empty() {
            return self.nodes(&branch.otherwise, dot);
        }
        for (key, item) in items {
            let values =
                if branch.pipeline.sets.len() == 2 { vec![key, item.clone()] } else { vec![item.clone()] };
            self.set(&branch.pipeline, &branch.pipeline.sets, values);
            let flow = self.below(&branch.body, &item)?;
            self.variables.truncate(scope);
            if flow == Flow::Break {
                break;
            }
        }
        Ok(Flow::On)
    }

    /// The nodes with another dot.
    fn below(&mut self, nodes: &[Node], dot: &Value) -> Result<Flow, TemplateError> {
        let at_root = std::mem::replace(&mut self.at_root, false);
        let flow = self.nodes(nodes, dot);
        self.at_root = at_root;
        flow
    }

    fn set(&mut self, pipeline: &Pipeline, names: &[String], values: Vec<Value>) {
        for (name, value) in names.iter().zip(values) {
            let existing = self.variables.iter_mut().rev().find(|(n, _)| n == name);
            match (pipeline.declares, existing) {
                (Declares::Existing, Some((_, slot))) => *slot = value,
                _ => self.variables.push((name.clone(), value)),
            }
        }
    }

    fn pipeline(&mut self, pipeline: &Pipeline, dot: &Value) -> Result<Value, TemplateError> {
        let mut last = None;
        for command in &pipeline.commands {
            last = Some(self.command(command, dot, last)?);
        }
        Ok(last.unwrap_or(Value::Null))
    }

    /// `last` is what the stage before hands on: the last argument.
    fn command(
        &mut self,
        command: &Command,
        dot: &Value,
        last: Option<Value>,
    ) -> Result<Value, TemplateError> {
        let Some((first, rest)) = command.words.split_first() else { return Ok(Value::Null) };
        if let Kind::Function(name) = &first.kind {
            return self.function(&command.place, name, rest, dot, last);
        }
        if rest.is_empty() && last.is_none() {
            return self.operand(first, dot);
        }
        let arguments = self.arguments(rest, dot, last)?;
        match &first.kind {
            Kind::Dot(fields) if self.at_root && fields.len() == 1 => {
                let found = (self.data.method)(&fields[0], &arguments);
                found.ok_or_else(|| {
                    fail(&first.place, format!("{} is not a method but has arguments", fields[0]))
                })
            }
            Kind::Dot(fields) | Kind::Variable(_, fields) | Kind::Group(_, fields) if !fields.is_empty() => {
                let name = fields.last().map_or("", String::as_str);
                Err(fail(&first.place, format!("{name} is not a method but has arguments")))
            }
            _ => Err(fail(&first.place, format!("can't give argument to non-function {}", first.place.text))),
        }
    }

    fn function(
        &mut self,
        place: &Place,
        name: &str,
        rest: &[Operand],
        dot: &Value,
        last: Option<Value>,
    ) -> Result<Value, TemplateError> {
        if name == "and" || name == "or" {
            return self.logic(place, name == "or", rest, dot, last);
        }
        let arguments = self.arguments(rest, dot, last)?;
        if name == "json" && !self.data.type_name.is_empty() && arguments.first() == Some(self.data.root) {
            return Ok(Value::String(show::compact_escaped(self.data.root)));
        }
        functions::call(name, &arguments).map_err(|what| fail(place, what))
    }

    /// The first argument that decides, or the last; what stands behind it is not evaluated.
    fn logic(
        &mut self,
        place: &Place,
        decides: bool,
        rest: &[Operand],
        dot: &Value,
        last: Option<Value>,
    ) -> Result<Value, TemplateError> {
        let mut value = None;
        for operand in rest {
            let next = self.operand(operand, dot)?;
            if truth(&next) == decides {
                return Ok(next);
            }
            value = Some(next);
        }
        last.or(value).ok_or_else(|| {
            fail(place, format!("wrong number of args for {}: want at least 1 got 0", place.text))
        })
    }

    fn arguments(
        &mut self,
        operands: &[Operand],
        dot: &Value,
        last: Option<Value>,
    ) -> Result<Vec<Value>, TemplateError> {
        let mut values = Vec::with_capacity(operands.len() + 1);
        for operand in operands {
            values.push(self.operand(operand, dot)?);
        }
        values.extend(last);
        Ok(values)
    }

    fn operand(&mut self, operand: &Operand, dot: &Value) -> Result<Value, TemplateError> {
        match &operand.kind {
            Kind::Literal(value) => Ok(value.clone()),
            Kind::Function(name) => self.function(&operand.place, name, &[], dot, None),
            Kind::Dot(fields) => self.fields(&operand.place, dot, fields),
            Kind::Group(pipeline, fields) => {
                let value = self.pipeline(pipeline, dot)?;
                self.fields(&operand.place, &value, fields)
            }
            Kind::Variable(name, fields) => {
                let value = self.variables.iter().rev().find(|(n, _)| n == name).map(|(_, v)| v.clone());
                self.fields(&operand.place, &value.unwrap_or(Value::Null), fields)
            }
        }
    }

    fn fields(&self, place: &Place, value: &Value, names: &[String]) -> Result<Value, TemplateError> {
        let mut value = value;
        for (depth, name) in names.iter().enumerate() {
            value = match value {
                Value::Object(fields) => match field(fields, name) {
                    Some(found) => found,
                    None if depth == 0 && self.at_root => return Err(self.no_field(place, name)),
                    None => return Err(fail(place, format!("map has no entry for key {name:?}"))),
                },
                Value::Null => {
                    return Err(fail(place, format!("nil pointer evaluating interface {{}}.{name}")));
                }
                other => {
                    let of = super::printf::go_type(other);
                    return Err(fail(place, format!("can't evaluate field {name} in type {of}")));
                }
            };
        }
        Ok(value.clone())
    }

    fn no_field(&self, place: &Place, name: &str) -> TemplateError {
        match self.data.type_name {
            "" => fail(place, format!("map has no entry for key {name:?}")),
            of => fail(place, format!("can't evaluate field {name} in type {of}")),
        }
    }
}

/// What a block does to `.`.
#[derive(Clone, Copy)]
enum Dot {
    Stays,
    Moves,
}

/// Docker's users write `.ID` for what JSON calls `Id`, because Go's types do.
fn field<'v>(fields: &'v serde_json::Map<String, Value>, name: &str) -> Option<&'v Value> {
    fields.get(name).or_else(|| match name {
        "ID" => fields.get("Id"),
        "Id" => fields.get("ID"),
        _ => None,
    })
}

fn items_of(value: &Value) -> Result<Vec<(Value, Value)>, String> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Array(items) => {
            Ok(items.iter().enumerate().map(|(i, v)| (Value::from(i), v.clone())).collect())
        }
        Value::Object(fields) => {
            Ok(show::sorted(fields).into_iter().map(|(k, v)| (Value::String(k.clone()), v.clone())).collect())
        }
        other => Err(format!("range can't iterate over {}", show::text(other))),
    }
}

fn place_of(pipeline: &Pipeline) -> &Place {
    static NOWHERE: Place = Place { line: 1, column: 0, text: String::new() };
    pipeline.commands.first().and_then(|c| c.words.first()).map_or(&NOWHERE, |w| &w.place)
}

fn fail(place: &Place, what: impl Into<String>) -> TemplateError {
    TemplateError::Execution {
        line: place.line,
        column: place.column,
        at: place.text.clone(),
        what: what.into(),
    }
}
