//! Cuts a template into tokens: plain text, and what stands between `{{` and `}}`.

use serde_json::Value;

use super::TemplateError;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Lexeme {
    Text(String),
    Open,
    Close,
    /// `.Name`, without the dot.
    Field(String),
    Dot,
    /// `$` or `$name`.
    Variable(String),
    /// A keyword or a function.
    Word(String),
    Literal(Value),
    Pipe,
    LeftParen,
    RightParen,
    Comma,
    Assign,
    Declare,
}

/// A lexeme, where it stands, and whether white space stands before it (`.A .B` are two operands, `.A.B` is one).
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) lexeme: Lexeme,
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) spaced: bool,
}

pub(super) fn syntax(source: &str, at: usize, what: impl Into<String>) -> TemplateError {
    TemplateError::Syntax { line: line_of(source, at), what: what.into() }
}

/// The line of a byte, from 1.
pub(super) fn line_of(source: &str, at: usize) -> usize {
    1 + source.as_bytes().iter().take(at).filter(|&&b| b == b'\n').count()
}

pub(super) fn lex(source: &str) -> Result<Vec<Token>, TemplateError> {
    let mut lexer = Lexer { source, at: 0, tokens: Vec::new() };
    lexer.run()?;
    Ok(lexer.tokens)
}

struct Lexer<'a> {
    source: &'a str,
    at: usize,
    tokens: Vec<Token>,
}

