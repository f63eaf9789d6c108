//! Tokens to tree.

use serde_json::Value;

use super::TemplateError;
use super::ast::{Branch, Command, Declares, Kind, Node, Operand, Pipeline, Place};
use super::functions;
use super::lexer::{Lexeme, Token, line_of, syntax};

/// How deep blocks and parentheses may nest; the tree is walked by recursion.
const DEEPEST: usize = 64;

pub(super) fn parse(source: &str, tokens: Vec<Token>) -> Result<Vec<Node>, TemplateError> {
    let mut parser = Parser { source, tokens, next: 0, depth: 0, loops: 0, variables: vec!["$".to_owned()] };
    let (nodes, end) = parser.nodes()?;
    match end {
        End::Source => Ok(nodes),
        End::Else => Err(parser.error("unexpected {{else}}")),
        End::Finish => Err(parser.error("unexpected {{end}}")),
    }
}

struct Parser<'a> {
    source: &'a str,
    tokens: Vec<Token>,
    next: usize,
    depth: usize,
    loops: usize,
    variables: Vec<String>,
}

/// What ended a list of nodes. Behind `else` the parser stands before what follows the word.
enum End {
    Source,
    Else,
    Finish,
}

impl Parser<'_> {
    fn nodes(&mut self) -> Result<(Vec<Node>, End), TemplateError> {
        let mut nodes = Vec::new();
        while let Some(token) = self.take() {
            match token.lexeme {
                Lexeme::Text(text) => nodes.push(Node::Text(text)),
                _ => match self.peek() {
                    Some(Lexeme::Word(word)) if word == "end" => {
                        self.next += 1;
                        self.close()?;
                        return Ok((nodes, End::Finish));
                    }
                    Some(Lexeme::Word(word)) if word == "else" => {
                        self.next += 1;
                        return Ok((nodes, End::Else));
                    }
                    _ => nodes.push(self.action()?),
                },
            }
        }
        Ok((nodes, End::Source))
    }

    fn action(&mut self) -> Result<Node, TemplateError> {
        let word = match self.peek() {
            Some(Lexeme::Word(word)) => word.clone(),
            _ => String::new(),
        };
        match word.as_str() {
            "if" => Ok(Node::If(self.block("if")?)),
            "with" => Ok(Node::With(self.block("with")?)),
            "range" => Ok(Node::Range(self.block("range")?)),
            "break" | "continue" => self.leave(&word),
            "define" | "template" | "block" => Err(self.error(format!("{{{{{word}}}}} is not supported"))),
            _ => {
                let pipeline = self.pipeline("command")?;
                self.close()?;
                Ok(Node::Action(pipeline))
            }
        }
    }

    fn leave(&mut self, word: &str) -> Result<Node, TemplateError> {
        self.next += 1;
        if self.loops == 0 {
            return Err(self.error(format!("{{{{{word}}}}} outside {{{{range}}}}")));
        }
        self.close()?;
        Ok(if word == "break" { Node::Break } else { Node::Continue })
    }

    fn block(&mut self, word: &str) -> Result<Branch, TemplateError> {
        self.next += 1;
        self.deeper()?;
        let scope = self.variables.len();
        let pipeline = self.pipeline(word)?;
        self.close()?;
        self.loops += usize::from(word == "range");
        let (body, end) = self.nodes()?;
        self.loops -= usize::from(word == "range");
        let otherwise = match end {
            End::Finish => Vec::new(),
            End::Else => self.otherwise(word)?,
            End::Source => return Err(self.error("unexpected EOF")),
        };
        self.variables.truncate(scope);
        self.depth -= 1;
        Ok(Branch { pipeline, body, otherwise })
    }

    /// Behind the word `else`: `else if` and `else with` share the `end` of the block around them.
    fn otherwise(&mut self, word: &str) -> Result<Vec<Node>, TemplateError> {
        match self.peek() {
            Some(Lexeme::Word(next)) if next == word && word == "if" => Ok(vec![Node::If(self.block("if")?)]),
            Some(Lexeme::Word(next)) if next == word && word == "with" => {
                Ok(vec![Node::With(self.block("with")?)])
            }
            _ => {
                self.close()?;
                match self.nodes()? {
                    (nodes, End::Finish) => Ok(nodes),
                    (_, End::Else) => Err(self.error("expected end; found {{else}}")),
                    (_, End::Source) => Err(self.error("unexpected EOF")),
                }
            }
        }
    }

    fn pipeline(&mut self, context: &str) -> Result<Pipeline, TemplateError> {
        let (sets, declares) = self.assignments(context)?;
        let mut commands = Vec::new();
        loop {
            let command = self.command()?;
            if command.words.is_empty() {
                return Err(match (commands.is_empty(), self.peek()) {
                    (true, Some(Lexeme::Close | Lexeme::RightParen)) | (true, None) => {
                        self.error(format!("missing value for {context}"))
                    }
                    (false, Some(Lexeme::Close | Lexeme::RightParen)) | (_, None) => {
                        self.error("missing value for command")
                    }
                    _ => self.unexpected(context),
                });
            }
            commands.push(command);
            match self.peek() {
                Some(Lexeme::Pipe) => self.next += 1,
                _ => break,
            }
        }
        self.check_stages(&commands)?;
        self.variables.extend(sets.iter().filter(|_| declares == Declares::New).cloned());
        Ok(Pipeline { sets, declares, commands })
    }

    /// `$x :=`, `$x =`, and in a range `$i, $x :=`.
    fn assignments(&mut self, context: &str) -> Result<(Vec<String>, Declares), TemplateError> {
        let ahead = |i: usize| self.tokens.get(self.next + i).map(|t| &t.lexeme);
        let mut sets = Vec::new();
        let mut i = 0;
        while let Some(Lexeme::Variable(name)) = ahead(i) {
            sets.push(name.clone());
            i += 1;
            match ahead(i) {
                Some(Lexeme::Comma) if context == "range" && sets.len() < 2 => i += 1,
                Some(Lexeme::Declare) => {
                    self.next += i + 1;
                    return Ok((sets, Declares::New));
                }
                Some(Lexeme::Assign) => {
                    self.next += i + 1;
                    if let Some(unknown) = sets.iter().find(|name| !self.variables.contains(name)) {
                        return Err(self.error(format!("undefined variable {unknown:?}")));
                    }
                    return Ok((sets, Declares::Existing));
                }
                _ => break,
            }
        }
        Ok((Vec::new(), Declares::New))
    }

    fn check_stages(&self, commands: &[Command]) -> Result<(), TemplateError> {
        for (stage, command) in commands.iter().enumerate().skip(1) {
            if let Some(Operand { kind: Kind::Literal(_), .. }) = command.words.first() {
                return Err(self.error(format!("non executable command in pipeline stage {}", stage + 1)));
            }
        }
        Ok(())
    }

    fn command(&mut self) -> Result<Command, TemplateError> {
        let mut words = Vec::new();
        let start = self.tokens.get(self.next).map_or(self.source.len(), |token| token.start);
        while let Some(operand) = self.operand()? {
            words.push(operand);
        }
        let end =
            self.next.checked_sub(1).and_then(|last| self.tokens.get(last)).map_or(start, |token| token.end);
        Ok(Command { place: self.place(start, start, end.max(start)), words })
    }

    fn operand(&mut self) -> Result<Option<Operand>, TemplateError> {
        let Some(token) = self.tokens.get(self.next).cloned() else { return Ok(None) };
        let kind = match token.lexeme {
            Lexeme::Dot => self.one(Kind::Dot(Vec::new())),
            Lexeme::Field(name) => self.one(Kind::Dot(vec![name])),
            Lexeme::Literal(value) => self.one(Kind::Literal(value)),
            Lexeme::Variable(name) => {
                if !self.variables.contains(&name) {
                    return Err(self.error(format!("undefined variable {name:?}")));
                }
                self.one(Kind::Variable(name, Vec::new()))
            }
            Lexeme::Word(word) => {
                let kind = self.word(word)?;
                self.one(kind)
            }
            Lexeme::LeftParen => self.group()?,
            _ => return Ok(None),
        };
        let behind = self.tokens.get(self.next).map(|t| t.start);
        let first_behind = self.next;
        let kind = self.fields_behind(kind)?;
        let end = self.tokens[self.next - 1].end;
        let at = if self.next > first_behind { behind.unwrap_or(token.start) } else { token.start };
        Ok(Some(Operand { place: self.place(at, token.start, end), kind }))
    }

    fn one(&mut self, kind: Kind) -> Kind {
        self.next += 1;
        kind
    }

    fn word(&self, word: String) -> Result<Kind, TemplateError> {
        match word.as_str() {
            "true" => Ok(Kind::Literal(Value::Bool(true))),
            "false" => Ok(Kind::Literal(Value::Bool(false))),
            "nil" => Ok(Kind::Literal(Value::Null)),
            "if" | "else" | "end" | "range" | "with" | "define" | "template" | "block" => {
                Err(self.error(format!("unexpected <{word}> in operand")))
            }
            name if functions::exists(name) => Ok(Kind::Function(word)),
            name => Err(self.error(format!("function {name:?} not defined"))),
        }
    }

    fn group(&mut self) -> Result<Kind, TemplateError> {
        self.next += 1;
        self.deeper()?;
        let pipeline = self.pipeline("parenthesized pipeline")?;
        self.depth -= 1;
        match self.take().map(|t| t.lexeme) {
            Some(Lexeme::RightParen) => Ok(Kind::Group(Box::new(pipeline), Vec::new())),
            _ => Err(self.error("unclosed left paren")),
        }
    }

    /// `.B` right behind `.A`, `$x` or `)` belongs to it.
    fn fields_behind(&mut self, mut kind: Kind) -> Result<Kind, TemplateError> {
        while let Some(Token { lexeme: Lexeme::Field(name), spaced: false, .. }) = self.tokens.get(self.next)
        {
            match &mut kind {
                Kind::Dot(fields) | Kind::Variable(_, fields) | Kind::Group(_, fields) => {
                    fields.push(name.clone());
                }
                _ => return Err(self.error(format!("unexpected . after term {:?}", format!(".{name}")))),
            }
            self.next += 1;
        }
        Ok(kind)
    }

    fn close(&mut self) -> Result<(), TemplateError> {
        match self.peek() {
            Some(Lexeme::Close) => {
                self.next += 1;
                Ok(())
            }
            _ => Err(self.unexpected("command")),
        }
    }

    fn deeper(&mut self) -> Result<(), TemplateError> {
        self.depth += 1;
        if self.depth > DEEPEST { Err(self.error("blocks nest too deep")) } else { Ok(()) }
    }

    fn peek(&self) -> Option<&Lexeme> {
        self.tokens.get(self.next).map(|t| &t.lexeme)
    }

    fn take(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.next).cloned();
        self.next += usize::from(token.is_some());
        token
    }

    /// Go says of a chain of fields where its second one stands.
    fn place(&self, at: usize, start: usize, end: usize) -> Place {
        let column = at - self.source[..at].rfind('\n').map_or(0, |newline| newline + 1);
        Place { line: line_of(self.source, at), column, text: self.source[start..end].to_owned() }
    }

    fn unexpected(&self, context: &str) -> TemplateError {
        match self.tokens.get(self.next) {
            Some(token) => {
                let text = &self.source[token.start..token.end];
                self.error(format!("unexpected {text:?} in {context}"))
            }
            None => self.error("unexpected EOF"),
        }
    }

    fn error(&self, what: impl Into<String>) -> TemplateError {
        let at = self.tokens.get(self.next).map_or(self.source.len(), |token| token.start);
        syntax(self.source, at, what)
    }
}
