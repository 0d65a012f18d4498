//! What a system variable of the session takes, and what that leaves.

use crate::model::facts::{SessionEffect, TransactionEffect};

use super::{
    builtin::{self, Variable},
    charset::Charset,
    parser::{Parsed, Parser, unknown},
    render::render,
    set::Scope,
    sql_mode,
    token::{Kind, Token},
};

/// The value that a variable takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// DEFAULT.
    Default,
    /// A literal or a word.
    Literal {
        /// Its content.
        text: String,
        /// As SET takes it.
        rendered: String,
    },
    /// Known only when the statement runs.
    Unseen,
}

impl Value {
    fn text(&self) -> Option<String> {
        match self {
            Self::Literal { text, .. } => Some(text.to_ascii_lowercase()),
            Self::Default | Self::Unseen => None,
        }
    }

    /// What [`SessionEffect::Set`] carries; the outer `None` if it cannot be set again elsewhere.
    fn to_carry(&self) -> Option<Option<String>> {
        match self {
            Self::Default => Some(None),
            // How it is written hangs on the mode of the moment.
            Self::Literal { text, .. } if text.contains(['\\', '\'']) => None,
            Self::Literal { rendered, .. } => Some(Some(rendered.clone())),
            Self::Unseen => None,
        }
    }
}

impl Parser<'_> {
    /// The value behind `=`.
    pub(super) fn assigned_value(&mut self) -> Parsed<Value> {
        let start = self.position();
        if self.accept_word("DEFAULT") {
            return Ok(Value::Default);
        }
        let sign = self.accept_symbol("-") || self.accept_symbol("+");
        if self.next().is_some() && self.is_value_over() {
            let tokens = self.since(start);
            if let Some(text) = literal(tokens, sign) {
                let rendered = render(tokens, &self.reading);
                return Ok(Value::Literal { text, rendered });
            }
        }
        self.go_back(start);
        // Words that are values here and no expression anywhere else.
        if self.accept_any(&["ON", "ALL", "BINARY", "ROW", "SYSTEM"]).is_some() && self.is_value_over() {
            let text = self.since(start).first().map(|token| token.text.to_string()).unwrap_or_default();
            return Ok(Value::Literal { rendered: text.clone(), text });
        }
        self.go_back(start);
        self.expression()?;
        Ok(Value::Unseen)
    }

    fn is_value_over(&self) -> bool {
        self.is_at_end() || self.is_symbol(",") || self.is_word("FOR")
    }

    /// Sets a variable for the session.
    ///
    /// # Errors
    /// `Never` for values under which the gateway cannot read what comes.
    pub(super) fn set_variable(&mut self, name: &str, scope: Scope, value: Value) -> Parsed<()> {
        match builtin::variable(name) {
            Variable::Harmless if matches!(name, "transaction_isolation" | "tx_isolation") => {
                self.set_isolation(scope, &value)
            }
            Variable::Harmless => {
                self.carry(name, &value);
                Ok(())
            }
            Variable::Values(harmless) => {
                let fits = match value.text() {
                    Some(text) => harmless.contains(&text.as_str()),
                    None => value == Value::Default,
                };
                if fits {
                    self.carry(name, &value);
                } else {
                    self.sets_as_administrator(name);
                }
                Ok(())
            }
            Variable::Pin => {
                self.found.effect(SessionEffect::Pin);
                Ok(())
            }
            Variable::Autocommit => self.set_autocommit(&value),
            Variable::ReadOnly => {
                let on = matches!(value.text().as_deref(), Some("1" | "on" | "true"));
                let off = matches!(value.text().as_deref(), Some("0" | "off" | "false"));
                if scope != Scope::Next {
                    match value {
                        Value::Default => self.sets_read_only(None),
                        Value::Literal { .. } if on || off => self.sets_read_only(Some(on)),
                        // closed: in what mode the session's transactions begin could not be said.
                        Value::Literal { .. } | Value::Unseen => {
                            return Err(unknown("a mode of transactions that is not written out"));
                        }
                    }
                }
                self.sets_modes(!on, scope != Scope::Next)
            }
            Variable::SqlMode => self.set_sql_mode(&value),
            Variable::CharsetClient | Variable::CharsetConnection | Variable::CollationConnection => {
                self.set_charset(name, &value)
            }
            Variable::Admin => {
                self.sets_as_administrator(name);
                Ok(())
            }
        }
    }

    /// What only an administrator may set stays with its connection: the accounts of other lanes could not set it again.
    fn sets_as_administrator(&mut self, name: &str) {
        self.found.administer(&format!("variable {name}"));
        self.found.effect(SessionEffect::Pin);
    }

    fn carry(&mut self, name: &str, value: &Value) {
        match value.to_carry() {
            Some(value) => self.leaves(name, value),
            None => self.found.effect(SessionEffect::Pin),
        }
    }

    fn set_isolation(&mut self, scope: Scope, value: &Value) -> Parsed<()> {
        if scope == Scope::Next {
            return self.sets_modes(false, false);
        }
        match value.to_carry() {
            Some(value) => self.sets_isolation(value),
            None => self.found.effect(SessionEffect::Pin),
        }
        self.sets_modes(false, true)
    }

    /// Switching it on commits what is open.
    fn set_autocommit(&mut self, value: &Value) -> Parsed<()> {
        let off = matches!(value.text().as_deref(), Some("0" | "off" | "false"));
        if !off {
            match self.found.transaction {
                TransactionEffect::None | TransactionEffect::Commit { .. } => {}
                _ => return Err(unknown("SET of autocommit and of a transaction's modes at once")),
            }
            self.found.transaction = TransactionEffect::Commit { chain: false };
        }
        self.carry("autocommit", value);
        Ok(())
    }

    fn set_sql_mode(&mut self, value: &Value) -> Parsed<()> {
        match value {
            Value::Literal { text, .. } => {
                sql_mode::read(text, self.reading)?;
                let plain: String = text.chars().filter(|letter| !letter.is_whitespace()).collect();
                self.leaves("sql_mode", Some(format!("'{plain}'")));
            }
            // The server knows what it is now.
            Value::Default | Value::Unseen => self.found.effect(SessionEffect::ContextUnknown),
        }
        Ok(())
    }

    fn set_charset(&mut self, name: &str, value: &Value) -> Parsed<()> {
        let Some(text) = value.text() else {
            self.found.effect(SessionEffect::ContextUnknown);
            return Ok(());
        };
        match name {
            "character_set_client" | "character_set_connection" => Charset::of_client(&text).map(drop)?,
            _ => Charset::of_collation(&text)?,
        }
        self.leaves(name, Some(text));
        Ok(())
    }
}

/// The content of one literal or word.
fn literal(tokens: &[Token<'_>], signed: bool) -> Option<String> {
    let token = tokens.last()?;
    let number = matches!(token.kind, Kind::Integer | Kind::Decimal | Kind::Float);
    let text = matches!(token.kind, Kind::String | Kind::Word | Kind::Quoted);
    // A word that is no literal: the call of a function without brackets.
    let computed = token.kind == Kind::Word
        && (token.text.to_ascii_uppercase().starts_with("CURRENT_")
            || token.text.to_ascii_uppercase().starts_with("UTC_")
            || token.text.to_ascii_uppercase().starts_with("LOCALTIME"));
    if !(number || text && !signed) || computed {
        return None;
    }
    Some(tokens.iter().map(|token| token.text.as_ref()).collect())
}