impl Lexer<'_> {
    fn run(&mut self) -> Result<(), TemplateError> {
        let mut trim_left = false;
        loop {
            let rest = self.rest();
            let open = rest.find("{{");
            let mut text = &rest[..open.unwrap_or(rest.len())];
            if trim_left {
                text = text.trim_start_matches(WHITE);
            }
            let after = open.map(|open| &rest[open + 2..]);
            let trim_right = after.is_some_and(|a| a.starts_with('-') && a[1..].starts_with(WHITE));
            if trim_right {
                text = text.trim_end_matches(WHITE);
            }
            if !text.is_empty() {
                let text = text.to_owned();
                self.push(Lexeme::Text(text), self.at, false);
            }
            let Some(open) = open else { return Ok(()) };
            self.at += open;
            trim_left = self.action(trim_right)?;
        }
    }

    /// From `{{` to behind `}}`; whether the text behind loses its leading white space.
    fn action(&mut self, trimmed: bool) -> Result<bool, TemplateError> {
        let start = self.at;
        self.at += if trimmed { 3 } else { 2 };
        if self.rest().trim_start_matches(WHITE).starts_with("/*") {
            return self.comment(start);
        }
        self.push(Lexeme::Open, start, false);
        loop {
            let before = self.at;
            let rest = self.rest();
            self.at += rest.len() - rest.trim_start_matches(WHITE).len();
            let spaced = self.at > before;
            let rest = self.rest();
            if spaced && rest.starts_with("-}}") {
                self.at += 3;
                self.push(Lexeme::Close, self.at - 3, spaced);
                return Ok(true);
            }
            if rest.starts_with("}}") {
                self.at += 2;
                self.push(Lexeme::Close, self.at - 2, spaced);
                return Ok(false);
            }
            let Some(first) = rest.chars().next() else {
                return Err(syntax(self.source, start, "unclosed action"));
            };
            self.token(first, spaced)?;
        }
    }

    fn comment(&mut self, start: usize) -> Result<bool, TemplateError> {
        let Some(end) = self.rest().find("*/") else {
            return Err(syntax(self.source, start, "unclosed comment"));
        };
        self.at += end + 2;
        let rest = self.rest();
        let trimmed = rest.trim_start_matches(WHITE);
        if trimmed.len() < rest.len() && trimmed.starts_with("-}}") {
            self.at += rest.len() - trimmed.len() + 3;
            return Ok(true);
        }
        if !rest.starts_with("}}") {
            return Err(syntax(self.source, start, "comment ends before closing delimiter"));
        }
        self.at += 2;
        Ok(false)
    }

    fn token(&mut self, first: char, spaced: bool) -> Result<(), TemplateError> {
        let start = self.at;
        let lexeme = match first {
            '|' => self.single(Lexeme::Pipe),
            '(' => self.single(Lexeme::LeftParen),
            ')' => self.single(Lexeme::RightParen),
            ',' => self.single(Lexeme::Comma),
            '=' => self.single(Lexeme::Assign),
            ':' if self.rest().starts_with(":=") => {
                self.at += 2;
                Lexeme::Declare
            }
            '"' => self.quoted()?,
            '`' => self.raw()?,
            '\'' => self.character()?,
            '$' => {
                self.at += 1;
                let name = self.name();
                Lexeme::Variable(format!("${name}"))
            }
            '.' if !self.rest()[1..].starts_with(|c: char| c.is_ascii_digit()) => {
                self.at += 1;
                let name = self.name();
                if name.is_empty() { Lexeme::Dot } else { Lexeme::Field(name) }
            }
            '0'..='9' | '+' | '-' | '.' => self.number()?,
            c if c == '_' || c.is_alphabetic() => Lexeme::Word(self.name()),
            c => {
                let what = format!("unexpected bad character U+{:04X} '{c}' in command", u32::from(c));
                return Err(syntax(self.source, start, what));
            }
        };
        self.push(lexeme, start, spaced);
        Ok(())
    }

    fn single(&mut self, lexeme: Lexeme) -> Lexeme {
        self.at += 1;
        lexeme
    }

    fn name(&mut self) -> String {
        let rest = self.rest();
        let end = rest.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(rest.len());
        let name = rest[..end].to_owned();
        self.at += end;
        name
    }

    fn quoted(&mut self) -> Result<Lexeme, TemplateError> {
        let start = self.at;
        let mut value = String::new();
        let source = self.source;
        let mut chars = source[start + 1..].char_indices();
        while let Some((offset, c)) = chars.next() {
            match c {
                '"' => {
                    self.at = start + 1 + offset + 1;
                    return Ok(Lexeme::Literal(Value::String(value)));
                }
                '\n' => break,
                '\\' => match chars.next().map(|(_, c)| c) {
                    Some(c) => value.push(escaped(c)),
                    None => break,
                },
                c => value.push(c),
            }
        }
        Err(syntax(self.source, start, "unterminated quoted string"))
    }

    fn raw(&mut self) -> Result<Lexeme, TemplateError> {
        let rest = &self.rest()[1..];
        let Some(end) = rest.find('`') else {
            return Err(syntax(self.source, self.at, "unterminated raw quoted string"));
        };
        let value = rest[..end].to_owned();
        self.at += end + 2;
        Ok(Lexeme::Literal(Value::String(value)))
    }

    /// A character is its number, as in Go.
    fn character(&mut self) -> Result<Lexeme, TemplateError> {
        let start = self.at;
        let mut chars = self.rest()[1..].chars();
        let value = match (chars.next(), chars.next(), chars.next()) {
            (Some('\\'), Some(c), Some('\'')) => {
                self.at += 3 + c.len_utf8();
                escaped(c)
            }
            (Some(c), Some('\''), _) if c != '\\' && c != '\'' => {
                self.at += 2 + c.len_utf8();
                c
            }
            _ => return Err(syntax(self.source, start, "unterminated character constant")),
        };
        Ok(Lexeme::Literal(Value::from(u32::from(value))))
    }

    fn number(&mut self) -> Result<Lexeme, TemplateError> {
        let start = self.at;
        let rest = self.rest();
        let end = rest
            .char_indices()
            .find(|&(i, c)| {
                !(c.is_alphanumeric() || c == '_' || c == '.' || (i == 0 && (c == '+' || c == '-')))
            })
            .map_or(rest.len(), |(i, _)| i);
        let word = &rest[..end];
        let value = integer(word).map(Value::from).or_else(|| {
            let float = word.trim_start_matches('+').parse::<f64>().ok()?;
            serde_json::Number::from_f64(float).map(Value::Number)
        });
        let Some(value) = value else {
            return Err(syntax(self.source, start, format!("bad number syntax: {word:?}")));
        };
        self.at += end;
        Ok(Lexeme::Literal(value))
    }

    fn rest(&self) -> &str {
        &self.source[self.at..]
    }

    fn push(&mut self, lexeme: Lexeme, start: usize, spaced: bool) {
        let end = self.at;
        self.tokens.push(Token { lexeme, start, end, spaced });
    }
}

const WHITE: [char; 4] = [' ', '\t', '\r', '\n'];

fn escaped(c: char) -> char {
    match c {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        c => c,
    }
}

fn integer(word: &str) -> Option<i64> {
    let (sign, digits) = match word.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, word.strip_prefix('+').unwrap_or(word)),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let value = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) if !hex.starts_with(['+', '-']) => i64::from_str_radix(hex, 16).ok()?,
        Some(_) => return None,
        None => digits.parse().ok()?,
    };
    Some(sign * value)
}
