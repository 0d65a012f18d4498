//! The name context as the session's own statements move it, through transactions and savepoints.

use std::{collections::BTreeSet, sync::Arc};

use super::savepoints::Savepoints;
use crate::{
    model::{
        catalog::Catalog,
        facts::{AccessMode, Facts, Runs, SessionEffect, TransactionEffect},
        ids::Ident,
        name_context::{NameContext, SearchPath},
        object::Object,
    },
    sql::search_path,
};

/// What names mean now, and what they will mean when the transaction is rolled back.
#[derive(Clone, Debug)]
pub(super) struct Names {
    current: Arc<NameContext>,
    /// The path that outlives the transaction; differs from the current one after SET LOCAL.
    lasting_path: SearchPath,
    /// The path of RESET: what the session started with.
    initial_path: SearchPath,
    /// The client asked for that path at its login: RESET on the connection leads to another, until it is told anew.
    asked: bool,
    /// The lasting path was reset, and the connection has not been told.
    untold: bool,
    saved: Savepoints<Saved>,
}

/// What comes back when a transaction, or a savepoint in it, is rolled back.
#[derive(Clone, Debug)]
struct Saved {
    current: Arc<NameContext>,
    lasting_path: SearchPath,
    untold: bool,
}

impl Names {
    /// Starts with `context`, whose path is what RESET goes back to; `asked` if it is the client's own and not the
    /// connection's.
    pub(super) fn new(context: NameContext, asked: bool) -> Self {
        Self {
            asked,
            untold: false,
            lasting_path: context.search_path.clone(),
            initial_path: context.search_path.clone(),
            current: Arc::new(context),
            saved: Savepoints::default(),
        }
    }

    /// What names mean now.
    pub(super) const fn context(&self) -> &Arc<NameContext> {
        &self.current
    }

    /// Takes a renewed catalog, or none if there is none to be had.
    pub(super) fn set_catalog(&mut self, catalog: Option<Arc<Catalog>>) {
        let is_it = |known: &Option<Arc<Catalog>>| match (known, &catalog) {
            (Some(known), Some(catalog)) => Arc::ptr_eq(known, catalog),
            (known, catalog) => known.is_none() && catalog.is_none(),
        };
        // INVARIANT: what is saved has the catalog of the current context, whose copies it is.
        if is_it(&self.current.catalog) {
            return;
        }
        let fresh = |context: &mut Arc<NameContext>| Arc::make_mut(context).catalog.clone_from(&catalog);
        fresh(&mut self.current);
        self.saved.iter_mut().for_each(|saved| fresh(&mut saved.current));
    }

    /// Whether a statement can change what names mean, so that nothing behind it can be judged before it is done.
    pub(super) fn is_moved_by(facts: &Facts) -> bool {
        let by_transaction = match facts.transaction {
            TransactionEffect::None
            | TransactionEffect::Begin { .. }
            | TransactionEffect::SetModes { .. } => false,
            TransactionEffect::Commit { .. }
            | TransactionEffect::Rollback { .. }
            | TransactionEffect::Savepoint(_)
            | TransactionEffect::Release(_)
            | TransactionEffect::RollbackTo(_) => true,
        };
        // What is executed by name may do any of it.
        let by_name = matches!(facts.runs, Some(Runs::Prepared { explain: false, .. }));
        by_transaction
            || by_name
            || facts.effects.iter().any(|effect| match effect {
                SessionEffect::Set { name, .. } => &**name == "search_path",
                SessionEffect::ResetAll
                | SessionEffect::DiscardAll
                | SessionEffect::DiscardTemporary
                | SessionEffect::CreateTemporary(_)
                | SessionEffect::DropRelation(_)
                | SessionEffect::Prepare { .. }
                | SessionEffect::Deallocate(_)
                | SessionEffect::DeclareCursor { .. }
                | SessionEffect::CloseCursor(_)
                | SessionEffect::ContextUnknown => true,
                SessionEffect::Pin
                | SessionEffect::Ties(_)
                | SessionEffect::Releases(_)
                | SessionEffect::UseDatabase(_)
                | SessionEffect::Vacates(_)
                | SessionEffect::LockTables
                | SessionEffect::UnlockTables
                | SessionEffect::ShowsApplication
                | SessionEffect::ShowsPrivileges
                | SessionEffect::ShowsReadOnly
                | SessionEffect::ReadsDiagnostics
                | SessionEffect::Define => false,
            })
    }

