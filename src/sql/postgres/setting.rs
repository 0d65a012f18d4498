//! Settings: SET, RESET, SHOW and set_config.

use pg_query::{
    NodeEnum,
    protobuf::{
        AExprKind, FuncCall, KeywordKind, Node, SelectStmt, VariableSetKind, VariableSetStmt, a_const::Val,
    },
};

use crate::model::{
    facts::{SessionEffect, StatementKind, TransactionEffect, Unanalyzable},
    ids::Ident,
    name_context::SearchPath,
    object::Object,
    principal::SIGNED,
};

use super::{
    builtin::{self, SettingClass},
    constant,
    function::argument_of,
    names::{self, Meaning, Name},
    parse,
    walk::{Head, Step, Walk, changes_names, unknown},
};

/// The value that a setting takes.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    /// Its default (SET … TO DEFAULT, RESET).
    Default,
    /// This text.
    Text(String),
    /// Known only when the statement runs.
    Unseen,
}

impl Value {
    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Default | Self::Unseen => None,
        }
    }
}

/// The path that a value of `search_path` is, in the form that [`SessionEffect::Set`] carries and that the server
/// shows.
///
/// A list that is not well-formed is unknown: the server refuses it, or reads it otherwise than we did. So is one with
/// letters outside ASCII, which the server may fold, with a vertical tab, which only some versions take for a space, and
/// with names that are empty or too long.
///
/// Source: PostgreSQL, `SplitIdentifierString`.
pub fn search_path(value: &str) -> SearchPath {
    let plain = |entry: &String| entry.is_ascii() && (1..64).contains(&entry.len());
    let is_doubtful = value.contains('\u{b}');
    match constant::split_identifiers(value, ',') {
        Some(entries) if !is_doubtful && entries.iter().all(plain) => {
            SearchPath::Known(entries.into_iter().map(Ident::from).collect())
        }
        // closed: what is not read as the server reads it could be any path.
        Some(_) | None => SearchPath::Unknown,
    }
}

