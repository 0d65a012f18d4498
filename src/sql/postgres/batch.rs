//! A batch: its statements one behind the other, each in the context that the ones before leave.

use std::{collections::BTreeSet, ops::Range, sync::Arc};

use pg_query::protobuf::RawStmt;

use crate::{
    model::{
        facts::{AccessMode, Facts, Runs, SessionEffect, TransactionEffect, Unanalyzable},
        ids::Ident,
        name_context::{NameContext, SearchPath},
        object::Object,
    },
    sql::{found::note_effect, limits::Limits},
};

use super::{bounds, builtin_columns, lexer::Lexer, parse, setting::search_path, walk::Walk};

/// What names mean at one place of a batch.
#[derive(Clone, Debug)]
pub(super) struct Names {
    /// The session's context, as far as the batch has not changed it.
    pub(super) context: NameContext,
    /// The batch defines something: what the catalog says of relations may be over.
    pub(super) defined: bool,
    /// Schemas that the batch makes or renames.
    pub(super) new_schemas: BTreeSet<Ident>,
    /// Relations and types that the batch makes or changes.
    pub(super) new_relations: BTreeSet<Ident>,
}

/// The facts of each statement of `text`.
///
/// # Errors
/// See [`crate::sql::analyze`].
pub(in crate::sql) fn analyze(
    text: &str,
    context: &NameContext,
    limits: &Limits,
) -> Result<Vec<Facts>, Unanalyzable> {
    let shape = bounds::check(text, limits)?;
    let bytes = shape.stack_bytes();
    // A stack of its own for deep texts: the thread's own may be as small as 2 MiB.
    stacker::maybe_grow(bytes, bytes + STACK_SLACK_BYTES, || statements(text, context, limits))
}

const STACK_SLACK_BYTES: usize = 1024 * 1024;

fn statements(text: &str, context: &NameContext, limits: &Limits) -> Result<Vec<Facts>, Unanalyzable> {
    let statements = parse::parse(text)?;
    if statements.len() > limits.statements {
        return Err(Unanalyzable::TooLarge { what: "statements", limit: limits.statements });
    }
    let mut names = Names {
        context: context.clone(),
        defined: false,
        new_schemas: BTreeSet::new(),
        new_relations: BTreeSet::new(),
    };
    let mut facts = Vec::with_capacity(statements.len());
    for statement in &statements {
        let span = span(text, statement)?;
        let source = text.get(span.clone()).unwrap_or_default();
        let mut walk = Walk::new(&names, limits);
        let head = walk.statement(statement.stmt.as_deref(), source)?;
        let mut found = walk.found;
        builtin_columns::open_definitions(&mut found.accesses, found.writes, source);
        if shows_application(source) {
            note_effect(&mut found.effects, SessionEffect::ShowsApplication);
        }
        let fact = found.into_facts(head, span, parse::fingerprint(source));
        if statements.len() > 1 {
            names.follow(&fact);
        }
        facts.push(fact);
    }
    Ok(facts)
}

/// Whether a statement may show or change `application_name`: by its name, or by what shows any setting. A name can be
/// hidden in escapes only where that is written.
fn shows_application(source: &str) -> bool {
    let lower = source.to_ascii_lowercase();
    let words =
        ["application_name", "current_setting", "set_config", "pg_settings", "show_all_settings", "u&"];
    words.iter().any(|word| lower.contains(word)) || (lower.starts_with("show") && lower.ends_with("all"))
}

/// Where the statement stands, from its first token to its last.
fn span(text: &str, statement: &RawStmt) -> Result<Range<usize>, Unanalyzable> {
    let outside = || Unanalyzable::Unknown { construct: "the statement's place in the text".to_owned() };
    let start = usize::try_from(statement.stmt_location).map_err(|_| outside())?;
    let length = usize::try_from(statement.stmt_len).map_err(|_| outside())?;
    let end = if length == 0 { text.len() } else { start + length };
    let slice = text.get(start..end).ok_or_else(outside)?;
    let mut tokens = Lexer::new(slice);
    let first = tokens.next().ok_or_else(outside)?;
    let last = tokens.last().unwrap_or(first);
    Ok(start + first.start..start + last.end)
}

impl Names {
    /// Takes over what a statement leaves, for the statements behind it in the same batch.
    ///
    /// Wherever the text does not tell, the context is unknown from there on.
    fn follow(&mut self, facts: &Facts) {
        for effect in &facts.effects {
            self.follow_effect(effect);
        }
        for access in facts.accesses.iter().filter(|access| access.mode == AccessMode::Define) {
            match &access.object {
                Object::Relation { name, .. } => self.new_relations.insert(name.clone()),
                Object::Schema { name } => self.new_schemas.insert(name.clone()),
                Object::Database
                | Object::Unresolved { .. }
                | Object::Routine { .. }
                | Object::OtherDatabase { .. }
                | Object::Server { .. } => false,
            };
        }
        match facts.transaction {
            TransactionEffect::None
            | TransactionEffect::Begin { .. }
            | TransactionEffect::Savepoint(_)
            | TransactionEffect::Release(_)
            | TransactionEffect::SetModes { .. } => {}
            // SET LOCAL ends, and its like from before this batch is not known here.
            TransactionEffect::Commit { .. } => self.context.search_path = SearchPath::Unknown,
            // So does everything that was set or made since the transaction began.
            TransactionEffect::Rollback { .. } | TransactionEffect::RollbackTo(_) => {
                self.context.search_path = SearchPath::Unknown;
                self.context.temporary = Arc::new(BTreeSet::new());
            }
        }
        if matches!(facts.runs, Some(Runs::Prepared { explain: false, .. })) {
            // What runs by name may set settings: only the session knows its text.
            self.context.search_path = SearchPath::Unknown;
        }
    }

    fn follow_effect(&mut self, effect: &SessionEffect) {
        match effect {
            SessionEffect::Set { name, value, .. } if name.as_str() == "search_path" => {
                self.context.search_path = value.as_deref().map_or(SearchPath::Unknown, search_path);
            }
            SessionEffect::ResetAll | SessionEffect::ContextUnknown => {
                self.context.search_path = SearchPath::Unknown;
            }
            SessionEffect::DiscardAll => {
                self.context.search_path = SearchPath::Unknown;
                self.context.temporary = Arc::new(BTreeSet::new());
            }
            SessionEffect::DiscardTemporary => self.context.temporary = Arc::new(BTreeSet::new()),
            SessionEffect::CreateTemporary(name) => {
                Arc::make_mut(&mut self.context.temporary).insert(name.clone());
            }
            SessionEffect::DropRelation(name) => {
                Arc::make_mut(&mut self.context.temporary).remove(name);
            }
            SessionEffect::Define => self.defined = true,
            SessionEffect::Set { .. }
            | SessionEffect::Prepare { .. }
            | SessionEffect::Deallocate(_)
            | SessionEffect::DeclareCursor { .. }
            | SessionEffect::CloseCursor(_)
            | SessionEffect::Pin
            | SessionEffect::Ties(_)
            | SessionEffect::Releases(_)
            | SessionEffect::UseDatabase(_)
            | SessionEffect::Vacates(_)
            | SessionEffect::LockTables
            | SessionEffect::UnlockTables
            | SessionEffect::ShowsApplication
            | SessionEffect::ShowsPrivileges
            | SessionEffect::ShowsReadOnly
            | SessionEffect::ReadsDiagnostics => {}
        }
    }
}
