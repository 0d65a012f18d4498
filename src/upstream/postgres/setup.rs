//! The gateway's own texts, built from typed values.

use bytes::{BufMut, BytesMut};

use crate::{
    model::{ids::Ident, target::Lane},
    upstream::error::UpstreamError,
    wire::postgres::backend::message,
};

/// A statement of the gateway's own; nobody's text gets into it.
///
/// All but [`Setup::Poison`] go as Query, which ends the unnamed prepared statement and portal as any Query does.
#[derive(Clone, Copy, Debug)]
pub enum Setup<'a> {
    /// BEGIN; what is `None` is left to the session's defaults.
    Begin {
        /// ISOLATION LEVEL.
        isolation: Option<Isolation>,
        /// READ ONLY or READ WRITE.
        access: Option<AccessMode>,
        /// DEFERRABLE or NOT DEFERRABLE.
        deferrable: Option<bool>,
    },
    /// DEALLOCATE of one prepared statement.
    Deallocate(&'a Ident),
    /// DISCARD ALL.
    DiscardAll,
    /// A Parse that cannot succeed: fails the upstream's transaction, and skips what follows up to Sync.
    ///
    /// It is for a named statement, so that the unnamed one stays as it is.
    Poison,
    /// A Query that cannot succeed: fails the upstream's transaction.
    PoisonQuery,
    /// The session's transactions are read-only from here on, or no longer are.
    ReadOnly(bool),
    /// RESET ALL.
    ResetAll,
    /// ROLLBACK.
    Rollback,
    /// SET or SET LOCAL of one setting.
    Set {
        /// The setting; may be qualified with a dot.
        name: &'a Ident,
        /// Its value.
        value: SettingValue<'a>,
        /// Only to the end of the transaction.
        local: bool,
    },
}

/// What a setting is set to.
#[derive(Clone, Copy, Debug)]
pub enum SettingValue<'a> {
    /// DEFAULT.
    Default,
    /// One value.
    Literal(&'a str),
    /// A list of names, such as `search_path` takes.
    List(&'a [Ident]),
    /// The same as one text, split and quoted as the server itself writes it.
    Path(&'a str),
}

/// Isolation levels of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// READ COMMITTED (READ UNCOMMITTED is the same in PostgreSQL).
    ReadCommitted,
    /// REPEATABLE READ.
    RepeatableRead,
    /// SERIALIZABLE.
    Serializable,
}

/// Access modes of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessMode {
    /// READ ONLY.
    ReadOnly,
    /// READ WRITE.
    ReadWrite,
}

impl Setup<'_> {
    /// It, as it may go out on `lane`.
    ///
    /// # Errors
    /// `Misuse` for what would let the read lane write.
    pub(crate) fn on_lane(self, lane: Lane) -> Result<Self, UpstreamError> {
        let lifts = |name: &str| READ_ONLY_SETTINGS.iter().any(|it| name.eq_ignore_ascii_case(it));
        match self {
            // INVARIANT: whatever a session has set, the read lane stays read-only.
            Self::Set { name, .. } if lane == Lane::Read && lifts(name) => Ok(Self::ReadOnly(true)),
            Self::Begin { access: Some(AccessMode::ReadWrite), .. } | Self::ReadOnly(false)
                if lane == Lane::Read =>
            {
                Err(UpstreamError::Misuse { what: "the read lane stays read-only" })
            }
            Self::Begin { .. }
            | Self::Deallocate(_)
            | Self::DiscardAll
            | Self::Poison
            | Self::PoisonQuery
            | Self::ReadOnly(_)
            | Self::ResetAll
            | Self::Rollback
            | Self::Set { .. } => Ok(self),
        }
    }

    /// Appends it as one message.
    ///
    /// # Errors
    /// `Misuse` if a value cannot be quoted; nothing is appended then.
    pub(crate) fn encode(&self, out: &mut BytesMut) -> Result<(), UpstreamError> {
        match self {
            Self::Begin { isolation, access, deferrable } => {
                let isolation = isolation.map_or("", |level| match level {
                    Isolation::ReadCommitted => " ISOLATION LEVEL READ COMMITTED",
                    Isolation::RepeatableRead => " ISOLATION LEVEL REPEATABLE READ",
                    Isolation::Serializable => " ISOLATION LEVEL SERIALIZABLE",
                });
                let access = access.map_or("", |mode| match mode {
                    AccessMode::ReadOnly => " READ ONLY",
                    AccessMode::ReadWrite => " READ WRITE",
                });
                let deferrable =
                    deferrable.map_or("", |it| if it { " DEFERRABLE" } else { " NOT DEFERRABLE" });
                own_query(out, &["BEGIN", isolation, access, deferrable].concat());
            }
            Self::Deallocate(name) => {
                own_query(out, &format!("DEALLOCATE \"{}\"", name.replace('"', "\"\"")));
            }
            Self::DiscardAll => own_query(out, "DISCARD ALL"),
            Self::Poison => message(out, b'P', |out| {
                out.put_slice(b"tidegate_poison\0");
                out.put_slice(POISON.as_bytes());
                out.put_slice(&[0, 0, 0]);
            }),
            Self::PoisonQuery => own_query(out, POISON),
            Self::ReadOnly(on) => {
                own_query(out, if *on { READ_ONLY_ON } else { READ_ONLY_OFF });
            }
            Self::ResetAll => own_query(out, "RESET ALL"),
            Self::Rollback => own_query(out, "ROLLBACK"),
            Self::Set { name, value, local } => own_query(out, &set(name, *value, *local)?),
        }
        Ok(())
    }
}