    /// A transaction begins, in words or by the first statement of a batch.
    pub(super) fn begin(&mut self) {
        let Self { saved, current, lasting_path, untold, .. } = self;
        saved.begin(|| Saved::of(current, lasting_path, *untold));
    }

    /// The transaction ends; what was set in it stays only if it was `committed`.
    pub(super) fn end(&mut self, committed: bool) {
        let before = self.saved.end();
        if committed {
            let lasting = self.lasting_path.clone();
            self.set_path(lasting);
            // From now on the catalog knows of them.
            if !self.current.made.is_empty() {
                Arc::make_mut(&mut self.current).made = Arc::default();
            }
        } else if let Some(before) = before {
            self.restore(before);
        }
    }

    /// No transaction is open, and a connection is told the session's settings before the next statement: a path
    /// that was reset is from now on what the client started with.
    pub(super) fn settle(&mut self) {
        if std::mem::take(&mut self.untold) {
            self.lasting_path = self.initial_path.clone();
            self.set_path(self.initial_path.clone());
        }
    }

    /// Whether a transaction is open.
    pub(super) const fn in_transaction(&self) -> bool {
        self.saved.is_open()
    }

    /// How many savepoints the open transaction has, itself included.
    pub(super) const fn savepoints(&self) -> usize {
        self.saved.len()
    }

    /// A statement succeeded.
    pub(super) fn apply(&mut self, facts: &Facts) {
        match &facts.transaction {
            TransactionEffect::None | TransactionEffect::SetModes { .. } => {}
            TransactionEffect::Begin { .. } => self.begin(),
            TransactionEffect::Commit { chain } => self.finish(true, *chain),
            TransactionEffect::Rollback { chain } => self.finish(false, *chain),
            TransactionEffect::Savepoint(name) => {
                let Self { saved, current, lasting_path, untold, .. } = self;
                saved.save(name, || Saved::of(current, lasting_path, *untold));
            }
            TransactionEffect::Release(name) => self.saved.release(name),
            TransactionEffect::RollbackTo(name) => {
                if let Some(saved) = self.saved.roll_back_to(name).cloned() {
                    self.restore(saved);
                }
            }
        }
        facts.effects.iter().for_each(|effect| self.apply_effect(effect));
        if self.in_transaction() {
            self.note_made(facts);
        }
    }

    /// Keeps the names that a statement of an open transaction made or changed.
    fn note_made(&mut self, facts: &Facts) {
        for access in facts.accesses.iter().filter(|access| access.mode == AccessMode::Define) {
            let name = match &access.object {
                Object::Relation { name, .. } | Object::Schema { name } => name,
                Object::Database
                | Object::Unresolved { .. }
                | Object::Routine { .. }
                | Object::OtherDatabase { .. }
                | Object::Server { .. } => continue,
            };
            if self.current.made.len() >= MADE_NAMES {
                // closed: names that are not kept could be taken for what they were before.
                self.set_path(SearchPath::Unknown);
            } else if !self.current.made.contains(name) {
                let context = Arc::make_mut(&mut self.current);
                Arc::make_mut(&mut context.made).insert(name.clone());
            }
        }
    }

    fn apply_effect(&mut self, effect: &SessionEffect) {
        match effect {
            SessionEffect::Set { name, value, local } if &**name == "search_path" => {
                let path = value.as_deref().map_or_else(|| self.path_of_reset(), search_path);
                if !*local {
                    self.lasting_path = path.clone();
                    self.untold = self.asked && value.is_none();
                }
                self.set_path(path);
            }
            SessionEffect::ResetAll => self.reset_path(),
            SessionEffect::DiscardAll => {
                self.reset_path();
                self.change_temporary(BTreeSet::clear);
                // INVARIANT: the server commits it at once; an error behind it takes nothing of it back.
                self.saved.clear();
            }
            SessionEffect::DiscardTemporary => self.change_temporary(BTreeSet::clear),
            SessionEffect::CreateTemporary(name) => self.change_temporary(|names| {
                names.insert(name.clone());
            }),
            SessionEffect::DropRelation(name) => self.change_temporary(|names| {
                names.remove(name);
            }),
            SessionEffect::ContextUnknown => {
                self.lasting_path = SearchPath::Unknown;
                self.untold = false;
                self.set_path(SearchPath::Unknown);
            }
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
            | SessionEffect::ReadsDiagnostics
            | SessionEffect::Define => {}
        }
    }

