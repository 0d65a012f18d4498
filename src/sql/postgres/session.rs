//! What the session holds by name: cursors, prepared statements, channels.

use pg_query::protobuf::{
    ClosePortalStmt, DeallocateStmt, DeclareCursorStmt, DiscardMode, DiscardStmt, ExecuteStmt, FetchStmt,
    LockStmt, PrepareStmt,
};

use crate::model::{
    facts::{AccessMode, Runs, SessionEffect, StatementKind, Tie, TransactionEffect, Unanalyzable},
    object::Object,
};

use super::{
    lexer::{Kind, Lexer},
    names::Name,
    walk::{Found, Head, Walk, changes_names, unknown},
};

impl Walk<'_> {
    /// The statement inside is judged now and again at every EXECUTE; what it leaves, it leaves only then.
    pub(super) fn prepare(&mut self, prepare: &PrepareStmt, source: &str) -> Result<Head, Unanalyzable> {
        self.nodes(&prepare.argtypes)?;
        let text = text_behind_as(source).ok_or_else(|| unknown("PREPARE without AS"))?;
        if self.inner(|walk| walk.maybe(prepare.query.as_deref()))? {
            // An EXECUTE of it would change what names mean, or lift the read lane's lock, out of sight.
            self.guarded("set_config");
            self.found.effects.clear();
        }
        self.effect(SessionEffect::Prepare { name: prepare.name.as_str().into(), text: text.to_owned() });
        Ok((StatementKind::Prepare, "PREPARE"))
    }

    /// Walks a statement within the statement, without what it would leave behind if it ran; whether that would be a
    /// setting on which the meaning of later statements depends.
    fn inner(
        &mut self,
        walk: impl FnOnce(&mut Self) -> Result<(), Unanalyzable>,
    ) -> Result<bool, Unanalyzable> {
        let outer = std::mem::take(&mut self.found);
        let result = walk(self);
        let inner = std::mem::replace(&mut self.found, outer);
        result?;
        let Found { accesses, by_function, calls, writes, transaction, effects, .. } = inner;
        self.found.accesses.extend(accesses);
        self.found.by_function.extend(by_function);
        self.found.calls.extend(calls);
        self.found.writes |= writes;
        Ok(transaction != TransactionEffect::None || effects.iter().any(changes_names))
    }

    /// SHOW. Whether transactions are read-only is a question about the connection, unlike all others.
    pub(super) fn show(&mut self, setting: &str) -> Head {
        let setting = setting.to_ascii_lowercase();
        if matches!(setting.as_str(), "transaction_read_only" | "default_transaction_read_only") {
            self.effect(SessionEffect::ShowsReadOnly);
        }
        (StatementKind::Show, "SHOW")
    }

    pub(super) fn execute(&mut self, execute: &ExecuteStmt) -> Result<Head, Unanalyzable> {
        self.nodes(&execute.params)?;
        let name = execute.name.as_str().into();
        self.found.runs = Some(Runs::Prepared { name, explain: false });
        Ok((StatementKind::Execute, "EXECUTE"))
    }

    pub(super) fn deallocate(&mut self, deallocate: &DeallocateStmt) -> Head {
        let all = deallocate.isall || deallocate.name.is_empty();
        let name = (!all).then(|| deallocate.name.as_str().into());
        self.effect(SessionEffect::Deallocate(name));
        (StatementKind::Deallocate, if all { "DEALLOCATE ALL" } else { "DEALLOCATE" })
    }

    pub(super) fn declare(&mut self, declare: &DeclareCursorStmt) -> Result<Head, Unanalyzable> {
        self.inner_with_effects(declare)?;
        let hold = declare.options & CURSOR_HOLD != 0;
        self.effect(SessionEffect::DeclareCursor { name: declare.portalname.as_str().into(), hold });
        Ok((StatementKind::DeclareCursor, "DECLARE CURSOR"))
    }

    /// A cursor's query runs, though later; what it does to settings, and when, is out of sight.
    fn inner_with_effects(&mut self, declare: &DeclareCursorStmt) -> Result<(), Unanalyzable> {
        let before = self.found.effects.len();
        self.maybe(declare.query.as_deref())?;
        if self.found.effects.len() > before {
            let left = self.found.effects.split_off(before);
            if left.iter().any(changes_names) {
                // Each FETCH could change what names mean behind the session's back.
                self.guarded("set_config");
            } else {
                self.effect(SessionEffect::Pin);
            }
        }
        Ok(())
    }

    pub(super) fn fetch(&mut self, fetch: &FetchStmt) -> Head {
        self.found.runs = Some(Runs::Cursor(fetch.portalname.as_str().into()));
        (StatementKind::Fetch, if fetch.ismove { "MOVE" } else { "FETCH" })
    }

    pub(super) fn close(&mut self, close: &ClosePortalStmt) -> Head {
        let all = close.portalname.is_empty();
        self.effect(SessionEffect::CloseCursor((!all).then(|| close.portalname.as_str().into())));
        (StatementKind::CloseCursor, if all { "CLOSE CURSOR ALL" } else { "CLOSE CURSOR" })
    }

    pub(super) fn listen(&mut self) -> Head {
        self.effect(SessionEffect::Ties(Tie::Channel));
        (StatementKind::Listen, "LISTEN")
    }

    pub(super) fn unlisten(&mut self) -> Head {
        self.effect(SessionEffect::Releases(Tie::Channel));
        (StatementKind::Listen, "UNLISTEN")
    }

    pub(super) fn notify(&mut self) -> Head {
        // A channel belongs to no schema: any `dml` in the database will do.
        self.access(Object::Database, AccessMode::Write);
        (StatementKind::Notify, "NOTIFY")
    }

    pub(super) fn discard(&mut self, discard: &DiscardStmt) -> Result<Head, Unanalyzable> {
        let (effect, command) = match DiscardMode::try_from(discard.target) {
            Ok(DiscardMode::DiscardAll) => (Some(SessionEffect::DiscardAll), "DISCARD ALL"),
            Ok(DiscardMode::DiscardTemp) => (Some(SessionEffect::DiscardTemporary), "DISCARD TEMP"),
            Ok(DiscardMode::DiscardPlans) => (None, "DISCARD PLANS"),
            Ok(DiscardMode::DiscardSequences) => (None, "DISCARD SEQUENCES"),
            Ok(DiscardMode::Undefined) | Err(_) => return Err(unknown("DISCARD")),
        };
        effect.into_iter().for_each(|effect| self.effect(effect));
        Ok((StatementKind::Discard, command))
    }

    /// The weakest lock is the one that reading takes; any other keeps writers or readers away.
    pub(super) fn lock(&mut self, lock: &LockStmt) -> Result<Head, Unanalyzable> {
        for node in &lock.relations {
            let Some(pg_query::NodeEnum::RangeVar(relation)) = node.node.as_ref() else {
                return Err(unknown("LOCK TABLE"));
            };
            self.touch(Name::of(relation), AccessMode::Read);
            if lock.mode != ACCESS_SHARE {
                self.touch(Name::of(relation), AccessMode::Write);
            }
        }
        Ok((StatementKind::Lock, "LOCK TABLE"))
    }
}

/// The statement of `PREPARE name (types) AS statement`, as written.
fn text_behind_as(source: &str) -> Option<&str> {
    let mut depth = 0_usize;
    for token in Lexer::new(source) {
        match token.kind {
            Kind::Open => depth += 1,
            Kind::Close => depth = depth.saturating_sub(1),
            Kind::Word if depth == 0 => {
                let word = source.get(token.start..token.end)?;
                if word.eq_ignore_ascii_case("as") {
                    return source.get(token.end..).map(str::trim_start);
                }
            }
            Kind::Word
            | Kind::Operand
            | Kind::Operator
            | Kind::Comma
            | Kind::Semicolon
            | Kind::Dot
            | Kind::Other => {}
        }
    }
    None
}

/// `CURSOR_OPT_HOLD` of the server.
const CURSOR_HOLD: i32 = 0x20;

/// `AccessShareLock` of the server.
const ACCESS_SHARE: i32 = 1;