impl Walk<'_> {
    pub(super) fn variable_set(&mut self, set: &VariableSetStmt) -> Result<Head, Unanalyzable> {
        let local = set.is_local;
        match VariableSetKind::try_from(set.kind) {
            Ok(VariableSetKind::VarSetValue) => {
                let value = written_value(&set.name, &set.args);
                self.set(&set.name, value, local)?;
            }
            Ok(VariableSetKind::VarSetDefault) => self.set(&set.name, Value::Default, local)?,
            Ok(VariableSetKind::VarReset) => {
                self.set(&set.name, Value::Default, local)?;
                return Ok((StatementKind::Set, "RESET"));
            }
            Ok(VariableSetKind::VarResetAll) => {
                self.effect(SessionEffect::ResetAll);
                return Ok((StatementKind::Set, "RESET"));
            }
            Ok(VariableSetKind::VarSetMulti) => self.set_several(set)?,
            Ok(VariableSetKind::VarSetCurrent | VariableSetKind::Undefined) | Err(_) => {
                return Err(unknown("SET FROM CURRENT"));
            }
        }
        Ok((StatementKind::Set, "SET"))
    }

    fn set_several(&mut self, set: &VariableSetStmt) -> Step {
        match set.name.as_str() {
            "TRANSACTION" => {
                self.found.transaction =
                    TransactionEffect::SetModes { read_write: says_read_write(&set.args), session: false };
                Ok(())
            }
            "SESSION CHARACTERISTICS" => {
                self.found.transaction =
                    TransactionEffect::SetModes { read_write: says_read_write(&set.args), session: true };
                for mode in &set.args {
                    let Some(NodeEnum::DefElem(mode)) = mode.node.as_ref() else {
                        return Err(unknown("a transaction mode"));
                    };
                    if mode.defname != "transaction_read_only" {
                        let value = mode.arg.as_deref().and_then(literal).ok_or_else(|| unknown("a mode"))?;
                        let name = format!("default_{}", mode.defname).into();
                        self.effect(SessionEffect::Set { name, value: Some(value), local: false });
                    }
                }
                Ok(())
            }
            "TRANSACTION SNAPSHOT" => Ok(()),
            other => Err(unknown(format!("SET {other}"))),
        }
    }

    /// SET, RESET or their like by function.
    fn set(&mut self, name: &str, value: Value, local: bool) -> Step {
        let name = name.to_ascii_lowercase();
        if name == "application_name" && may_be_signed(&value) {
            self.administer(&format!("setting {name}"));
        }
        match builtin::setting(&name) {
            Some(SettingClass::Harmless) => self.leaves(&name, value, local),
            Some(SettingClass::Values(harmless)) => {
                let fits = match &value {
                    Value::Default => true,
                    Value::Text(text) => harmless.contains(&text.to_ascii_lowercase().as_str()),
                    Value::Unseen => false,
                };
                if !fits && reads_text(&name) {
                    return Err(never(&name, "Leave it at its default."));
                }
                if !fits {
                    self.administer(&format!("setting {name}"));
                }
                self.leaves(&name, value, local);
            }
            Some(SettingClass::SearchPath) => match value {
                Value::Unseen => self.effect(SessionEffect::ContextUnknown),
                Value::Default | Value::Text(_) => self.leaves(&name, value, local),
            },
            Some(SettingClass::ReadOnly) => {
                // Anything but a plain ON may lift the lock; so may the default.
                let on = value.text().and_then(constant::boolean_word) == Some(true);
                let session = name.starts_with("default_") && !local;
                self.found.transaction = TransactionEffect::SetModes { read_write: !on, session };
            }
            Some(SettingClass::Role) => {
                // Back to the account itself is harmless.
                let own = value == Value::Default || name == "role" && value.text() == Some("none");
                if !own {
                    self.administer(&name);
                    self.effect(SessionEffect::ContextUnknown);
                }
            }
            Some(SettingClass::ClientEncoding) => {
                let fits = match &value {
                    Value::Default => true,
                    Value::Text(text) => is_utf8(text) || self.reads_alike(text),
                    Value::Unseen => false,
                };
                if !fits {
                    return Err(never("client_encoding other than UTF8", "Use UTF8."));
                }
                self.leaves(&name, value, local);
            }
            Some(SettingClass::Refused) => {
                if value != Value::Default {
                    return Err(never(&name, "Leave it at its default."));
                }
            }
            Some(SettingClass::Admin) => {
                self.administer(&format!("setting {name}"));
                self.leaves(&name, value, local);
            }
            None => {
                self.administer(&format!("setting {name}"));
                self.leaves(&name, value, local);
            }
        }
        Ok(())
    }

    /// Whether the server reads text in this client encoding as it reads UTF8: SQL_ASCII converts nothing, so text is
    /// taken for what the database keeps. libpq asks for it where the locale is C.
    ///
    /// Source: PostgreSQL, `pg_any_to_server`.
    fn reads_alike(&self, encoding: &str) -> bool {
        let catalog = self.names.context.catalog.as_ref();
        // closed: in a database that is not known, text may be anything.
        plain_encoding(encoding) == b"sqlascii" && catalog.is_some_and(|catalog| catalog.is_utf8)
    }

    fn leaves(&mut self, name: &str, value: Value, local: bool) {
        let value = match value {
            Value::Default => None,
            Value::Text(text) => Some(text),
            // It cannot be set again elsewhere without being known.
            Value::Unseen => return self.effect(SessionEffect::Pin),
        };
        self.effect(SessionEffect::Set { name: name.into(), value, local });
    }

    /// `set_config(name, value, is_local)`: SET within a query.
    pub(super) fn set_config(&mut self, call: &FuncCall) -> Step {
        let name = match argument_of(call, 0) {
            Some(column) if is_name_column(column) => self.only_setting.clone(),
            other => other.and_then(constant::text).map(str::to_owned),
        };
        let Some(name) = name.as_deref() else {
            self.guarded("set_config");
            return Ok(());
        };
        let value = argument_of(call, 1).and_then(constant::text);
        let local = argument_of(call, 2).and_then(constant::boolean);
        // Only a call that runs once for sure leaves what it says.
        let certain = self.runs_once.contains(&call.location);
        match (value, local) {
            (Some(value), Some(local)) if certain => self.set(name, Value::Text(value.to_owned()), local),
            (Some(value), _) => self.may_set(name, value),
            (None, _) => self.set(name, Value::Unseen, false),
        }
    }

    /// A setting that may take the value or not: the value is judged, what it leaves is unknown.
    fn may_set(&mut self, name: &str, value: &str) -> Step {
        let before = self.found.effects.len();
        self.set(name, Value::Text(value.to_owned()), false)?;
        let left = self.found.effects.split_off(before);
        if left.iter().any(changes_names) {
            self.effect(SessionEffect::ContextUnknown);
        } else if !left.is_empty() {
            self.effect(SessionEffect::Pin);
        }
        if let TransactionEffect::SetModes { read_write, .. } = &mut self.found.transaction {
            *read_write = true;
        }
        Ok(())
    }
}