/// Appends a Query of the gateway's own.
pub(crate) fn own_query(out: &mut BytesMut, text: &str) {
    message(out, b'Q', |out| {
        out.put_slice(text.as_bytes());
        out.put_u8(0);
    });
}

fn set(name: &str, value: SettingValue<'_>, local: bool) -> Result<String, UpstreamError> {
    let mut text = String::from(if local { "SET LOCAL " } else { "SET " });
    let known = |part: &str| {
        !part.is_empty() && part.bytes().all(|letter| letter.is_ascii_alphanumeric() || letter == b'_')
    };
    if !name.split('.').all(known) {
        return Err(UpstreamError::Misuse {
            what: "the name of a setting has other letters than a-z, 0-9, _",
        });
    }
    for (at, part) in name.split('.').enumerate() {
        text.push_str(if at == 0 { "\"" } else { ".\"" });
        text.push_str(part);
        text.push('"');
    }
    text.push_str(" TO ");
    match value {
        SettingValue::Default | SettingValue::List([]) => text.push_str("DEFAULT"),
        SettingValue::Literal(value) => quote(&mut text, value)?,
        // `set_config` takes the list as one text; SET would take it for one name.
        SettingValue::Path(path) => {
            let mut call = String::from("SELECT pg_catalog.set_config(");
            quote(&mut call, name)?;
            call.push_str(", ");
            quote(&mut call, path)?;
            call.push_str(if local { ", true)" } else { ", false)" });
            return Ok(call);
        }
        SettingValue::List(values) => {
            for (at, value) in values.iter().enumerate() {
                text.push_str(if at == 0 { "" } else { ", " });
                quote(&mut text, value)?;
            }
        }
    }
    Ok(text)
}

/// Quotes so that it reads the same whatever `standard_conforming_strings` says.
fn quote(text: &mut String, value: &str) -> Result<(), UpstreamError> {
    if value.contains('\0') {
        return Err(UpstreamError::Misuse { what: "the value of a setting has a zero byte" });
    }
    text.push_str(if value.contains('\\') { " E'" } else { "'" });
    for letter in value.chars() {
        if matches!(letter, '\'' | '\\') {
            text.push(letter);
        }
        text.push(letter);
    }
    text.push('\'');
    Ok(())
}

const READ_ONLY_SETTINGS: [&str; 2] = ["default_transaction_read_only", "transaction_read_only"];
const READ_ONLY_ON: &str = "SET default_transaction_read_only TO on";
const READ_ONLY_OFF: &str = "SET default_transaction_read_only TO off";

/// No grammar of any version begins with these words.
const POISON: &str = "refused by tidegate";

#[cfg(test)]
mod tests {
    use super::*;

    fn text(setup: Setup<'_>) -> String {
        let mut out = BytesMut::new();
        setup.encode(&mut out).unwrap();
        String::from_utf8(out[5..out.len() - 1].to_vec()).unwrap()
    }

    #[test]
    fn a_value_cannot_leave_its_quotes() {
        let name = Ident::from("my.setting");
        let set = |value| text(Setup::Set { name: &name, value: SettingValue::Literal(value), local: false });
        assert_eq!(set("a'; DROP TABLE t; --"), r#"SET "my"."setting" TO 'a''; DROP TABLE t; --'"#);
        assert_eq!(set(r"a\'"), r#"SET "my"."setting" TO  E'a\\'''"#);
    }

    #[test]
    fn a_name_that_is_no_name_and_a_zero_byte_are_refused() {
        for (name, value) in [("a\"b", "x"), ("", "x"), ("a..b", "x"), ("a b", "x"), ("a", "x\0y")] {
            let name = Ident::from(name);
            let setup = Setup::Set { name: &name, value: SettingValue::Literal(value), local: true };
            let mut out = BytesMut::new();
            assert!(matches!(setup.encode(&mut out), Err(UpstreamError::Misuse { .. })), "{name}");
            assert!(out.is_empty());
        }
    }

    #[test]
    fn nothing_of_ours_lets_the_read_lane_write() {
        let name = Ident::from("Default_Transaction_Read_Only");
        let off = Setup::Set { name: &name, value: SettingValue::Literal("off"), local: true };
        assert_eq!(text(off.on_lane(Lane::Read).unwrap()), READ_ONLY_ON);
        assert_eq!(text(off.on_lane(Lane::Write).unwrap()), format!("SET LOCAL \"{name}\" TO 'off'"));
        let begin = |access| Setup::Begin { isolation: None, access: Some(access), deferrable: None };
        for setup in [begin(AccessMode::ReadWrite), Setup::ReadOnly(false)] {
            assert!(setup.on_lane(Lane::Read).is_err());
            assert!(setup.on_lane(Lane::Write).is_ok());
        }
        for setup in [begin(AccessMode::ReadOnly), Setup::ReadOnly(true), Setup::ResetAll] {
            assert!(setup.on_lane(Lane::Read).is_ok());
        }
    }

    #[test]
    fn lists_and_modes_are_spelled_as_the_server_reads_them() {
        let (name, path) = (Ident::from("search_path"), ["$user".into(), "a\"b".into()]);
        let setup = Setup::Set { name: &name, value: SettingValue::List(&path), local: true };
        assert_eq!(text(setup), r#"SET LOCAL "search_path" TO '$user', 'a"b'"#);
        let begin = Setup::Begin {
            isolation: Some(Isolation::Serializable),
            access: Some(AccessMode::ReadOnly),
            deferrable: Some(true),
        };
        assert_eq!(text(begin), "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE");
        assert_eq!(text(Setup::Begin { isolation: None, access: None, deferrable: None }), "BEGIN");
    }
}
