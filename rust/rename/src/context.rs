//! What a token is about, from the tokens before it: names of nodes are told from names of classes. The same for scripts in
//! text and in binary tokens.

use crate::Role;

/// A token, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token {
    /// An identifier, or a keyword that stands for a value (`self`, `PI`, `true`).
    Word,
    /// A keyword behind which an expression begins or which ends nothing.
    Keyword,
    Extends,
    Is,
    Not,
    /// `class_name` or `class`.
    Class,
    /// A string.
    Text,
    Number,
    Dollar,
    /// `is_glued`: what follows it follows at once.
    Percent {
        is_glued: bool,
    },
    Slash,
    Open,
    Close,
    Other,
}

/// A node path that is being written in code.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum NodePath {
    #[default]
    None,
    /// A name has to come.
    Begun,
    /// A name was there; another one may follow.
    Named,
}

#[derive(Debug, Default)]
pub(crate) struct Context {
    node_path: NodePath,
    /// Whether an operand ended just now: a percent sign is an operator then.
    is_operand: bool,
    depth: usize,
    role: Option<Role>,
}

impl Context {
    /// Takes the next token. `is_line_start`: it is the first of a line that continues no other. For a word or a string, the
    /// role of a class name in its place; `None` if it is a node's name.
    pub(crate) fn next(&mut self, token: Token, is_line_start: bool) -> Option<Role> {
        if is_line_start {
            self.start_line(token);
        }
        match (self.node_path, token) {
            (NodePath::Begun, Token::Word | Token::Keyword | Token::Text)
            | (NodePath::Begun, Token::Extends | Token::Is | Token::Not | Token::Class) => {
                self.node_path = NodePath::Named;
                self.is_operand = true;
                return None;
            }
            (NodePath::Begun, Token::Slash | Token::Percent { .. } | Token::Dollar) => return None,
            (NodePath::Named, Token::Slash | Token::Percent { .. }) => {
                self.node_path = NodePath::Begun;
                return None;
            }
            _ => self.node_path = NodePath::None,
        }
        let role = self.role.take();
        match token {
            Token::Dollar => self.node_path = NodePath::Begun,
            Token::Percent { .. } if !self.is_operand => self.node_path = NodePath::Begun,
            Token::Open => self.depth += 1,
            Token::Close => self.depth = self.depth.saturating_sub(1),
            Token::Extends => self.role = Some(Role::Extends),
            Token::Is => self.role = Some(Role::Is),
            Token::Not if role == Some(Role::Is) => self.role = role,
            Token::Class => self.role = Some(Role::Declaration),
            _ => {}
        }
        self.is_operand = matches!(token, Token::Word | Token::Text | Token::Number | Token::Close);
        match token {
            Token::Text => Some(Role::Text),
            _ => Some(role.unwrap_or(Role::Reference)),
        }
    }

    /// A line begins a statement, unless it is within brackets, where it may go on with an expression or be a lambda's. A
    /// percent sign is an operator there if something stands between it and its operand: what is missed if that guess
    /// is wrong is a constant, which both classes have alike.
    fn start_line(&mut self, token: Token) {
        let goes_on = match token {
            Token::Percent { is_glued } => !is_glued,
            _ => true,
        };
        if self.depth == 0 || !goes_on {
            self.node_path = NodePath::None;
            self.is_operand = false;
            self.role = None;
        }
    }
}