/// The setting in `FROM pg_settings WHERE name = 'setting'`: then the column `name` is that constant.
///
/// This is how pg_dump sets what older servers may not have.
pub(super) fn only_setting(walk: &Walk<'_>, query: &SelectStmt) -> Option<String> {
    let [from] = query.from_clause.as_slice() else { return None };
    let Some(NodeEnum::RangeVar(relation)) = from.node.as_ref() else { return None };
    let system = Object::Relation { schema: "pg_catalog".into(), name: "pg_settings".into() };
    let certain = matches!(
        walk.meaning(Name::of(relation)),
        Meaning::System { object, also, .. } if object == system && also.is_empty()
    );
    let Some(NodeEnum::AExpr(equals)) = query.where_clause.as_deref()?.node.as_ref() else { return None };
    let equality = equals.kind == AExprKind::AexprOp as i32
        && names::parts(&equals.name).as_deref() == Some(&["="])
        && equals.lexpr.as_deref().is_some_and(is_name_column);
    let plain = relation.alias.is_none() && query.with_clause.is_none() && !walk.is_cte(relation);
    if !(certain && equality && plain) {
        return None;
    }
    constant::text(equals.rexpr.as_deref()?).map(str::to_owned)
}

fn is_name_column(node: &Node) -> bool {
    match node.node.as_ref() {
        Some(NodeEnum::ColumnRef(column)) => names::parts(&column.fields).as_deref() == Some(&["name"]),
        _ => false,
    }
}

/// Whether a list of transaction modes asks for READ WRITE.
pub(super) fn says_read_write(modes: &[Node]) -> bool {
    modes.iter().any(|mode| match mode.node.as_ref() {
        Some(NodeEnum::DefElem(mode)) => {
            mode.defname == "transaction_read_only"
                && mode.arg.as_deref().and_then(constant::boolean) != Some(true)
        }
        _ => false,
    })
}

/// The value behind TO, in the form that SET takes between quotes.
fn written_value(name: &str, args: &[Node]) -> Value {
    let literals: Option<Vec<String>> = args.iter().map(literal).collect();
    let Some(mut literals) = literals else { return Value::Unseen };
    if name.eq_ignore_ascii_case("search_path") {
        for entry in &mut literals {
            *entry = in_list(entry);
        }
    }
    Value::Text(literals.join(", "))
}

/// A name as the server keeps it in a list: between quotes where it is no plain word.
///
/// Source: PostgreSQL's `quote_identifier`.
fn in_list(name: &str) -> String {
    let mut letters = name.bytes();
    let is_plain = letters.next().is_some_and(|first| first.is_ascii_lowercase() || first == b'_')
        && letters.all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == b'_');
    let is_word = || {
        parse::tokens(name).is_some_and(|tokens| {
            tokens.iter().all(|token| {
                matches!(token.keyword_kind(), KeywordKind::NoKeyword | KeywordKind::UnreservedKeyword)
            })
        })
    };
    if is_plain && is_word() { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

fn literal(node: &Node) -> Option<String> {
    match node.node.as_ref()? {
        NodeEnum::AConst(constant) if !constant.isnull => Some(match constant.val.as_ref()? {
            Val::Sval(string) => string.sval.clone(),
            Val::Ival(number) => number.ival.to_string(),
            Val::Fval(number) => number.fval.clone(),
            Val::Boolval(value) => value.boolval.to_string(),
            Val::Bsval(_) => return None,
        }),
        _ => None,
    }
}

/// Whether what a connection is to call itself could be taken for what the gateway calls it.
fn may_be_signed(value: &Value) -> bool {
    match value {
        Value::Default => false,
        Value::Text(text) => {
            let beginning = text.trim_start().get(..SIGNED.len());
            beginning.is_some_and(|beginning| beginning.eq_ignore_ascii_case(SIGNED))
        }
        // closed: it may be any name.
        Value::Unseen => true,
    }
}

/// Whether the setting changes how the text of statements is read.
fn reads_text(name: &str) -> bool {
    matches!(name, "standard_conforming_strings" | "backslash_quote")
}

fn is_utf8(encoding: &str) -> bool {
    matches!(plain_encoding(encoding).as_slice(), b"utf8" | b"unicode")
}

/// The name of an encoding as the server compares it: letters and digits alone, in lower case.
fn plain_encoding(name: &str) -> Vec<u8> {
    name.bytes().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_lowercase()).collect()
}

fn never(setting: &str, instead: &'static str) -> Unanalyzable {
    Unanalyzable::Never { construct: format!("setting {setting}"), instead }
}