    /// The session's temporary tables went with their connection; no rollback brings them back.
    pub(super) fn forget_temporary(&mut self) {
        self.change_temporary(BTreeSet::clear);
        for saved in self.saved.iter_mut() {
            Arc::make_mut(&mut saved.current).temporary = Arc::default();
        }
    }

    fn finish(&mut self, committed: bool, chain: bool) {
        self.end(committed);
        if chain {
            self.begin();
        }
    }

    fn reset_path(&mut self) {
        let path = self.path_of_reset();
        self.lasting_path = path.clone();
        self.untold = self.asked;
        self.set_path(path);
    }

    /// What the connection in use has after RESET.
    fn path_of_reset(&self) -> SearchPath {
        // closed: it is the account's own there, not what the client started with.
        if self.asked { SearchPath::Unknown } else { self.initial_path.clone() }
    }

    fn set_path(&mut self, path: SearchPath) {
        if self.current.search_path != path {
            Arc::make_mut(&mut self.current).search_path = path;
        }
    }

    fn change_temporary(&mut self, change: impl FnOnce(&mut BTreeSet<Ident>)) {
        let context = Arc::make_mut(&mut self.current);
        change(Arc::make_mut(&mut context.temporary));
    }

    fn restore(&mut self, saved: Saved) {
        self.current = saved.current;
        self.lasting_path = saved.lasting_path;
        self.untold = saved.untold;
    }
}

impl Saved {
    fn of(current: &Arc<NameContext>, lasting_path: &SearchPath, untold: bool) -> Self {
        Self { current: Arc::clone(current), lasting_path: lasting_path.clone(), untold }
    }
}

