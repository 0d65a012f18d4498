//! The name context as the session's own statements move it.

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    model::{
        facts::{Facts, SessionEffect},
        ids::Ident,
        name_context::{MysqlFlavor, MysqlReading, NameContext, Reading},
    },
    sql::mysql,
};

/// How texts are cut into tokens in a context.
pub(super) fn reading_of(context: &NameContext) -> Reading {
    context.mysql.map_or(Reading::Unknown, Reading::Mysql)
}

/// What names and texts mean now.
#[derive(Clone, Debug)]
pub(super) struct Names {
    current: Arc<NameContext>,
    /// After the login: what a reset goes back to.
    initial: Option<MysqlReading>,
}

impl Names {
    /// Starts with `context`.
    pub(super) fn new(context: NameContext) -> Self {
        Self { initial: context.mysql, current: Arc::new(context) }
    }

    /// What names and texts mean now.
    pub(super) const fn context(&self) -> &Arc<NameContext> {
        &self.current
    }

    /// How texts are cut into tokens now.
    pub(super) fn reading(&self) -> Reading {
        reading_of(&self.current)
    }

    /// The current database is another one; empty is none.
    pub(super) fn use_database(&mut self, database: &str) {
        if *self.current.database != *database {
            Arc::make_mut(&mut self.current).database = database.into();
        }
    }

    /// As it was after the login, but in the current database.
    pub(super) fn reset(&mut self) {
        let context = Arc::make_mut(&mut self.current);
        context.mysql = self.initial;
        context.temporary = Arc::default();
    }

    /// The session's temporary tables are gone.
    pub(super) fn forget_temporary(&mut self) {
        self.change_temporary(BTreeSet::clear);
    }

    /// What the server itself says of how it reads.
    ///
    /// # Errors
    /// When the gateway cannot read so.
    pub(super) fn learn(&mut self, sql_mode: &str, charset: &str) -> Result<(), Unreadable> {
        let Some(before) = self.current.mysql else { return Ok(()) };
        let reading = mysql::reading_of_mode(sql_mode, before).map_err(|_| Unreadable)?;
        let charset = mysql::reading_of_charset(charset).map_err(|_| Unreadable)?;
        self.set_reading(MysqlReading { charset, ..reading });
        Ok(())
    }

    fn set_reading(&mut self, reading: MysqlReading) {
        if self.current.mysql != Some(reading) {
            Arc::make_mut(&mut self.current).mysql = Some(reading);
        }
    }

    /// A statement succeeded. False if the server must be asked how it reads now.
    #[must_use]
    pub(super) fn apply(&mut self, facts: &Facts) -> bool {
        let mut known = true;
        for effect in &facts.effects {
            known &= self.apply_effect(effect);
        }
        known
    }

    /// A statement failed, with this error. What dropped temporary tables may have dropped some of them: MariaDB goes on
    /// behind a name that is missing, MySQL looks for all of them first.
    pub(super) fn apply_failure(&mut self, facts: &Facts, errno: u16) {
        let looks_first =
            self.current.mysql.is_some_and(|it| it.flavor == MysqlFlavor::Mysql && it.version >= 80_000);
        for effect in &facts.effects {
            let drops =
                matches!(effect, SessionEffect::DropRelation(_)) && !(looks_first && errno == UNKNOWN_TABLE);
            if drops || matches!(effect, SessionEffect::DiscardTemporary) {
                let _ = self.apply_effect(effect);
            }
        }
    }

    /// Whether a statement with this effect may have changed how texts are read before it failed.
    pub(super) fn may_change_reading(effect: &SessionEffect) -> bool {
        match effect {
            SessionEffect::Set { name, .. } => matches!(&**name, "sql_mode" | "character_set_client"),
            SessionEffect::ContextUnknown | SessionEffect::ResetAll | SessionEffect::DiscardAll => true,
            SessionEffect::UseDatabase(_)
            | SessionEffect::Vacates(_)
            | SessionEffect::DiscardTemporary
            | SessionEffect::CreateTemporary(_)
            | SessionEffect::DropRelation(_)
            | SessionEffect::Prepare { .. }
            | SessionEffect::Deallocate(_)
            | SessionEffect::DeclareCursor { .. }
            | SessionEffect::CloseCursor(_)
            | SessionEffect::Pin
            | SessionEffect::Ties(_)
            | SessionEffect::Releases(_)
            | SessionEffect::LockTables
            | SessionEffect::UnlockTables
            | SessionEffect::ShowsApplication
            | SessionEffect::ShowsPrivileges
            | SessionEffect::ShowsReadOnly
            | SessionEffect::ReadsDiagnostics
            | SessionEffect::Define => false,
        }
    }

