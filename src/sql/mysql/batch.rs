//! A text to the facts of its statements, each in the context that the ones before leave.

use std::{ops::Range, sync::Arc};

use crate::{
    model::{
        facts::{Facts, Runs, SessionEffect, StatementKind, TransactionEffect, Unanalyzable},
        name_context::{MysqlReading, NameContext},
    },
    sql::limits::Limits,
};

use super::{
    body,
    charset::Charset,
    fingerprint::fingerprint,
    found::Found,
    lexer,
    parser::{Parser, unknown},
    render::render,
    sql_mode,
    token::Token,
};

/// See [`crate::sql::analyze`].
pub(in crate::sql) fn analyze(
    text: &str,
    context: &NameContext,
    limits: &Limits,
) -> Result<Vec<Facts>, Unanalyzable> {
    if text.len() > limits.statement_bytes {
        return Err(Unanalyzable::TooLarge { what: "bytes", limit: limits.statement_bytes });
    }
    // closed: without knowing how the server reads, nothing is read.
    let reading = context.mysql.ok_or_else(|| unknown("the server's way to read"))?;
    let tokens = lexer::tokens(text, &reading, limits)?;
    let bytes = tokens.len().min(limits.nesting) * STACK_BYTES_EACH;
    // A stack of its own for deep texts: the thread's own may be as small as 2 MiB.
    stacker::maybe_grow(bytes, bytes + STACK_SLACK_BYTES, || statements(&tokens, reading, context, limits))
}

/// Of stack, for each level of nesting.
const STACK_BYTES_EACH: usize = 12 * 1024;
const STACK_SLACK_BYTES: usize = 1024 * 1024;

fn statements(
    tokens: &[Token<'_>],
    reading: MysqlReading,
    context: &NameContext,
    limits: &Limits,
) -> Result<Vec<Facts>, Unanalyzable> {
    let mut state = State { context: context.clone(), is_readable: true };
    let mut all = Vec::new();
    let mut rest = tokens;
    while !rest.is_empty() {
        let (of_one, behind) = rest.split_at(body::length(rest));
        rest = behind.split_first().map_or(&[], |(_, behind)| behind);
        if all.len() >= limits.statements {
            return Err(Unanalyzable::TooLarge { what: "statements", limit: limits.statements });
        }
        let facts = match span(of_one) {
            Some(span) => {
                if !state.is_readable {
                    return Err(unknown("a statement behind one that changes how texts are read"));
                }
                statement(of_one, span, reading, &state.context, limits)?
            }
            // Between two semicolons; at the end of the text, nothing.
            None => empty(behind),
        };
        state.follow(&facts, reading)?;
        all.push(facts);
    }
    Ok(all)
}

fn statement(
    tokens: &[Token<'_>],
    span: Range<usize>,
    reading: MysqlReading,
    context: &NameContext,
    limits: &Limits,
) -> Result<Facts, Unanalyzable> {
    let mut parser = Parser::new(tokens, context, reading, limits);
    let (kind, command) = parser.whole_statement()?;
    let mut found = parser.found;
    let sent = found.sent.take().unwrap_or_else(|| render(tokens, &reading));
    Ok(found.into_facts(kind, command, span, fingerprint(tokens), sent.into()))
}

fn empty(behind: &[Token<'_>]) -> Facts {
    let at = behind.first().map_or(0, |semicolon| semicolon.span.start);
    Found::default().into_facts(StatementKind::Empty, "", at..at, 0, Arc::from(""))
}

/// Where the tokens stand in the text.
fn span(tokens: &[Token<'_>]) -> Option<Range<usize>> {
    let first = tokens.first()?;
    let last = tokens.last().unwrap_or(first);
    // An executable comment may hold tokens of several statements; a span is no more than where to look.
    Some(first.span.start..last.span.end.max(first.span.start))
}

/// What names and texts mean at one place of a batch.
struct State {
    /// The session's context, as far as the batch has not changed it.
    context: NameContext,
    /// The tokens behind are what the server will read.
    is_readable: bool,
}

impl State {
    /// Takes over what a statement leaves for the ones behind it.
    fn follow(&mut self, facts: &Facts, reading: MysqlReading) -> Result<(), Unanalyzable> {
        let temporary = &mut self.context.temporary;
        for effect in &facts.effects {
            match effect {
                SessionEffect::Set { name, value, .. } => {
                    self.is_readable &= keeps_reading(name, value.as_deref(), reading)?;
                }
                SessionEffect::UseDatabase(name) => self.context.database = name.as_str().into(),
                SessionEffect::CreateTemporary(name) => {
                    Arc::make_mut(temporary).insert(name.clone());
                }
                SessionEffect::DropRelation(name) => {
                    Arc::make_mut(temporary).remove(name);
                }
                SessionEffect::ContextUnknown | SessionEffect::ResetAll | SessionEffect::DiscardAll => {
                    self.is_readable = false;
                }
                SessionEffect::DiscardTemporary => *temporary = Arc::default(),
                SessionEffect::Prepare { .. }
                | SessionEffect::Deallocate(_)
                | SessionEffect::DeclareCursor { .. }
                | SessionEffect::CloseCursor(_)
                | SessionEffect::Pin
                | SessionEffect::Vacates(_)
                | SessionEffect::Ties(_)
                | SessionEffect::Releases(_)
                | SessionEffect::Define
                | SessionEffect::LockTables
                | SessionEffect::UnlockTables
                | SessionEffect::ShowsApplication
                | SessionEffect::ShowsPrivileges
                | SessionEffect::ShowsReadOnly
                | SessionEffect::ReadsDiagnostics => {}
            }
        }
        // What runs by name is known to the session alone, and a lock that is lifted in the middle is not seen.
        let hidden = matches!(facts.runs, Some(Runs::Prepared { explain: false, .. }));
        let lifted = matches!(facts.transaction, TransactionEffect::SetModes { .. });
        self.is_readable &= !hidden && !lifted;
        Ok(())
    }
}

/// Whether texts are read as before once the variable has the value.
fn keeps_reading(name: &str, value: Option<&str>, reading: MysqlReading) -> Result<bool, Unanalyzable> {
    match (name, value) {
        ("sql_mode", Some(value)) => Ok(sql_mode::read(value.trim_matches('\''), reading)? == reading),
        ("character_set_client", Some(value)) => Ok(Charset::of_client(value)?.reading() == reading.charset),
        ("sql_mode" | "character_set_client", None) => Ok(false),
        _ => Ok(true),
    }
}