/// How many names of one transaction are kept; more than any migration makes at once.
const MADE_NAMES: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::facts::{Access, StatementKind};

    fn context() -> NameContext {
        NameContext {
            database: "hr_prod".into(),
            server_version: 15,
            search_path: search_path("\"$user\", public"),
            accounts: Arc::from([]),
            temporary: Arc::default(),
            made: Arc::default(),
            catalog: None,
            mysql: None,
        }
    }

    fn names() -> Names {
        Names::new(context(), false)
    }

    fn facts(transaction: TransactionEffect, effects: Vec<SessionEffect>) -> Facts {
        Facts {
            kind: StatementKind::Set,
            command: "SET",
            span: 0..0,
            accesses: Vec::new(),
            shown_by_errors: Vec::new(),
            calls: Vec::new(),
            transaction,
            effects,
            runs: None,
            read_only: true,
            fingerprint: 0,
            sent: None,
        }
    }

    fn defines(name: &str) -> Facts {
        let object = Object::Relation { schema: "public".into(), name: name.into() };
        let access = Access { object, mode: AccessMode::Define };
        Facts { accesses: vec![access], ..facts(TransactionEffect::None, vec![SessionEffect::Define]) }
    }

    #[test]
    fn what_a_transaction_made_is_known_until_it_ends_or_goes_back() {
        let made = |names: &Names| names.context().made.iter().map(ToString::to_string).collect::<Vec<_>>();
        let mut names = names();
        names.apply(&defines("before"));
        assert!(made(&names).is_empty(), "outside of a transaction the catalog has it");
        names.apply(&facts(TransactionEffect::Begin { read_write: false }, vec![]));
        names.apply(&defines("kind"));
        names.apply(&facts(TransactionEffect::Savepoint("here".into()), vec![]));
        names.apply(&defines("fresh"));
        assert_eq!(made(&names), ["fresh", "kind"]);
        names.apply(&facts(TransactionEffect::RollbackTo("here".into()), vec![]));
        assert_eq!(made(&names), ["kind"]);
        names.apply(&facts(TransactionEffect::Commit { chain: false }, vec![]));
        assert!(made(&names).is_empty());
        names.apply(&facts(TransactionEffect::Begin { read_write: false }, vec![]));
        names.apply(&defines("kind"));
        names.apply(&facts(TransactionEffect::Rollback { chain: false }, vec![]));
        assert!(made(&names).is_empty());
    }

    #[test]
    fn more_names_than_are_kept_make_the_path_unknown() {
        let mut names = names();
        names.apply(&facts(TransactionEffect::Begin { read_write: false }, vec![]));
        for number in 0..MADE_NAMES {
            names.apply(&defines(&format!("t{number}")));
        }
        assert_eq!(names.context().search_path, context().search_path);
        names.apply(&defines("one_more"));
        assert_eq!(names.context().search_path, SearchPath::Unknown);
    }

    fn set(value: &str, local: bool) -> Facts {
        let effect = SessionEffect::Set { name: "search_path".into(), value: Some(value.into()), local };
        facts(TransactionEffect::None, vec![effect])
    }

    fn path(names: &Names) -> SearchPath {
        names.context().search_path.clone()
    }

    #[test]
    fn a_rollback_takes_back_what_was_set() {
        let mut names = names();
        let before = path(&names);
        names.apply(&facts(TransactionEffect::Begin { read_write: false }, vec![]));
        names.apply(&set("secret", false));
        assert_eq!(path(&names), search_path("secret"));
        names.apply(&facts(TransactionEffect::Rollback { chain: false }, vec![]));
        assert_eq!(path(&names), before);
    }

    #[test]
    fn set_local_ends_with_the_transaction_and_set_does_not() {
        let mut names = names();
        names.begin();
        names.apply(&set("a", false));
        names.apply(&set("b", true));
        assert_eq!(path(&names), search_path("b"));
        names.end(true);
        assert_eq!(path(&names), search_path("a"));
    }

    #[test]
    fn rolling_back_to_a_savepoint_restores_what_it_saw() {
        let mut names = names();
        names.begin();
        names.apply(&set("a", false));
        names.apply(&facts(TransactionEffect::Savepoint("s".into()), vec![]));
        names.apply(&set("b", false));
        names.apply(&facts(TransactionEffect::None, vec![SessionEffect::CreateTemporary("t".into())]));
        names.apply(&facts(TransactionEffect::RollbackTo("s".into()), vec![]));
        assert_eq!(path(&names), search_path("a"));
        assert!(names.context().temporary.is_empty());
        names.apply(&set("c", false));
        names.apply(&facts(TransactionEffect::RollbackTo("s".into()), vec![]));
        assert_eq!(path(&names), search_path("a"));
    }

    #[test]
    fn a_path_asked_for_at_login_comes_back_when_the_connection_is_told() {
        let reset = || facts(TransactionEffect::None, vec![SessionEffect::ResetAll]);
        let mut names = Names::new(context(), true);
        let login = path(&names);
        for (committed, after) in [(true, &login), (false, &search_path("a"))] {
            names.apply(&set("a", false));
            names.begin();
            names.apply(&reset());
            assert_eq!(path(&names), SearchPath::Unknown);
            names.end(committed);
            names.settle();
            assert_eq!(path(&names), *after);
        }
        let mut own = Names::new(context(), false);
        own.apply(&set("a", false));
        own.apply(&reset());
        assert_eq!(path(&own), login, "the connection's own path needs no telling");
    }

    #[test]
    fn what_is_lost_for_good_does_not_come_back_by_a_rollback() {
        let made = || facts(TransactionEffect::None, vec![SessionEffect::CreateTemporary("t".into())]);
        let mut names = names();
        names.apply(&made());
        names.begin();
        names.apply(&facts(TransactionEffect::None, vec![SessionEffect::DiscardTemporary]));
        names.end(false);
        assert!(names.context().temporary.contains("t"), "DISCARD TEMP is taken back");
        let before = path(&names);
        names.apply(&set("a", false));
        names.begin();
        names.apply(&facts(TransactionEffect::None, vec![SessionEffect::DiscardAll]));
        names.end(false);
        assert!(names.context().temporary.is_empty());
        assert_eq!(path(&names), before);
        names.apply(&made());
        names.begin();
        names.forget_temporary();
        names.end(false);
        assert!(names.context().temporary.is_empty());
    }

    #[test]
    fn an_unknown_context_becomes_known_again_by_set() {
        let mut names = names();
        names.apply(&facts(TransactionEffect::None, vec![SessionEffect::ContextUnknown]));
        assert_eq!(path(&names), SearchPath::Unknown);
        names.apply(&set("a", false));
        assert_eq!(path(&names), search_path("a"));
    }
}