    fn apply_effect(&mut self, effect: &SessionEffect) -> bool {
        match effect {
            SessionEffect::UseDatabase(name) => self.use_database(name),
            SessionEffect::Set { name, value, .. } => return self.set(name, value.as_deref()),
            SessionEffect::ContextUnknown | SessionEffect::ResetAll | SessionEffect::DiscardAll => {
                return false;
            }
            SessionEffect::CreateTemporary(name) => self.change_temporary(|names| {
                names.insert(name.clone());
            }),
            SessionEffect::DropRelation(name) if self.current.temporary.contains(name) => {
                self.change_temporary(|names| {
                    names.remove(name);
                });
            }
            SessionEffect::DiscardTemporary => self.change_temporary(BTreeSet::clear),
            SessionEffect::DropRelation(_)
            | SessionEffect::Prepare { .. }
            | SessionEffect::Deallocate(_)
            | SessionEffect::DeclareCursor { .. }
            | SessionEffect::CloseCursor(_)
            | SessionEffect::Pin
            | SessionEffect::Ties(_)
            | SessionEffect::Releases(_)
            | SessionEffect::Vacates(_)
            | SessionEffect::LockTables
            | SessionEffect::UnlockTables
            | SessionEffect::ShowsApplication
            | SessionEffect::ShowsPrivileges
            | SessionEffect::ShowsReadOnly
            | SessionEffect::ReadsDiagnostics
            | SessionEffect::Define => {}
        }
        true
    }

    /// A variable took a value. False if what that means is not known.
    fn set(&mut self, name: &str, value: Option<&str>) -> bool {
        let Some(before) = self.current.mysql else { return true };
        let plain = value.map(|value| value.trim_matches(['\'', '"']));
        match (name, plain) {
            ("sql_mode", Some(mode)) => match mysql::reading_of_mode(mode, before) {
                Ok(reading) => self.set_reading(reading),
                Err(_) => return false,
            },
            ("character_set_client", Some(charset)) => match mysql::reading_of_charset(charset) {
                Ok(charset) => self.set_reading(MysqlReading { charset, ..before }),
                Err(_) => return false,
            },
            ("sql_mode" | "character_set_client", None) => return false,
            _ => {}
        }
        true
    }

    fn change_temporary(&mut self, change: impl FnOnce(&mut BTreeSet<Ident>)) {
        let context = Arc::make_mut(&mut self.current);
        change(Arc::make_mut(&mut context.temporary));
    }

    /// Whether a statement can change what is behind it in the same text.
    pub(super) fn is_moved_by(facts: &Facts) -> bool {
        let moves = |effect: &SessionEffect| match effect {
            SessionEffect::UseDatabase(_)
            | SessionEffect::Vacates(_)
            | SessionEffect::DiscardTemporary
            | SessionEffect::CreateTemporary(_)
            | SessionEffect::DropRelation(_)
            | SessionEffect::Prepare { .. }
            | SessionEffect::Deallocate(_) => true,
            SessionEffect::Set { .. }
            | SessionEffect::ResetAll
            | SessionEffect::DiscardAll
            | SessionEffect::ContextUnknown
            | SessionEffect::DeclareCursor { .. }
            | SessionEffect::CloseCursor(_)
            | SessionEffect::Pin
            | SessionEffect::Ties(_)
            | SessionEffect::Releases(_)
            | SessionEffect::LockTables
            | SessionEffect::UnlockTables
            | SessionEffect::ShowsApplication
            | SessionEffect::ShowsPrivileges
            | SessionEffect::ShowsReadOnly
            | SessionEffect::ReadsDiagnostics
            | SessionEffect::Define => Self::may_change_reading(effect),
        };
        facts.runs.is_some() || facts.effects.iter().any(moves)
    }
}

/// ER_BAD_TABLE_ERROR.
const UNKNOWN_TABLE: u16 = 1051;

/// The server reads in a way that the gateway does not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unreadable;
